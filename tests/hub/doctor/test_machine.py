"""What the doctor finds of the machine, in trees of files as a Pi's kernel and firmware have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.configuration.file import load
from hub.doctor import machine
from hub.doctor.findings import Verdict
from hub.doctor.looking import Subject
from tests.rigs.house import write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
PI = "Raspberry Pi 4 Model B Rev 1.4\0"
ALARM = "sys/class/hwmon/hwmon1/in0_lcrit_alarm"


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A machine that has nothing yet."""
    root = tmp_path / "root"
    root.mkdir()
    return Subject(load(write_configuration(tmp_path)), root=root)


def at(subject: Subject, path: str, content: str) -> None:
    """A file of the machine."""
    (subject.root / path).parent.mkdir(parents=True, exist_ok=True)
    (subject.root / path).write_text(content)


def test_it_says_what_machine_it_is_and_with_which_system(subject: Subject) -> None:
    at(subject, "proc/device-tree/model", PI)
    at(subject, "etc/os-release", 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    at(subject, "proc/uptime", "93784.21 370000.00\n")
    (finding,) = machine.machine(subject)
    assert finding.words.startswith("Raspberry Pi 4 Model B Rev 1.4; Debian GNU/Linux 12 (bookworm); kernel ")
    assert finding.words.endswith("up for 26 h 3 min")


# --- power: the examples of the Raspberry Pi documentation, vcgencmd get_throttled


@pytest.mark.parametrize(
    ("bits", "verdict", "words", "todo"),
    [
        ("0", PASS, "the voltage is good, and nothing was throttled", ""),
        ("50000", WARN, "the voltage was too low since it was switched on", "power supply"),
        ("50005", FAIL, "the voltage is too low; the processor is throttled", "power supply"),
        ("80008", WARN, "the soft limit of temperature is reached", "give it air"),
        ("e0000", WARN, "the processor was slowed", "give it air"),
    ],
)
def test_each_bit_of_the_firmware_is_said_in_words(
    subject: Subject, bits: str, verdict: Verdict, words: str, todo: str
) -> None:
    at(subject, machine.GET_THROTTLED, f"{bits}\n")
    (finding,) = machine.power(subject)
    assert finding.verdict is verdict
    assert finding.words.startswith(words)
    assert todo in finding.todo


@pytest.mark.parametrize(("alarm", "verdict"), [("0", PASS), ("1", FAIL)])
def test_where_the_firmware_has_no_file_the_kernels_alarm_of_voltage_counts(
    subject: Subject, alarm: str, verdict: Verdict
) -> None:
    at(subject, "proc/device-tree/model", PI)
    at(subject, "sys/class/hwmon/hwmon0/name", "cpu_thermal\n")
    at(subject, "sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    at(subject, ALARM, f"{alarm}\n")
    (finding,) = machine.power(subject)
    assert finding.verdict is verdict


def test_a_machine_that_is_no_pi_says_so_and_passes(subject: Subject) -> None:
    (finding,) = machine.power(subject)
    assert (finding.verdict, finding.words) == (
        PASS,
        "no Raspberry Pi: nothing here tells of its voltage",
    )


# --- warmth, memory, load


@pytest.mark.parametrize(
    ("thousandths", "verdict"), [("48312", PASS), ("75000", WARN), ("84999", WARN), ("85200", FAIL)]
)
def test_the_warmest_thermometer_counts(subject: Subject, thousandths: str, verdict: Verdict) -> None:
    at(subject, "sys/class/thermal/thermal_zone0/temp", f"{thousandths}\n")
    at(subject, "sys/class/thermal/thermal_zone1/temp", "31000\n")
    (finding,) = machine.temperature(subject)
    assert finding.verdict is verdict
    assert finding.words.startswith(f"{int(thousandths) / 1000:.0f} degC")


def test_a_machine_without_a_thermometer_passes(subject: Subject) -> None:
    assert machine.temperature(subject)[0].verdict is PASS


@pytest.mark.parametrize(
    ("available", "waits", "verdict"),
    [(2_000_000, "0.00", PASS), (90_000, "0.00", WARN), (20_000, "0.00", FAIL), (2_000_000, "12.50", WARN)],
)
def test_little_memory_and_what_waits_for_it_are_said(
    subject: Subject, available: int, waits: str, verdict: Verdict
) -> None:
    at(
        subject,
        "proc/meminfo",
        f"MemTotal:  3884340 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\nHuge:\n",
    )
    at(
        subject,
        "proc/pressure/memory",
        "some avg10=0.00 avg60=0.00 avg300=50.00 total=1\n"
        f"full avg10=0.00 avg60=0.00 avg300={waits} total=1\n",
    )
    (finding,) = machine.memory(subject)
    assert finding.verdict is verdict
    assert bool(finding.todo) is (verdict is not PASS)


def test_memory_is_known_of_a_kernel_that_measures_no_pressure(subject: Subject) -> None:
    at(subject, "proc/meminfo", "MemTotal: 3884340 kB\nMemAvailable: 2000000 kB\n")
    assert machine.memory(subject)[0].verdict is PASS


@pytest.mark.parametrize(("load", "verdict"), [("0.20", PASS), ("999.00", WARN)])
def test_a_machine_that_is_busy_for_a_quarter_of_an_hour_is_said(
    subject: Subject, load: str, verdict: Verdict
) -> None:
    at(subject, "proc/loadavg", f"9.00 9.00 {load} 1/200 1234\n")
    assert machine.load(subject)[0].verdict is verdict
