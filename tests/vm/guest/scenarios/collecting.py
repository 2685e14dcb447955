"""Readings come through the real BlueZ, each once, whatever the link does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from drivers import glucose
from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF, GLUCOSE_METER
from tests.vm.guest.scenarios.conftest import Measured
from tests.vm.guest.stage import CUFF, Stage, blood_pressure_of, descriptors, until

_DROPS = 24


async def test_a_cuff_that_appears_is_collected_from(stage: Stage, measured: Measured) -> None:
    await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        measured(until_it_scans=await hub.scans())
        sent = cuff.report(blood_pressure_of(120))
        measured(until_delivered=await hub.has(blood_pressure_of(120)))
        await asyncio.wait_for(sent, 10)  # BlueZ confirmed the indication
        await until(lambda: not hub.sensor(cuff).connected, 10)
    assert hub.payloads == [blood_pressure_of(120)]


async def test_a_cuff_that_loses_its_power_while_it_indicates_is_counted_once(
    stage: Stage, measured: Measured
) -> None:
    await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        cuff.power_losses = 1
        cuff.report(blood_pressure_of(121))
        cuff.report(blood_pressure_of(122))
        measured(until_both_delivered=await hub.has(blood_pressure_of(121), blood_pressure_of(122)))
        await until(lambda: not hub.sensor(cuff).connected, 10)
    # What BlueZ had and the cuff does not know to be confirmed comes twice, with the same identity.
    identities = {CUFF.read(raw).id for raw in hub.received}
    measured(payloads=len(hub.payloads), readings=len(identities))
    assert len(identities) == 2


async def test_stored_records_are_all_collected(stage: Stage, measured: Measured) -> None:
    """Glucose measurements (2A18): flags 0, sequence number, base time 2026-03-01 12:00, and nothing more."""
    count = 200
    await stage.adapter()
    meter = stage.place(replace(GLUCOSE_METER, battery=None, about={}))
    stored = [
        bytes([0x00]) + number.to_bytes(2, "little") + bytes([0xEA, 0x07, 3, 1, 12, 0, 0])
        for number in range(count)
    ]
    async with stage.collecting((meter, glucose.DRIVER)) as hub:
        await hub.scans()
        for number, payload in enumerate(stored):
            meter.store(number, ("2a18", payload))
        measured(until_all_delivered=await hub.has(*stored, seconds=90), records=count)
        await until(lambda: not hub.sensor(meter).connected, 30)
        meter.store(count, ("2a18", stored[0][:1] + count.to_bytes(2, "little") + stored[0][3:]))
        await until(lambda: len(hub.payloads) > count, 60)
    measured(asked="; ".join(each.hex() for each in meter.gatt.memory.asked))


async def test_descriptors_are_flat_over_dozens_of_drops(stage: Stage, measured: Measured) -> None:
    await stage.adapter()
    cuff = stage.place(BLOOD_PRESSURE_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        counts = []
        for number in range(_DROPS + 1):
            cuff.report(blood_pressure_of(100 + number))
            await hub.has(blood_pressure_of(100 + number))
            await until(lambda: not hub.sensor(cuff).connected, 10)
            counts.append(descriptors())
            await asyncio.sleep(hub.radio.settle_seconds)
    measured(drops=cuff.links, first=counts[0], last=counts[-1])
    assert len(hub.payloads) == _DROPS + 1
    assert counts[-1] <= counts[0] + 2  # something may just be asked of the bus; a leak is one a drop
