"""What is heard nearby, what is plugged in and what is enrolled, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tabulate import tabulate

from drivers.usb.address import is_usb
from hub.cli.options import local, one_line
from hub.sensors.plugged_in import is_refused

_BLUETOOTH_OFF = 'Bluetooth is off by configuration (bluetooth.radio = "off"): nothing is collected from it.'
_USB_OFF = 'USB is off by configuration (usb.ports = "off"): nothing is collected from it.'
_ENROL = "To enrol one: carehub devices add ADDRESS --resident PSEUDONYM --by YOUR-NAME"
_ENROL_SHARED = "What is shared, or reads wristbands: --kit NAME, or nothing, in the place of --resident."
_LONGEST_LABEL = 30  # letters: the table is as wide as its longest
_STEPS_OF_SIGNAL = 6  # dB: what goes up and down by less keeps its place in the list


def scan_lines(said: Mapping[str, Any], *, everything: bool) -> list[str]:
    """What is heard and what is plugged in, as people read it."""
    lines = [*_heard_lines(said, everything=everything), *_plugged_in_lines(said)]
    if any(not each["enrolled"] and (everything or is_of_interest(each)) for each in _all_seen(said)):
        lines += [_ENROL, _ENROL_SHARED]
    return lines


def _all_seen(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*said["devices"], *said["plugged_in"]]


def _heard_lines(said: Mapping[str, Any], *, everything: bool) -> list[str]:
    """What may be a sensor and is not enrolled first, the nearest first."""
    if said["radio"] is None:
        return [_BLUETOOTH_OFF]
    seen: Sequence[Mapping[str, Any]] = said["devices"]
    shown = [each for each in seen if everything or is_of_interest(each)]
    shown.sort(
        key=lambda each: (
            not any(may_be["driver"] for may_be in each["suggested"]),
            each["enrolled"],
            not each["name"],
            -(each["rssi"] // _STEPS_OF_SIGNAL),
            each["address"],
        )
    )
    lines = (
        []
        if said["radio"]["usable"]
        else [f"Bluetooth does not work now: {one_line(said['radio']['words'])}"]
    )
    if shown:
        lines += _table([_scan_row(each) for each in shown])
    elif said["radio"]["usable"]:
        lines.append("Nothing is heard yet: most sensors are heard only while they measure.")
    if hidden := len(seen) - len(shown):
        lines.append(f"and {hidden} without a name that offer nothing known: --all lists them")
    return lines


def _plugged_in_lines(said: Mapping[str, Any]) -> list[str]:
    """What is not enrolled first, then in the order of the sockets."""
    if said["usb"] is None:
        return [_USB_OFF]
    if not said["usb"]["usable"]:
        return [f"USB does not work now: {one_line(said['usb']['words'])}"]
    rows = sorted(said["plugged_in"], key=lambda each: bool(each["enrolled"]))
    if not rows:
        return ["Nothing is plugged in that is a serial line, or types."]
    lines = ["", "Plugged in:", *_table([_plugged_in_row(each) for each in rows])]
    lines += [
        f"{one_line(each['address'])}: the hub may not open it: 'carehub doctor' says what to do"
        for each in rows
        if is_refused(each)
    ]
    return lines


def _plugged_in_row(seen: Mapping[str, Any]) -> dict[str, str]:
    names = [each["driver"] for each in seen["suggested"] if each["driver"]]
    may_be = _may_be(seen["suggested"])
    enrolled = "no"
    if seen["enrolled"]:
        enrolled = (
            seen["driver"] if _reads_wristbands(seen) else f"{seen['resident'] or 'shared'}, {seen['driver']}"
        )
        if seen["enrolled_as"] != seen["address"]:
            enrolled += f" (as {seen['enrolled_as']})"
    return {
        "address": one_line(seen["address"]),
        "maker and name": _short(one_line(f"{seen['manufacturer']} {seen['name']}").strip()),
        "is a": seen["kind"],
        "socket": one_line(seen["socket"]),
        "plugged in": _ago(seen["seconds_ago"]),
        "enrolled": one_line(enrolled),
        "may be": "" if seen["enrolled"] else f"{may_be}{'?' if names and not seen['certain'] else ''}",
    }


def is_of_interest(seen: Mapping[str, Any]) -> bool:
    """Whether it may be a sensor, or is one that is known: all that is plugged in may."""
    return bool(seen["name"] or seen["suggested"] or seen["enrolled"] or "socket" in seen)


def _scan_row(seen: Mapping[str, Any]) -> dict[str, str]:
    enrolled = "no"
    if seen["enrolled"]:
        enrolled = f"{seen['resident'] or 'shared'}, {seen['driver']}"
    return {
        "address": one_line(seen["address"]),
        "name": one_line(seen["name"] or ""),
        "offers": one_line(", ".join(seen["offers"])),
        "signal": f"{seen['rssi']} dBm",
        "heard": _ago(seen["seconds_ago"]),
        "enrolled": enrolled,
        "may be": "" if seen["enrolled"] else _may_be(seen["suggested"]),
    }


def _may_be(suggested: Sequence[Mapping[str, Any]]) -> str:
    names = [each["driver"] for each in suggested if each["driver"]]
    if suggested and not names:
        return "nothing that is read"
    return " or ".join(names)


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"


def list_lines(
    rows: Sequence[Mapping[str, Any]], radio: Mapping[str, Any] | None, usb: Mapping[str, Any] | None
) -> list[str]:
    """The enrolled sensors as people read them. `radio` and `usb` are how these are, None where off."""
    lines = _trouble(rows, radio, usb)
    if not rows:
        return [*lines, f"No sensor is enrolled. {_ENROL}"]
    lines += _table([_row(each) for each in rows])
    lines += [f"{each['address']}: {one_line(each['trouble'])}" for each in rows if each["trouble"]]
    lines += [
        f"{each['address']}: {one_line(each['nobodys'])}"
        for each in rows
        if each.get("nobodys") and not each["trouble"]
    ]
    return lines


def _row(each: Mapping[str, Any]) -> dict[str, str]:
    whose = "whoever is scanned" if _reads_wristbands(each) else "shared"
    if each["resident"] is not None:
        known_as = ", ".join(part for part in (each["name"], each["room"]) if part)
        whose = f"{each['resident']}{f' ({known_as})' if known_as else ''}"
        if each["user"] is not None:
            whose += f", user {each['user']}"
    return {
        "address": each["address"],
        "driver": each["driver"],
        "whose": one_line(whose),
        "label": _short(one_line(each["label"])),
        "kit": one_line(each["kit"] or ""),
        "link": _link(each),
        "bonded": {None: "", True: "yes", False: "no"}[each["bonded"]],
        "last heard": _local(each["last_heard"]),
        "last reading": _last_reading(each),
        "battery": "" if each["battery"] is None else f"{each['battery']} %",
        "firmware": one_line(each["firmware"] or ""),
        "enrolled": one_line(
            each["enrolled"] if each["enrolled_by"] is None else f"by {each['enrolled_by']}"
        ),
    }


def _reads_wristbands(each: Mapping[str, Any]) -> bool:
    return bool(each["driver"] == "wristband_reader")


def _last_reading(each: Mapping[str, Any]) -> str:
    if _reads_wristbands(each):
        return f"scan {_local(each['last_payload'])}" if each["last_payload"] else "no scan yet"
    return _local(each["last_reading"]) or "never"


def _link(each: Mapping[str, Any]) -> str:
    if each["connected"]:
        return "connected"
    if each["plugged_in"] is None:
        return ""
    return "plugged in" if each["plugged_in"] else "not plugged in"


def _local(at: str | None) -> str:
    return "" if at is None else local(datetime.fromisoformat(at))


def _trouble(
    rows: Sequence[Mapping[str, Any]], radio: Mapping[str, Any] | None, usb: Mapping[str, Any] | None
) -> list[str]:
    """What is off is said where something would be collected by it, or nothing is on."""
    plugged = any(is_usb(each["address"]) for each in rows)
    heard = any(not is_usb(each["address"]) for each in rows)
    lines = []
    if radio is None and (heard or usb is None):
        lines.append(_BLUETOOTH_OFF)
    if usb is None and (plugged or radio is None):
        lines.append(_USB_OFF)
    if radio is not None and not radio["usable"]:
        lines.append(f"Bluetooth does not work now: {one_line(radio['words'])}")
    if usb is not None and not usb["usable"] and plugged:
        lines.append(f"USB does not work now: {one_line(usb['words'])}")
    return lines


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 3]}..."


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The columns that say anything: a terminal is narrow."""
    telling = [name for name in rows[0] if any(row[name] for row in rows)]
    shown = [{name: row[name] for name in telling} for row in rows]
    return tabulate(shown, headers="keys", disable_numparse=True).split("\n")
