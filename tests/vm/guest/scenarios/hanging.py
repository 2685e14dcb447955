"""bluetoothd hangs, and says nothing of it; or a controller does, and there is another."""

from __future__ import annotations

import signal
from time import monotonic

from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF
from tests.vm.guest.scenarios.conftest import Measured
from tests.vm.guest.stage import (
    CUFF,
    NOTICED_WITHIN,
    Stage,
    aim,
    blood_pressure_of,
    bluetoothd,
    signal_bluetoothd,
    until,
)


async def test_bluetoothd_hangs(stage: Stage, measured: Measured) -> None:
    await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        before = bluetoothd()
        signal_bluetoothd(signal.SIGSTOP)
        began = monotonic()
        cuff.report(blood_pressure_of(120))
        noticed = await until(lambda: not hub.status.usable, 120)
        measured(noticed=noticed, aim=aim(NOTICED_WITHIN, noticed), told=hub.status.radio)
        await hub.has(blood_pressure_of(120), seconds=140)
        measured(healed=monotonic() - began, by=hub.status.healing.outcome)
        assert bluetoothd() not in (0, before)


async def test_a_controller_hangs_and_another_takes_over(stage: Stage, measured: Measured) -> None:
    first, second = await stage.adapter(), await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF), adapter=first.address, longest=240) as hub:
        await hub.scans()
        await until(lambda: len(hub.status.adapters) == 2, 30)
        first.hang()
        cuff.report(blood_pressure_of(120))
        took = await hub.has(blood_pressure_of(120), seconds=180)
        in_use = [each.address for each in await hub.radio.adapters() if each.in_use]
        measured(took=took, by=hub.status.healing.outcome)
        assert in_use == [second.address]
