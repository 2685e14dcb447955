"""What the doctor finds of the machine: what it is, its power, how warm it is, its memory and its load."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import timedelta

from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import Subject, said_by

GET_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
"""The firmware's bits in hexadecimal, on kernels that have it."""

_NOW = {
    0: "the voltage is too low",
    1: "the processor is slowed to a lower frequency",
    2: "the processor is throttled",
    3: "the soft limit of temperature is reached",
}
_SINCE = {
    16: "the voltage was too low",
    17: "the processor was slowed to a lower frequency",
    18: "the processor was throttled",
    19: "the soft limit of temperature was reached",
}
"""Raspberry Pi documentation, "Raspberry Pi OS", vcgencmd, get_throttled."""

_VOLTAGE = frozenset({0, 16})
_POWER_TODO = (
    "give it the maker's own power supply and a short cable, and take off what draws power over USB:"
    " low voltage damages what is written to the card"
)
_HEAT_TODO = "give it air, or a heat sink; not above a radiator, and not in the sun"

_WARM, _HOT = 75.0, 85.0
"""Degrees Celsius: a Pi slows down from 80 on, and throttles hard at 85 (Raspberry Pi documentation,
"Frequency management and thermal control")."""

_LITTLE, _HARDLY_ANY = 100, 30  # MiB
_PRESSURE_PERCENT = 10.0  # of five minutes, in which nobody got on for want of memory
_BUSY = 2.0  # processes that wait, for each processor, over a quarter of an hour


def machine(subject: Subject) -> list[Finding]:
    """What it is, and since when it runs."""
    model = subject.text("proc/device-tree/model") or f"{platform.machine()}, no Raspberry Pi"
    release = subject.text("etc/os-release") or ""
    named = [line.partition("=")[2].strip('"') for line in release.splitlines() if line.startswith("PRETTY_")]
    said = [model, named[0] if named else "an unknown system", f"kernel {platform.release()}"]
    said.append(f"Python {platform.python_version()}")
    if (up := (subject.text("proc/uptime") or "").split()) and up[0].partition(".")[0].isdigit():
        said.append(f"up for {_lasting(timedelta(seconds=int(float(up[0]))))}")
    verdict, todo = Verdict.PASS, ""
    if platform.machine() not in {"aarch64", "x86_64"}:
        verdict, todo = Verdict.WARN, "put a 64-bit system on it: releases are made for no other"
    return [Finding("machine", verdict, "; ".join(said), todo)]


def power(subject: Subject) -> list[Finding]:
    """Under-voltage and throttling, as the Pi's firmware knows them, now and since it was switched on."""
    bits = _throttled(subject)
    if bits is not None:
        return [_of_bits(bits)]
    for name in subject.glob("sys/class/hwmon/hwmon*/name"):
        if subject.text(name) == "rpi_volt":
            alarm = subject.number(name.replace("/name", "/in0_lcrit_alarm"))
            if alarm:
                return [Finding("power", Verdict.FAIL, "the voltage is too low", _POWER_TODO)]
            return [Finding("power", Verdict.PASS, "the voltage is good, as the kernel says")]
    if subject.text("proc/device-tree/model") is None:
        return [Finding("power", Verdict.PASS, "no Raspberry Pi: nothing here tells of its voltage")]
    words = "this kernel does not tell of voltage or throttling"
    return [Finding("power", Verdict.PASS, words)]


def _throttled(subject: Subject) -> int | None:
    """The firmware's bits: by its own command where it is installed, since newer kernels have no file for it
    (and `rpi_volt` tells of the voltage alone)."""
    said = None
    if subject.text("proc/device-tree/model") is not None:
        said = said_by("vcgencmd", "get_throttled")
    if said is None:
        return subject.number(GET_THROTTLED, 16)
    try:
        return int(said.strip().removeprefix("throttled="), 16)
    except ValueError:
        return None


def _of_bits(bits: int) -> Finding:
    now = [bit for bit in _NOW if bits >> bit & 1]
    since = [bit for bit in _SINCE if bits >> bit & 1 and bit - 16 not in now]
    if not now and not since:
        return Finding("power", Verdict.PASS, "the voltage is good, and nothing was throttled")
    said = [_NOW[bit] for bit in now] + [f"{_SINCE[bit]} since it was switched on" for bit in since]
    todo = _POWER_TODO if _VOLTAGE & {*now, *since} else _HEAT_TODO
    return Finding("power", Verdict.FAIL if 0 in now else Verdict.WARN, "; ".join(said), todo)


def temperature(subject: Subject) -> list[Finding]:
    """The warmest of what has a thermometer."""
    found = [subject.number(zone) for zone in subject.glob("sys/class/thermal/thermal_zone*/temp")]
    degrees = [each / 1000 for each in found if each is not None]
    if not degrees:
        return [Finding("temperature", Verdict.PASS, "this machine does not tell it")]
    warmest = max(degrees)
    words = f"{warmest:.0f} degC"
    if warmest >= _HOT:
        return [Finding("temperature", Verdict.FAIL, f"{words}: it is throttled hard", _HEAT_TODO)]
    if warmest >= _WARM:
        return [Finding("temperature", Verdict.WARN, f"{words}: it is about to slow down", _HEAT_TODO)]
    return [Finding("temperature", Verdict.PASS, words)]


def memory(subject: Subject) -> list[Finding]:
    """What is still to be had, and whether anything waits for it."""
    said = {
        name: int(rest.split()[0])
        for name, _, rest in (
            line.partition(":") for line in (subject.text("proc/meminfo") or "").splitlines()
        )
        if rest.split() and rest.split()[0].isdigit()
    }
    if "MemAvailable" not in said or "MemTotal" not in said:
        return [Finding("memory", Verdict.WARN, "the kernel does not tell how much there is")]
    available, total = said["MemAvailable"] // 1024, said["MemTotal"] // 1024
    words = f"{available} of {total} MiB are to be had"
    waits = _pressure((subject.text("proc/pressure/memory") or "").splitlines())
    todo = "see 'systemctl status' for what takes it; on this machine should be nothing but the hub"
    if available < _HARDLY_ANY:
        return [Finding("memory", Verdict.FAIL, words, todo)]
    if waits is not None and waits >= _PRESSURE_PERCENT:
        words += f"; everything waited for it in {waits:.0f} % of the last five minutes"
        return [Finding("memory", Verdict.WARN, words, todo)]
    return [Finding("memory", Verdict.WARN if available < _LITTLE else Verdict.PASS, words, _only(available))]


def _only(available: int) -> str:
    return "see 'systemctl status' for what takes it" if available < _LITTLE else ""


def _pressure(lines: Sequence[str]) -> float | None:
    """In how many percent of the last five minutes nothing got on (Linux, Documentation/accounting/psi.rst);
    None where the kernel does not measure it, as a Pi's does not unless told so."""
    for line in lines:
        kind, *values = line.split()
        if kind == "full":
            return next((float(each[7:]) for each in values if each.startswith("avg300=")), None)
    return None


def load(subject: Subject) -> list[Finding]:
    """How much waits for the processor."""
    said = (subject.text("proc/loadavg") or "").split()
    processors = os.cpu_count() or 1
    try:
        quarter = float(said[2])
    except (IndexError, ValueError):
        return [Finding("load", Verdict.WARN, "the kernel does not tell it")]
    words = f"{quarter:.1f} in the last quarter of an hour, on {processors} processor(s)"
    if quarter > _BUSY * processors:
        return [Finding("load", Verdict.WARN, words, "see 'top' for what is so busy, or waits for the card")]
    return [Finding("load", Verdict.PASS, words)]


def _lasting(time: timedelta) -> str:
    if time >= timedelta(days=2):
        return f"{time.days} days"
    hours, minutes = divmod(int(time.total_seconds()) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
