"""What a device is, is taken from its advertisement only where there can be no doubt about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.bluetooth.bluez import BlueZRadio
from drivers.bluetooth.collector import BluetoothCollector
from drivers.known_models import Ground, Suggestion, suggest
from hub.readings import RawPayload
from hub.sensors.information import SensorInformation
from hub.sensors.requests import SensorRequests, certain
from tests.rigs.enrolling import NEW, SAM, new_home, running
from tests.rigs.house import ILL

NAME, SERVICE, WITHOUT_NAME = Ground.NAME, Ground.SERVICE, Ground.SERVICE_WITHOUT_NAME


@pytest.mark.parametrize(
    ("suggested", "chosen"),
    [
        ([], None),
        ([("cuff", SERVICE)], "cuff"),
        ([("model", NAME), ("cuff", SERVICE)], "model"),
        ([("model", NAME), ("cuff", NAME)], None),
        ([("cuff", SERVICE), ("model", WITHOUT_NAME)], None),
        ([("model", WITHOUT_NAME)], None),
        ([(None, NAME)], None),
    ],
)
def test_a_driver_is_chosen_only_where_it_alone_has_the_strongest_ground(
    suggested: list[tuple[str | None, Ground]], chosen: str | None
) -> None:
    assert certain([Suggestion(driver, ground, "why") for driver, ground in suggested]) == chosen


@pytest.mark.parametrize(
    ("name", "services", "chosen"),
    [
        ("Cuff", ["00001810-0000-1000-8000-00805f9b34fb"], "blood_pressure"),
        (None, ["1810"], None),
        ("A&D_UA-651BLE_A1B2C3", ["1810"], "and_ua651ble"),
        ("Phone", ["180f"], None),
    ],
)
def test_of_the_models_that_are_known_it_chooses_so(
    name: str | None, services: list[str], chosen: str | None
) -> None:
    """A cuff whose name was not heard yet may be one of another layout."""
    assert certain(suggest(name, services)) == chosen


async def test_where_the_radio_does_not_work_nobody_is_told_that_the_sensor_is_silent(tmp_path: Path) -> None:
    async def deliver(_raw: RawPayload) -> None: ...

    async with running(new_home(tmp_path)) as enrolment:
        collector = BluetoothCollector((), BlueZRadio(), deliver)  # not yet started
        information = SensorInformation(enrolment._writer, {}, lambda _address: True)
        requests = SensorRequests(enrolment, information, collector)
        answer = await requests.enrol({"address": NEW, "driver": "thermometer", "by": SAM})
    assert answer["notes"] == [
        f"Bluetooth does not work now, so nothing is collected: {collector.status().radio}"
    ]


async def test_an_engineer_is_told_what_becomes_of_a_sensors_memory(tmp_path: Path) -> None:
    async with running(new_home(tmp_path)) as enrolment:
        information = SensorInformation(enrolment._writer, {}, lambda _address: True)
        requests = SensorRequests(enrolment, information, None)
        asked = {"address": NEW, "driver": "blood_pressure", "resident": ILL, "by": SAM}
        at_first = await requests.enrol(asked)
        assert str(at_first["words"]).endswith(
            "what it measured before now is nobody's, and waits for a person"
        )
        await requests.forget({"address": NEW, "by": SAM})
        assert "before now" not in str((await requests.enrol(asked))["words"]), "it was theirs all the time"
