"""A ward of virtual sensors, and the scenario that is played on them.

A scenario is a TOML or JSON file: the sensors, each under a name, and the events, each with its second:

    title = "A morning in Rose House"

    [sensors.cuff]
    kind = "blood_pressure"
    address = "C4:F2:17:00:00:01"

    [[events]]
    at = 2.5                        # seconds after the start
    sensor = "cuff"
    values = { systolic = 128, diastolic = 78, pulse = 74 }   # nan: the sensor measured and failed

    [[events]]
    at = 4
    sensor = "cuff"
    payload = "1e80"                # any bytes instead, in hex
    characteristic = "2a35"         # the sensor's first, if not given
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.virtual import VirtualWardError, encoding
from drivers.virtual.profiles import PROFILES, Profile
from drivers.virtual.radio import VirtualRadio
from drivers.virtual.scenario_file import read_scenario
from drivers.virtual.sensors import Sent, VirtualSensor

logger = logging.getLogger(__name__)

DETERIORATING = Path(__file__).with_name("deteriorating.toml")
"""One resident becomes very ill within half a minute, another stays well."""


_ENCODERS: dict[str, Callable[..., bytes]] = {
    "2a35": encoding.blood_pressure,
    "2a5e": encoding.spot_check,
    "2a5f": encoding.continuous,
    "2a1c": encoding.temperature,
    "2a37": encoding.heart_rate,
    "2a9d": encoding.weight,
    "2a18": encoding.glucose,
    "2a34": encoding.glucose_context,
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScenarioSensor(_Part):
    """A virtual sensor of the scenario."""

    kind: Literal["blood_pressure", "pulse_oximeter", "thermometer", "heart_rate", "weight_scale", "glucose"]
    # A random static address (its two highest bits are set), which is what bumble's virtual link routes by.
    address: Annotated[str, Field(pattern=r"^[C-F][0-9A-F](:[0-9A-F]{2}){5}$")]


class Event(_Part):
    """At a second after the start, a sensor has something to report: values, or any bytes.

    The names of the values are those of the arguments in `drivers/virtual/encoding.py`.
    """

    at: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
    sensor: str
    values: dict[str, float] | None = None
    payload: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{2})*$")] | None = None
    characteristic: str | None = None

    def encoded(self, characteristic: str) -> bytes:
        """The bytes that the sensor sends on this characteristic.

        Raises:
            ValueError: values that this characteristic does not have, or cannot hold.
        """
        if (self.values is None) == (self.payload is None):
            raise ValueError("give either values or a payload")
        if self.values is None:
            return bytes.fromhex(self.payload or "")
        encode = _ENCODERS[characteristic]
        parameters = inspect.signature(encode).parameters.items()
        names = {name: each for name, each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD}
        needed = {name for name, parameter in names.items() if parameter.default is parameter.empty}
        if not needed <= self.values.keys() <= names.keys():
            raise ValueError(f"{characteristic} has the values {', '.join(names)}, needed {sorted(needed)}")
        try:
            return encode(**self.values)
        except VirtualWardError as error:
            raise ValueError(str(error)) from error


class Scenario(_Part):
    """The whole file."""

    title: str
    sensors: dict[str, ScenarioSensor]
    events: tuple[Event, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        addresses = [sensor.address for sensor in self.sensors.values()]
        for address in addresses:
            if addresses.count(address) > 1:
                raise ValueError(f"{address} is the address of two sensors")
        for number, event in enumerate(self.events, 1):
            try:
                self.told(event)
            except ValueError as error:
                raise ValueError(f"event {number} (at {event.at:g} s): {error}") from error
        return self

    def told(self, event: Event) -> tuple[str, str, bytes]:
        """What an event makes a sensor tell: its address, the characteristic and the payload.

        Raises:
            ValueError: there is no such sensor, or it cannot tell that.
        """
        sensor = self.sensors.get(event.sensor)
        if sensor is None:
            raise ValueError(f"there is no sensor {event.sensor}, only {', '.join(self.sensors)}")
        has = PROFILES[sensor.kind].characteristics
        characteristic = event.characteristic or next(iter(has))
        if characteristic not in has:
            raise ValueError(f"a {sensor.kind} sensor has no {characteristic}, only {', '.join(has)}")
        return sensor.address, characteristic, event.encoded(characteristic)


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario file: JSON if it is named so, else TOML.

    Raises:
        VirtualWardError: it cannot be read, or a key is wrong; each wrong key is named.
    """
    return read_scenario(path, Scenario)


class VirtualWard:
    """Virtual sensors, by address, within reach of one `radio`: for as long as it is open (`open`)."""

    def __init__(self, radio: VirtualRadio, on_sent: Callable[[Sent], None]) -> None:
        self.radio = radio
        self.sensors: dict[str, VirtualSensor] = {}
        self._on_sent = on_sent
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        scenario: Path | None = None,
        *,
        speed: float = 1.0,
        on_sent: Callable[[Sent], None] = lambda _sent: None,
    ) -> AsyncIterator[VirtualWard]:
        """A ward, with a scenario being played in it if one is given, `speed` times as fast as written.

        `on_sent` is called for every payload that a hub has taken.

        Raises:
            VirtualWardError: the scenario is no scenario.
        """
        script = load_scenario(scenario) if scenario is not None else None
        async with VirtualRadio.open() as radio:
            ward = cls(radio, on_sent)
            try:
                if script is not None:
                    for sensor in script.sensors.values():
                        ward.place(PROFILES[sensor.kind], sensor.address)
                    ward._start(ward._play(script, speed), f"scenario {script.title}")
                yield ward
            finally:
                await ward._close()

    def place(self, profile: Profile, address: str) -> VirtualSensor:
        """Bring one more sensor into the ward."""
        sensor = VirtualSensor(self.radio, profile, address, self._on_sent)
        self.sensors[address] = sensor
        self._start(sensor.run(), f"virtual sensor {address}")
        return sensor

    async def _play(self, script: Scenario, speed: float) -> None:
        start = asyncio.get_running_loop().time()
        for event in sorted(script.events, key=lambda event: event.at):
            await asyncio.sleep(start + event.at / speed - asyncio.get_running_loop().time())
            address, characteristic, payload = script.told(event)
            sensor = self.sensors[address]
            if sensor.profile.records:  # a glucose meter tells what it has measured only when it is asked
                sensor.store(int.from_bytes(payload[1:3], "little"), (characteristic, payload))
            else:
                sensor.report(payload, characteristic)

    def _start(self, life: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(life, name=name)
        task.add_done_callback(_say_why_it_ended)
        self._tasks.append(task)

    async def _close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _say_why_it_ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s ended", task.get_name(), exc_info=error)
