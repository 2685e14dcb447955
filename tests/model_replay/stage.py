"""A whole hub, a real broker and an ICS that listens, and one person's rounds through them."""

from __future__ import annotations

import asyncio
import csv
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import nan
from pathlib import Path

from drivers.recording import line_of
from drivers.virtual import encoding
from hub.readings import Breathing, RawPayload, Vital
from hub.uplink.cloudevents import Event, Message, from_message
from hub.uplink.heard import HeardAlert, HeardObservation, alert_heard, observation_heard
from tests.model_replay.person import A_MINUTE, BEFORE_THE_END, Person, Round, birth_year_of
from tests.model_replay.sleeping_hub import VARIABLE, SleepingClock
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.hub_process import HubProcess, carehub_here

RESIDENT = "R-0001"
CUFF, OXIMETER, THERMOMETER = (f"C4:F2:17:00:01:0{last}" for last in (1, 2, 3))
_PATIENCE_SECONDS = 60.0

_CONFIGURATION = """
[site]
id = "replay"
test_data = true
[hub]
id = "hub-1"
data_directory = "{directory}/data"
control_socket = "{directory}/control.sock"
[broker]
host = "127.0.0.1"
port = {port}
tls = false
[[residents]]
id = "{resident}"
{birth_year}
[[sensors]]
address = "{cuff}"
driver = "blood_pressure"
resident = "{resident}"
[[sensors]]
address = "{oximeter}"
driver = "pulse_oximeter"
resident = "{resident}"
[[sensors]]
address = "{thermometer}"
driver = "thermometer"
resident = "{resident}"
[store]
gather = "0 s"
[bluetooth]
radio = "off"
[usb]
ports = "off"
[replay]
socket = "{directory}/replay.sock"
[model]
mode = "{mode}"
"""


@dataclass(frozen=True)
class Played:
    """What became of a person's rounds: what the ICS heard, oldest first, and what `carehub model history`
    exports, by the time of each set."""

    times: Sequence[datetime]
    observations: Sequence[HeardObservation]
    alerts: Sequence[HeardAlert]
    history: Mapping[datetime, Mapping[str, str]]

    def of_round(self, number: int) -> HeardObservation | None:
        """The set that the last device of a round completed; None where none was told."""
        return next(
            (each for each in reversed(self.observations) if self.round_at(each.assessment.at) == number),
            None,
        )

    def round_at(self, moment: datetime) -> int:
        """In which round, or after which, a moment is; -1 before the first."""
        return sum(time - 4 * A_MINUTE < moment for time in self.times) - 1


async def play(person: Person, last: datetime, *, mode: str) -> Played:
    """Let a hub, with its model or without, hear a person's rounds, the last of them at that moment."""
    times = person.times(last)
    with tempfile.TemporaryDirectory(prefix="carehub-model-replay-") as name:
        directory = Path(name)
        clock = SleepingClock(directory / "clock")
        clock.wake_at(times[0] - timedelta(hours=1))
        with Mosquitto(directory / "broker") as broker, Ics(broker) as ics:
            path = _configuration(directory, broker.port, birth_year_of(person, last), mode)
            rigged = {VARIABLE: str(directory / "clock")}
            hub = HubProcess(path, module="tests.model_replay.sleeping_hub", environment=rigged)
            async with hub:
                for each, time in zip(person.rounds, times, strict=True):
                    await _play_round(path, directory / "round.jsonl", clock, each, time)
                ((formed,),) = hub.query("SELECT count(*) FROM assessment")
                await until(lambda: len(_events(ics, "observation")) >= formed, _PATIENCE_SECONDS)
                kept = hub.query("SELECT count(*) FROM alert")[0][0]
                await until(lambda: len({each.alert for each in _alerts(ics)}) >= kept, _PATIENCE_SECONDS)
                history = await _history(path)
            observations = [observation_heard(event) for event in _events(ics, "observation")]
            return Played(times, sorted(observations, key=_moment), _alerts(ics), history)


def _configuration(directory: Path, port: int, birth_year: int | None, mode: str) -> Path:
    path = directory / "hub.toml"
    path.write_text(
        _CONFIGURATION.format(
            directory=directory,
            port=port,
            resident=RESIDENT,
            birth_year="" if birth_year is None else f"birth_year = {birth_year}",
            cuff=CUFF,
            oximeter=OXIMETER,
            thermometer=THERMOMETER,
            mode=mode,
        )
    )
    return path


async def _play_round(path: Path, recording: Path, clock: SleepingClock, each: Round, time: datetime) -> None:
    for raw in payloads(each, time):
        clock.wake_at(raw.received_at)
        recording.write_text(line_of(raw) + "\n")
        await _run("replay", recording, "--config", path)
    clock.wake_at(time)
    if entered := entries(each):
        await _run("observe", RESIDENT, *entered, "--config", path)


def payloads(each: Round, time: datetime) -> Iterator[RawPayload]:
    """What the devices of a round send, up to a minute before its end."""
    values = each.values
    pulse, saturation = values.get(Vital.PULSE_RATE), values.get(Vital.OXYGEN_SATURATION)
    systolic, diastolic = values.get(Vital.SYSTOLIC_PRESSURE), values.get(Vital.DIASTOLIC_PRESSURE)
    if (celsius := values.get(Vital.TEMPERATURE)) is not None:
        sent = encoding.temperature(float(celsius))
        yield RawPayload(THERMOMETER, "thermometer", sent, time - BEFORE_THE_END[Vital.TEMPERATURE], "2a1c")
    if systolic is not None and diastolic is not None:
        sent = encoding.blood_pressure(float(systolic), float(diastolic), pulse=_number(pulse))
        yield RawPayload(CUFF, "blood_pressure", sent, time - BEFORE_THE_END[Vital.SYSTOLIC_PRESSURE], "2a35")
    if saturation is not None or pulse is not None:
        sent = encoding.spot_check(_or_nan(saturation), _or_nan(pulse))
        yield RawPayload(OXIMETER, "pulse_oximeter", sent, time - BEFORE_THE_END[Vital.PULSE_RATE], "2a5e")


def entries(each: Round) -> list[str]:
    """What a carer enters at the end of a round, as options of `carehub observe`."""
    options: list[str] = []
    if (rate := each.values.get(Vital.RESPIRATION_RATE)) is not None:
        options += ["--respiration", f"{float(rate):g}"]
    match each.values.get(Vital.SUPPLEMENTAL_OXYGEN):
        case Breathing.OXYGEN:
            options.append("--oxygen")
        case Breathing.AIR:
            options.append("--air")
        case _:
            pass
    return options


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


def _or_nan(value: object) -> float:
    return value if isinstance(value, float) else nan


async def _history(path: Path) -> dict[datetime, Mapping[str, str]]:
    said = await _run("model", "history", "--csv", "--config", path)
    return {datetime.fromisoformat(row["time"]): row for row in csv.DictReader(said.splitlines())}


async def _run(*arguments: str | Path) -> str:
    ended = await asyncio.to_thread(carehub_here, *arguments)
    if ended.code != 0:
        raise RuntimeError(f"carehub {arguments[0]} ended with {ended.code}: {ended.errors}")
    return ended.output


def _events(ics: Ics, channel: str) -> list[Event]:
    """Each event once, however often it came."""
    found: dict[str, Event] = {}
    for each in ics.on(channel):
        event = from_message(Message(each.payload, each.content_type, tuple(each.user_properties.items())))
        found.setdefault(event.id, event)
    return list(found.values())


def _alerts(ics: Ics) -> list[HeardAlert]:
    return [alert_heard(event) for event in _events(ics, "alert")]


def _moment(heard: HeardObservation) -> datetime:
    return heard.assessment.at
