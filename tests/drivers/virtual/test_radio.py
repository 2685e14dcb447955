"""What can go wrong with a virtual adapter, and what is heard on it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError
from bleak.uuids import normalize_uuid_str

from drivers.bluetooth.radio import Remedy, RemedyError
from drivers.virtual.adverts import advertise_manufacturer_data, advertise_service_data, flood
from drivers.virtual.makers import bthome
from drivers.virtual.profiles import HEART_RATE_STRAP
from drivers.virtual.ward import VirtualWard
from tests.rigs.collecting import until

ADDRESS = "C4:F2:17:00:00:01"
BEACON = "C4:F2:17:00:00:77"


def client_of(ward: VirtualWard, dropped: list[object]) -> Any:
    return ward.radio.client(BLEDevice(ADDRESS, None, None), dropped.append)


def worn_strap(ward: VirtualWard) -> None:
    ward.place(HEART_RATE_STRAP, ADDRESS).wear(lambda: b"\x00\x48", interval=0.01)


async def test_service_data_manufacturer_data_and_names_are_heard() -> None:
    heard: list[AdvertisementData] = []
    async with VirtualWard.open() as ward, ward.radio.scanner(lambda _device, found: heard.append(found)):
        advertise_service_data(ward.radio, BEACON, bthome(door=True), name="Door 7")
        await until(lambda: bool(heard))
        advertise_manufacturer_data(ward.radio, BEACON, 0x004C, b"\x01\x02")
        await until(lambda: bool(heard[-1].manufacturer_data))
    assert heard[0].service_data == {normalize_uuid_str("fcd2"): bytes.fromhex("44 1a01")}
    assert heard[0].local_name == "Door 7"
    assert heard[-1].manufacturer_data == {0x004C: b"\x01\x02"}


async def test_what_is_remembered_of_a_flood_of_strangers_is_bounded() -> None:
    heard: set[str] = set()
    async with VirtualWard.open() as ward:
        scanner = ward.radio.scanner(lambda device, _found: heard.add(device.address))
        async with scanner:
            flooding = asyncio.create_task(flood(ward.radio, 5_000, random.Random(1)))
            await until(lambda: len(heard) > 1200)
            flooding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await flooding
            assert len(scanner.discovered_devices) <= 501
            assert len(ward.radio.hub.advertisement_accumulators) <= 502


async def test_an_adapter_that_is_taken_away_ends_everything_and_can_be_given_back() -> None:
    dropped: list[object] = []
    async with VirtualWard.open() as ward:
        worn_strap(ward)
        client = client_of(ward, dropped)
        await client.connect()
        lost = asyncio.create_task(ward.radio.wait_until_lost())
        await asyncio.sleep(0)
        ward.radio.take_adapter_away()
        assert await lost == "hci0 was unplugged"
        await until(lambda: len(dropped) == 1)
        await client.disconnect()
        assert await ward.radio.problem() is not None
        assert await ward.radio.adapters() == ()
        with pytest.raises(BleakBluetoothNotAvailableError):
            await ward.radio.scanner(lambda _device, _found: None).start()
        with pytest.raises(BleakBluetoothNotAvailableError):
            await client_of(ward, dropped).connect()
        with pytest.raises(RemedyError, match="power cycle"):
            await ward.radio.heal(Remedy.POWER_CYCLE)
        ward.radio.give_adapter_back()
        assert await ward.radio.problem() is None
        [adapter] = await ward.radio.adapters()
        assert (adapter.name, adapter.powered, adapter.in_use) == ("hci0", True, True)
        again = client_of(ward, dropped)
        await again.connect()
        await again.disconnect()


async def test_a_controller_that_hangs_says_nothing_and_a_power_cycle_cures_it() -> None:
    dropped: list[object] = []
    heard: list[object] = []
    async with VirtualWard.open() as ward:
        worn_strap(ward)
        client = client_of(ward, dropped)
        await client.connect()
        scanner = ward.radio.scanner(lambda device, _found: heard.append(device))
        await scanner.start()
        ward.radio.hang()
        advertise_service_data(ward.radio, BEACON, b"")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.disconnect()
        assert (heard, dropped, client.is_connected) == ([], [], True)
        assert await ward.radio.problem() is None  # as BlueZ, it does not know
        with pytest.raises(BleakDBusError, match="InProgress"):
            await scanner.stop()
        assert await ward.radio.heal(Remedy.POWER_CYCLE) == "switched hci0 off and on"
        await until(lambda: len(dropped) == 1)
        again = ward.radio.scanner(lambda device, _found: heard.append(device))
        async with again:
            await until(lambda: bool(heard))


async def test_a_controller_may_be_past_help_and_other_remedies_there_are_none() -> None:
    async with VirtualWard.open() as ward:
        ward.radio.hang(incurable=True)
        for remedy in Remedy:
            with pytest.raises(RemedyError):
                await ward.radio.heal(remedy)


async def test_a_power_cycle_is_told_to_whoever_waits_and_not_kept_for_later() -> None:
    async with VirtualWard.open() as ward:
        await ward.radio.heal(Remedy.POWER_CYCLE)
        lost = asyncio.create_task(ward.radio.wait_until_lost())
        await asyncio.sleep(0.01)
        assert not lost.done()
        await ward.radio.heal(Remedy.POWER_CYCLE)
        assert await lost == "hci0 was switched off"
        ward.radio.lose("kept for later")
        assert await ward.radio.wait_until_lost() == "kept for later"
