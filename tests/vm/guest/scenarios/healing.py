"""The radio is lost, and the hub collects again, without being restarted itself."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic

from drivers.bluetooth.radio import Remedy
from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF
from tests.vm.guest.scenarios.conftest import Measured
from tests.vm.guest.stage import (
    BACK_WITHIN,
    CUFF,
    Stage,
    aim,
    blood_pressure_of,
    bluetoothd,
    signal_bluetoothd,
    until,
)


async def test_bluetoothd_is_killed(stage: Stage, measured: Measured) -> None:
    await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        took = []
        for number in range(3):
            before = bluetoothd()
            signal_bluetoothd(signal.SIGKILL)
            cuff.report(blood_pressure_of(100 + number))
            took.append(await hub.has(blood_pressure_of(100 + number)))
            assert bluetoothd() not in (0, before)
            await until(lambda: not hub.sensor(cuff).connected, 20)
    measured(worst_of_3=max(took), aim=aim(BACK_WITHIN, max(took)))


async def test_bluetoothd_is_killed_while_a_sensor_is_connected(stage: Stage, measured: Measured) -> None:
    await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        cuff.wear(lambda: blood_pressure_of(99), interval=0.5)
        await hub.has(blood_pressure_of(99))
        signal_bluetoothd(signal.SIGKILL)
        began, before = monotonic(), len(hub.payloads)
        await until(lambda: not hub.status.usable, 20)
        await hub.scans()
        before = len(hub.payloads)
        await until(lambda: len(hub.payloads) > before, 60)
        took = monotonic() - began
        cuff.take_off()
    measured(took=took, aim=aim(BACK_WITHIN, took))


async def test_the_adapter_is_unplugged_and_comes_back(stage: Stage, measured: Measured) -> None:
    adapter = await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        took = []
        for number in range(3):
            adapter.unplug()
            gone = await until(lambda: not hub.status.usable, 20)
            await asyncio.sleep(3)
            cuff.report(blood_pressure_of(100 + number))
            name = await adapter.plug_in()
            took.append(await hub.has(blood_pressure_of(100 + number)))
            await until(lambda: not hub.sensor(cuff).connected, 20)
    measured(noticed=gone, worst_of_3=max(took), name=name, aim=aim(BACK_WITHIN, max(took)))


async def test_an_adapter_is_lost_and_another_takes_over(stage: Stage, measured: Measured) -> None:
    await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        second = await stage.adapter()
        await asyncio.sleep(3)
        stage.adapters[0].unplug()
        cuff.report(blood_pressure_of(120))
        took = await hub.has(blood_pressure_of(120))
        in_use = [each.address for each in await hub.radio.adapters() if each.in_use]
        assert in_use == [second.address]
    measured(took=took, aim=aim(BACK_WITHIN, took))


async def test_reboot_is_asked_for(stage: Stage, measured: Measured) -> None:
    """The last one: the host sees that the machine restarts."""
    await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # time to tell what was measured
        measured(outcome=await hub.radio.heal(Remedy.REBOOT))
