"""What the doctor finds of Bluetooth and of sensors, each with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.bluetooth.device_information import DeviceInformation
from hub.clock import now
from hub.configuration.file import Config, load
from hub.doctor import bluetooth
from hub.doctor.findings import Finding, Verdict
from hub.store.sensors import EnrolledRow, InformationRow, enrol, note_information
from tests.rigs.house import CUFF, ILL, OXIMETER, House, cuff, oximeter, write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
NEW = "C4:F2:17:00:00:77"
Found = dict[str, tuple[Verdict, str]]


def by_part(findings: Sequence[Finding]) -> Found:
    return {finding.part: (finding.verdict, finding.told) for finding in findings}


def of_sensors(config: Config) -> Found:
    """What is found of sensors where no hub runs."""
    return by_part(bluetooth.sensors(config, {}))


def test_a_sensor_is_well_if_it_was_heard_today_and_is_named_if_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.take(oximeter(97, now()))
    house.take(cuff(120, now() - timedelta(days=2)))
    found = of_sensors(house.config)
    assert found[f"sensor {OXIMETER}"][0] is PASS
    assert found[f"sensor {CUFF}"][0] is WARN
    never = found["sensor C4:F2:17:00:00:03"]
    assert never[0] is WARN
    assert "never heard" in never[1]


def enrolled_by_command(house: House, resident: str | None = ILL) -> None:
    row = EnrolledRow(NEW, "thermometer", resident, "the new one", None, None, None, now(), "Sam", now())
    with house.transaction() as transaction:
        enrol(transaction.connection, row)


def test_a_sensor_that_was_enrolled_by_command_is_looked_at_as_any_other(tmp_path: Path) -> None:
    house = House(tmp_path)
    enrolled_by_command(house)
    verdict, words = of_sensors(house.config)[f"sensor {NEW}"]
    assert verdict is WARN
    assert words.startswith("thermometer the new one: never heard")
    house.connection.close()


def test_one_whose_resident_is_not_listed_any_more_is_named(tmp_path: Path) -> None:
    house = House(tmp_path)
    enrolled_by_command(house, "R-9")
    verdict, words = of_sensors(house.config)[f"sensor {NEW}"]
    assert verdict is WARN
    assert "R-9 is not listed any more" in words
    house.connection.close()


@pytest.mark.parametrize(("percent", "named"), [(20, True), (0, True), (21, False), (None, False)])
def test_a_battery_that_is_low_is_named_before_the_sensor_falls_silent(
    tmp_path: Path, percent: int | None, named: bool
) -> None:
    house = House(tmp_path)
    house.take(oximeter(97, now()))
    with house.transaction() as transaction:
        said = InformationRow(DeviceInformation(battery=percent, model="X"), now(), now())
        note_information(transaction.connection, OXIMETER, said)
    found = of_sensors(house.config)
    assert found[f"sensor {OXIMETER}"][0] is PASS
    assert found.get(f"battery of {OXIMETER}", (None,))[0] is (WARN if named else None)
    if named:
        assert f"has {percent} %" in found[f"battery of {OXIMETER}"][1]
    house.connection.close()


def test_where_no_sensor_is_enrolled_it_says_how_to_enrol_one(tmp_path: Path) -> None:
    config = load(write_configuration(tmp_path)).model_copy(update={"sensors": ()})
    assert "carehub devices add" in of_sensors(config)["sensors"][1]


def daemon_says(radio: dict[str, Any] | None = None, *sensors: dict[str, Any]) -> dict[str, Any]:
    return {"radio": radio, "sensors": list(sensors)}


WELL_RADIO: dict[str, Any] = {
    "usable": True,
    "words": "scanning for 5 sensor(s)",
    "adapters": [
        {"name": "hci0", "address": "00:11:22:33:44:55", "powered": True, "in_use": True},
        {"name": "hci1", "address": "00:11:22:33:44:66", "powered": False, "in_use": False},
    ],
    "healing": {"ails": None, "remedy": None, "tried_at": None, "outcome": None, "tried": 0},
}


def healing(ails: str | None, ago: timedelta) -> dict[str, Any]:
    said = {"ails": ails, "remedy": "power cycle", "outcome": None, "tried": 2}
    return {**WELL_RADIO, "healing": {**said, "tried_at": (now() - ago).isoformat()}}


async def examined(config: Config, status: dict[str, Any]) -> Found:
    """What is found of Bluetooth where a hub with a real adapter says this of itself."""
    bluez = config.model_copy(update={"bluetooth": config.bluetooth.model_copy(update={"radio": "bluez"})})
    return by_part([*await bluetooth.radio(bluez, status), *bluetooth.sensors(bluez, status)])


async def test_a_radio_that_collects_is_well_and_its_adapters_are_named(tmp_path: Path) -> None:
    found = await examined(load(write_configuration(tmp_path)), daemon_says(WELL_RADIO))
    assert found["Bluetooth"] == (PASS, "scanning for 5 sensor(s)")
    words = "hci0 (00:11:22:33:44:55, collects), hci1 (00:11:22:33:44:66, switched off)"
    assert found["Bluetooth adapters"] == (PASS, words)
    assert "Bluetooth healing" not in found


async def test_a_radio_that_does_not_collect_is_a_failure(tmp_path: Path) -> None:
    found = await examined(
        load(write_configuration(tmp_path)), daemon_says({**WELL_RADIO, "usable": False, "words": "no D-Bus"})
    )
    assert found["Bluetooth"] == (FAIL, "no D-Bus")


@pytest.mark.parametrize(
    ("ails", "ago", "expected"),
    [
        ("nothing was heard", timedelta(minutes=5), WARN),
        (None, timedelta(hours=5), WARN),
        (None, timedelta(days=2), PASS),
    ],
)
async def test_a_radio_that_had_to_be_healed_of_late_is_a_warning(
    tmp_path: Path, ails: str | None, ago: timedelta, expected: Verdict
) -> None:
    found = await examined(load(write_configuration(tmp_path)), daemon_says(healing(ails, ago)))
    verdict, words = found["Bluetooth healing"]
    assert verdict is expected
    assert "remedies so far: 2, the last" in words
    assert "power cycle" in words


async def test_a_sensor_in_trouble_is_named_with_what_to_do_and_one_s_bond_is_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.take(oximeter(97, now()))
    house.take(cuff(120, now()))
    found = await examined(
        house.config,
        daemon_says(
            WELL_RADIO,
            {"address": OXIMETER, "trouble": "refuses to be bonded with", "bonded": False},
            {"address": CUFF, "trouble": None, "bonded": True},
        ),
    )
    verdict, words = found[f"sensor {OXIMETER}"]
    assert verdict is WARN
    assert "not bonded; refuses to be bonded with: take a measurement beside the hub" in words
    assert found[f"sensor {CUFF}"][0] is PASS
    assert found[f"sensor {CUFF}"][1].endswith(", bonded")
    house.connection.close()
