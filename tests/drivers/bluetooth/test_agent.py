"""Bonding on BlueZ: whom the hub bonds with, by what, and whom it refuses."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from bleak.exc import BleakDBusError

from drivers.bluetooth.bluez import BlueZRadio
from drivers.gatt import Bonding
from tests.rigs.collecting import CUFF, collecting, until
from tests.rigs.fake_bluez import FakeBlueZ, FakeSensor
from tests.rigs.fake_pairing import FakePairing
from tests.rigs.fake_sensor import FakeCharacteristic, Pairing
from tests.rigs.using import using

ADDRESS = "C4:F2:17:00:00:01"
PATH = "/org/bluez/hci0/dev_C4_F2_17_00_00_01"
STRANGER = "/org/bluez/hci0/dev_66_66_66_66_66_66"
PASSKEY = 123456


async def agents_of(bluez: FakeBlueZ) -> FakePairing:
    """Those of a bluetoothd, once the hub's is the default one."""
    await until(lambda: bluez.pairing is not None and len(bluez.pairing.capabilities) == 1)
    assert bluez.pairing is not None
    return bluez.pairing


def cuff(pairing: Pairing = Pairing.JUST_WORKS, **others: object) -> FakeSensor:
    sensor = FakeSensor(ADDRESS, pairing=pairing, passkey=PASSKEY, hangs_up=False, **others)  # type: ignore[arg-type]  # fields by name
    sensor.payloads.append(b"\x04")
    return sensor


async def test_a_sensor_is_bonded_before_it_is_used_and_trusted_from_then_on(system_bus: str) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        await use.device(ADDRESS)
        assert not await radio.is_bonded(ADDRESS)
        async with use.connected(ADDRESS, bond=True) as client:
            assert [service.uuid[4:8] for service in client.services] == ["1810"]
            assert await radio.is_bonded(ADDRESS)
        assert bluez.properties(sensor)["Trusted"]
        assert sensor.connects == 1
    assert sensor.bonds == {"/org/bluez/hci0"}


async def test_a_sensor_is_connected_to_without_a_bond_where_none_is_wanted(system_bus: str) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor), using(radio) as use:
        async with use.connected(ADDRESS):
            assert not await radio.is_bonded(ADDRESS)
        assert not sensor.bonds


async def test_a_bond_that_there_is_is_used_again(system_bus: str) -> None:
    sensor, radio = cuff(Pairing.PASSKEY), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        for _ in range(2):
            async with use.connected(ADDRESS, bond=True, passkey=PASSKEY):
                pass
        assert bluez.pairing is not None
        assert bluez.pairing.asked == [("RequestPasskey", PATH)]
    assert sensor.connects == 2


async def test_the_passkey_is_given_to_its_sensor_and_to_nobody_after_it(system_bus: str) -> None:
    sensor, radio = cuff(Pairing.PASSKEY), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        async with use.connected(ADDRESS, bond=True, passkey=PASSKEY):
            assert await radio.is_bonded(ADDRESS)
        pairing = await agents_of(bluez)
        assert pairing.asked == [("RequestPasskey", PATH)]
        assert pairing.capabilities == ["NoInputNoOutput"]
        assert await pairing.authorize("RequestPasskey", "o", PATH) == "org.bluez.Error.Rejected"


@pytest.mark.parametrize("passkey", [None, PASSKEY + 1])
async def test_a_wrong_or_missing_passkey_is_an_error_and_leaves_no_bond_and_no_link(
    system_bus: str, passkey: int | None
) -> None:
    sensor, radio = cuff(Pairing.PASSKEY), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        with pytest.raises(BleakDBusError) as refused:
            async with use.connected(ADDRESS, bond=True, passkey=passkey):
                pass
        assert refused.value.dbus_error == "org.bluez.Error.AuthenticationFailed"
        assert not await radio.is_bonded(ADDRESS)
        assert not bluez.properties(sensor)["Connected"]
        assert not bluez.properties(sensor)["Trusted"]


async def test_a_sensor_that_is_not_in_its_pairing_mode_refuses_and_can_be_bonded_with_later(
    system_bus: str,
) -> None:
    sensor, radio = cuff(Pairing.REFUSED), BlueZRadio()
    async with FakeBlueZ(sensor), using(radio) as use:
        with pytest.raises(BleakDBusError, match="AuthenticationFailed"):
            async with use.connected(ADDRESS, bond=True):
                pass
        sensor.pairing = Pairing.JUST_WORKS
        async with use.connected(ADDRESS, bond=True):
            assert await radio.is_bonded(ADDRESS)


async def test_a_sensor_that_lost_its_bond_says_so_and_is_bonded_anew_when_it_was_forgotten(
    system_bus: str,
) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        async with use.connected(ADDRESS, bond=True):
            pass
        sensor.bonds.clear()
        with pytest.raises(BleakDBusError, match="le-connection-abort-by-local"):
            async with use.connected(ADDRESS, bond=True):
                pass
        assert sensor.connects == 1 + 3  # it may have been noise, so it was tried again
        await radio.forget(ADDRESS)
        assert not bluez.properties(sensor)
        use.devices.clear()
        bluez.advertise(sensor)
        async with use.connected(ADDRESS, bond=True):
            assert sensor.bonds


async def test_a_sensor_that_lost_its_bond_is_bonded_anew_by_whichever_name_bluez_calls_the_end_of_a_link(
    system_bus: str,
) -> None:
    sensor = FakeSensor(ADDRESS)
    bonding = replace(CUFF, bonding=Bonding.FIRST)
    radio = BlueZRadio(settle_seconds=0.05)
    async with FakeBlueZ(sensor) as bluez, collecting(radio, (ADDRESS, bonding)) as collected:
        await until(lambda: bluez.discovering)
        bluez.tell(sensor, b"bonded")
        await collected.until_received(1)
        assert sensor.bonds
        sensor.bonds.clear()
        bluez.tell(sensor, b"bonded anew")
        async with asyncio.timeout(30):
            while len(collected.received) < 2:
                bluez.advertise(sensor)
                await asyncio.sleep(0.05)
        assert sensor.bonds
    assert collected.payloads == [b"bonded", b"bonded anew"]


@pytest.mark.parametrize("end", ["le-connection-abort-by-local", "br-connection-canceled"])
async def test_a_link_to_a_bonded_sensor_that_ends_at_once_is_tried_again(system_bus: str, end: str) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor), using(radio) as use:
        async with use.connected(ADDRESS, bond=True):
            pass
        sensor.connect_errors.append(("Failed", end))
        async with use.connected(ADDRESS, bond=True):
            assert await radio.is_bonded(ADDRESS)


async def test_what_is_not_known_is_not_bonded_and_forgotten_without_a_word(system_bus: str) -> None:
    radio = BlueZRadio()
    async with FakeBlueZ():
        assert not await radio.is_bonded(ADDRESS)
        await radio.forget(ADDRESS)


async def test_a_sensor_that_wants_a_bond_for_what_is_read_gets_one_while_the_hub_is_connected_to_it(
    system_bus: str,
) -> None:
    battery = FakeCharacteristic("2a19", ("read",), b"\x5a")
    sensor, radio = cuff(protected=True, more={"180f": (battery,)}), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        pairing = await agents_of(bluez)
        async with use.connected(ADDRESS) as client:
            assert await client.read_gatt_char("2a19") == b"\x5a"
            assert await radio.is_bonded(ADDRESS)
        assert pairing.asked == [("RequestAuthorization", PATH)]
        # Its link has ended: what it wants now was not asked for by the hub.
        assert await pairing.authorize("RequestAuthorization", "o", PATH) == "org.bluez.Error.Rejected"


@pytest.mark.parametrize(
    ("question", "signature", "more"),
    [
        ("RequestAuthorization", "o", []),
        ("AuthorizeService", "os", ["0000110b-0000-1000-8000-00805f9b34fb"]),
        ("RequestConfirmation", "ou", [123456]),
        ("RequestPasskey", "o", []),
        ("RequestPinCode", "o", []),
        ("DisplayPasskey", "ouq", [123456, 0]),
    ],
)
async def test_a_stranger_who_wants_to_pair_is_rejected(
    system_bus: str, question: str, signature: str, more: list[object]
) -> None:
    sensor = cuff()
    async with FakeBlueZ(sensor) as bluez, using(BlueZRadio()) as use, use.connected(ADDRESS):
        pairing = await agents_of(bluez)
        answer = await pairing.authorize(question, signature, STRANGER, *more)
        assert answer == "org.bluez.Error.Rejected"


async def test_a_restarted_bluetoothd_gets_the_agent_anew(system_bus: str) -> None:
    async with FakeBlueZ() as bluez, collecting(BlueZRadio(), (ADDRESS, CUFF)):

        def has_the_agent() -> bool:
            return bluez.pairing is not None and bluez.pairing.capabilities == ["NoInputNoOutput"]

        await until(has_the_agent)
        bluez.stop()
        await bluez.start()
        assert not has_the_agent()
        await until(has_the_agent)


async def test_a_pairing_that_never_ends_can_be_given_up_and_leaves_nothing_behind(system_bus: str) -> None:
    sensor, radio = cuff(Pairing.HANGS), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        device = await use.device(ADDRESS)
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        pairing = await agents_of(bluez)
        connecting = asyncio.create_task(radio.client(device, lambda _: None, bond=True).connect())
        await until(lambda: len(pairing.capabilities) == 2 and bool(bluez.properties(sensor)["Connected"]))
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        await until(lambda: pairing.capabilities == ["NoInputNoOutput"])
        await until(lambda: not bluez.properties(sensor)["Connected"])
        assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors
