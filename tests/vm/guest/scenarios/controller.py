"""The only controller hangs: nothing helps, until it answers again."""

from __future__ import annotations

from time import monotonic

from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF
from tests.vm.guest.scenarios.conftest import Measured
from tests.vm.guest.stage import CUFF, NOTICED_WITHIN, Stage, aim, blood_pressure_of, until


async def test_the_controller_hangs(stage: Stage, measured: Measured) -> None:
    adapter = await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF), longest=240) as hub:
        await hub.scans()
        cuff.report(blood_pressure_of(119))
        await hub.has(blood_pressure_of(119))
        await until(lambda: hub.status.healing.ails is None, 20)
        tried = hub.status.healing.tried
        adapter.hang()
        began = monotonic()
        cuff.report(blood_pressure_of(120))
        noticed = await until(lambda: hub.status.healing.ails is not None, 120)
        measured(noticed=noticed, aim=aim(NOTICED_WITHIN, noticed), told=hub.status.radio)
        await until(lambda: hub.status.healing.tried > tried, 60)
        measured(first_remedy=monotonic() - began, which=hub.status.healing.outcome)
        await until(lambda: hub.status.healing.tried > tried + 1, 100)
        measured(second_remedy=monotonic() - began, then=hub.status.healing.outcome)
        adapter.answer_again()
        measured(collecting_again_after_it_answers=await hub.has(blood_pressure_of(120), seconds=120))
        await until(lambda: hub.status.healing.ails is None, 60)
