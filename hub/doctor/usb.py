"""What the doctor finds of USB, of what is plugged in, and of the readers of wristbands: from the running
daemon, which alone listens to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from drivers.catalogue import DRIVERS
from drivers.usb.address import is_usb
from drivers.usb.bus import Kind
from hub.clock import now
from hub.configuration.file import Config, Resident
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import Status
from hub.sensors.enrolment import Enrolled
from hub.sensors.fitting import is_reader
from hub.sensors.plugged_in import is_refused

RULES = "70-carehub-usb.rules"
"""In systemd/udev/ of the project, and in /etc/udev/rules.d of a hub."""

_UDEV = Path("/run/udev/control")
_QUIET = timedelta(days=1)


def usb(config: Config, status: Status) -> list[Finding]:
    """Whether what is plugged in can be told and opened, and told apart."""
    needed = any(is_usb(each["address"]) for each in status.get("sensors", ())) or any(
        is_usb(each.address) for each in config.sensors
    )
    wrong = Verdict.FAIL if needed else Verdict.WARN
    if config.usb.ports == "off":
        if not needed:
            return [Finding("USB", Verdict.PASS, "off by configuration")]
        words = "off by configuration, yet a device on it is enrolled"
        return [Finding("USB", Verdict.WARN, words, "set usb.ports")]
    said = status.get("usb")
    if said is None:
        if config.usb.ports == "virtual":
            return [Finding("USB", Verdict.PASS, "virtual by configuration")]
        if _UDEV.exists():
            return [Finding("USB", Verdict.PASS, "udev runs, and can tell what is plugged in")]
        return [Finding("USB", wrong, "udev does not run", "see systemctl status systemd-udevd")]
    plugged_in = status.get("plugged_in", ())
    words = said["words"]
    if said["usable"]:
        words = f"{words}; {len(plugged_in)} device(s) that may be sensors or readers are plugged in"
    if config.usb.ports == "virtual":
        words = f"virtual by configuration; {words}"
    found = Finding("USB", Verdict.PASS if said["usable"] else wrong, words)
    return [found, *_permissions(plugged_in), *_alike(plugged_in)]


def _permissions(plugged_in: Sequence[Mapping[str, Any]]) -> list[Finding]:
    refused = [each for each in plugged_in if is_refused(each)]
    if not refused:
        return []
    nodes = ", ".join(f"{each['node']} ({each['address']})" for each in refused)
    words = f"the hub's user may not open {nodes}"
    todo = (
        f"put systemd/udev/{RULES} into /etc/udev/rules.d, run 'udevadm control --reload', and plug the"
        " device in anew"
    )
    if any(each["kind"] == Kind.KEYBOARD.value for each in refused):
        todo += "; a reader of a maker that it does not name has to be added there: the file says how"
    enrolled = any(each["enrolled"] for each in refused)
    return [Finding("USB permissions", Verdict.FAIL if enrolled else Verdict.WARN, words, todo)]


def _alike(plugged_in: Sequence[Mapping[str, Any]]) -> list[Finding]:
    alike = [each for each in plugged_in if each["serial_is_shared"]]
    if not alike:
        return []
    words = (
        f"{' and '.join(each['address'] for each in alike)} say a serial number that another says too: by it"
        " none of them is listened to"
    )
    return [Finding("serial numbers", Verdict.WARN, words, "enrol each by its socket, as it is written here")]


def sensor(enrolled: Enrolled, newest: datetime | None, said: Mapping[str, Any] | None) -> Finding:
    """One enrolled device: whether it is plugged in, and what is the matter with it.

    `newest` is its newest reading on the card, `said` what the daemon says of it; None where it says nothing.
    """
    each = enrolled.sensor
    called = f"{each.driver} {each.label}".rstrip()
    if is_reader(DRIVERS.get(each.driver)):
        verdict, words = _reader(said)
    else:
        verdict, words = _measuring(newest, said)
    if said is not None and said["frames"] == 0 and said["passed_over"] > 0:
        verdict = Verdict.WARN
        words += f"; {said['passed_over']} bytes came, and not one whole frame: is its driver the right one?"
    trouble = enrolled.trouble or (said or {}).get("trouble")
    if trouble is not None:
        verdict = Verdict.WARN
        words += f"; {trouble}"
    return Finding(f"sensor {each.address}", verdict, f"{called}: {words}")


def _reader(said: Mapping[str, Any] | None) -> tuple[Verdict, str]:
    if said is None:
        return Verdict.PASS, "reads wristbands while the hub runs"
    if not said["plugged_in"]:
        return Verdict.WARN, "is not plugged in, so nobody can be scanned with it"
    scanned = said["last_payload"]
    last = (
        f"last scan {_day(datetime.fromisoformat(scanned))}" if scanned else "no scan since the hub started"
    )
    return Verdict.PASS, f"plugged in, {last}"


def _measuring(newest: datetime | None, said: Mapping[str, Any] | None) -> tuple[Verdict, str]:
    there = "" if said is None else ", plugged in" if said["plugged_in"] else ", not plugged in"
    if newest is None:
        if said is not None and said["last_payload"]:  # a stream is stored a minute at a time
            return Verdict.PASS, f"no reading yet{there}: it sends, and the first is stored within a minute"
        todo = "is it switched on, and set to send?"
        if said is not None and not said["plugged_in"]:
            todo = "'carehub devices scan' lists what is"
        return Verdict.WARN, f"no reading yet{there}: {todo}"
    verdict = Verdict.WARN if now() - newest > _QUIET else Verdict.PASS
    return verdict, f"last reading {_day(newest)}{there}"


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def rounds(residents: Sequence[Resident], enrolled: Sequence[Enrolled], status: Status) -> list[Finding]:
    """Whether a scan can say whose readings come next: it takes a wristband of somebody who is here, and a
    shared sensor."""
    worn = sum(each.wristband is not None for each in residents)
    readers = [each.sensor for each in enrolled if is_reader(DRIVERS.get(each.sensor.driver))]
    if not readers:
        if not worn:
            return []
        words = f"{worn} resident(s) have one, and no reader is enrolled"
        return [Finding("wristbands", Verdict.WARN, words, "see 'carehub devices scan'")]
    shared = {
        each.sensor.kit
        for each in enrolled
        if each.sensor.resident is None and not is_reader(DRIVERS.get(each.sensor.driver))
    }
    wrong = [
        f"no shared sensor goes round with the reader {each.address}"
        f"{'' if each.kit is None else f' (kit {each.kit})'}"
        for each in readers
        if each.kit not in shared
    ]
    if not worn:
        wrong.append("no code of any resident who is here is known ('carehub residents change --wristband')")
    if wrong:
        return [Finding("wristbands", Verdict.WARN, f"a scan can open no round: {'; '.join(wrong)}")]
    words = f"of {worn} of {len(residents)} residents who are here the code is known"
    return [Finding("wristbands", Verdict.PASS, words), *_scans(status.get("rounds"))]


def _scans(said: Mapping[str, Any] | None) -> list[Finding]:
    """Scans that opened no round. What was measured after one is nobody's."""
    if said is None or not (said["unknown_scans"] or said["damaged_scans"]):
        return []
    words = (
        f"since the hub started {said['unknown_scans']} were of no resident's wristband and"
        f" {said['damaged_scans']} were damaged"
    )
    todo = (
        "compare residents.wristband with what is printed, and see that the reader types whole codes and then"
        " Enter"
    )
    return [Finding("scans", Verdict.WARN, words, todo)]
