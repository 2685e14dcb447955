"""What changes while the collector runs: sensors come and go, and the radio fails and is healed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from bleak import BleakClient
from bleak.exc import BleakError

from drivers.bluetooth.collector import BluetoothCollector, EnrolledSensor
from drivers.bluetooth.healing import LADDER, Step
from drivers.bluetooth.radio import Remedy, RemedyError
from drivers.virtual.radio import VirtualRadio
from drivers.virtual.sensors import BLOOD_PRESSURE_CUFF, THERMOMETER
from drivers.virtual.ward import VirtualWard
from tests.rigs.collecting import CUFF, IMPATIENT, collecting, until
from tests.rigs.collecting import THERMOMETER as THERMOMETER_DRIVER

CUFF_ADDRESS = "C4:F2:17:00:00:01"
THERMOMETER_ADDRESS = "C4:F2:17:00:00:03"
QUICK = replace(IMPATIENT, watch=0.02)
AT_ONCE = [Step(step.remedy, 0.0) for step in LADDER]


# --- enrolment


async def test_a_sensor_that_is_not_enrolled_is_seen_and_never_connected_to() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        stranger = ward.place(THERMOMETER, THERMOMETER_ADDRESS)
        stranger.report(b"somebody else's")
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        cuff.report(b"ours")
        await collected.until_received(1)
        await until(lambda: len(collected.collector.sightings()) == 2)
        assert stranger.links == 0
    seen = {sighting.address: sighting for sighting in collected.collector.sightings()}
    assert seen[THERMOMETER_ADDRESS].name == "Virtual thermometer"
    assert seen[THERMOMETER_ADDRESS].services == ("00001809-0000-1000-8000-00805f9b34fb",)


async def test_a_sensor_that_is_enrolled_while_it_advertises_is_collected_from_at_once() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio) as collected:
        ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS).report(b"found")
        await until(lambda: bool(collected.collector.sightings()))
        assert collected.payloads == []
        collected.collector.enrol(EnrolledSensor(CUFF_ADDRESS, CUFF))
        await collected.until_received(1)
        assert [status.address for status in collected.collector.status().sensors] == [CUFF_ADDRESS]


async def test_a_sensor_cannot_be_enrolled_twice() -> None:
    collector = collecting_nothing(VirtualRadio())
    collector.enrol(EnrolledSensor(CUFF_ADDRESS, CUFF))
    with pytest.raises(ValueError, match="is enrolled already"):
        collector.enrol(EnrolledSensor(CUFF_ADDRESS, THERMOMETER_DRIVER))


async def test_a_sensor_that_is_forgotten_is_let_go_and_not_heard_any_more() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        cuff.report(b"before")
        await collected.until_received(1)
        await collected.collector.forget(CUFF_ADDRESS)
        assert ward.radio.connections() == 0
        assert collected.collector.status().sensors == ()
        links = cuff.links
        cuff.report(b"after")
        await asyncio.sleep(0.3)
        assert cuff.links == links
        collected.collector.enrol(EnrolledSensor(CUFF_ADDRESS, CUFF))
        await collected.until_received(2)
    assert collected.payloads == [b"before", b"after"]


async def test_to_forget_what_is_not_enrolled_is_an_error_that_changes_nothing() -> None:
    async with VirtualWard.open() as ward, collecting(ward.radio, (CUFF_ADDRESS, CUFF)) as collected:
        with pytest.raises(KeyError):
            await collected.collector.forget(THERMOMETER_ADDRESS)
        ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS).report(b"still ours")
        await collected.until_received(1)


async def test_a_sensor_that_was_enrolled_before_the_radio_came_is_collected_from_when_it_has_come() -> None:
    async with VirtualWard.open() as ward:
        collector = collecting_nothing(ward.radio)
        collector.enrol(EnrolledSensor(CUFF_ADDRESS, CUFF))
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF_ADDRESS)
        sent = cuff.report(b"here")
        async with running(collector):
            await sent


# --- healing


class Ailing(VirtualRadio):
    """A radio with a problem that only some remedy ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ails: str | None = None
        self.helps: Remedy | None = None
        self.given: list[Remedy] = []

    async def problem(self) -> str | None:
        return self.ails

    async def heal(self, remedy: Remedy) -> str:
        self.given.append(remedy)
        if remedy is Remedy.HAND_OVER:
            raise RemedyError(remedy, "there is no other adapter")
        if remedy is self.helps:
            self.ails = None
        return f"{remedy.name} was done"


def collecting_nothing(
    radio: VirtualRadio, *sensors: EnrolledSensor, ladder: Sequence[Step] = AT_ONCE
) -> BluetoothCollector:
    async def deliver(_raw: object) -> None:
        pass

    async def may_reboot() -> bool:
        return False

    return BluetoothCollector(sensors, radio, deliver, patience=QUICK, ladder=ladder, may_reboot=may_reboot)


@contextlib.asynccontextmanager
async def running(collector: BluetoothCollector) -> AsyncIterator[None]:
    task = asyncio.create_task(collector.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@contextlib.asynccontextmanager
async def ailing(words: str) -> AsyncIterator[Ailing]:
    radio = Ailing()
    radio.ails = words
    await radio.hub.power_on()
    try:
        yield radio
    finally:
        await radio.hub.power_off()


async def test_a_radio_that_fails_is_healed_and_what_was_done_can_be_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with ailing("hci0 does not answer") as radio:
        radio.helps = Remedy.RESTART_BLUETOOTHD
        collector = collecting_nothing(radio, EnrolledSensor(CUFF_ADDRESS, CUFF))
        async with running(collector):
            await until(lambda: collector.status().usable)
            healing = collector.status().healing
    assert radio.given == [Remedy.POWER_CYCLE, Remedy.HAND_OVER, Remedy.RESTART_BLUETOOTHD]
    assert (healing.remedy, healing.outcome) == (Remedy.RESTART_BLUETOOTHD, "RESTART_BLUETOOTHD was done")
    assert healing.tried == 3
    assert caplog.text.count("no Bluetooth: hci0 does not answer") == 1, "it is said once, and not each time"


async def test_a_radio_that_nobody_needs_is_left_alone() -> None:
    async with ailing("hci0 is switched off") as radio:
        collector = collecting_nothing(radio)
        async with running(collector):
            await asyncio.sleep(0.3)
            assert collector.status().radio == "hci0 is switched off"
    assert radio.given == []


async def test_the_machine_is_not_restarted_for_a_radio_where_it_may_not_be() -> None:
    async with ailing("there is no Bluetooth adapter") as radio:
        collector = collecting_nothing(radio, EnrolledSensor(CUFF_ADDRESS, CUFF))
        async with running(collector):
            await until(lambda: len(radio.given) >= 3)
            await asyncio.sleep(0.2)
    assert Remedy.REBOOT not in radio.given


@pytest.mark.parametrize("sensors", [1, 2])
async def test_a_radio_that_hears_all_and_connects_to_nobody_is_power_cycled(
    sensors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Remedy] = []
    connect = BleakClient.connect

    async def abort(client: BleakClient, **arguments: object) -> None:
        if not given:
            raise BleakError("[org.bluez.Error.Failed] le-connection-abort-by-local")
        await connect(client, **arguments)

    async def heal(remedy: Remedy) -> str:
        given.append(remedy)
        return "switched off and on"

    monkeypatch.setattr(BleakClient, "connect", abort)
    async with VirtualWard.open() as ward:
        monkeypatch.setattr(ward.radio, "heal", heal)
        enrolled = [EnrolledSensor(f"C4:F2:17:00:00:{n:02}", CUFF) for n in range(sensors)]
        for sensor in enrolled:
            ward.place(BLOOD_PRESSURE_CUFF, sensor.address).report(b"told in the end")
        # It was failing for longer than since this was noticed: it is heard, and so seems well in between.
        collector = collecting_nothing(ward.radio, *enrolled, ladder=[Step(Remedy.POWER_CYCLE, 0.02)])
        async with running(collector):
            await until(lambda: all(each.last_payload for each in collector.status().sensors))
            assert given == [Remedy.POWER_CYCLE]
            assert collector.status().healing.outcome == "switched off and on"


async def test_a_radio_that_scanned_for_long_before_it_was_lost_is_only_looked_at_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nothing is heard, as at night, nothing says that it is well."""
    clock = 0.0
    for module in ("collector", "healing"):
        monkeypatch.setattr(f"drivers.bluetooth.{module}.loop_time", lambda: clock)
    async with VirtualRadio.open() as radio:
        given: list[Remedy] = []

        async def heal(remedy: Remedy) -> str:
            given.append(remedy)
            return "done"

        monkeypatch.setattr(radio, "heal", heal)
        collector = collecting_nothing(radio, EnrolledSensor(CUFF_ADDRESS, CUFF), ladder=LADDER)
        async with running(collector):
            for _ in range(4):
                await until(lambda: collector.status().usable)
                clock += 700.0
                radio.lose("bluetoothd was restarted")
                await until(lambda: not collector.status().usable)
    assert given == []
