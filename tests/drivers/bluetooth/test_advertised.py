"""What a sensor tells in its advertisements, without ever being connected to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

from drivers.bluetooth.patience import Patience
from drivers.bluetooth.session import EnrolledSensor
from drivers.driver import Decoded, DecodeError
from drivers.gatt import GattDriver
from drivers.virtual.radio import VirtualRadio
from drivers.virtual.sensors import THERMOMETER
from drivers.virtual.ward import VirtualWard
from tests.rigs.collecting import until
from tests.rigs.one_sensor import ADDRESS, QUICK, OneSensor, advertisement, collecting_from, device

BEACON = GattDriver(
    name="beacon",
    title="a beacon",
    service="fcd2",
    characteristics={"fcd2": lambda _payload: Decoded(())},
    advertised=frozenset({"fcd2"}),
)


@contextlib.asynccontextmanager
async def beacon(patience: Patience = QUICK) -> AsyncIterator[OneSensor]:
    """A session that hears a beacon, as the test lets it."""
    async with (
        VirtualRadio.open() as radio,
        collecting_from(radio, EnrolledSensor(ADDRESS, BEACON), patience=patience) as one,
    ):
        yield one


def hear(one: OneSensor, payload: bytes) -> None:
    one.session.heard(device(), advertisement(fcd2=payload))


async def test_what_is_advertised_dozens_of_times_is_one_payload() -> None:
    async with beacon() as one:
        for _ in range(40):
            hear(one, b"\x40\x00\x01\x3a\x01")  # packet 1: a press
        [raw] = one.received
        assert raw.payload == b"\x40\x00\x01\x3a\x01"
        assert (raw.device, raw.driver, raw.characteristic) == (ADDRESS, "beacon", "fcd2")
        assert raw.received_at <= datetime.now(UTC)


async def test_a_button_that_is_pressed_twice_is_two() -> None:
    async with beacon() as one:
        for packet in (1, 1, 2, 2, 2, 1):
            hear(one, bytes([0x40, 0x00, packet, 0x3A, 0x01]))
        assert [payload[2] for payload in one.payloads] == [1, 2, 1]


async def test_the_same_data_after_a_while_is_new() -> None:
    async with beacon(replace(QUICK, repeated=0.05)) as one:
        hear(one, b"21 degrees")
        await asyncio.sleep(0.1)
        hear(one, b"21 degrees")
        assert len(one.payloads) == 2


async def test_what_a_new_scanner_repeats_is_not_new() -> None:
    async with VirtualRadio.open() as radio:
        sensor = EnrolledSensor(ADDRESS, BEACON)
        one = OneSensor(radio, sensor, lambda: None, replace(QUICK, repeated=0.3))
        for _ in range(2):
            running = asyncio.create_task(one.run(radio))
            await one.begun.wait()
            one.begun.clear()
            hear(one, b"pressed")
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            await asyncio.sleep(0.4)
        assert one.payloads == [b"pressed"]


async def test_a_sensor_that_only_advertises_is_never_connected_to() -> None:
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, BEACON)) as one,
    ):
        sensor = ward.place(THERMOMETER, ADDRESS)
        sensor.report(b"never taken")
        await until(lambda: one.session.status().last_heard is not None)
        await asyncio.sleep(0.2)
        assert sensor.links == 0
        assert not one.session.status().connected


async def test_advertisements_that_no_radio_can_carry_are_not_taken() -> None:
    async with beacon() as one:
        hear(one, bytes(256))
        hear(one, b"")
        assert one.payloads == [b""]


async def test_a_battery_that_is_advertised_is_learned_once() -> None:
    def battery(payload: bytes) -> int | None:
        if not payload:
            raise DecodeError("empty", payload)
        return payload[0] if payload[0] <= 100 else None

    sensor = EnrolledSensor(ADDRESS, replace(BEACON, battery=battery))
    async with VirtualRadio.open() as radio, collecting_from(radio, sensor) as one:
        for payload in (b"\x5a", b"", b"\xff", b"\x5a\x01"):
            hear(one, payload)
        assert [each.battery for each in one.learned] == [90]
        assert len(one.payloads) == 4
