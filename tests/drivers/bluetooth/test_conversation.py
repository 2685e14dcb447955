"""What is said on one link, with real bleak and real GATT, on a radio of software."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from hypothesis import given
from hypothesis import strategies as st

from drivers.bluetooth.conversation import Flood
from drivers.bluetooth.device_information import DeviceInformation
from drivers.bluetooth.session import EnrolledSensor
from drivers.driver import Decoded
from drivers.gatt import GattDriver
from drivers.virtual.profiles import (
    CLOCK_CUFF,
    CURRENT_TIME,
    HEART_RATE_STRAP,
    STORING_OXIMETER,
    Bond,
    Profile,
    Sending,
)
from drivers.virtual.sensors import THERMOMETER
from drivers.virtual.ward import VirtualWard
from tests.rigs.collecting import CUFF, OXIMETER, until
from tests.rigs.collecting import THERMOMETER as THERMOMETER_DRIVER
from tests.rigs.one_sensor import ADDRESS, QUICK, collecting_from

LONDON = ZoneInfo("Europe/London")
NOON = datetime(2026, 7, 5, 12, 0, 0, tzinfo=LONDON)


def noon() -> datetime:
    return NOON


# --- the clock


async def test_a_clock_that_says_2000_is_set_to_the_homes_time_and_how_wrong_it_was_is_learned() -> None:
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, CUFF), local_now=noon) as one,
    ):
        cuff = ward.place(replace(CLOCK_CUFF, stays=True), ADDRESS)
        cuff.report(b"reading")
        await until(lambda: bool(cuff.gatt.clock.set_to))
        assert cuff.gatt.clock.set_to == [NOON.replace(tzinfo=None)]
        assert cuff.gatt.written["2a08"] == [bytes.fromhex("ea0707050c0000")]
        wrong_by = datetime(2000, 1, 1, tzinfo=LONDON) - NOON.replace(tzinfo=LONDON)
        assert one.learned[-1].clock_ahead is not None
        assert abs(one.learned[-1].clock_ahead - wrong_by) < timedelta(seconds=60)


async def test_a_clock_in_a_service_of_its_own_is_set() -> None:
    profile = replace(THERMOMETER, clock=CURRENT_TIME, stays=True)
    sensor = EnrolledSensor(ADDRESS, THERMOMETER_DRIVER)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor, local_now=noon):
        thermometer = ward.place(profile, ADDRESS)
        thermometer.report(b"reading")
        await until(lambda: bool(thermometer.gatt.written["2a2b"]))
        assert thermometer.gatt.written["2a2b"][0].hex() == "ea0707050c0000070002"


async def test_a_clock_that_is_right_is_left_alone() -> None:
    sensor = EnrolledSensor(ADDRESS, CUFF)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor, local_now=noon) as one:
        cuff = ward.place(replace(CLOCK_CUFF, stays=True), ADDRESS)
        cuff.gatt.clock.set(NOON.replace(tzinfo=None))
        cuff.report(b"reading")
        await until(lambda: any(each.battery for each in one.learned))  # which is read after the clock
        assert cuff.gatt.written["2a08"] == []


async def test_a_hub_that_does_not_know_the_time_sets_no_clock() -> None:
    sensor = EnrolledSensor(ADDRESS, CUFF)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        cuff = ward.place(replace(CLOCK_CUFF, stays=True), ADDRESS)
        cuff.report(b"reading")
        await until(lambda: any(each.battery for each in one.learned))
        assert cuff.gatt.written["2a08"] == []
        assert one.learned[-1].clock_ahead is None


async def test_where_the_clock_comes_first_it_is_set_before_anything_is_told() -> None:
    driver = replace(CUFF, clock_first=True)
    order: list[str] = []
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver), local_now=noon) as one,
    ):
        cuff = ward.place(replace(CLOCK_CUFF, bond=Bond.CAN), ADDRESS)
        set_clock = cuff.gatt.clock.set

        def noting(says: datetime) -> None:
            order.append("clock, subscribed" if cuff.gatt.subscribed["2a35"].is_set() else "clock")
            set_clock(says)

        cuff.gatt.clock.set = noting  # type: ignore[method-assign]  # to see when
        await cuff.report(b"reading")
        order.append("told")
        await until(lambda: one.payloads == [b"reading"])
    assert order == ["clock", "told"]
    assert all(each.clock_ahead is None for each in one.learned)  # to read it takes time that there is not


async def test_a_clock_that_never_answers_costs_no_measurement() -> None:
    sensor = EnrolledSensor(ADDRESS, THERMOMETER_DRIVER)
    profile = replace(THERMOMETER, clock=CURRENT_TIME, battery=70, stays=True)
    patience = replace(QUICK, request=0.5)  # which the battery has as well
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, sensor, local_now=noon, patience=patience) as one,
    ):
        thermometer = ward.place(profile, ADDRESS)
        thermometer.gatt.silent.add("2a2b")
        thermometer.report(b"reading")
        thermometer.report(b"another")
        await until(lambda: one.payloads == [b"reading", b"another"])
        await until(lambda: any(each.battery == 70 for each in one.learned))  # what comes after the clock
        assert thermometer.links == 1


# --- greeting and frames


@dataclass
class Lines:
    """Cuts at each line feed."""

    rest: bytes = field(default=b"")

    def feed(self, notification: bytes) -> Iterable[bytes]:
        *whole, self.rest = (self.rest + notification).split(b"\n")
        return whole


def nothing(_payload: bytes) -> Decoded:
    return Decoded(())


UART = GattDriver(
    name="uart",
    title="a sensor that sends frames",
    service="ff00",
    characteristics={"ff01": nothing},
    framer=Lines,
)
UART_PROFILE = Profile("uart", "Frames", "ff00", {"ff01": Sending.NOTIFICATION}, written=("ff02", "ff03"))


async def test_a_sensor_is_greeted_in_order_once_it_is_subscribed_to() -> None:
    driver = replace(UART, greeting=(("ff02", b"hello"), ("ff04", b"not there"), ("ff03", b"begin")))
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver)):
        sensor = ward.place(replace(UART_PROFILE, stays=True), ADDRESS)
        sensor.be_found()
        await until(lambda: bool(sensor.gatt.written["ff03"]))
        assert sensor.gatt.subscribed["ff01"].is_set()
        assert dict(sensor.gatt.written) == {"ff02": [b"hello"], "ff03": [b"begin"]}


async def test_frames_are_what_is_delivered_and_none_goes_from_one_link_into_the_next() -> None:
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, UART)) as one:
        sensor = ward.place(UART_PROFILE, ADDRESS)
        sensor.reports_per_link = 3
        for notification in (b"on", b"e\ntwo\nthr", b"broken", b"four\n"):
            sensor.report(notification)
        await until(lambda: len(one.payloads) == 3)
    assert one.payloads == [b"one", b"two", b"four"]


# --- battery, firmware


async def test_battery_and_device_information_are_learned_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.bluetooth.device_information._HOUR", 0.0)
    reads: list[str] = []
    read = BleakClient.read_gatt_char

    async def noting(client: BleakClient, characteristic: BleakGATTCharacteristic) -> bytearray:
        reads.append(characteristic.uuid)
        return await read(client, characteristic)

    monkeypatch.setattr(BleakClient, "read_gatt_char", noting)
    driver = replace(OXIMETER, name="strap", service="180d", characteristics={"2a37": nothing})
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver)) as one,
    ):
        strap = ward.place(replace(HEART_RATE_STRAP, stays=True), ADDRESS)
        strap.be_found()
        everything = DeviceInformation(80, "Virtual", "V-1", "0001", "1.2.3", "A", "4.5")
        await until(lambda: bool(one.learned) and one.learned[-1] == everything)
        assert one.session.status().information == everything
        assert [each.battery for each in one.learned] == [80] * 7
        strap.go_out_of_reach()
        await until(lambda: not one.session.status().connected)
        strap.come_back()
        strap.be_found()
        await until(lambda: strap.links == 2 and one.session.status().connected)
        await asyncio.sleep(4 * QUICK.idle)
        assert len(reads) == 7


async def test_a_battery_that_never_answers_delays_no_measurement() -> None:
    driver = replace(OXIMETER, name="strap", service="180d", characteristics={"2a37": nothing})
    patience = replace(QUICK, idle=0.0)
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver), patience=patience) as one,
    ):
        strap = ward.place(HEART_RATE_STRAP, ADDRESS)
        strap.gatt.silent.add("2a19")
        strap.wear(lambda: b"beat", 0.02)
        await until(lambda: len(one.payloads) > 20)
        assert one.learned == []


async def test_nothing_is_read_while_a_sensor_is_telling() -> None:
    driver = replace(OXIMETER, name="strap", service="180d", characteristics={"2a37": nothing})
    patience = replace(QUICK, idle=1.5, busy=60.0)  # a busy machine may pause the strap
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver), patience=patience) as one,
    ):
        strap = ward.place(replace(HEART_RATE_STRAP, stays=True), ADDRESS)
        strap.wear(lambda: b"beat", 0.02)
        await until(lambda: len(one.payloads) > 40)
        assert one.learned == []
        strap.take_off()
        await until(lambda: bool(one.learned))


async def test_a_sensor_that_streams_for_hours_is_read_in_between() -> None:
    driver = replace(OXIMETER, name="strap", service="180d", characteristics={"2a37": nothing})
    patience = replace(QUICK, idle=0.2, busy=0.3)
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver), patience=patience) as one,
    ):
        strap = ward.place(HEART_RATE_STRAP, ADDRESS)
        strap.wear(lambda: b"beat", 0.02)
        await until(lambda: bool(one.learned))


# --- sensors that lie


async def test_a_sensor_that_neither_indicates_nor_notifies_is_named() -> None:
    profile = Profile("blood_pressure", "Mute", "1810", {}, written=("2a35",), stays=True)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, CUFF)) as one:
        ward.place(profile, ADDRESS).be_found()
        await until(lambda: bool(one.trouble))
        assert "has 2a35, and neither indicates nor notifies it" in one.trouble


# --- bounds


def test_a_flood_is_cut_and_a_stream_is_not() -> None:
    flood = Flood(burst=100, rate=10)
    assert sum(flood.lets_pass(0.0) for _ in range(1000)) == 100
    assert sum(flood.lets_pass(second / 10) for second in range(10, 1010)) == 1000


@given(st.lists(st.floats(0, 100), max_size=300).map(sorted))
def test_no_more_than_the_burst_and_the_rate_get_through(times: list[float]) -> None:
    flood = Flood(burst=20, rate=5)
    passed = [at for at in times if flood.lets_pass(at)]
    for first in passed:
        within = [at for at in passed if first <= at <= first + 10]
        assert len(within) <= 20 + 5 * 10 + 1


async def test_a_flood_is_said_once_and_the_link_lives(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(Flood.__init__, "__defaults__", (50.0, 0.001))
    driver = replace(OXIMETER, characteristics={"2a5f": nothing})
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver)) as one,
    ):
        oximeter = ward.place(STORING_OXIMETER, ADDRESS)
        last = [oximeter.report(bytes([number % 256]), "2a5f") for number in range(200)][-1]
        await last
    assert len(one.payloads) == 50
    assert caplog.text.count("sends too much") == 1
