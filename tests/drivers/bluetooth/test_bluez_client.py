"""Clients and scanners let go of a bluetoothd that died or hangs: bleak alone would wait for its answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from drivers.bluetooth.bluez import BlueZRadio
from drivers.bluetooth.radio import RADIO_ERRORS
from tests.rigs.collecting import until
from tests.rigs.fake_bluez import FakeBlueZ, FakeSensor
from tests.rigs.fake_sensor import FakeCharacteristic
from tests.rigs.using import using

ADDRESS = "C4:F2:17:00:00:01"
_FOR_EVER = 20.0  # seconds; what is tested ends in one


def cuff() -> FakeSensor:
    sensor = FakeSensor(ADDRESS, hangs_up=False)
    sensor.payloads.append(b"\x04")
    return sensor


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("dies", [True, False])
async def test_client_and_scanner_of_a_bluetoothd_that_died_or_hangs_are_let_go(
    system_bus: str, dies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor, radio, dropped = cuff(), BlueZRadio(look_seconds=0.1), asyncio.Event()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        client = radio.client(await use.device(ADDRESS), lambda _: dropped.set())
        descriptors = open_descriptors()
        await client.connect()
        await until(lambda: bluez.discovering)
        if dies:
            bluez.stop()
        else:
            monkeypatch.setattr("drivers.bluetooth.bus.ANSWER_SECONDS", 0.3)  # not before: all else answers
            bluez.hung = True
        await use.lost
        async with asyncio.timeout(_FOR_EVER):
            with pytest.raises(RADIO_ERRORS):
                await client.disconnect()
            with pytest.raises(RADIO_ERRORS):
                await use.scanner.stop()
        assert dropped.is_set()
        assert not client.is_connected
        await until(lambda: open_descriptors() <= descriptors)


async def test_nothing_is_scanned_for_while_a_link_is_made_and_then_it_is_again(system_bus: str) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        client = radio.client(await use.device(ADDRESS), lambda _: None)
        assert bluez.discovering
        sensor.connect_errors.append(None)
        connecting = asyncio.create_task(client.connect())
        await until(lambda: not sensor.connect_errors)
        assert not bluez.discovering
        connecting.cancel()
        await asyncio.wait([connecting])
        await until(lambda: bluez.discovering)
        await use.scanner.stop()
        assert not bluez.discovering


async def test_a_scanner_that_is_stopped_while_a_link_is_made_stays_so(system_bus: str) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        client = radio.client(await use.device(ADDRESS), lambda _: None)
        sensor.connect_errors.append(None)
        connecting = asyncio.create_task(client.connect())
        await until(lambda: not sensor.connect_errors)
        await use.scanner.stop()
        connecting.cancel()
        await asyncio.wait([connecting])
        await asyncio.sleep(0.1)
        assert not bluez.discovering


async def test_a_scanner_that_is_begun_anew_while_a_link_is_made_waits_for_it(system_bus: str) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        client = radio.client(await use.device(ADDRESS), lambda _: None)
        sensor.connect_errors.append(None)
        connecting = asyncio.create_task(client.connect())
        await until(lambda: not sensor.connect_errors)
        await use.scanner.stop()
        anew = radio.scanner(use.heard)
        await anew.start()
        assert not bluez.discovering
        connecting.cancel()
        await asyncio.wait([connecting])
        await until(lambda: bluez.discovering)
        await anew.stop()


async def test_a_scanner_that_was_begun_anew_before_a_link_is_made_is_stopped_for_it(system_bus: str) -> None:
    """The client waited for its turn meanwhile."""
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        client = radio.client(await use.device(ADDRESS), lambda _: None)
        await use.scanner.stop()
        anew = radio.scanner(use.heard)
        await anew.start()
        sensor.connect_errors.append(None)
        connecting = asyncio.create_task(client.connect())
        await until(lambda: not sensor.connect_errors)
        assert not bluez.discovering
        connecting.cancel()
        await asyncio.wait([connecting])
        await anew.stop()


async def test_a_controller_that_hangs_while_a_link_is_made_is_lost_and_not_only_silent(
    system_bus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.bluetooth.bluez_client._TO_RESUME", 0.2)
    monkeypatch.setattr("drivers.bluetooth.bluez_client._BETWEEN_RESUMING", 0.05)
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        client = radio.client(await use.device(ADDRESS), lambda _: None)
        sensor.connect_errors.append(None)
        connecting = asyncio.create_task(client.connect())
        await until(lambda: not sensor.connect_errors)
        bluez.hung_controllers.add("hci0")
        connecting.cancel()
        async with asyncio.timeout(_FOR_EVER):
            assert await use.lost == "scanning was not taken up again after a link was made"
        bluez.hung_controllers.clear()
        assert await radio.problem() is None
        again = asyncio.ensure_future(radio.wait_until_lost())
        await asyncio.sleep(0.3)
        assert not again.done()
        again.cancel()
        await asyncio.wait([again])


async def test_connecting_over_a_bluetoothd_that_hangs_can_be_given_up(system_bus: str) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        client = radio.client(await use.device(ADDRESS), lambda _: None)
        descriptors = open_descriptors()
        sensor.connect_errors.append(None)
        connecting = asyncio.create_task(client.connect())
        await until(lambda: not sensor.connect_errors)
        bluez.hung = True
        connecting.cancel()
        async with asyncio.timeout(_FOR_EVER):
            await asyncio.wait([connecting])
            assert connecting.cancelled()
            await client.disconnect()
        bluez.hung = False
        await until(lambda: open_descriptors() <= descriptors)


async def test_a_link_that_is_given_up_as_it_is_made_is_ended(system_bus: str) -> None:
    """Else the sensor is connected to nobody, and does not advertise any more."""
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor) as bluez, using(radio) as use:
        client = radio.client(await use.device(ADDRESS), lambda _: None, bond=True)
        connecting = asyncio.create_task(client.connect())
        await until(lambda: bool(bluez.properties(sensor)["Connected"]))
        connecting.cancel()
        await asyncio.wait([connecting])
        await client.disconnect()
        await until(lambda: not bluez.properties(sensor)["Connected"])


async def test_a_sensor_is_read_written_to_and_listened_to(system_bus: str) -> None:
    battery = FakeCharacteristic("2a19", ("read",), b"\x5a")
    clock = FakeCharacteristic("2a2b", ("read", "write"))
    control = FakeCharacteristic("2a52", ("write", "indicate"))
    sensor, radio = cuff(), BlueZRadio()
    sensor.services |= {"180f": (battery,), "1805": (clock,), "1808": (control,)}
    async with FakeBlueZ(sensor) as bluez:
        control.on_write = lambda _: bluez.notify(sensor, "2a52", b"\x06\x00\x01\x01")
        heard: list[bytes] = []
        async with using(radio) as use, use.connected(ADDRESS) as client:
            assert await client.read_gatt_char("2a19") == b"\x5a"
            await client.write_gatt_char("2a2b", b"\xea\x07", response=True)
            await client.start_notify("2a52", lambda _, value: heard.append(bytes(value)))
            await client.write_gatt_char("2a52", b"\x01\x01", response=True)
            await until(lambda: bool(heard))
    assert clock.written == [b"\xea\x07"]
    assert control.written == [b"\x01\x01"]
    assert heard == [b"\x06\x00\x01\x01"]


@pytest.mark.parametrize("error", ["le-connection-abort-by-remote", "Software caused connection abort"])
async def test_a_connection_that_fails_is_an_error_and_the_next_one_works(
    system_bus: str, error: str
) -> None:
    sensor, radio = cuff(), BlueZRadio()
    async with FakeBlueZ(sensor), using(radio) as use:
        sensor.connect_errors.append(("Failed", error))
        with pytest.raises(RADIO_ERRORS, match=error):
            async with use.connected(ADDRESS):
                pass
        async with use.connected(ADDRESS) as client:
            assert client.is_connected


async def test_a_second_scanner_is_refused(system_bus: str) -> None:
    radio = BlueZRadio()
    async with FakeBlueZ(), using(radio) as use:
        with pytest.raises(RADIO_ERRORS, match="InProgress"):
            await radio.scanner(use.heard).start()


async def test_service_data_is_heard_each_time_it_changes(system_bus: str) -> None:
    thermometer = FakeSensor(ADDRESS, service_data={"fcd2": b"\x40\x00\x01"})
    async with FakeBlueZ(thermometer) as bluez, using(BlueZRadio()) as use:
        await use.device(ADDRESS)
        thermometer.service_data["fcd2"] = b"\x40\x00\x02"
        bluez.advertise(thermometer)
        await until(lambda: len(use.advertisements) >= 2)
    heard = [each.service_data for each in use.advertisements]
    assert heard[0] == {"0000fcd2-0000-1000-8000-00805f9b34fb": b"\x40\x00\x01"}
    assert heard[-1] == {"0000fcd2-0000-1000-8000-00805f9b34fb": b"\x40\x00\x02"}
