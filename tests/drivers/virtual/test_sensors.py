"""How the virtual sensors behave, seen by a bleak client that does what it is told and nothing by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import pytest
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError, BleakGATTProtocolError
from bleak.uuids import normalize_uuid_str

from drivers.virtual.clock import FACTORY, date_time
from drivers.virtual.profiles import (
    AND_CUFF,
    BLOOD_PRESSURE_CUFF,
    CLOCK_CUFF,
    GLUCOSE_METER,
    HEART_RATE_STRAP,
    UART_OXIMETER,
    Profile,
)
from drivers.virtual.sensors import VirtualSensor
from drivers.virtual.ward import VirtualWard
from tests.rigs.collecting import until

ADDRESS = "C4:F2:17:00:00:01"
NOON = datetime(2026, 11, 22, 12, 5, 59)  # noqa: DTZ001 -- a sensor's clock knows no zone
DATE_TIME, RECORDS = normalize_uuid_str("2a08"), normalize_uuid_str("2a52")


class Link:
    """A link to a sensor, and what came over it, in order."""

    def __init__(self, client: BleakClient) -> None:
        self.client = client
        self.received: list[tuple[str, bytes]] = []

    async def subscribe(self, *uuids: str) -> None:
        for uuid in uuids:

            def on_payload(_characteristic: object, payload: bytearray, uuid: str = uuid) -> None:
                self.received.append((uuid, bytes(payload)))

            await self.client.start_notify(normalize_uuid_str(uuid), on_payload)

    async def ask(self, request: str) -> None:
        await self.client.write_gatt_char(RECORDS, bytes.fromhex(request), response=True)

    async def until_received(self, count: int) -> None:
        await until(lambda: len(self.received) >= count)

    def of(self, uuid: str) -> list[bytes]:
        return [payload for each, payload in self.received if each == uuid]


@contextlib.asynccontextmanager
async def linked(ward: VirtualWard) -> AsyncIterator[Link]:
    client = ward.radio.client(BLEDevice(ADDRESS, None, None), lambda _client: None, bond=True)
    try:
        await client.connect()
        yield Link(client)
    finally:
        await client.disconnect()


@contextlib.asynccontextmanager
async def ward_with(profile: Profile) -> AsyncIterator[tuple[VirtualWard, VirtualSensor]]:
    async with VirtualWard.open() as ward:
        yield ward, ward.place(profile, ADDRESS)


async def test_a_clock_that_was_never_set_says_2000_and_runs_on_from_what_it_is_set_to() -> None:
    async with ward_with(replace(CLOCK_CUFF, stays=True)) as (ward, cuff):
        assert cuff.gatt.clock.now() == FACTORY
        cuff.be_found()
        async with linked(ward) as link:
            assert await link.client.read_gatt_char(DATE_TIME) == date_time(FACTORY)
            await link.client.write_gatt_char(DATE_TIME, date_time(NOON), response=True)
            with pytest.raises(BleakGATTProtocolError, match="Out of Range"):
                await link.client.write_gatt_char(DATE_TIME, b"\x00" * 7, response=True)
        assert cuff.gatt.clock.set_to == [NOON]
        assert cuff.gatt.clock.now() >= NOON
        [seconds] = cuff.gatt.clock_set_after
        assert 0 < seconds < 30


async def test_battery_and_device_information_can_be_read() -> None:
    async with ward_with(replace(CLOCK_CUFF, stays=True)) as (ward, cuff):
        cuff.be_found()
        async with linked(ward) as link:
            assert await link.client.read_gatt_char(normalize_uuid_str("2a19")) == b"\x5a"
            assert await link.client.read_gatt_char(normalize_uuid_str("2a26")) == b"1.2.3"


async def test_a_read_that_is_never_answered_ends_with_the_link() -> None:
    async with ward_with(replace(CLOCK_CUFF, stays=True)) as (ward, cuff):
        cuff.gatt.silent.add("2a19")
        cuff.be_found()
        async with linked(ward) as link:
            asyncio.get_running_loop().call_later(0.1, cuff.go_out_of_reach)
            with pytest.raises(BleakError, match="disconnected before it answered"):
                await link.client.read_gatt_char(normalize_uuid_str("2a19"))


async def test_stored_records_are_told_only_if_asked_for_with_their_context() -> None:
    async with ward_with(GLUCOSE_METER) as (ward, meter):
        for number in (1, 2):
            meter.store(number, ("2a18", bytes([number])), ("2a34", bytes([number, 0xFF])))
        async with linked(ward) as link:
            await link.subscribe("2a18", "2a34", "2a52")
            await link.ask("04 01")
            await link.until_received(1)
            await link.ask("01 03 01 0200")
            await link.until_received(4)
            await link.ask("01 03 01 0900")
            await link.until_received(5)
        assert link.received == [
            ("2a52", bytes.fromhex("05 00 0200")),
            ("2a18", b"\x02"),
            ("2a34", b"\x02\xff"),
            ("2a52", bytes.fromhex("06 00 01 01")),
            ("2a52", bytes.fromhex("06 00 01 06")),  # no records found
        ]


async def test_a_report_of_records_can_be_aborted_and_a_second_one_is_refused_meanwhile() -> None:
    async with ward_with(GLUCOSE_METER) as (ward, meter):
        meter.seconds_between_records = 0.01
        for number in range(1000):
            meter.store(number, ("2a18", number.to_bytes(2, "little")))
        async with linked(ward) as link:
            await link.subscribe("2a18", "2a52")
            await link.ask("01 01")
            await link.until_received(3)
            with pytest.raises(BleakGATTProtocolError, match="Procedure Already in Progress"):
                await link.ask("01 01")
            await link.ask("03 00")
            await until(lambda: link.of("2a52") == [bytes.fromhex("06 00 03 01")])
            assert len(link.of("2a18")) < 1000


async def test_records_cannot_be_asked_for_before_the_answer_is_listened_to() -> None:
    async with ward_with(GLUCOSE_METER) as (ward, meter):
        meter.be_found()
        async with linked(ward) as link:
            with pytest.raises(BleakGATTProtocolError, match="Improperly Configured"):
                await link.ask("01 01")


async def test_power_lost_in_the_middle_of_an_indication_leaves_it_still_to_tell() -> None:
    async with ward_with(BLOOD_PRESSURE_CUFF) as (ward, cuff):
        cuff.power_losses = 1
        sent = cuff.report(b"\x01")
        for _ in range(2):
            async with linked(ward) as link:
                await link.subscribe("2a35")
                await until(lambda: not cuff.linked)
                assert link.of("2a35") == [b"\x01"]  # it arrived both times, the confirmation only once
        assert sent.done()
        assert cuff.links == 2


async def test_a_strap_streams_while_it_is_worn() -> None:
    async with ward_with(HEART_RATE_STRAP) as (ward, strap):
        strap.wear(lambda: b"\x00\x48", interval=0.01)
        async with linked(ward) as link:
            await link.subscribe("2a37")
            await link.until_received(5)
            assert link.client.is_connected
            strap.take_off()
            await until(lambda: not link.client.is_connected)
        await until(lambda: not strap.linked)
        assert strap.links == 1


async def test_an_and_cuff_is_found_for_its_time_only_and_keeps_what_nobody_took() -> None:
    async with ward_with(replace(AND_CUFF, advertises_for=0.2, connected_for=1.5)) as (ward, cuff):
        first = cuff.report(b"\x01")
        await until(lambda: cuff.advertised_at is not None)
        await asyncio.sleep(0.4)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), linked(ward):
                pass
        assert not first.done()
        cuff.profile = replace(cuff.profile, advertises_for=60.0)
        cuff.report(b"\x02")
        async with linked(ward) as link:
            await link.subscribe("2a35")
            await until(lambda: not link.client.is_connected)  # it stays, and then switches itself off
            assert link.of("2a35") == [b"\x01", b"\x02"]  # oldest first
        assert cuff.links == 1


async def test_a_sensor_out_of_reach_is_lost_and_told_from_again_when_it_is_back() -> None:
    async with ward_with(HEART_RATE_STRAP) as (ward, strap):
        strap.wear(lambda: b"\x00\x48", interval=0.01)
        async with linked(ward) as link:
            await link.subscribe("2a37")
            await link.until_received(1)
            strap.go_out_of_reach()
            await until(lambda: not link.client.is_connected)
        strap.come_back()
        async with linked(ward) as link:
            await link.subscribe("2a37")
            await link.until_received(1)
        assert strap.links == 2


async def test_a_sensor_may_lie_about_its_services() -> None:
    async with ward_with(replace(BLOOD_PRESSURE_CUFF, service="180f", advertised="1810", stays=True)) as (
        ward,
        liar,
    ):
        heard: list[list[str]] = []
        liar.be_found()
        async with ward.radio.scanner(lambda _device, found: heard.append(found.service_uuids)):
            await until(lambda: bool(heard))
        async with linked(ward) as link:
            services = {service.uuid for service in link.client.services}
        assert heard[0] == [normalize_uuid_str("1810")]
        assert normalize_uuid_str("1810") not in services


async def test_a_sensor_of_a_makers_own_service_advertises_it_and_part_of_its_name() -> None:
    async with ward_with(replace(UART_OXIMETER, stays=True)) as (ward, oximeter):
        heard: list[tuple[str | None, list[str]]] = []
        oximeter.be_found()
        async with ward.radio.scanner(
            lambda _device, found: heard.append((found.local_name, found.service_uuids))
        ):
            await until(lambda: bool(heard))
        assert heard[0] == ("OxySmart", [UART_OXIMETER.service])
        async with linked(ward) as link:
            await link.client.write_gatt_char(UART_OXIMETER.written[0], b"hello", response=True)
        assert oximeter.gatt.written[UART_OXIMETER.written[0]] == [b"hello"]
