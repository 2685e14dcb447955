"""What the doctor finds of USB, of what is plugged in, and of readers of wristbands, each with what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.devices import MODELS
from hub.clock import now
from hub.configuration.file import Config, Sensor, Usb, load
from hub.doctor import bluetooth, usb
from hub.doctor.findings import Finding, Verdict
from hub.sensors.enrolment import Enrolled
from tests.rigs.house import House, oximeter, write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
PLUGGED, READER = "USB:0403:6001:A9XK2P7Q", "USB:0C2E:0B61:R1"
IN_SOCKET, IN_OTHER = "USB:0403:6001@P-USB-0:1.1", "USB:0403:6001@P-USB-0:1.2"
WORKS = {"usable": True, "words": "listening to what is plugged in"}
FAILS = {"usable": False, "words": "udev does not run here"}
ENROLLED = {"address": PLUGGED}
Found = dict[str, tuple[Verdict, str]]


def by_part(findings: Sequence[Finding]) -> Found:
    return {finding.part: (finding.verdict, finding.told) for finding in findings}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A hub with USB."""
    config = load(write_configuration(tmp_path))
    return config.model_copy(update={"usb": Usb()})


def found(config: Config, said: dict[str, Any] | None, *plugged_in: dict[str, Any], **more: Any) -> Found:
    return by_part(usb.usb(config, {"usb": said, "plugged_in": plugged_in, "sensors": [], **more}))


def there(address: str = PLUGGED, **said: object) -> dict[str, Any]:
    return {
        "address": address, "node": "/dev/ttyUSB0", "kind": "serial line", "enrolled": False,
        "certain": False, "may_open": True, "serial_is_shared": False, **said,
    }  # fmt: skip


# --- USB itself


def test_usb_that_works_is_well_and_says_how_much_is_plugged_in(config: Config) -> None:
    words = "listening to what is plugged in; 1 device(s) that may be sensors or readers are plugged in"
    assert found(config, WORKS, there()) == {"USB": (PASS, words)}


def test_usb_that_does_not_work_fails_a_hub_that_needs_it_and_no_other(config: Config) -> None:
    assert found(config, FAILS)["USB"] == (WARN, "udev does not run here")
    assert found(config, FAILS, sensors=[ENROLLED])["USB"] == (FAIL, "udev does not run here")


def test_usb_that_is_off_is_a_warning_only_where_something_on_it_is_enrolled(config: Config) -> None:
    off = config.model_copy(update={"usb": Usb(ports="off")})
    assert found(off, None)["USB"] == (PASS, "off by configuration")
    listed = off.model_copy(update={"sensors": (Sensor(address=PLUGGED, driver="nonin_serial"),)})
    for verdict, words in (found(off, None, sensors=[ENROLLED])["USB"], found(listed, None)["USB"]):
        assert verdict is WARN
        assert "off by configuration, yet a device on it is enrolled" in words


@pytest.mark.parametrize(("runs", "verdict"), [(True, PASS), (False, WARN)])
def test_where_the_hub_does_not_run_udev_is_looked_for(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, runs: bool, verdict: Verdict
) -> None:
    control = tmp_path / "control"
    if runs:
        control.touch()
    monkeypatch.setattr(usb, "_UDEV", control)
    said = by_part(usb.usb(config, {}))["USB"]
    assert said[0] is verdict
    assert ("udev does not run" in said[1]) is not runs


# --- what is plugged in


@pytest.mark.parametrize(("enrolled", "verdict"), [(True, FAIL), (False, WARN)])
def test_what_the_hub_may_not_open_is_named_with_the_rule_to_install(
    config: Config, *, enrolled: bool, verdict: Verdict
) -> None:
    said = found(config, WORKS, there(may_open=False, enrolled=enrolled))["USB permissions"]
    assert said[0] is verdict
    assert "/dev/ttyUSB0" in said[1]
    assert "into /etc/udev/rules.d" in said[1]


def test_the_rule_that_is_named_is_there_and_gives_the_hub_the_readers_that_it_recognises() -> None:
    rules = (Path(__file__).parents[3] / "systemd" / "udev" / usb.RULES).read_text()
    readers = {
        number.split(":")[0]
        for model in MODELS
        for number in model.usb
        if model.drivers == ("wristband_reader",)
    }
    named = re.findall(r'^SUBSYSTEMS=="usb", ATTRS\{idVendor\}=="([0-9a-f|]+)"', rules, re.MULTILINE)
    assert readers == {vendor for each in named for vendor in each.split("|")}


def test_of_a_reader_that_may_not_be_opened_it_is_said_where_others_are_named(config: Config) -> None:
    scanner = there(READER, kind="keyboard", certain=True, may_open=False)
    assert "a reader of a maker that it does not name" in found(config, WORKS, scanner)["USB permissions"][1]
    assert "a reader of" not in found(config, WORKS, there(may_open=False))["USB permissions"][1]


def test_the_keyboard_that_an_engineer_types_on_is_nobodys_business(config: Config) -> None:
    typed_on = there("USB:046D:C31C@P-USB-0:1.3", kind="keyboard", may_open=False)
    assert "USB permissions" not in found(config, WORKS, typed_on)


def test_two_of_one_serial_number_are_named_by_their_sockets(config: Config) -> None:
    both = [there(address, serial_is_shared=True) for address in (IN_SOCKET, IN_OTHER)]
    verdict, words = found(config, WORKS, *both)["serial numbers"]
    assert verdict is WARN
    assert f"{IN_SOCKET} and {IN_OTHER} say a serial number that another says too" in words
    assert "enrol each by its socket" in words


# --- enrolled devices


def enrolled(address: str = PLUGGED, driver: str = "nonin_serial", **said: object) -> Enrolled:
    return Enrolled(Sensor.model_validate({"address": address, "driver": driver, **said}))


def status(**said: object) -> dict[str, Any]:
    return {
        "plugged_in": True, "last_payload": None, "trouble": None, "frames": 300, "passed_over": 0, **said,
    }  # fmt: skip


def examined(each: Enrolled, newest: datetime | None, said: dict[str, Any] | None) -> tuple[Verdict, str]:
    finding = usb.sensor(each, newest, said)
    assert finding.part == f"sensor {each.sensor.address}"
    return finding.verdict, finding.words


@pytest.mark.parametrize(
    ("ago", "said", "verdict", "words"),
    [
        (timedelta(hours=1), status(), PASS, "plugged in"),
        (timedelta(hours=1), status(plugged_in=False), PASS, "not plugged in"),
        (timedelta(days=2), status(), WARN, "last reading"),
        (None, status(plugged_in=False), WARN, "not plugged in: 'carehub devices scan' lists what is"),
        (None, None, WARN, "no reading yet: is it switched on"),
        (None, status(last_payload="2026-03-01T12:00:00+00:00"), PASS, "it sends, and the first is stored"),
        (timedelta(hours=1), status(trouble="is the wrong one"), WARN, "; is the wrong one"),
        (
            None,
            status(frames=0, passed_over=512),
            WARN,
            "512 bytes came, and not one whole frame: is its",
        ),
    ],
)
def test_a_device_is_well_if_it_told_something_today(
    ago: timedelta | None, said: dict[str, Any] | None, verdict: Verdict, words: str
) -> None:
    found = examined(enrolled(label="blue"), None if ago is None else now() - ago, said)
    assert found[0] is verdict
    assert words in found[1]
    assert found[1].startswith("nonin_serial blue: ")


def test_a_reader_is_well_while_it_is_plugged_in(config: Config) -> None:
    reader = enrolled(READER, "wristband_reader")
    scanned = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    assert examined(reader, None, status(last_payload=scanned.isoformat())) == (
        PASS,
        "wristband_reader: plugged in, last scan 2026-03-01 12:00 UTC",
    )
    assert examined(reader, None, status())[1].endswith("no scan since the hub started")
    verdict, words = examined(reader, None, status(plugged_in=False))
    assert (verdict, "nobody can be scanned" in words) == (WARN, True)
    assert examined(reader, None, None)[0] is PASS


def test_the_doctor_of_all_sensors_asks_the_one_of_usb(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.take(oximeter(97, now()))
    plugged = Sensor(address=PLUGGED, driver="nonin_serial")
    config = house.config.model_copy(update={"sensors": (*house.config.sensors, plugged)})
    said = {"sensors": [{"address": PLUGGED, **status(trouble="/dev/ttyUSB0: another program has it")}]}
    found = by_part(bluetooth.sensors(config, said))
    house.connection.close()
    assert found[f"sensor {PLUGGED}"] == (
        WARN,
        "nonin_serial: no reading yet, plugged in: is it switched on, and set to send?;"
        " /dev/ttyUSB0: another program has it",
    )


# --- rounds


def wearing(config: Config) -> Config:
    first, *others = config.residents
    return config.model_copy(update={"residents": (first.model_copy(update={"wristband": "R1"}), *others)})


SHARED = enrolled("C4:F2:17:00:00:0F", "pulse_oximeter")
SHARED_OF_A = enrolled("C4:F2:17:00:00:0E", "pulse_oximeter", kit="a")
OWN = enrolled("C4:F2:17:00:00:02", "pulse_oximeter", resident="R-0412")
A_READER, A_READER_OF_A = enrolled(READER, "wristband_reader"), enrolled(READER, "wristband_reader", kit="a")


@pytest.mark.parametrize(
    ("each", "worn", "verdict", "words"),
    [
        ([A_READER, SHARED], True, PASS, "of 1 of 2 residents who are here the code is known"),
        ([A_READER_OF_A, SHARED_OF_A], True, PASS, "of 1 of 2 residents who are here the code is known"),
        ([A_READER, SHARED], False, WARN, "no code of any resident who is here is known"),
        ([A_READER, OWN], True, WARN, f"no shared sensor goes round with the reader {READER}"),
        ([A_READER, SHARED_OF_A], True, WARN, f"no shared sensor goes round with the reader {READER}"),
        ([A_READER_OF_A, SHARED], True, WARN, f"the reader {READER} (kit a)"),
        ([SHARED], True, WARN, "1 resident(s) have one, and no reader is enrolled"),
    ],
)
def test_whether_a_scan_can_open_a_round(
    config: Config, each: list[Enrolled], worn: bool, verdict: Verdict, words: str
) -> None:
    (finding,) = usb.rounds((wearing(config) if worn else config).residents, each, {})
    assert (finding.part, finding.verdict) == ("wristbands", verdict)
    assert words in finding.words


def test_a_home_without_readers_and_wristbands_hears_nothing_of_them(config: Config) -> None:
    assert usb.rounds(config.residents, [SHARED, OWN], {}) == []


@pytest.mark.parametrize(("unknown", "damaged"), [(0, 0), (3, 0), (0, 2)])
def test_scans_that_opened_no_round_are_counted(config: Config, unknown: int, damaged: int) -> None:
    said = {"rounds": {"open": [], "unknown_scans": unknown, "damaged_scans": damaged}}
    found = by_part(usb.rounds(wearing(config).residents, [A_READER, SHARED], said))
    assert ("scans" in found) is bool(unknown or damaged)
    if unknown or damaged:
        verdict, words = found["scans"]
        assert verdict is WARN
        assert f"{unknown} were of no resident's wristband and {damaged} were damaged" in words
