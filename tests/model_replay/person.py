"""One person's rounds: what was measured in each, as the devices of a home can say it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hub.assessment.deterioration import DeteriorationModel, Risk
from hub.assessment.features import BASELINE_SETS, INPUT_VITALS, SCALES
from hub.assessment.reasons import Times
from hub.errors import CareportError
from hub.readings import Breathing, Value, Vital

FEWEST, MOST = 10, 24
"""Rounds: enough for a baseline of the person's own, and no longer than a replay of some seconds."""
ZONE = ZoneInfo("Europe/London")
"""The home's."""
_PRESSURES = (Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE)
_SOONER = timedelta(minutes=10)
_CARRIED = timedelta(hours=24)
A_MINUTE = timedelta(minutes=1)
BEFORE_THE_END = {
    Vital.TEMPERATURE: 3 * A_MINUTE,
    **dict.fromkeys(_PRESSURES, 2 * A_MINUTE),
    **dict.fromkeys((Vital.PULSE_RATE, Vital.OXYGEN_SATURATION), A_MINUTE),
}
"""From one device of a round to the next it takes a minute; the carer who counts the breaths is the last."""


class NobodyError(CareportError):
    """Among those who were held back is nobody to replay."""


@dataclass(frozen=True)
class Round:
    """What one round found, `since_admission`; a vital that was not measured is not in `values`."""

    since_admission: timedelta
    values: Mapping[Vital, Value]


@dataclass(frozen=True)
class Person:
    """Somebody's rounds, oldest first; `age_years` is None where it is not known."""

    age_years: int | None
    rounds: Sequence[Round]

    def times(self, last: datetime) -> list[datetime]:
        """When the rounds are, moved so that the last one is then.

        Each comes ten minutes sooner than it did, so that none is exactly a day after another, or four hours:
        there a value is no longer carried, and there windows end (`hub/assessment/earlier.py`).
        """
        end = self.rounds[-1].since_admission
        return [
            last - (end - each.since_admission) + later * _SOONER
            for later, each in zip(range(len(self.rounds) - 1, -1, -1), self.rounds, strict=True)
        ]


def person_of(line: str) -> Person:
    """One line of `python -m models.train.held_back`."""
    said = json.loads(line)
    rounds = [Round(timedelta(hours=each["hours"]), _as_devices_say(each["values"])) for each in said["sets"]]
    return Person(said["age"], [each for each in rounds if not INPUT_VITALS.isdisjoint(each.values)])


def _as_devices_say(said: Mapping[str, float | str]) -> dict[Vital, Value]:
    """Whole numbers, but a temperature in tenths. A cuff measures both pressures or none."""
    values: dict[Vital, Value] = {}
    for name, value in said.items():
        vital = Vital(name)
        if isinstance(value, str):
            values[vital] = Breathing(value)
        else:
            values[vital] = round(value, 1) if vital is Vital.TEMPERATURE else float(round(value))
    if not all(vital in values for vital in _PRESSURES):
        for vital in _PRESSURES:
            values.pop(vital, None)
    return values


def expected(model: DeteriorationModel, person: Person, times: Sequence[datetime]) -> list[Risk | None]:
    """What the model says of each round's values, with the rounds before it: reckoned beside the hub."""
    birth_year = birth_year_of(person, times[-1])
    local = [time.astimezone(ZONE) for time in times]
    risks: list[Risk | None] = []
    for number, each in enumerate(person.rounds):
        first = max(0, number - BASELINE_SETS)
        before = range(first, number)
        risks.append(
            model.risk(
                each.values,
                [person.rounds[earlier].values for earlier in before],
                None if birth_year is None else times[number].year - birth_year,
                carried=sum(times[number] - times[earlier] < _CARRIED for earlier in before),
                times=Times(local[number], [_measured(person.rounds[n], local[n]) for n in before]),
            )
        )
    return risks


def _measured(each: Round, end: datetime) -> dict[Vital, datetime]:
    return {vital: end - BEFORE_THE_END.get(vital, timedelta(0)) for vital in each.values}


def birth_year_of(person: Person, last: datetime) -> int | None:
    """The year of birth with which the hub makes of the person who they were."""
    return None if person.age_years is None else last.year - person.age_years


def middle_one(model: DeteriorationModel, people: Iterable[Person], last: datetime) -> Person:
    """Of those whose last round before the onset is whole, the one whose risk is then in the middle.

    Raises:
        NobodyError: there is nobody with as many rounds and a whole last one.
    """
    found = [
        (risk.probability, number, person)
        for number, person in enumerate(people)
        if FEWEST <= len(person.rounds) <= MOST
        and person.rounds[-1].values.keys() >= SCALES.keys()
        and (risk := expected(model, person, person.times(last))[-1]) is not None
    ]
    if not found:
        raise NobodyError(f"nobody has {FEWEST} to {MOST} rounds of which the last is whole")
    found.sort()
    return found[len(found) // 2][2]
