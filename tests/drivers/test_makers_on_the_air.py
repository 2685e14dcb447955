"""The makers' own ways, with real bleak and real GATT, against virtual sensors that behave like them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from drivers import and_medical, nonin_3230, viatom_pc60fw
from drivers.bluetooth.session import EnrolledSensor
from drivers.gatt import GattDriver
from drivers.nonin_3230 import OXIMETRY_MEASUREMENT
from drivers.virtual.profiles import AND_CUFF, NONIN_OXIMETER, UART_OXIMETER, Sending
from drivers.virtual.ward import VirtualWard
from hub.readings import Vital
from tests.rigs.collecting import until
from tests.rigs.one_sensor import ADDRESS, OneSensor, collecting_from

NOON = datetime(2026, 7, 5, 12, 0, 0, tzinfo=ZoneInfo("Europe/London"))

FAILED = bytes.fromhex("16ff07ff07ff07e107011000391cff070000")
MEASURED = bytes.fromhex("167d0050006600e10701100c273640000000")
OXIMETRY = bytes.fromhex("0a141c01f4000f610048")
CONTINUOUS = bytes.fromhex("0062004e00")  # 2A5F: 98 %, 78 /min
NUMERIC = bytes.fromhex("aa550f08016140005100c05b")
WAVEFORM = bytes.fromhex("aa550f07026e5fcc3722ed")


def noon() -> datetime:
    return NOON


def values(one: OneSensor, driver: GattDriver) -> list[tuple[Vital, object]]:
    readings = [driver.read(raw) for raw in one.received]
    return [(said.vital, said.value) for reading in readings for said in reading.measurements]


async def test_an_and_cuff_is_bonded_with_and_its_clock_is_right_before_it_tells_the_oldest_first() -> None:
    order: list[str] = []
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, and_medical.UA651BLE), local_now=noon) as one,
    ):
        cuff = ward.place(AND_CUFF, ADDRESS)
        set_clock = cuff.gatt.clock.set

        def set_and_note(says: datetime) -> None:
            order.append("clock")
            set_clock(says)

        cuff.gatt.clock.set = set_and_note  # type: ignore[method-assign]  # to note when
        for payload in (FAILED, MEASURED):
            cuff.report(payload).add_done_callback(lambda _: order.append("told"))
        await until(lambda: len(one.received) == 2)
        assert cuff.gatt.clock.set_to == [NOON.replace(tzinfo=None)]
    assert order == ["clock", "told", "told"]
    assert one.payloads == [FAILED, MEASURED]
    assert values(one, and_medical.UA651BLE)[4:6] == [
        (Vital.SYSTOLIC_PRESSURE, 125.0),
        (Vital.DIASTOLIC_PRESSURE, 80.0),
    ]


async def test_a_nonin_that_has_its_own_service_alone_is_read_by_that() -> None:
    sensor = EnrolledSensor(ADDRESS, nonin_3230.DRIVER)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        oximeter = ward.place(NONIN_OXIMETER, ADDRESS)
        oximeter.report(OXIMETRY)
        await until(lambda: bool(one.received))
    assert values(one, nonin_3230.DRIVER) == [(Vital.OXYGEN_SATURATION, 97.0), (Vital.PULSE_RATE, 72.0)]
    assert nonin_3230.DRIVER.read(one.received[0]).streaming


async def test_a_nonin_that_has_both_ways_is_read_once() -> None:
    both = replace(
        NONIN_OXIMETER,
        characteristics={"2a5f": Sending.NOTIFICATION, OXIMETRY_MEASUREMENT: Sending.NOTIFICATION},
        stays=True,
    )
    sensor = EnrolledSensor(ADDRESS, nonin_3230.DRIVER)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        oximeter = ward.place(both, ADDRESS)
        oximeter.report(CONTINUOUS, "2a5f")
        await until(lambda: bool(one.received))
        assert oximeter.gatt.subscribed["2a5f"].is_set()
        assert not oximeter.gatt.subscribed[OXIMETRY_MEASUREMENT].is_set()
    assert values(one, nonin_3230.DRIVER) == [(Vital.OXYGEN_SATURATION, 98.0), (Vital.PULSE_RATE, 78.0)]


async def test_a_pc60fw_s_frames_are_whole_however_its_notifications_cut_them() -> None:
    stream = WAVEFORM + NUMERIC + WAVEFORM + NUMERIC
    sensor = EnrolledSensor(ADDRESS, viatom_pc60fw.DRIVER)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        oximeter = ward.place(UART_OXIMETER, ADDRESS)
        for begin in range(0, len(stream), 20):
            oximeter.report(stream[begin : begin + 20])
        await until(lambda: len(one.received) == 2)
    assert one.payloads == [NUMERIC, NUMERIC]
    assert values(one, viatom_pc60fw.DRIVER)[:2] == [
        (Vital.OXYGEN_SATURATION, 97.0),
        (Vital.PULSE_RATE, 64.0),
    ]
