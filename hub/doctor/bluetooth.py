"""What the doctor finds of Bluetooth and of all sensors: from the running daemon, which alone has the radio,
and from what is on the card. What there is to find of one on USB, `usb.py` knows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from drivers.bluetooth.bluez import bluez_state
from drivers.catalogue import GATT_DRIVERS
from drivers.gatt import Bonding
from drivers.usb.address import is_usb
from hub.clock import now
from hub.configuration.file import Config
from hub.doctor import usb
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, Status, forbidden
from hub.errors import CareportError
from hub.residents.listed import residents_of
from hub.sensors.enrolment import Enrolled, enrolled_sensors
from hub.sensors.information import BATTERY_LOW
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.queries import newest_by_device, unassigned
from hub.store.sensors import InformationRow, information

_QUIET = timedelta(days=1)


async def radio(config: Config, status: Status) -> list[Finding]:
    """Whether there is Bluetooth, which adapter collects, and what was tried where it failed."""
    if config.bluetooth.radio == "off":
        return [Finding("Bluetooth", Verdict.WARN, "off by configuration")]
    said = status.get("radio")
    if said is None:
        if config.bluetooth.radio == "virtual":
            return [Finding("Bluetooth", Verdict.PASS, "virtual by configuration")]
        state = await bluez_state(config.bluetooth.adapter)
        if state.problem is not None:
            return [Finding("Bluetooth", Verdict.FAIL, state.problem)]
        words = ", ".join(f"{adapter.name} ({adapter.address})" for adapter in state.adapters)
        return [Finding("Bluetooth", Verdict.PASS, words)]
    verdict = Verdict.PASS if said["usable"] else Verdict.FAIL
    words = said["words"]
    if config.bluetooth.radio == "virtual":
        words = f"virtual by configuration; {words}"
    return [Finding("Bluetooth", verdict, words), *_adapters(said["adapters"]), *_healing(said["healing"])]


def _adapters(adapters: Sequence[Mapping[str, Any]]) -> list[Finding]:
    if not adapters:
        return []
    words = ", ".join(
        f"{each['name']} ({each['address']}{'' if each['powered'] else ', switched off'}"
        f"{', collects' if each['in_use'] else ''})"
        for each in adapters
    )
    return [Finding("Bluetooth adapters", Verdict.PASS, words)]


def _healing(said: Mapping[str, Any]) -> list[Finding]:
    if said["remedy"] is None or said["tried_at"] is None:
        return []
    at = datetime.fromisoformat(said["tried_at"])
    words = f"remedies so far: {said['tried']}, the last on {at:%Y-%m-%d %H:%M} UTC: "
    words += said["outcome"] or said["remedy"]
    if said["ails"] is not None:
        words = f"the radio fails ({said['ails']}), and the hub goes on healing it; {words}"
        return [Finding("Bluetooth healing", Verdict.WARN, words)]
    if now() - at > _QUIET:
        return [Finding("Bluetooth healing", Verdict.PASS, f"the radio works again; {words}")]
    words = f"the radio failed within the last day and works again; {words}"
    todo = "if it fails again: is metal or another USB device near it? Else replace it"
    return [Finding("Bluetooth healing", Verdict.WARN, words, todo)]


def sensors(config: Config, status: Status) -> list[Finding]:
    """Each enrolled sensor: whether it was heard, what is the matter with it, its battery, its bond."""
    if forbidden(config.hub.data_directory / FILE_NAME):
        return [Finding("sensors", Verdict.WARN, "their readings may not be seen by this user", WITH_RIGHTS)]
    try:
        connection = open_for_reading(config.hub.data_directory / FILE_NAME)
    except CareportError:
        enrolled, newest, known, waiting = [Enrolled(each) for each in config.sensors], None, {}, 0
        residents = list(config.residents)
    else:
        try:
            enrolled = enrolled_sensors(config, connection)
            residents = [each.resident for each in residents_of(config, connection) if each.care.watched]
            newest = newest_by_device(connection)
            known = dict(information(connection))
            waiting = unassigned(connection, now() - _QUIET)
        except sqlite3.Error:
            return []
        finally:
            connection.close()
    if not enrolled:
        todo = "see 'carehub devices scan', and add them with 'carehub devices add'"
        return [Finding("sensors", Verdict.WARN, "none is enrolled", todo)]
    if newest is None:
        return []  # the database's own finding says why
    on_air = {each["address"]: each for each in status.get("sensors", ())}
    findings = []
    for each in enrolled:
        address = each.sensor.address
        findings += _sensor(each, newest.get(address), on_air.get(address), known.get(address))
    findings += usb.rounds(residents, enrolled, status)
    if waiting:
        words = f"{waiting} reading(s) of the last day are nobody's and were not scored"
        todo = "see 'carehub readings --unassigned', and whose the sensors are: 'carehub devices list'"
        findings.append(Finding("unassigned readings", Verdict.WARN, words, todo))
    return findings


def _sensor(
    enrolled: Enrolled,
    heard: datetime | None,
    on_air: Mapping[str, Any] | None,
    known: InformationRow | None,
) -> list[Finding]:
    sensor = enrolled.sensor
    called = f"{sensor.driver} {sensor.label}".rstrip()
    if is_usb(sensor.address):
        findings = [usb.sensor(enrolled, heard, on_air)]
    else:
        findings = [_of_bluetooth(enrolled, called, heard, on_air)]
    battery = known.information.battery if known is not None else None
    if battery is not None and battery <= BATTERY_LOW:
        words = f"{called}: its battery has {battery} %"
        findings.append(Finding(f"battery of {sensor.address}", Verdict.WARN, words, "put in a new one"))
    return findings


def _of_bluetooth(
    enrolled: Enrolled, called: str, heard: datetime | None, on_air: Mapping[str, Any] | None
) -> Finding:
    sensor = enrolled.sensor
    todo = ""
    if heard is None:
        verdict, words, todo = Verdict.WARN, f"{called}: never heard", "is it switched on and in reach?"
    else:
        verdict = Verdict.WARN if now() - heard > _QUIET else Verdict.PASS
        words = f"{called}: last reading {heard:%Y-%m-%d %H:%M} UTC{_bond(sensor.driver, on_air)}"
    trouble = enrolled.trouble or (on_air or {}).get("trouble")
    if trouble is not None:
        verdict = Verdict.WARN
        words += f"; {trouble}"
        todo = "take a measurement beside the hub; if it stays so, enrol it anew"
    elif verdict is Verdict.WARN and heard is not None:
        todo = "take a measurement beside the hub, and see that its battery is good"
    return Finding(f"sensor {sensor.address}", verdict, words, todo)


def _bond(driver: str, on_air: Mapping[str, Any] | None) -> str:
    bonded = None if on_air is None else on_air.get("bonded")
    if bonded is None:
        return ""
    if bonded:
        return ", bonded"
    known = GATT_DRIVERS.get(driver)
    return ", not bonded" if known is not None and known.bonding is not Bonding.NEVER else ""
