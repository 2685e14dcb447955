"""One of every kind of sensor that a care home may have, by the driver that is meant for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from drivers.virtual.adverts import advertise_service_data
from drivers.virtual.encoding import (
    blood_pressure,
    continuous,
    glucose,
    glucose_context,
    heart_rate,
    spot_check,
    temperature,
    weight,
)
from drivers.virtual.makers import bthome, in_pieces, nonin, pc60fw, pc60fw_waveform
from drivers.virtual.profiles import (
    AND_CUFF,
    BLOOD_PRESSURE_CUFF,
    GLUCOSE_METER,
    HEART_RATE_STRAP,
    NONIN_OXIMETER,
    PULSE_OXIMETER,
    STORING_OXIMETER,
    THERMOMETER,
    UART_OXIMETER,
    WEIGHT_SCALE,
)
from drivers.virtual.ward import VirtualWard
from tests.radio.hub import Enrolled, RadioHub, radio_hub
from tests.rigs.rung import Line, Run

_LONG = 20.0  # seconds after which what has not come is lost
_DOOR = "C4:F2:17:03:00:FF"


async def estate(run: Run) -> list[Line]:
    """Each tells one thing, or one of each that it has."""
    async with VirtualWard.open() as ward:
        and_cuff, cuff, oximeter, storing, thermometer, scale, strap, meter, nonin_oximeter, uart = (
            ward.place(profile, f"C4:F2:17:03:00:{number:02X}")
            for number, profile in enumerate(
                (
                    replace(AND_CUFF, connected_for=2.0),
                    BLOOD_PRESSURE_CUFF,
                    PULSE_OXIMETER,
                    STORING_OXIMETER,
                    THERMOMETER,
                    WEIGHT_SCALE,
                    HEART_RATE_STRAP,
                    GLUCOSE_METER,
                    NONIN_OXIMETER,
                    UART_OXIMETER,
                )
            )
        )
        sensors = {
            and_cuff: ("and_ua651ble", 2),
            cuff: ("blood_pressure", 1),
            oximeter: ("pulse_oximeter", 2),
            storing: ("pulse_oximeter", 2),
            thermometer: ("thermometer", 1),
            scale: ("weight_scale", 1),
            strap: ("heart_rate", 1),
            meter: ("glucose", 2),
            nonin_oximeter: ("nonin_3230", 1),
            uart: ("viatom_pc60fw", 1),
        }
        enrolled = [Enrolled(sensor.address, name) for sensor, (name, _) in sensors.items()]
        async with radio_hub(run.directory / "estate", ward, *enrolled, Enrolled(_DOOR, "bthome")) as hub:
            for systolic in (121, 122):
                and_cuff.report(blood_pressure(systolic, 70, pulse=60, at=and_cuff.gatt.clock.now()))
            cuff.report(blood_pressure(123, 70))
            oximeter.report(continuous(97, 60), "2a5f")
            oximeter.report(spot_check(97, 60), "2a5e")
            for number in range(2):
                stored = spot_check(95 + number, 60, at=storing.gatt.clock.now())
                storing.store(number, ("2a5e", stored))
            thermometer.report(temperature(36.8))
            scale.report(weight(70.5))
            strap.report(heart_rate(72, contact=True, beat_intervals=(0.83, 0.84)))
            measured = glucose(1, 5.6, at=meter.gatt.clock.now(), context_follows=True)
            meter.store(1, ("2a18", measured), ("2a34", glucose_context(1, 3)))
            nonin_oximeter.report(nonin(97, 60))
            for piece in in_pieces(pc60fw_waveform() + pc60fw(97, 60) + pc60fw_waveform(), 7):
                uart.report(piece)
            lines = [
                await _line(hub, sensor.address, sensor.profile.name, name, count)
                for sensor, (name, count) in sensors.items()
            ]
            after = and_cuff.gatt.clock_set_after
            said = f"set {after[0]:.2f} s after the connection" if after else "not set"
            lines.append(Line("the A&D's clock, which it takes for 5 s", said, "set", bool(after)))
            for _ in range(100):
                if hub.committed.get(_DOOR):
                    break
                advertise_service_data(ward.radio, _DOOR, bthome(packet=1, battery=97, door=True))
                await asyncio.sleep(0.05)
            lines.append(await _line(hub, _DOOR, "door, by advertisements", "bthome", 1))
    return lines


async def _line(hub: RadioHub, address: str, what: str, driver: str, count: int) -> Line:
    await hub.until_committed(address, count, _LONG)
    await hub.reception.settled()
    unread = hub.unread(address)
    stored = hub.stored(address)
    said = f"{stored} reading(s)" + (f", not decoded: {unread}" if unread else "")
    if stored != count and hub.trouble(address):
        said += f"; {hub.trouble(address)}"
    return Line(f"{what} ({driver})", said, f"{count}", stored == count and not unread)
