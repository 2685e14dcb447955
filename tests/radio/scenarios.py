"""The scenarios, each in the size that it is asked for, each with what was measured beside its aim."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial

from drivers.virtual.adverts import flood as flood_of
from drivers.virtual.encoding import blood_pressure, glucose, heart_rate, spot_check, temperature, weight
from drivers.virtual.profiles import (
    AND_CUFF,
    BLOOD_PRESSURE_CUFF,
    CLOCK_CUFF,
    GLUCOSE_METER,
    HEART_RATE_STRAP,
    PASSKEY_CUFF,
    PULSE_OXIMETER,
    THERMOMETER,
    WEIGHT_SCALE,
    Bond,
    Profile,
)
from drivers.virtual.sensors import VirtualSensor
from drivers.virtual.ward import VirtualWard
from tests.radio.hub import Enrolled, RadioHub, radio_hub
from tests.rigs.collecting import until
from tests.rigs.rung import Line, Run, percentile

CUFF = "C4:F2:17:00:00:01"
_OTHERS: tuple[tuple[Profile, Callable[[int], bytes]], ...] = (
    (BLOOD_PRESSURE_CUFF, lambda number: blood_pressure(100 + number % 100, 70, pulse=60)),
    (PULSE_OXIMETER, lambda number: spot_check(90 + number % 10, 60)),
    (THERMOMETER, lambda number: temperature(36 + number % 30 / 10)),
    (WEIGHT_SCALE, lambda number: weight(60 + number % 50)),
)
_WINDOW_SCALE = (20, 4)
"""By how much the cuff's minute is shortened; in brief less, so that a busy machine does not matter."""

_LONG = 30.0  # seconds after which what has not come is lost


def _address(number: int) -> str:
    return f"C4:F2:17:01:{number >> 8:02X}:{number & 0xFF:02X}"


@contextlib.asynccontextmanager
async def _streaming(ward: VirtualWard, straps: int, interval: float) -> AsyncIterator[list[Enrolled]]:
    """So many heart straps, worn."""
    worn: list[VirtualSensor] = []
    for number in range(straps):
        strap = ward.place(HEART_RATE_STRAP, _address(900 + number))
        strap.wear(partial(heart_rate, 60 + number), interval)
        worn.append(strap)
    yield [Enrolled(strap.address, "heart_rate") for strap in worn]


async def ward(run: Run) -> list[Line]:
    """Forty sensors advertise at once, six stream, and one of the forty is the cuff that leaves soon.

    The cuff's minute is scaled, since a link takes less time here than with BlueZ and a real radio: the line
    says which time of a link the scaled minute stands for. All forty begin in the same moment, the cuff last;
    in full size all were bonded with before, as enrolment does.
    """
    rounds, bonding_rounds, window = run.of(100, 1), run.of(1, 0), 60 / run.of(*_WINDOW_SCALE)
    links = rounds + bonding_rounds
    cuff_profile = replace(AND_CUFF, advertises_for=window, connected_for=window, stays=False)
    in_time = collected = 0
    slowest = linking = 0.0
    async with VirtualWard.open() as ward, _streaming(ward, 6, 1.0) as straps:
        others = [
            (ward.place(_OTHERS[number % 4][0], _address(number)), _OTHERS[number % 4][1])
            for number in range(39)
        ]
        cuff = ward.place(cuff_profile, CUFF)
        enrolled = [Enrolled(sensor.address, sensor.profile.kind) for sensor, _ in others]
        async with radio_hub(
            run.directory / "ward", ward, Enrolled(CUFF, "blood_pressure"), *enrolled, *straps
        ) as hub:
            for number in range(links):
                began = time.monotonic()
                sent = [sensor.report(encode(number)) for sensor, encode in others]
                cuff.report(blood_pressure(110 + number % 80, 70, at=cuff.gatt.clock.now()))
                if await hub.until_committed(CUFF, number + 1, window) and number >= bonding_rounds:
                    in_time += 1
                    slowest = max(slowest, time.monotonic() - began)
                await asyncio.wait(sent, timeout=_LONG)
                linking += (time.monotonic() - began) if number >= bonding_rounds else 0.0
            for sensor, _ in others:
                await hub.until_committed(sensor.address, links, _LONG)
                collected += hub.committed.get(sensor.address, 0)
            for strap in straps:
                await hub.until_committed(strap.address, 1, _LONG)
            streaming = sum(hub.committed.get(strap.address, 0) > 0 for strap in straps)
    link = linking / rounds / 40
    return [
        Line(
            f"cuff that advertises for a minute (here {window:g} s), among 39 others and 6 that stream",
            f"{in_time} of {rounds} readings, the slowest after {slowest:.2f} s; a link takes "
            f"{link * 1000:.0f} ms, which stands for {link * 60 / window:.2f} s",
            "100 of 100",
            in_time == rounds,
        ),
        Line(
            "the 39 others",
            f"{collected} of {39 * links} readings",
            "every reading",
            collected == 39 * links,
        ),
        Line("the 6 that stream", f"{streaming} collected from", "6", streaming == 6),
    ]


async def latency(run: Run) -> list[Line]:
    """From the first connectable advertisement of a reading to its commit, while six straps stream."""
    count = run.of(500, 10)
    seconds: list[float] = []
    async with VirtualWard.open() as ward, _streaming(ward, 6, 1.0) as straps:
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF)
        async with radio_hub(
            run.directory / "latency", ward, Enrolled(CUFF, "blood_pressure"), *straps
        ) as hub:
            for number in range(count + 1):
                await until(lambda: not cuff.linked)
                await asyncio.sleep(run.dice.uniform(0, 0.1))
                cuff.report(blood_pressure(100 + number % 100, 60 + number % 30, pulse=60))
                if not await hub.until_committed(CUFF, number + 1, _LONG):
                    raise TimeoutError("a reading was not committed")
                assert cuff.advertised_at is not None
                if number:  # the first bonds, once in a sensor's life
                    seconds.append(hub.committed_at[CUFF] - cuff.advertised_at)
    p50, p99 = percentile(seconds, 0.5), percentile(seconds, 0.99)
    return [
        Line(
            f"connectable advertisement -> committed, {count} readings beside 6 that stream",
            f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, longest {max(seconds) * 1000:.0f} ms",
            "p99 <= 300 ms",
            p99 <= 0.3,
            of_time=True,
        )
    ]


async def records(run: Run) -> list[Line]:
    """Stored records, sent twice, newest first, with a clock that was never set: each is one reading."""
    count = run.of(200, 12)
    meter_address, cuff_address = _address(1), CUFF
    async with VirtualWard.open() as ward:
        meter = ward.place(GLUCOSE_METER, meter_address)
        meter.gatt.memory.repeated, meter.gatt.memory.backwards = 2, True
        cuff = ward.place(CLOCK_CUFF, cuff_address)
        async with radio_hub(
            run.directory / "records",
            ward,
            Enrolled(meter_address, "glucose"),
            Enrolled(cuff_address, "blood_pressure"),
        ) as hub:
            for number in range(count):
                meter.store(number, ("2a18", glucose(number, 4 + number / 100, at=meter.gatt.clock.now())))
                # the cuff is sent what it has told already, as one does that does not delete
                told = blood_pressure(100 + number % 100, 60 + number // 100, at=cuff.gatt.clock.now())
                cuff.report(told)
                cuff.report(told)
            await hub.until_committed(meter_address, 2 * count, _LONG)
            await until(lambda: not meter.linked)
            meter.be_found()  # it is asked again, or for what is new
            links = meter.links
            await until(lambda: meter.links > links)
            await hub.until_committed(cuff_address, 2 * count, _LONG)
            await hub.reception.settled()
            sent = hub.committed.get(meter_address, 0)
            counted = hub.stored(meter_address)
            cuff_sent, cuff_counted = hub.committed.get(cuff_address, 0), hub.stored(cuff_address)
    aim = "each counted once"
    return [
        Line(
            f"{count} glucose records, newest first, each twice, the clock never set",
            f"{counted} readings of {sent} payloads",
            aim,
            counted == count,
        ),
        Line(
            f"{count} blood pressures, each told twice, the clock never set",
            f"{cuff_counted} readings of {cuff_sent} payloads",
            aim,
            cuff_counted == count,
        ),
    ]


async def pairing(run: Run) -> list[Line]:
    """Bonds made, lost, broken and refused; the hub collects, or says what is wrong."""
    lines: list[Line] = []

    async def collected(hub: RadioHub, sensor: VirtualSensor, what: str, number: int) -> None:
        await until(lambda: not sensor.linked)
        sensor.report(blood_pressure(110 + number, 70))
        began = time.monotonic()
        got = await hub.until_committed(sensor.address, number, _LONG)
        spent = f"collected after {time.monotonic() - began:.2f} s"
        said = spent if got else f"not collected: {hub.trouble(sensor.address)}"
        lines.append(Line(what, said, "collected", got))

    async def refused(hub: RadioHub, sensor: VirtualSensor, what: str) -> None:
        sensor.report(blood_pressure(110, 70))
        await until(lambda: hub.trouble(sensor.address) is not None)
        said = hub.trouble(sensor.address)
        nothing = hub.committed.get(sensor.address, 0) == 0
        lines.append(Line(what, f"says: {said}", "said, not silent", nothing and bool(said)))

    def placed(ward: VirtualWard, profile: Profile, number: int) -> VirtualSensor:
        return ward.place(profile, _address(number))

    async with VirtualWard.open() as ward:
        bonding = placed(ward, CLOCK_CUFF, 1)
        entered, wrong, none = (placed(ward, PASSKEY_CUFF, number) for number in (2, 3, 4))
        refusing = placed(ward, CLOCK_CUFF, 5)
        refusing.pairing.refuses = True
        cannot = placed(ward, replace(BLOOD_PRESSURE_CUFF, bond=Bond.CANNOT), 6)
        keys = {entered: 123_456, wrong: 654_321}
        async with radio_hub(
            run.directory / "pairing",
            ward,
            *(
                Enrolled(sensor.address, "blood_pressure", keys.get(sensor))
                for sensor in (bonding, entered, wrong, none, refusing, cannot)
            ),
        ) as hub:
            await collected(hub, bonding, "a cuff that must be bonded with", 1)
            await collected(hub, bonding, "the same, by its bond", 2)
            await until(lambda: not bonding.linked)
            bonding.pairing.lose_bonds()
            await collected(hub, bonding, "after it has lost its bond", 3)
            await until(lambda: not bonding.linked)
            bonding.pairing.change_keys()
            await collected(hub, bonding, "after its key has changed", 4)
            await collected(hub, cannot, "a cuff that cannot pair", 1)
            await collected(hub, entered, "a cuff with a passkey that was entered", 1)
            await refused(hub, wrong, "a wrong passkey")
            await refused(hub, none, "a passkey that nobody entered")
            await refused(hub, refusing, "a cuff that wants a bond and refuses to pair")
    return lines


async def flood(run: Run) -> list[Line]:
    """Five hundred strangers' advertisements a second, each from another address, while a cuff reports."""
    seconds, per_second = run.of(60, 1), 500
    async with VirtualWard.open() as ward:
        bare = ward.radio.scanner(lambda _device, _advertisement: None)
        async with bare:
            alone, _ = await _share_of_processor(ward, run, per_second, min(seconds, 10))
        cuff = ward.place(BLOOD_PRESSURE_CUFF, CUFF)
        async with radio_hub(run.directory / "flood", ward, Enrolled(CUFF, "blood_pressure")) as hub:
            told = 0

            async def report_now_and_then() -> None:
                nonlocal told
                while True:
                    cuff.report(blood_pressure(100 + told % 100, 60 + told // 100))
                    told += 1
                    await asyncio.sleep(1)

            reporting = asyncio.create_task(report_now_and_then())
            with_hub, strangers = await _share_of_processor(ward, run, per_second, seconds)
            reporting.cancel()
            await hub.until_committed(CUFF, told, _LONG)
            collected = hub.committed.get(CUFF, 0)
            sightings = len(hub.collector.sightings())
    return [
        Line(
            f"a cuff each second, beside {per_second} strangers a second for {seconds} s ({strangers:,})",
            f"{collected} of {told} readings",
            "every reading",
            collected == told,
        ),
        Line("sightings kept", f"{sightings}", "<= 300", sightings <= 300),
        Line(
            "processor, of one core",
            f"{with_hub:.0%}; the virtual radio and a scan that does nothing: {alone:.0%}",
            "",
            None,
        ),
    ]


async def _share_of_processor(
    ward: VirtualWard, run: Run, per_second: int, seconds: float
) -> tuple[float, int]:
    """How much of a core a flood takes, and how many strangers went by."""
    strangers = 0

    def count(sent: int) -> None:
        nonlocal strangers
        strangers = sent

    flooding = asyncio.create_task(flood_of(ward.radio, per_second, run.dice, told=count))
    began, spent = time.monotonic(), time.process_time()
    await asyncio.sleep(seconds)
    share = (time.process_time() - spent) / (time.monotonic() - began)
    flooding.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await flooding
    return share, strangers
