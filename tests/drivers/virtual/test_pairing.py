"""Bonds between the virtual radio and its sensors, through bleak as the hub uses it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDBusError, BleakError

from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF, CLOCK_CUFF, PASSKEY_CUFF, Bond, Profile
from drivers.virtual.sensors import VirtualSensor
from drivers.virtual.ward import VirtualWard
from tests.rigs.collecting import until

ADDRESS = "C4:F2:17:00:00:01"
MEASUREMENT = "00002a35-0000-1000-8000-00805f9b34fb"
PAYLOAD = bytes.fromhex("048000500060004800")
REFUSED = ("org.bluez.Error.AuthenticationFailed", "Authentication Failed")


@contextlib.asynccontextmanager
async def ward_with(profile: Profile) -> AsyncIterator[tuple[VirtualWard, VirtualSensor]]:
    async with VirtualWard.open() as ward:
        sensor = ward.place(replace(profile, stays=True), ADDRESS)
        sensor.be_found()
        yield ward, sensor


@contextlib.asynccontextmanager
async def linked(
    ward: VirtualWard, *, bond: bool = False, passkey: int | None = None
) -> AsyncIterator[BleakClient]:
    client = ward.radio.client(
        BLEDevice(ADDRESS, None, None), lambda _client: None, bond=bond, passkey=passkey
    )
    try:
        await client.connect()
        yield client
    finally:
        await client.disconnect()


async def received_over(client: BleakClient, sensor: VirtualSensor) -> bytes:
    received = asyncio.get_running_loop().create_future()
    await client.start_notify(MEASUREMENT, lambda _characteristic, payload: received.set_result(payload))
    sensor.report(PAYLOAD)
    return bytes(await received)


async def found_again(sensor: VirtualSensor) -> None:
    await until(lambda: not sensor.linked)
    sensor.be_found()


@contextlib.contextmanager
def refused(name: str, details: str) -> Iterator[None]:
    with pytest.raises(BleakDBusError) as caught:
        yield
    assert (caught.value.dbus_error, caught.value.dbus_error_details) == (name, details)


async def test_a_cuff_that_needs_a_bond_is_bonded_with_and_keeps_the_bond_over_links() -> None:
    async with ward_with(CLOCK_CUFF) as (ward, cuff):
        assert not await ward.radio.is_bonded(ADDRESS)
        async with linked(ward, bond=True) as client:
            assert await received_over(client, cuff) == PAYLOAD
        assert await ward.radio.is_bonded(ADDRESS)
        assert cuff.pairing.bonded
        await found_again(cuff)
        async with linked(ward) as client:  # the bond alone encrypts the link
            assert await received_over(client, cuff) == PAYLOAD


async def test_a_cuff_that_needs_a_bond_refuses_to_be_subscribed_to_without() -> None:
    async with ward_with(CLOCK_CUFF) as (ward, cuff), linked(ward) as client:
        with refused("org.bluez.Error.NotPermitted", "Not paired"):
            await received_over(client, cuff)
        assert client.is_connected
        await client.pair()
        assert await received_over(client, cuff) == PAYLOAD


async def test_a_sensor_that_cannot_pair_refuses_and_goes_on_without() -> None:
    async with ward_with(replace(BLOOD_PRESSURE_CUFF, bond=Bond.CANNOT)) as (ward, cuff):
        with refused(*REFUSED):
            async with linked(ward, bond=True):
                pass
        assert ward.radio.connections() == 0
        assert not await ward.radio.is_bonded(ADDRESS)
        await found_again(cuff)
        async with linked(ward) as client:
            assert await received_over(client, cuff) == PAYLOAD


@pytest.mark.parametrize("passkey", [1, 40_502, 999_999])
async def test_a_passkey_that_was_entered_bonds(passkey: int) -> None:
    async with ward_with(replace(PASSKEY_CUFF, passkey=passkey)) as (ward, cuff):
        async with linked(ward, bond=True, passkey=passkey) as client:
            assert await received_over(client, cuff) == PAYLOAD
        assert await ward.radio.is_bonded(ADDRESS)


@pytest.mark.parametrize("passkey", [None, 123_457])
async def test_a_wrong_passkey_or_none_does_not(passkey: int | None) -> None:
    async with ward_with(PASSKEY_CUFF) as (ward, cuff):
        with refused(*REFUSED):
            async with linked(ward, bond=True, passkey=passkey):
                pass
        assert not await ward.radio.is_bonded(ADDRESS)
        assert not cuff.pairing.bonded


async def test_a_sensor_that_has_lost_its_bond_is_told_apart_and_can_be_bonded_with_anew() -> None:
    async with ward_with(CLOCK_CUFF) as (ward, cuff):
        async with linked(ward, bond=True):
            pass
        cuff.pairing.lose_bonds()
        for bond in (False, True):
            await found_again(cuff)
            with refused("org.bluez.Error.Failed", "le-connection-key-missing"):
                async with linked(ward, bond=bond):
                    pass
        await ward.radio.forget(ADDRESS)
        assert not await ward.radio.is_bonded(ADDRESS)
        await found_again(cuff)
        async with linked(ward, bond=True) as client:
            assert await received_over(client, cuff) == PAYLOAD


async def test_a_sensor_that_has_another_key_drops_the_link() -> None:
    async with ward_with(CLOCK_CUFF) as (ward, cuff):
        async with linked(ward, bond=True):
            pass
        cuff.pairing.change_keys()
        await found_again(cuff)
        with refused("org.bluez.Error.Failed", "le-connection-unknown"):
            async with linked(ward):
                pass
        await until(lambda: ward.radio.connections() == 0)


async def test_a_hub_that_has_forgotten_the_bond_may_pair_again() -> None:
    async with ward_with(CLOCK_CUFF) as (ward, cuff):
        async with linked(ward, bond=True) as client:
            await client.unpair()
            await until(lambda: not client.is_connected)
        assert not await ward.radio.is_bonded(ADDRESS)
        await found_again(cuff)
        async with linked(ward, bond=True) as client:
            assert await received_over(client, cuff) == PAYLOAD


async def test_to_forget_what_was_never_known_is_nothing() -> None:
    async with VirtualWard.open() as ward:
        await ward.radio.forget(ADDRESS)


async def test_a_sensor_that_goes_out_of_reach_while_pairing_is_an_error_of_the_radio() -> None:
    async with ward_with(CLOCK_CUFF) as (ward, cuff):
        cuff.leave_when_called()
        with pytest.raises(BleakError):
            async with linked(ward, bond=True):
                pass
        assert ward.radio.connections() == 0
        cuff.come_back()
        async with linked(ward, bond=True) as client:
            assert await received_over(client, cuff) == PAYLOAD
