"""The collector on bleak's real BlueZ backend and a real D-Bus; only bluetoothd is a fake."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from drivers.bluetooth.bluez import BlueZRadio
from hub.readings import Origin
from tests.rigs.collecting import CUFF, collecting, until
from tests.rigs.fake_bluez import FakeBlueZ, FakeSensor

ADDRESS = "C4:F2:17:00:00:01"
PAYLOAD = bytes.fromhex("04800050006000 4800")


def quick_radio() -> BlueZRadio:
    return BlueZRadio(settle_seconds=0.05)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_an_indication_over_bluez_is_delivered_byte_for_byte(system_bus: str) -> None:
    cuff = FakeSensor(ADDRESS)
    async with FakeBlueZ(cuff) as bluez, collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, PAYLOAD)
        await collected.until_received(1)
    [raw] = collected.received
    assert (raw.device, raw.driver, raw.characteristic) == (ADDRESS, "cuff", "2a35")
    assert raw.payload == PAYLOAD
    assert raw.origin is Origin.SENSOR
    assert raw.received_at.tzinfo is not None


async def test_what_a_cuff_has_stored_arrives_in_order_though_it_hangs_up_at_once(
    system_bus: str,
) -> None:
    cuff = FakeSensor(ADDRESS)
    stored = [bytes([4, number]) for number in range(20)]
    async with FakeBlueZ(cuff) as bluez, collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, *stored)
        await collected.until_received(20)
    assert collected.payloads == stored


async def test_a_killed_bluetoothd_is_noticed_and_collecting_resumes_when_it_is_back(
    system_bus: str, caplog: pytest.LogCaptureFixture
) -> None:
    cuff = FakeSensor(ADDRESS, hangs_up=False)
    async with FakeBlueZ(cuff) as bluez, collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, b"before")
        await collected.until_received(1)
        assert collected.collector.status().sensors[0].connected

        bluez.stop()
        await until(lambda: not collected.collector.status().usable)
        await until(lambda: "bluetoothd is not running" in collected.collector.status().radio)
        assert not collected.collector.status().sensors[0].connected

        cuff.hangs_up = True
        await bluez.start()
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, b"after")
        await collected.until_received(2)
    assert collected.payloads == [b"before", b"after"]
    assert "Traceback" not in caplog.text


async def test_what_a_bluetoothd_that_died_left_in_the_kernel_is_cleared_away_once(
    system_bus: str,
) -> None:
    cuff = FakeSensor(ADDRESS)
    async with FakeBlueZ(cuff) as bluez, collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
        await until(lambda: bluez.discovering)
        assert bluez.powered == []
        bluez.stop()
        await bluez.start()
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, PAYLOAD)
        await collected.until_received(1)
    assert bluez.powered == [("hci0", False), ("hci0", True)]


async def test_a_quick_restart_of_bluetoothd_is_no_reason_to_stop_collecting(system_bus: str) -> None:
    cuff = FakeSensor(ADDRESS)
    async with FakeBlueZ(cuff) as bluez, collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
        for number in range(3):
            await until(lambda: bluez.discovering)
            bluez.tell(cuff, bytes([number]))
            await collected.until_received(number + 1)
            bluez.stop()
            await bluez.start()
    assert collected.payloads == [b"\x00", b"\x01", b"\x02"]


async def test_an_adapter_that_is_pulled_out_and_put_back_collects_again(system_bus: str) -> None:
    cuff = FakeSensor(ADDRESS)
    async with FakeBlueZ(cuff) as bluez, collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
        await until(lambda: bluez.discovering)
        bluez.remove_adapter()
        await until(lambda: "no Bluetooth adapter" in collected.collector.status().radio)
        bluez.stop()
        await bluez.start()
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, PAYLOAD)
        await collected.until_received(1)
    assert collected.payloads == [PAYLOAD]


async def test_an_adapter_that_is_switched_off_is_named_and_on_again_collects(system_bus: str) -> None:
    cuff = FakeSensor(ADDRESS)
    async with FakeBlueZ(cuff) as bluez, collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
        await until(lambda: bluez.discovering)
        bluez.set_powered(False)
        await until(lambda: "hci0 is switched off" in collected.collector.status().radio)
        bluez.set_powered(True)
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, PAYLOAD)
        await collected.until_received(1)
    assert collected.payloads == [PAYLOAD]


async def test_descriptors_and_tasks_stay_flat_over_thirty_connections(system_bus: str) -> None:
    cuff = FakeSensor(ADDRESS)
    async with FakeBlueZ(cuff) as bluez, collecting(quick_radio(), (ADDRESS, CUFF)) as collected:

        async def collect_one_more() -> None:
            awaited = len(collected.received) + 1
            bluez.tell(cuff, bytes([awaited]))
            while len(collected.received) < awaited:
                await asyncio.sleep(0.02)
                bluez.advertise(cuff)
            await until(lambda: not collected.collector.status().sensors[0].connected)

        await until(lambda: bluez.discovering)
        await collect_one_more()
        await asyncio.sleep(0.1)
        descriptors, tasks = open_descriptors(), len(asyncio.all_tasks())
        for _connection in range(30):
            await collect_one_more()
        await until(lambda: open_descriptors() <= descriptors and len(asyncio.all_tasks()) <= tasks)
    assert cuff.connects == 31
    assert collected.payloads == [bytes([number]) for number in range(1, 32)]


async def test_a_drop_is_not_taken_for_an_advertisement(system_bus: str) -> None:
    cuff = FakeSensor(ADDRESS)
    radio = BlueZRadio(settle_seconds=10.0)  # what comes late may come later still on a busy machine
    async with FakeBlueZ(cuff) as bluez, collecting(radio, (ADDRESS, CUFF)) as collected:
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, PAYLOAD)
        await collected.until_received(1)
        await asyncio.sleep(0.3)
        assert collected.collector.status().sensors[0].trouble is None


async def test_a_hub_without_dbus_says_so_once_and_goes_on_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")
    descriptors = open_descriptors()
    with caplog.at_level(logging.INFO):
        async with collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
            await until(lambda: "no system D-Bus" in collected.collector.status().radio)
            await asyncio.sleep(0.3)
            assert open_descriptors() <= descriptors
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(errors) == 1
    assert "systemctl start dbus" in errors[0].getMessage()
    assert errors[0].exc_info is None


async def test_a_hub_that_was_there_before_bluetoothd_begins_when_it_comes(system_bus: str) -> None:
    cuff = FakeSensor(ADDRESS)
    bluez = FakeBlueZ(cuff)
    async with collecting(quick_radio(), (ADDRESS, CUFF)) as collected:
        await until(lambda: "bluetoothd is not running" in collected.collector.status().radio)
        await bluez.start()
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, PAYLOAD)
        await collected.until_received(1)
    bluez.stop()
    assert collected.payloads == [PAYLOAD]
