"""What is seen nearby and what is enrolled, as people read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tabulate import tabulate

from hub.cli.options import local, one_line

_ENROL = "To enrol one: carehub devices add ADDRESS --resident PSEUDONYM --by YOUR-NAME"
_LONGEST_LABEL = 30  # letters: the table is as wide as its longest
_STEPS_OF_SIGNAL = 6  # dB: what goes up and down by less keeps its place in the list


def scan_lines(said: Mapping[str, Any], *, everything: bool) -> list[str]:
    """What is heard, as people read it: what may be a sensor and is not enrolled first, the nearest first."""
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
    if any(not each["enrolled"] for each in shown):
        lines.append(_ENROL)
    return lines


def is_of_interest(seen: Mapping[str, Any]) -> bool:
    """Whether it may be a sensor, or is one that is known."""
    return bool(seen["name"] or seen["suggested"] or seen["enrolled"])


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


def list_lines(rows: Sequence[Mapping[str, Any]], radio: Mapping[str, Any] | None) -> list[str]:
    """The enrolled sensors as people read them."""
    lines = _trouble(radio)
    if not rows:
        return [*lines, f"No sensor is enrolled. {_ENROL}"]
    lines += _table([_row(each) for each in rows])
    lines += [f"{each['address']}: {one_line(each['trouble'])}" for each in rows if each["trouble"]]
    return lines


def _row(each: Mapping[str, Any]) -> dict[str, str]:
    whose = "shared"
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
        "link": "connected" if each["connected"] else "",
        "bonded": {None: "", True: "yes", False: "no"}[each["bonded"]],
        "last heard": _local(each["last_heard"]),
        "last reading": _local(each["last_reading"]) or "never",
        "battery": "" if each["battery"] is None else f"{each['battery']} %",
        "firmware": one_line(each["firmware"] or ""),
        "enrolled": one_line(
            each["enrolled"] if each["enrolled_by"] is None else f"by {each['enrolled_by']}"
        ),
    }


def _local(at: str | None) -> str:
    return "" if at is None else local(datetime.fromisoformat(at))


def _trouble(radio: Mapping[str, Any] | None) -> list[str]:
    if radio is None:
        return ['Bluetooth is off by configuration (bluetooth.radio = "off"): nothing is collected.']
    return [] if radio["usable"] else [f"Bluetooth does not work now: {one_line(radio['words'])}"]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 3]}..."


def _table(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The columns that say anything: a terminal is narrow."""
    telling = [name for name in rows[0] if any(row[name] for row in rows)]
    shown = [{name: row[name] for name in telling} for row in rows]
    return tabulate(shown, headers="keys", disable_numparse=True).split("\n")
