"""One sensor, from being heard to being let go, with real bleak and real GATT, on a radio of software."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from bleak import BleakClient

from drivers.bluetooth.connection_queue import ConnectionQueue
from drivers.bluetooth.session import EnrolledSensor
from drivers.gatt import Bonding, GattDriver
from drivers.virtual.profiles import PASSKEY_CUFF, Bond
from drivers.virtual.radio import VirtualRadio
from drivers.virtual.sensors import BLOOD_PRESSURE_CUFF, PULSE_OXIMETER, THERMOMETER
from drivers.virtual.ward import VirtualWard
from tests.rigs.collecting import CUFF, OXIMETER, until
from tests.rigs.one_sensor import ADDRESS, QUICK, advertisement, collecting_from, device

FIRST = replace(CUFF, bonding=Bonding.FIRST)
MUST = replace(BLOOD_PRESSURE_CUFF, bond=Bond.MUST)
CANNOT = replace(BLOOD_PRESSURE_CUFF, bond=Bond.CANNOT)
UNHURRIED = replace(QUICK, refused_least=1.0, refused_most=1.0)


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses whose bonds the radio was made to forget."""
    addresses: list[str] = []
    forget = VirtualRadio.forget

    async def noting(radio: VirtualRadio, address: str) -> None:
        addresses.append(address)
        await forget(radio, address)

    monkeypatch.setattr(VirtualRadio, "forget", noting)
    return addresses


# --- bonding


async def test_a_sensor_is_bonded_with_before_it_is_subscribed_to() -> None:
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, FIRST)) as one:
        cuff = ward.place(MUST, ADDRESS)
        await cuff.report(b"reading")
        await until(lambda: one.payloads == [b"reading"])
        assert cuff.links == 1
        assert cuff.pairing.bonded
        assert one.session.status().bonded


async def test_a_sensor_that_refuses_to_bond_is_read_without(caplog: pytest.LogCaptureFixture) -> None:
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, FIRST)) as one:
        cuff = ward.place(CANNOT, ADDRESS)
        for number in range(3):
            await cuff.report(bytes([number]))
        await until(lambda: len(one.payloads) == 3)
        await until(lambda: ward.radio.connections() == 0)
        assert one.session.status().bonded is False
        assert one.trouble == ""
    assert caplog.text.count("refuses to pair; the hub goes on without a bond") == 1


async def test_a_sensor_that_asks_for_a_bond_gets_one_at_the_next_link(forgotten: list[str]) -> None:
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, CUFF)) as one:
        cuff = ward.place(MUST, ADDRESS)
        await cuff.report(b"reading")
        await until(lambda: one.payloads == [b"reading"])
        assert cuff.links == 2
        assert cuff.pairing.bonded
    assert forgotten == []


async def test_how_a_sensor_is_bonded_with_is_its_own_where_it_is_enrolled_so() -> None:
    sensor = EnrolledSensor(ADDRESS, FIRST, bonding=Bonding.NEVER)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        cuff = ward.place(MUST, ADDRESS)
        cuff.report(b"never taken")
        await until(lambda: "wants a bond, and is enrolled as one that is not" in one.trouble)
        assert not cuff.pairing.bonded


async def test_a_sensor_that_lost_its_bond_is_bonded_with_anew(
    caplog: pytest.LogCaptureFixture, forgotten: list[str]
) -> None:
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, FIRST)) as one:
        cuff = ward.place(MUST, ADDRESS)
        await cuff.report(b"before")
        await until(lambda: ward.radio.connections() == 0)
        cuff.pairing.lose_bonds()
        await cuff.report(b"after")
        await until(lambda: one.payloads == [b"before", b"after"])
        assert cuff.links == 3
    assert forgotten == [ADDRESS]
    assert "has lost its bond with the hub" in caplog.text


async def test_a_sensor_that_loses_each_bond_is_bonded_with_each_time_as_long_as_links_work(
    forgotten: list[str],
) -> None:
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, FIRST)) as one:
        cuff = ward.place(MUST, ADDRESS)
        for number in range(4):
            await cuff.report(bytes([number]))
            await until(lambda: ward.radio.connections() == 0)
            cuff.pairing.lose_bonds()
        await until(lambda: len(one.payloads) == 4)
    assert forgotten == [ADDRESS] * 3


async def test_a_sensor_with_another_key_is_bonded_with_anew(forgotten: list[str]) -> None:
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, FIRST)) as one:
        cuff = ward.place(MUST, ADDRESS)
        await cuff.report(b"before")
        await until(lambda: ward.radio.connections() == 0)
        cuff.pairing.change_keys()
        cuff.report(b"after")
        await until(lambda: one.payloads == [b"before", b"after"])
    assert forgotten == [ADDRESS]


async def test_a_sensor_that_lost_its_bond_and_makes_no_new_one_is_left_in_peace(
    forgotten: list[str],
) -> None:
    sensor = EnrolledSensor(ADDRESS, FIRST)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor, patience=UNHURRIED) as one:
        cuff = ward.place(MUST, ADDRESS)
        await cuff.report(b"before")
        await until(lambda: ward.radio.connections() == 0)
        cuff.pairing.lose_bonds()
        cuff.pairing.refuses = True
        cuff.report(b"after")
        await until(lambda: "put it into its pairing mode" in one.trouble)
        links = cuff.links
        await asyncio.sleep(0.2)  # it advertises every 50 ms
        assert cuff.links == links
        cuff.pairing.refuses = False  # somebody presses its button
        await until(lambda: one.payloads == [b"before", b"after"])
    assert forgotten == [ADDRESS]


async def test_a_sensor_is_bonded_with_by_the_passkey_that_was_read_off_it() -> None:
    sensor = EnrolledSensor(ADDRESS, FIRST, passkey=PASSKEY_CUFF.passkey)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor) as one:
        cuff = ward.place(PASSKEY_CUFF, ADDRESS)
        await cuff.report(b"reading")
        await until(lambda: one.payloads == [b"reading"])
        assert cuff.links == 1


async def test_a_wrong_passkey_is_said_and_the_sensor_is_not_hammered(forgotten: list[str]) -> None:
    sensor = EnrolledSensor(ADDRESS, FIRST, passkey=PASSKEY_CUFF.passkey + 1)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor, patience=UNHURRIED) as one:
        cuff = ward.place(PASSKEY_CUFF, ADDRESS)
        cuff.report(b"never taken")
        await until(lambda: "does not pair with the passkey" in one.trouble)
        links = cuff.links
        await asyncio.sleep(0.2)
        assert cuff.links == links
        assert one.session.status().failures == 0  # the radio works: it was reached
    assert forgotten == []


# --- connecting


async def test_a_sensor_waits_for_its_turn_to_be_connected_to() -> None:
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, CUFF)) as one:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, ADDRESS)
        async with one.queue.turn(leaves_soon=True):
            cuff.report(b"reading")
            await until(lambda: len(one.queue) == 1)
            await asyncio.sleep(0.1)
            assert cuff.links == 0
        await until(lambda: one.payloads == [b"reading"])


async def test_a_sensor_that_fell_silent_while_it_waited_gives_way_to_those_that_wait() -> None:
    patience = replace(QUICK, gone=0.1)
    async with (
        VirtualRadio.open() as radio,
        collecting_from(radio, EnrolledSensor(ADDRESS, CUFF), patience=patience) as one,
    ):
        async with one.queue.turn(leaves_soon=True):
            one.session.heard(device(), advertisement())
            await until(lambda: len(one.queue) == 1)
            another = asyncio.ensure_future(one.queue.turn(leaves_soon=True).__aenter__())
            await asyncio.sleep(0.2)
        await asyncio.wait_for(another, 10.0)
        await until(lambda: "fell silent" in one.trouble)
        assert one.session.status().failures == 0


@pytest.mark.parametrize(
    ("driver", "leaves_soon"),
    [(CUFF, True), (replace(OXIMETER, streaming=frozenset({"2a5e", "2a5f"})), False)],
)
async def test_only_a_sensor_that_does_not_stream_has_precedence(
    monkeypatch: pytest.MonkeyPatch, driver: GattDriver, leaves_soon: bool
) -> None:
    asked: list[bool] = []
    turn = ConnectionQueue.turn

    def noting(
        queue: ConnectionQueue, *, leaves_soon: bool, in_vain: bool
    ) -> contextlib.AbstractAsyncContextManager[None]:
        asked.append(leaves_soon)
        return turn(queue, leaves_soon=leaves_soon, in_vain=in_vain)

    monkeypatch.setattr(ConnectionQueue, "turn", noting)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, driver)):
        ward.place(THERMOMETER, ADDRESS).report(b"of another kind")
        await until(lambda: asked[:1] == [leaves_soon])


async def test_the_turn_is_free_while_a_link_is_held() -> None:
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, OXIMETER)) as one,
    ):
        ward.place(PULSE_OXIMETER, ADDRESS).wear(lambda: b"stream", 0.02)
        await until(lambda: len(one.payloads) > 2)
        async with asyncio.timeout(1), one.queue.turn(leaves_soon=True):
            assert one.session.status().connected


async def test_a_sensor_that_has_gone_holds_the_turn_no_longer_than_its_limit() -> None:
    patience = replace(QUICK, connect=0.2, sensor_least=5.0, sensor_soon=5.0, sensor_most=5.0)
    sensor = EnrolledSensor(ADDRESS, CUFF)
    async with VirtualRadio.open() as radio, collecting_from(radio, sensor, patience=patience) as one:
        one.session.heard(device(), advertisement())  # its last words
        await until(lambda: one.trouble == "cannot be connected to in time")
        assert one.session.status().failures == 1
        async with asyncio.timeout(1), one.queue.turn(leaves_soon=True):
            assert radio.connections() == 0


async def test_after_connecting_long_and_in_vain_the_radio_listens_before_the_next_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patience = replace(QUICK, connect=0.2, listen=0.1234)
    turn_is_free: list[bool] = []
    sleep = asyncio.sleep
    async with VirtualRadio.open() as radio:
        sensor = EnrolledSensor(ADDRESS, CUFF)
        async with collecting_from(radio, sensor, patience=patience) as one:

            async def noting(seconds: float, *_result: object) -> None:
                if seconds == patience.listen:
                    turn_is_free.append(not one.queue._busy)
                await sleep(seconds)

            monkeypatch.setattr(asyncio, "sleep", noting)
            one.session.heard(device(), advertisement())
            await until(lambda: one.session.status().failures == 1)
    assert turn_is_free == [False]


async def test_a_session_that_is_stopped_while_it_connects_gives_its_turn_back() -> None:
    async with VirtualWard.open() as ward:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, ADDRESS)
        cuff.leave_when_called()
        async with collecting_from(ward.radio, EnrolledSensor(ADDRESS, CUFF)) as one:
            cuff.report(b"not taken")
            await until(lambda: one.session.status().last_heard is not None)
            await asyncio.sleep(0.1)
        async with asyncio.timeout(1), one.queue.turn(leaves_soon=False):
            assert ward.radio.connections() == 0


async def test_every_link_is_released_whoever_ended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    released = 0
    disconnect = BleakClient.disconnect

    async def counting(client: BleakClient) -> None:
        nonlocal released
        released += 1
        await disconnect(client)

    monkeypatch.setattr(BleakClient, "disconnect", counting)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, CUFF)) as one:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, ADDRESS)
        cuff.links_to_drop = 2
        cuff.report(b"reading")
        await until(lambda: bool(one.payloads) and ward.radio.connections() == 0)
        assert cuff.links == 3
        await until(lambda: released == 3)


@pytest.mark.parametrize("fault", [KeyError("org.bluez.GattService1"), AttributeError("x"), AssertionError()])
async def test_a_fault_of_bleak_is_a_failure_like_another(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    connect = BleakClient.connect
    faults = [fault]

    async def failing(client: BleakClient) -> None:
        await connect(client)
        if faults:
            raise faults.pop()

    monkeypatch.setattr(BleakClient, "connect", failing)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, CUFF)) as one:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, ADDRESS)
        await cuff.report(b"reading")
        await until(lambda: one.payloads == [b"reading"])
        assert cuff.links == 2


async def test_a_link_that_drops_before_anything_was_said_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never_answered(*_arguments: object, **_options: object) -> None:
        cuff.go_out_of_reach()
        await asyncio.Event().wait()

    monkeypatch.setattr(BleakClient, "start_notify", never_answered)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, EnrolledSensor(ADDRESS, CUFF)) as one:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, ADDRESS)
        cuff.report(b"not taken")
        await until(lambda: one.trouble == "dropped the link before it could be subscribed to")


async def test_trouble_is_over_as_soon_as_a_link_works() -> None:
    async with (
        VirtualWard.open() as ward,
        collecting_from(ward.radio, EnrolledSensor(ADDRESS, OXIMETER)) as one,
    ):
        oximeter = ward.place(PULSE_OXIMETER, ADDRESS)
        oximeter.links_to_drop = 1
        oximeter.wear(lambda: b"stream", 0.02)
        await until(lambda: one.trouble != "")
        await until(lambda: len(one.payloads) > 2)
        status = one.session.status()
        assert status.connected
        assert status.trouble is None
        assert status.last_connected is not None


async def test_a_sensor_that_comes_anew_is_waited_for_no_longer() -> None:
    patience = replace(QUICK, refused_least=60.0, refused_most=60.0, anew=1.0)
    sensor = EnrolledSensor(ADDRESS, CUFF, bonding=Bonding.NEVER)
    async with VirtualWard.open() as ward, collecting_from(ward.radio, sensor, patience=patience) as one:
        cuff = ward.place(replace(MUST, advertises_for=1.0), ADDRESS)
        cuff.report(b"never taken")
        await until(lambda: one.trouble != "")
        assert cuff.links == 1

        def silent_for() -> timedelta:
            heard = one.session.status().last_heard
            assert heard is not None
            return datetime.now(UTC) - heard

        await until(lambda: silent_for() > timedelta(seconds=1.5))
        cuff.be_found()
        await until(lambda: cuff.links == 2)
