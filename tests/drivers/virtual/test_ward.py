"""Scenarios, and the ward that they are played in."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drivers import catalogue
from drivers.virtual import VirtualWardError
from drivers.virtual.sensors import BLOOD_PRESSURE_CUFF, Sent
from drivers.virtual.ward import DETERIORATING, VirtualWard, load_scenario
from hub.readings import AbsentReason, Reading, Value, Vital
from tests.rigs.collecting import CUFF, collecting

ADDRESS = "C4:F2:17:00:00:01"


def other_tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def values(readings: list[Reading], device: str, vital: Vital) -> list[Value | AbsentReason | None]:
    return [
        measurement.value if measurement.value is not None else measurement.absent
        for reading in readings
        if reading.raw.device == device
        for measurement in reading.measurements
        if measurement.vital is vital
    ]


async def test_the_moment_of_the_last_byte_is_told_and_lies_before_the_delivery() -> None:
    told: list[Sent] = []
    async with (
        VirtualWard.open(on_sent=told.append) as ward,
        collecting(ward.radio, (ADDRESS, CUFF)) as collected,
    ):
        begun = time.monotonic()
        sent = await ward.place(BLOOD_PRESSURE_CUFF, ADDRESS).report(b"\x01\x02")
        await collected.until_received(1)
        assert begun <= sent.monotonic <= time.monotonic()
    assert sent.sent_at <= collected.received[0].received_at
    assert (sent.address, sent.characteristic, sent.payload) == (ADDRESS, "2a35", b"\x01\x02")
    assert told == [sent]


async def test_a_closed_ward_leaves_no_task_though_readings_wait_in_it() -> None:
    async with VirtualWard.open(DETERIORATING) as ward:
        waiting = ward.sensors[ADDRESS].report(b"\x01")
        await asyncio.sleep(0.1)
    assert waiting.cancelled()
    assert not other_tasks()


async def test_a_sensor_refuses_what_it_cannot_send() -> None:
    async with VirtualWard.open() as ward:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, ADDRESS)
        with pytest.raises(VirtualWardError, match="no characteristic 2a5e, only 2a35"):
            cuff.report(b"", "2a5e")
        with pytest.raises(VirtualWardError, match="513 bytes"):
            cuff.report(bytes(513))


async def test_the_demo_scenario_is_collected_whole_and_decodes_as_it_is_written() -> None:
    script = load_scenario(DETERIORATING)
    enrolled = [(s.address, catalogue.GATT_DRIVERS[s.kind]) for s in script.sensors.values()]
    async with (
        VirtualWard.open(DETERIORATING, speed=20) as ward,
        collecting(ward.radio, *enrolled) as collected,
    ):
        await collected.until_received(len(script.events))
    readings = [catalogue.driver(raw.driver).read(raw) for raw in collected.received]
    assert values(readings, "C4:F2:17:00:00:02", Vital.OXYGEN_SATURATION) == [97, 94, 91]
    assert values(readings, "C4:F2:17:00:00:02", Vital.PULSE_RATE) == [78, 104, 128]
    assert values(readings, "C4:F2:17:00:00:01", Vital.SYSTOLIC_PRESSURE) == [128, 108, 92]
    assert values(readings, "C4:F2:17:00:00:03", Vital.TEMPERATURE) == [36.8, 38.2, 39.2]
    failed = AbsentReason.NOT_A_NUMBER
    assert values(readings, "C4:F2:17:00:00:11", Vital.SYSTOLIC_PRESSURE) == [122, failed, 124]
    assert [r.raw.payload for r in readings if r.problem is not None] == [b"\x1e\x80"]


async def test_a_scenario_may_have_straps_scales_and_glucose_meters(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(
        """
title = "x"
[sensors]
strap = { kind = "heart_rate", address = "C4:F2:17:00:00:21" }
scale = { kind = "weight_scale", address = "C4:F2:17:00:00:22" }
meter = { kind = "glucose", address = "C4:F2:17:00:00:23" }
[[events]]
at = 0.1
sensor = "strap"
values = { beats = 72 }
[[events]]
at = 0.1
sensor = "scale"
values = { kilograms = 70.5 }
[[events]]
at = 0.1
sensor = "meter"
values = { sequence = 7, millimoles = 5.6 }
""",
        encoding="utf-8",
    )
    enrolled = [(s.address, catalogue.GATT_DRIVERS[s.kind]) for s in load_scenario(path).sensors.values()]
    async with VirtualWard.open(path) as ward, collecting(ward.radio, *enrolled) as collected:
        await collected.until_received(3)
    readings = [catalogue.driver(raw.driver).read(raw) for raw in collected.received]
    assert values(readings, "C4:F2:17:00:00:21", Vital.PULSE_RATE) == [72]
    assert values(readings, "C4:F2:17:00:00:22", Vital.BODY_WEIGHT) == [70.5]
    assert values(readings, "C4:F2:17:00:00:23", Vital.GLUCOSE) == [pytest.approx(5.6)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title = ", "is no scenario"),
        ('title = "x"', "sensors: Field required"),
        ('title = "x"\n[sensors.a]\nkind = "toaster"\naddress = "C4:F2:17:00:00:01"', "sensors.a.kind"),
        ('title = "x"\n[sensors.a]\nkind = "thermometer"\naddress = "12:34"', "sensors.a.address"),
        ("[[events]]\nat = 1\nsensor = 'b'\npayload = ''", "event 1 .at 1 s.: there is no sensor b, only a"),
        ("[[events]]\nat = 1\nsensor = 'a'\npayload = '0'", "events.0.payload"),
        ("[[events]]\nat = -1\nsensor = 'a'\npayload = ''", "events.0.at"),
        ("[[events]]\nat = 1\nsensor = 'a'", "give either values or a payload"),
        ("[[events]]\nat = 1\nsensor = 'a'\nvalues = { systolic = 1 }", "2a35 has the values systolic"),
        ("[[events]]\nat = 1\nsensor = 'a'\nvalues = { systolic = 9e9, diastolic = 1 }", "does not fit"),
        ("[[events]]\nat = 1\nsensor = 'a'\npayload = ''\ncharacteristic = '2a1c'", "has no 2a1c, only 2a35"),
        ("[sensors.b]\nkind = 'thermometer'\naddress = 'C4:F2:17:00:00:01'", "the address of two sensors"),
    ],
)
def test_a_wrong_scenario_names_what_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    whole = f'title = "x"\n[sensors.a]\nkind = "blood_pressure"\naddress = "{ADDRESS}"\n{text}'
    path = tmp_path / "scenario.toml"
    path.write_text(text if text.startswith("title") else whole, encoding="utf-8")
    with pytest.raises(VirtualWardError, match=complaint) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value)


def test_a_scenario_may_be_json(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(
        '{"title": "x", "sensors": {"a": {"kind": "thermometer", "address": "C4:F2:17:00:00:03"}},'
        ' "events": [{"at": 1, "sensor": "a", "values": {"celsius": 36.8}}]}',
        encoding="utf-8",
    )
    script = load_scenario(path)
    assert script.told(script.events[0]) == ("C4:F2:17:00:00:03", "2a1c", bytes.fromhex("00700100ff"))


def test_a_scenario_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(VirtualWardError, match=r"nowhere\.toml: cannot be read: No such file"):
        load_scenario(tmp_path / "nowhere.toml")


def test_the_real_radio_needs_no_bumble_and_the_virtual_one_says_what_to_install() -> None:
    program = """
import sys
sys.modules["bumble"] = None
import drivers.bluetooth.bluez, drivers.bluetooth.collector, drivers.catalogue
try:
    import drivers.virtual.ward
except Exception as error:
    print(type(error).__mro__[1].__name__, error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "CareportError" in result.stdout
    assert "pip install 'carehub[virtual]'" in result.stdout
