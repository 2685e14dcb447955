"""A sensor being asked for what it has stored, on a link, with real bleak and real GATT."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from drivers.bluetooth.conversation import Flood
from drivers.bluetooth.session import EnrolledSensor
from drivers.glucose import DRIVER as GLUCOSE
from drivers.virtual.profiles import GLUCOSE_METER, STORING_OXIMETER
from drivers.virtual.sensors import VirtualSensor
from drivers.virtual.ward import VirtualWard
from tests.rigs.collecting import OXIMETER, until
from tests.rigs.one_sensor import ADDRESS, QUICK, collecting_from

ALL, FROM, STOP = "0101", "0103", "0300"


@pytest.fixture(autouse=True)
def _sensors_that_leave_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter whose records were told does not wait a second for another request."""
    monkeypatch.setattr("drivers.virtual.sensors._IDLE", 0.2)


def glucose(number: int) -> bytes:
    """A measurement without anything but its number and its time."""
    return (
        bytes.fromhex("00")  # flags: nothing follows
        + number.to_bytes(2, "little")
        + bytes.fromhex("ea0707050c0000")  # 2026-07-05 12:00:00
    )


def stored(meter: VirtualSensor, numbers: Iterable[int]) -> list[bytes]:
    for number in numbers:
        meter.store(number, ("2a18", glucose(number)))
    return [glucose(number) for number in numbers]


def asked(sensor: VirtualSensor) -> list[str]:
    return [request.hex() for request in sensor.gatt.memory.asked]


async def until_gone(ward: VirtualWard, sensor: VirtualSensor, links: int = 1) -> None:
    """Wait until the sensor has had so many links, and has none any more."""
    await until(lambda: sensor.links == links and ward.radio.connections() == 0)


async def test_a_meter_is_asked_for_all_and_then_from_the_last_one_that_is_known() -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        first = stored(meter, range(40, 45))
        await until_gone(ward, meter)
        assert asked(meter) == [ALL]
        assert one.payloads == first
        more = stored(meter, range(45, 47))
        await until_gone(ward, meter, 2)
    assert asked(meter) == [ALL, FROM + "012c00"]
    assert one.payloads == [*first, first[-1], *more]
    assert {raw.characteristic for raw in one.received} == {"2a18"}
    assert one.session.status().trouble is None


async def test_a_meter_whose_memory_was_reset_is_asked_for_all_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        stored(meter, range(40, 42))
        await until_gone(ward, meter)
        meter.gatt.memory.records.clear()
        monkeypatch.setattr("drivers.virtual.sensors._IDLE", 3.0)  # the next two requests are of one link
        new = stored(meter, range(3))
        await until(lambda: len(asked(meter)) == 3)
        monkeypatch.setattr("drivers.virtual.sensors._IDLE", 0.2)
        await until_gone(ward, meter, 2)
    assert asked(meter) == [ALL, FROM + "012900", ALL]
    assert one.payloads[2:] == new


async def test_an_oximeter_that_stores_is_asked_for_all_at_each_link() -> None:
    driver = replace(OXIMETER, records="2a52", streaming=frozenset({"2a5f"}))
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver)) as one,
    ):
        oximeter = ward.place(STORING_OXIMETER, ADDRESS)
        for number in range(3):
            oximeter.store(number, ("2a5e", bytes([number])))
        await until_gone(ward, oximeter)
        oximeter.be_found()
        await until_gone(ward, oximeter, 2)
    assert asked(oximeter) == [ALL, ALL]
    assert one.payloads == [b"\x00", b"\x01", b"\x02"] * 2


async def test_a_measurement_is_taken_before_what_is_stored() -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        meter.report(glucose(99))
        stored(meter, range(2))
        await until(lambda: len(one.payloads) == 3)
    assert one.payloads[0] == glucose(99)


async def test_what_limits_a_meter_that_sends_its_records_is_silence_and_not_how_long_it_takes() -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    patience = replace(QUICK, stored=1.5)  # a machine may stand still between two records
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor, patience=patience) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        meter.seconds_between_records = 0.1
        records = stored(meter, range(20))
        await until_gone(ward, meter)
    assert one.payloads == records
    assert asked(meter) == [ALL]


async def test_a_meter_that_falls_silent_is_stopped_and_its_measurements_are_still_taken(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    patience = replace(QUICK, stored=0.1)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor, patience=patience) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        meter.seconds_between_records = 0.4
        stored(meter, range(2))
        await until(lambda: STOP in asked(meter))
        await until_gone(ward, meter)
        meter.seconds_between_records = 0.0
        meter.report(glucose(7))
        await until(lambda: glucose(7) in one.payloads)
    assert "its stored records: it fell silent" in caplog.text
    assert asked(meter)[:2] == [ALL, STOP]


async def test_a_meter_is_stopped_when_the_hub_stops() -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    async with VirtualWard.open() as ward:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        meter.seconds_between_records = 0.05
        async with collecting_from(ward.radio, sensor) as one:
            stored(meter, range(1000))
            await until(lambda: len(one.payloads) > 2)
        assert asked(meter) == [ALL, STOP]
        await until(lambda: ward.radio.connections() == 0)


async def test_a_meter_that_repeats_every_record_is_read_to_its_end() -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        meter.gatt.memory.repeated = 3
        records = stored(meter, range(5))
        await until_gone(ward, meter)
        meter.be_found()
        await until_gone(ward, meter, 2)
    assert set(one.payloads) == set(records)
    assert asked(meter) == [ALL, FROM + "010400"]


async def test_a_meter_that_is_still_busy_is_stopped_and_asked_again() -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        link_made = meter.gatt.link_made

        def busy_with_what_was_asked_before() -> None:
            link_made()
            meter.gatt.busy = True

        meter.gatt.link_made = busy_with_what_was_asked_before  # type: ignore[method-assign]  # as some are
        records = stored(meter, range(2))
        await until(lambda: meter.gatt.aborted)
        meter.gatt.busy = meter.gatt.aborted = False
        await until(lambda: one.payloads == records)
    assert asked(meter)[:3] == [ALL, STOP, ALL]


async def test_a_meter_that_stays_busy_is_left_in_peace_and_measures_all_the_same() -> None:
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        link_made = meter.gatt.link_made

        def busy() -> None:
            link_made()
            meter.gatt.busy = True

        meter.gatt.link_made = busy  # type: ignore[method-assign]  # as some are
        meter.report(glucose(1))
        await until(lambda: len(asked(meter)) == 3)
        await until(lambda: any(each.battery for each in one.learned))
    assert asked(meter) == [ALL, STOP, ALL]
    assert one.payloads == [glucose(1)]


async def test_what_was_lost_in_a_flood_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Flood.__init__, "__defaults__", (8.0, 0.001))
    sensor = EnrolledSensor(ADDRESS, GLUCOSE)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        meter = ward.place(GLUCOSE_METER, ADDRESS)
        stored(meter, range(20))
        await until_gone(ward, meter)
        meter.be_found()
        await until(lambda: meter.links == 2 and len(asked(meter)) > 1)
    assert len(one.payloads) == 8
    assert set(asked(meter)) <= {ALL, STOP}
