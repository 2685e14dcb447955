"""Sensors as people read of them: what it is, whose, how it is. Pure, of what the daemon says of them.

Who may not see residents (an engineer) gets pseudonyms: no name, no room, and no label, which may name
somebody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from drivers.catalogue import DRIVERS
from hub.sensors.fitting import drivers_at, is_reader

LOW_BATTERY = 20
"""Per cent: at and below it should be changed."""


class How(IntEnum):
    """How a sensor is, the worst first."""

    TROUBLE = 0
    LOW_BATTERY = 1
    SILENT = 2  # not heard since the hub started
    NEAR = 3  # heard, and it told nothing yet
    TOLD = 4
    CONNECTED = 5

    @property
    def words(self) -> str:
        """As it stands on its tag."""
        return _WORDS[self]

    @property
    def colour(self) -> str:
        """Of its tag."""
        return _COLOURS[self]


_WORDS = {
    How.TROUBLE: "Trouble",
    How.LOW_BATTERY: "Battery low",
    How.SILENT: "Not heard yet",
    How.NEAR: "Near",
    How.TOLD: "Works",
    How.CONNECTED: "Connected",
}
_COLOURS = {
    How.TROUBLE: "red",
    How.LOW_BATTERY: "orange",
    How.SILENT: "grey",
    How.NEAR: "blue",
    How.TOLD: "green",
    How.CONNECTED: "green",
}


@dataclass(frozen=True, slots=True)
class SensorLine:
    """One enrolled sensor. `battery` is in per cent, None where it does not say; times are aware."""

    address: str
    what: str
    whose: str
    how: How
    label: str = ""
    kit: str | None = None
    resident: str | None = None
    trouble: str = ""
    battery: int | None = None
    last_heard: datetime | None = None
    last_told: datetime | None = None
    by_command: bool = False


def sensor_lines(said: Iterable[Mapping[str, Any]], *, names: bool) -> list[SensorLine]:
    """What the daemon says of enrolled sensors, what is worst first. `names`: whoever reads it may see who
    residents are."""
    made = [_line(each, names=names) for each in said]
    return sorted(made, key=lambda line: (line.how, line.whose, line.what, line.address))


def _line(said: Mapping[str, Any], *, names: bool) -> SensorLine:
    battery = said.get("battery")
    trouble = str(said.get("trouble") or "")
    return SensorLine(
        address=str(said["address"]),
        what=what_words(str(said.get("driver"))),
        whose=_whose(said, names=names),
        how=_how(said, battery, trouble),
        label=str(said.get("label") or "") if names else "",
        kit=said.get("kit"),
        resident=said.get("resident"),
        trouble=trouble,
        battery=battery,
        last_heard=_moment(said.get("last_heard")),
        last_told=_moment(said.get("last_payload")),
        by_command=said.get("enrolled") == "by command",
    )


def what_words(driver: str) -> str:
    """What kind of sensor it is: "Blood pressure monitor"."""
    found = DRIVERS.get(driver)
    words = driver.replace("_", " ") if found is None else found.title.partition(" (Bluetooth")[0]
    return words[:1].upper() + words[1:]


def _whose(said: Mapping[str, Any], *, names: bool) -> str:
    resident = said.get("resident")
    if resident is None:
        if is_reader(DRIVERS.get(str(said.get("driver")))):
            return "Reads wristbands"
        kit = said.get("kit")
        return f"Shared, kit {kit}" if kit else "Shared"
    if not names:
        return str(resident)
    room = f"Room {said['room']}, " if said.get("room") else ""
    return f"{room}{said.get('name') or resident}"


def _how(said: Mapping[str, Any], battery: int | None, trouble: str) -> How:
    if trouble:
        return How.TROUBLE
    if battery is not None and battery <= LOW_BATTERY:
        return How.LOW_BATTERY
    if said.get("connected") or said.get("plugged_in"):
        return How.CONNECTED
    if said.get("last_payload") is not None:
        return How.TOLD
    return How.NEAR if said.get("last_heard") is not None else How.SILENT


@dataclass(frozen=True, slots=True)
class Found:
    """A device that is near or plugged in and not enrolled. `may_be` has what it may be, in words."""

    address: str
    name: str
    may_be: tuple[str, ...]
    drivers: tuple[str, ...]
    seconds_ago: float | None
    usb: bool


def found_devices(scanned: Mapping[str, Any]) -> list[Found]:
    """What a scan has found that is not enrolled: first what the hub can read, what was heard last first."""
    made = [
        _found(each, usb=usb)
        for key, usb in (("devices", False), ("plugged_in", True))
        for each in scanned.get(key) or ()
        if not each.get("enrolled")
    ]
    return sorted(made, key=lambda each: (not each.drivers, each.seconds_ago or 0.0, each.address))


def _found(said: Mapping[str, Any], *, usb: bool) -> Found:
    suggested = [each for each in said.get("suggested") or () if each.get("driver")]
    drivers = tuple(dict.fromkeys(str(each["driver"]) for each in suggested))
    return Found(
        address=str(said.get("address", "")),
        name=str(said.get("name") or ""),
        may_be=tuple(what_words(each) for each in drivers),
        drivers=drivers,
        seconds_ago=said.get("seconds_ago"),
        usb=usb,
    )


def kinds_at(address: str) -> Sequence[tuple[str, str]]:
    """Every kind of sensor that can be at such an address: driver and words, by the alphabet of the words."""
    return sorted(((name, what_words(name)) for name in drivers_at(address)), key=lambda each: each[1])


def enrolled_words(said: Mapping[str, Any], *, names: bool) -> str:
    """What was enrolled, and whose its readings are from now on: to be read before one walks on."""
    what, whose = what_words(str(said.get("driver"))), _whose(said, names=names)
    if said.get("resident") is not None:
        return f"{what} is enrolled. What it measures from now on is of: {whose}."
    if whose == "Reads wristbands":
        return f"{what} is enrolled. A wristband that it scans says whose readings come next."
    shared = "It is shared: what it measures is of whoever has a round, else it waits in the tray."
    return f"{what} is enrolled. {shared}"


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
