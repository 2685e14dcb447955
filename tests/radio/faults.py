"""Sensors that do what they should not: the hub has every reading once, or says what is wrong."""

from __future__ import annotations

from dataclasses import replace

from drivers.virtual.encoding import blood_pressure, glucose
from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF, CLOCK_CUFF, GLUCOSE_METER, Sending
from drivers.virtual.sensors import VirtualSensor
from drivers.virtual.ward import VirtualWard
from tests.radio.hub import Enrolled, RadioHub, radio_hub
from tests.rigs.collecting import until
from tests.rigs.rung import Line, Run

_LONG = 30.0  # seconds after which what has not come is lost
_ONCE = "collected, counted once"


_LIAR = replace(
    BLOOD_PRESSURE_CUFF,
    service="180f",
    characteristics={"2a19": Sending.NOTIFICATION},
    advertised=BLOOD_PRESSURE_CUFF.service,
    stays=True,
)
"""It says that it is a cuff, and has a battery and nothing else."""


def _address(number: int) -> str:
    return f"C4:F2:17:02:00:{number:02X}"


async def faults(run: Run) -> list[Line]:
    """One after the other, each with a sensor of its own, of one hub."""
    lines: list[Line] = []
    async with VirtualWard.open() as ward:
        failing, leaving, silent, refused, streaming, lying = (
            ward.place(profile, _address(number))
            for number, profile in enumerate(
                (
                    BLOOD_PRESSURE_CUFF,
                    BLOOD_PRESSURE_CUFF,
                    CLOCK_CUFF,
                    BLOOD_PRESSURE_CUFF,
                    GLUCOSE_METER,
                    _LIAR,
                )
            )
        )
        enrolled = [
            Enrolled(sensor.address, "glucose" if sensor is streaming else "blood_pressure")
            for sensor in (failing, leaving, silent, refused, streaming, lying)
        ]
        async with radio_hub(run.directory / "faults", ward, *enrolled) as hub:
            failing.power_losses = 3
            lines.append(await _told_once(hub, failing, "loses its power in an indication, three times"))
            leaving.leave_when_called()
            leaving.report(blood_pressure(121, 71))
            await until(lambda: leaving.links > 0 or hub.trouble(leaving.address) is not None)
            leaving.come_back()
            lines.append(
                await _taken(hub, leaving, 1, "goes out of reach while it is connected to, and is back")
            )
            silent.gatt.silent.update({"2a19", "2a26", "2a08"})
            lines.append(await _told_once(hub, silent, "never answers a read"))
            refused.links_to_drop = 3
            lines.append(await _told_once(hub, refused, "drops three links as soon as they are made"))
            lines.append(await _long_memory(hub, streaming, run.of(600, 20), 0.05))
            lying.be_found()
            await until(lambda: hub.trouble(lying.address) is not None)
            said = hub.trouble(lying.address)
            lines.append(Line("lies about its services", f"says: {said}", "said, not silent", bool(said)))
    return lines


async def _told_once(hub: RadioHub, sensor: VirtualSensor, what: str) -> Line:
    sent = sensor.report(blood_pressure(120, 70, at=sensor.gatt.clock.now()))
    links = sensor.links
    await hub.until_committed(sensor.address, 1, _LONG)
    await until(sent.done)
    return await _taken(hub, sensor, 1, f"{what} ({sensor.links - links} links)")


async def _taken(hub: RadioHub, sensor: VirtualSensor, count: int, what: str) -> Line:
    await hub.until_committed(sensor.address, count, _LONG)
    await hub.reception.settled()
    stored = hub.stored(sensor.address)
    payloads = hub.committed.get(sensor.address, 0)
    return Line(what, f"{stored} reading(s) of {payloads} payload(s)", _ONCE, stored == count)


async def _long_memory(hub: RadioHub, meter: VirtualSensor, records: int, apart: float) -> Line:
    """Ten minutes of stored records, scaled: so many, so many seconds apart, and each is told twice."""
    meter.seconds_between_records = apart / 2
    meter.gatt.memory.repeated = 2
    for number in range(records):
        meter.store(number, ("2a18", glucose(number, 4 + number / 1000, at=meter.gatt.clock.now())))
    await hub.until_committed(meter.address, 2 * records, _LONG + 2 * records * apart)
    return await _taken(hub, meter, records, f"sends stored records for {records * apart:.0f} s, each twice")
