"""What is plugged in, as `carehub devices` is told of it, and what must be known of what is enrolled."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivers.catalogue import DRIVERS
from drivers.usb.address import UsbAddress, is_usb
from drivers.usb.bus import Kind, UsbDevice
from hub.clock import now
from hub.configuration.file import Sensor
from hub.control.control_socket import ControlError
from hub.sensors.enrolment import Enrolled, Enrolment
from hub.sensors.fitting import is_reader

if TYPE_CHECKING:
    from drivers.known_models import Suggestion
    from drivers.usb.collector import UsbCollector, UsbSensorStatus, UsbSighting

OFF = 'USB is off on this hub: set usb.ports = "udev" in the configuration and restart the hub'
_SOCKET = re.compile(r"-usb(?:v\d)?-\d+:(?P<chain>\d+(?:\.\d+)*(?:-port\d+)?)$")
"""The end of what udev calls a socket (`ID_PATH`): the controller's port, and those of the hubs behind it."""


class PluggedIn:
    """What the collector of USB sees, beside what is enrolled. `collector` is None where USB is off."""

    def __init__(self, enrolment: Enrolment, collector: UsbCollector | None) -> None:
        self._enrolment = enrolment
        self._collector = collector

    @property
    def state(self) -> Mapping[str, object] | None:
        """Whether USB works, and in words how it is; None where it is off."""
        if self._collector is None:
            return None
        status = self._collector.status()
        return {"usable": status.usable, "words": status.words}

    def statuses(self) -> Mapping[str, UsbSensorStatus]:
        """How each enrolled device is, by its address."""
        if self._collector is None:
            return {}
        return {each.address: each for each in self._collector.status().sensors}

    def seen(self) -> list[Mapping[str, object]]:
        """All that is plugged in, enrolled or not, in the order of the sockets."""
        moment = now()
        return [self._said(each, moment) for each in self._sightings()]

    def named_by(self, address: str) -> list[UsbSighting]:
        """What is plugged in and is meant by an address; more than one where their serial numbers are the
        same."""
        meant = UsbAddress.parse(address)
        return [each for each in self._sightings() if each.device.is_named_by(meant)]

    def refuse(self, sensor: Sensor) -> None:
        """Refuse what can never be collected from as it is plugged in now, or is enrolled by its other name.

        Raises:
            ControlError: says why, and what to do.
        """
        found = self.named_by(sensor.address)
        fitting = [each for each in found if _fits(each.device, sensor.driver)]
        if found and not fitting:
            raise ControlError(
                f"{sensor.address}: is a {found[0].device.kind.value}, and {sensor.driver} reads a"
                f" {_kind(sensor.driver).value}: name another driver, or set the device to be one"
            )
        for sighting in fitting:
            other = self._enrolled_as(sighting)
            if other is not None and other.sensor.address != sensor.address:
                raise ControlError(
                    f"{sensor.address}: is enrolled already, as {other.sensor.address}: forget that first"
                )

    def notes(self, sensor: Sensor, suggestions: Sequence[Suggestion]) -> list[str]:
        """What an engineer must know of a device that is enrolled now, if it is not as one would expect."""
        if self._collector is None:
            return [f"nothing is collected: {OFF}"]
        status, found = self._collector.status(), self.named_by(sensor.address)
        notes = []
        if not status.usable:
            notes.append(f"USB does not work now, so nothing is collected: {status.words}")
        elif not found:
            notes.append("it is not plugged in: it is collected from as soon as it is")
        if len(found) > 1:
            sockets = " and ".join(each.by_port for each in found)
            notes.append(
                f"{len(found)} devices that are plugged in say this serial number, so none is listened to:"
                f" pull out the others, or forget this and enrol each by its socket ({sockets})"
            )
        notes += _known_by(sensor, suggestions)
        if is_reader(DRIVERS.get(sensor.driver)):
            notes += _of_a_reader(sensor, self._enrolment)
        return notes

    def _sightings(self) -> Sequence[UsbSighting]:
        return () if self._collector is None else self._collector.sightings()

    def _said(self, sighting: UsbSighting, moment: datetime) -> Mapping[str, object]:
        device, enrolled = sighting.device, self._enrolled_as(sighting)
        suggested = suggestions_of(sighting)
        return {
            "address": sighting.address,
            "by_socket": sighting.by_port,
            "socket": _socket(device.port),
            "manufacturer": device.manufacturer,
            "name": device.name,
            "kind": device.kind.value,
            "node": device.node,
            "serial_is_shared": device.by_serial is not None and sighting.address != str(device.by_serial),
            "may_open": _may_open(device),
            "since": sighting.since.isoformat(),
            "seconds_ago": round(max(0.0, (moment - sighting.since).total_seconds()), 1),
            "enrolled": enrolled is not None,
            "enrolled_as": None if enrolled is None else enrolled.sensor.address,
            "resident": None if enrolled is None else enrolled.sensor.resident,
            "driver": None if enrolled is None else enrolled.sensor.driver,
            "suggested": [{"driver": each.driver, "why": each.why} for each in suggested],
            "certain": not any(each.ground.doubtful for each in suggested),
        }

    def _enrolled_as(self, sighting: UsbSighting) -> Enrolled | None:
        """By its serial number first: that is how a collector has it."""
        means = [
            each
            for each in self._enrolment.all
            if is_usb(each.sensor.address)
            and _fits(sighting.device, each.sensor.driver)
            and sighting.device.is_named_by(UsbAddress.parse(each.sensor.address))
        ]
        return min(means, key=lambda each: "@" in each.sensor.address, default=None)


def is_refused(seen: Mapping[str, Any]) -> bool:
    """Whether the hub's user may not open what is plugged in, and would have to: not the keyboard that an
    engineer types on."""
    wanted = seen["enrolled"] or seen["kind"] == Kind.SERIAL.value or seen["certain"]
    return bool(wanted and not seen["may_open"])


def readers_of(kit: str | None, enrolment: Enrolment) -> list[str]:
    """The addresses of the readers of wristbands that open rounds on a kit."""
    return [
        each.sensor.address
        for each in enrolment.all
        if each.sensor.kit == kit and is_reader(DRIVERS.get(each.sensor.driver))
    ]


def _of_a_reader(sensor: Sensor, enrolment: Enrolment) -> list[str]:
    """What it takes for a scan to say whose readings come next."""
    notes = ["only the hub hears what it types from now on: on no other screen does a code appear"]
    kit = "without a kit" if sensor.kit is None else f"of the kit {sensor.kit}"
    others = [address for address in readers_of(sensor.kit, enrolment) if address != sensor.address]
    if others:
        notes.append(
            f"there is another reader {kit} ({', '.join(others)}): a scan by either says whose readings come"
            " next from all its sensors; readers that are used apart need a kit each (--kit)"
        )
    if not any(
        each.sensor.resident is None
        and each.sensor.kit == sensor.kit
        and not is_reader(DRIVERS.get(each.sensor.driver))
        for each in enrolment.all
    ):
        notes.append(f"no shared sensor {kit} is enrolled yet: there is nothing whose readings it could name")
    if not any(each.wristband is not None for each in enrolment.register.residents):
        notes.append(
            "no resident has a wristband in the configuration, so it can name nobody: give theirs there"
            " (residents.wristband), and restart the hub"
        )
    return notes


def suggestions_of(sighting: UsbSighting) -> Sequence[Suggestion]:
    """Which drivers may read it."""
    from drivers.known_models import suggest_usb  # a table that a hub needs while it is looked at only

    return suggest_usb(sighting.device)


def _kind(driver: str) -> Kind:
    return Kind.KEYBOARD if is_reader(DRIVERS.get(driver)) else Kind.SERIAL


def _fits(device: UsbDevice, driver: str) -> bool:
    return device.kind is _kind(driver)


def _known_by(sensor: Sensor, suggestions: Sequence[Suggestion]) -> list[str]:
    """What else would be taken for it."""
    from drivers.known_models import Ground

    if UsbAddress.parse(sensor.address).serial is None:
        return [
            "it is known by its socket only: whatever of this kind is plugged into that socket is taken for"
            " it, and in another socket it is a stranger"
        ]
    if any(each.ground is Ground.IN_MANY for each in suggestions) and _kind(sensor.driver) is Kind.SERIAL:
        return [
            "the serial number is its adapter's, which may be in the cable: whatever is put on that cable is"
            " taken for it, so keep the two together"
        ]
    return []


def _may_open(device: UsbDevice) -> bool:
    """Whether the user that the hub runs as may open it. A virtual keyboard has no node."""
    return not Path(device.node).exists() or os.access(device.node, os.R_OK | os.W_OK)


def _socket(port: str) -> str:
    """A socket as one counts them, "1.4", where udev names it by a chain of ports; else as udev names it."""
    found = _SOCKET.search(port)
    return found["chain"] if found is not None else port
