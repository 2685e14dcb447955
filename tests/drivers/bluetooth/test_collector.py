"""The collector with real bleak and real GATT, on a radio of software."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

import pytest
from bleak import BleakClient

from drivers.bluetooth.collector import BluetoothCollector, EnrolledSensor, Patience
from drivers.virtual.sensors import BLOOD_PRESSURE_CUFF, PULSE_OXIMETER, THERMOMETER
from drivers.virtual.ward import VirtualWard
from hub.readings import Origin, RawPayload
from tests.rigs.collecting import CUFF, IMPATIENT, OXIMETER, collecting, until
from tests.rigs.collecting import THERMOMETER as THERMOMETER_DRIVER

CUFF_ADDRESS = "C4:F2:17:00:00:01"
OXIMETER_ADDRESS = "C4:F2:17:00:00:02"
THERMOMETER_ADDRESS = "C4:F2:17:00:00:03"
PAYLOAD = bytes.fromhex("048000500060004800")


def other_tasks() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def test_an_indication_is_delivered_byte_for_byte() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        cuff.report(PAYLOAD)
        await collected.until_received(1)
    [raw] = collected.received
    assert raw.payload == PAYLOAD
    assert (raw.device, raw.driver, raw.characteristic) == (CUFF_ADDRESS, "cuff", "2a35")
    assert raw.origin is Origin.VIRTUAL
    assert raw.received_at.tzinfo is not None


@pytest.mark.parametrize("payload", [b"", b"\x1e\x80", bytes(range(200)), b"\xff" * 500])
async def test_payloads_that_no_sensor_should_send_are_delivered_as_they_are(payload: bytes) -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS).report(payload)
        await collected.until_received(1)
    assert collected.payloads == [payload]


async def test_notifications_stream_in_their_order_and_the_last_before_the_drop_is_there() -> None:
    stream = [number.to_bytes(2, "little") for number in range(2000)]
    async with VirtualWard.open() as ward, collecting(ward.radio, (OXIMETER_ADDRESS, OXIMETER)) as collected:
        oximeter = ward.place(PULSE_OXIMETER, OXIMETER_ADDRESS)
        for payload in stream:
            oximeter.report(payload, "2a5f")
        await collected.until_received(2000)
        await until(lambda: ward.radio.connections() == 0)
    assert collected.payloads == stream
    assert oximeter.links == 1


async def test_both_characteristics_of_an_oximeter_are_told_apart() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (OXIMETER_ADDRESS, OXIMETER)) as collected:
        oximeter = ward.place(PULSE_OXIMETER, OXIMETER_ADDRESS)
        oximeter.report(b"stream", "2a5f")
        oximeter.report(b"spot", "2a5e")
        await collected.until_received(2)
    assert [(raw.characteristic, raw.payload) for raw in collected.received] == [
        ("2a5f", b"stream"),
        ("2a5e", b"spot"),
    ]


async def test_a_sensor_that_drops_its_link_in_the_middle_loses_nothing() -> None:
    readings = [bytes([number]) for number in range(9)]
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        cuff.reports_per_link = 2
        for reading in readings:
            cuff.report(reading)
        await collected.until_received(9)
    assert collected.payloads == readings
    assert cuff.links == 5


async def test_a_sensor_that_drops_links_as_soon_as_they_are_made_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        cuff.links_to_drop = 3
        cuff.report(PAYLOAD)
        await collected.until_received(1)
        await until(lambda: collected.collector.status().sensors[0].trouble is None)
    assert collected.payloads == [PAYLOAD]
    warnings = [
        each
        for each in caplog.records
        if each.name.startswith("drivers.") and each.levelno == logging.WARNING
    ]
    assert len(warnings) == 3
    assert all(record.exc_info is None for record in warnings)
    assert CUFF_ADDRESS in warnings[0].getMessage()


async def test_a_sensor_that_is_absent_and_then_comes_is_collected_from() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        await until(lambda: collected.collector.status().usable)
        assert collected.collector.status().sensors[0].last_heard is None
        ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS).report(PAYLOAD)
        await collected.until_received(1)
        assert collected.collector.status().sensors[0].last_heard is not None
        assert collected.collector.status().sensors[0].last_payload == collected.received[0].received_at


async def test_a_sensor_that_is_not_enrolled_is_never_connected() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        stranger = ward.place(BLOOD_PRESSURE_CUFF, "C4:F2:17:00:00:99")
        stranger.report(PAYLOAD)
        await asyncio.sleep(0.3)  # it advertises every 50 ms
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        for number in range(5):
            cuff.report(bytes([number]))
            await collected.until_received(number + 1)
    assert stranger.links == 0
    assert {raw.device for raw in collected.received} == {CUFF_ADDRESS}


async def test_sensors_that_all_speak_at_once_are_all_heard() -> None:
    enrolled = (
        (CUFF_ADDRESS, CUFF),
        (OXIMETER_ADDRESS, OXIMETER),
        (THERMOMETER_ADDRESS, THERMOMETER_DRIVER),
    )
    async with VirtualWard.open() as ward, collecting(ward.radio, *enrolled) as collected:
        sensors = [
            ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS),
            ward.place(PULSE_OXIMETER, OXIMETER_ADDRESS),
            ward.place(THERMOMETER, THERMOMETER_ADDRESS),
        ]
        for number in range(4):
            for sensor in sensors:
                sensor.report(bytes([number]))
        await collected.until_received(12)
    for address, _driver in enrolled:
        assert collected.sent_by(address) == [bytes([number]) for number in range(4)]


async def test_a_sensor_enrolled_with_the_wrong_driver_is_named_and_does_not_disturb_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    enrolled = ((THERMOMETER_ADDRESS, CUFF), (CUFF_ADDRESS, CUFF))
    async with VirtualWard.open() as ward, collecting(ward.radio, *enrolled) as collected:
        ward.place(THERMOMETER, THERMOMETER_ADDRESS).report(b"never taken")
        await until(lambda: collected.collector.status().sensors[0].trouble is not None)
        ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS).report(PAYLOAD)
        await collected.until_received(1)
        assert "is it enrolled with the right driver?" in str(collected.collector.status().sensors[0].trouble)
    assert collected.payloads == [PAYLOAD]
    assert f"sensor {THERMOMETER_ADDRESS} (cuff): has no 2a35" in caplog.text


async def test_a_cancelled_collector_leaves_no_task_and_no_connection() -> None:
    async with VirtualWard.open() as ward:
        oximeter = ward.place(PULSE_OXIMETER, OXIMETER_ADDRESS)
        before = other_tasks()
        async with collecting(ward.radio, (OXIMETER_ADDRESS, CUFF), (CUFF_ADDRESS, CUFF)):
            oximeter.report(b"never taken, for the driver is a cuff's")
            await until(lambda: oximeter.links > 0)
        await until(lambda: ward.radio.connections() == 0)
        assert {task for task in other_tasks() if not task.done()} <= before
    assert not other_tasks()


async def test_a_collector_that_is_cancelled_delivers_what_it_had_received() -> None:
    delivered: list[bytes] = []
    may_deliver = asyncio.Event()

    async def deliver(raw: RawPayload) -> None:
        await may_deliver.wait()
        delivered.append(raw.payload)

    async with VirtualWard.open() as ward:
        collector = BluetoothCollector(
            [EnrolledSensor(CUFF_ADDRESS, CUFF)], ward.radio, deliver, patience=IMPATIENT
        )
        running = asyncio.create_task(collector.run())
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        for number in range(5):
            cuff.report(bytes([number]))
        await until(lambda: collector.status().waiting == 5)
        running.cancel()
        may_deliver.set()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert delivered == [bytes([number]) for number in range(5)]
    assert collector.status().waiting == 0


async def test_what_links_bring_while_they_are_being_ended_is_delivered_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bluetoothd that hangs may make that last until the hub is killed."""
    may_end = asyncio.Event()
    disconnect = BleakClient.disconnect

    async def slowly(client: BleakClient) -> None:
        await may_end.wait()
        await disconnect(client)

    monkeypatch.setattr(BleakClient, "disconnect", slowly)
    async with (
        VirtualWard.open() as ward,
        collecting(ward.radio, (OXIMETER_ADDRESS, OXIMETER), patience=Patience(disconnect=60.0)) as collected,
    ):
        ward.place(PULSE_OXIMETER, OXIMETER_ADDRESS).wear(lambda: b"stream", 0.02)
        await collected.until_received(2)
        assert collected.task is not None
        collected.task.cancel()
        await collected.until_received(len(collected.received) + 5)
        assert not collected.task.done()
        may_end.set()


async def test_a_collector_stops_also_where_what_it_received_cannot_be_delivered() -> None:
    calls = 0

    async def deliver(_raw: RawPayload) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        raise OSError(28, "No space left on device")

    async with VirtualWard.open() as ward:
        collector = BluetoothCollector([EnrolledSensor(CUFF_ADDRESS, CUFF)], ward.radio, deliver)
        running = asyncio.create_task(collector.run())
        ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS).report(PAYLOAD)
        await until(lambda: calls == 1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_payload_that_could_not_be_delivered_is_delivered_when_run_is_called_again() -> None:
    delivered: list[bytes] = []
    full = True

    async def deliver(raw: RawPayload) -> None:
        if full:
            raise OSError(28, "No space left on device")
        delivered.append(raw.payload)

    async with VirtualWard.open() as ward:
        collector = BluetoothCollector(
            [EnrolledSensor(CUFF_ADDRESS, CUFF)], ward.radio, deliver, patience=IMPATIENT
        )
        ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS).report(PAYLOAD)
        with pytest.raises(ExceptionGroup, match="unhandled errors") as caught:
            await collector.run()
        assert caught.group_contains(OSError, match="No space left")
        full = False
        running = asyncio.create_task(collector.run())
        await until(lambda: bool(delivered))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert delivered == [PAYLOAD]


async def test_a_full_queue_says_what_it_loses(caplog: pytest.LogCaptureFixture) -> None:
    stuck = asyncio.Event()

    async def deliver(_raw: RawPayload) -> None:
        await stuck.wait()

    async with VirtualWard.open() as ward:
        collector = BluetoothCollector(
            [EnrolledSensor(CUFF_ADDRESS, CUFF)],
            ward.radio,
            deliver,
            patience=Patience(drain=0.01),
            queue_limit=3,
        )
        running = asyncio.create_task(collector.run())
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        for number in range(5):
            cuff.report(bytes([number]))
        await until(lambda: collector.status().lost == 2)
        assert collector.status().waiting == 3
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert "1 payload(s) lost" in caplog.text
    assert "stopping with 3 payload(s) not stored" in caplog.text


async def test_a_fault_that_nobody_foresaw_on_one_link_ends_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start_notify = BleakClient.start_notify

    async def faulty(client: BleakClient, *arguments: Any, **more: Any) -> None:
        assert client.address != THERMOMETER_ADDRESS
        await start_notify(client, *arguments, **more)

    monkeypatch.setattr(BleakClient, "start_notify", faulty)
    sensors = (OXIMETER_ADDRESS, OXIMETER), (THERMOMETER_ADDRESS, THERMOMETER_DRIVER)
    async with VirtualWard.open() as ward, collecting(ward.radio, *sensors) as collected:
        oximeter = ward.place(PULSE_OXIMETER, OXIMETER_ADDRESS)
        oximeter.wear(lambda: b"stream", 0.02)
        await collected.until_received(1)
        ward.place(THERMOMETER, THERMOMETER_ADDRESS).report(b"never taken")
        await until(lambda: "a fault that nobody foresaw" in caplog.text)
        await collected.until_received(len(collected.received) + 5)
        assert oximeter.links == 1
        troubles = {each.address: each.trouble for each in collected.collector.status().sensors}
    assert troubles[OXIMETER_ADDRESS] is None
    assert (troubles[THERMOMETER_ADDRESS] or "").startswith("failed: AssertionError")


async def test_a_radio_that_is_lost_is_begun_anew(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        for number in range(3):
            cuff.report(bytes([number]))
            await collected.until_received(number + 1)
            ward.radio.lose("the test took it away")
            await until(lambda: caplog.text.count("scanning for 1 sensor") == len(collected.payloads) + 1)
    assert caplog.text.count("no Bluetooth: the test took it away") == 3
    assert collected.payloads == [b"\x00", b"\x01", b"\x02"]


async def test_a_radio_that_is_lost_while_a_sensor_is_let_go_leaves_no_sensor_unheard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    letting_go = asyncio.Event()
    disconnect = BleakClient.disconnect

    async def slowly(client: BleakClient) -> None:
        letting_go.set()
        await asyncio.sleep(0.05)
        await disconnect(client)

    monkeypatch.setattr(BleakClient, "disconnect", slowly)
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        cuff.report(b"before")
        await letting_go.wait()
        ward.radio.lose("the test took it away")
        cuff.report(b"after")
        await until(lambda: b"after" in collected.payloads)


@pytest.mark.parametrize("steps", range(0, 24))
async def test_a_collector_stops_when_told_to_also_while_it_loses_its_radio(steps: int) -> None:
    async with VirtualWard.open() as ward:
        ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS).report(b"never taken, for the driver is an oximeter's")
        async with collecting(ward.radio, (CUFF_ADDRESS, OXIMETER)) as collected:
            await until(lambda: collected.collector.status().usable)
            ward.radio.lose("the test took it away")
            for _step in range(steps):
                await asyncio.sleep(0)
            assert collected.task is not None
            collected.task.cancel()
            done, _running = await asyncio.wait((collected.task,), timeout=5)
            assert done, "it did not stop"


async def test_tasks_and_connections_stay_flat_over_thirty_connections() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        idle = 0
        for number in range(31):
            cuff.report(bytes([number]))
            await collected.until_received(number + 1)
            await until(lambda: ward.radio.connections() == 0)
            await until(lambda: not collected.collector.status().sensors[0].connected)
            if number == 0:
                await asyncio.sleep(0.1)
                idle = len(other_tasks())
        await until(lambda: len(other_tasks()) <= idle)
    assert cuff.links == 31
