"""Observation sets as a care home has them, of people in intensive care, and the hub's features of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from hub.assessment.features import BASELINE_SETS, CARRIED_SETS, NAMES, SCALES, features
from hub.readings import Breathing, Consciousness, Value, Vital
from models.train.measures.arrays import Booleans, Floats, Integers, Vectors

BLOCK_HOURS = 6
NUMBERS = tuple(SCALES)
LEVELS = tuple(Consciousness)

OF_ONE_KIT: tuple[tuple[Vital, ...], ...] = (
    (Vital.OXYGEN_SATURATION, Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE, Vital.PULSE_RATE),
    (Vital.OXYGEN_SATURATION, Vital.PULSE_RATE),
    (Vital.SYSTOLIC_PRESSURE, Vital.DIASTOLIC_PRESSURE, Vital.PULSE_RATE, Vital.TEMPERATURE),
)
"""What some homes have: a cuff and an oximeter, an oximeter alone, a cuff and a thermometer."""
SHARE_OF_ONE_KIT = 0.25
SHARE_LACKING = 0.35
LACKING_AMONG_THOSE = 0.3
SHARE_OF_NEWCOMERS = 0.1


@dataclass(frozen=True)
class Sets:
    """Observation sets in the order of person and block: row i of each is one set.

    `block` counts six-hour blocks of the stay from 0, `hour` is the set's last hour (1 is the first of the
    stay), `label` what is to be foreseen (0 or 1), `onset` the hour of the stay at which it is (inf: never).
    `values` has NaN where nothing was charted; oxygen is 1 (given) or 0 (air), consciousness the number of
    the level in ACVPU, 0 to 4. `male` is 1, 0 or NaN and tells subgroups apart: no feature is made of it.
    """

    person: Integers
    block: Integers
    hour: Integers
    label: Integers
    onset: Floats
    age: Floats
    male: Floats
    values: Mapping[Vital, Floats]

    def __len__(self) -> int:
        return len(self.person)

    def values_of(self, row: int) -> dict[Vital, Value]:
        """One set as the hub has it; what was not charted is not in it."""
        found: dict[Vital, Value] = {}
        for vital, column in self.values.items():
            value = float(column[row])
            if value != value:
                continue
            if vital is Vital.SUPPLEMENTAL_OXYGEN:
                found[vital] = Breathing.OXYGEN if value else Breathing.AIR
            elif vital is Vital.CONSCIOUSNESS:
                found[vital] = LEVELS[int(value)]
            else:
                found[vital] = value
        return found

    def age_of(self, row: int) -> int | None:
        """In years, as the hub knows it."""
        return None if np.isnan(self.age[row]) else int(self.age[row])

    def where(self, rows: Booleans) -> Sets:
        """Those sets alone."""
        return Sets(
            self.person[rows],
            self.block[rows],
            self.hour[rows],
            self.label[rows],
            self.onset[rows],
            self.age[rows],
            self.male[rows],
            {vital: column[rows] for vital, column in self.values.items()},
        )

    def lacking(self, *vitals: Vital) -> Sets:
        """The same people in a home that never measures these."""
        nothing = np.full(len(self), np.nan)
        return replace(self, values={**self.values, **dict.fromkeys(vitals, nothing)})

    def with_oxygen_held(self) -> Sets:
        """The same with oxygen as the features hold it: the person's last known state, for `CARRIED_SETS`."""
        given = self.values[Vital.SUPPLEMENTAL_OXYGEN]
        number = np.arange(len(self))
        last = np.maximum.accumulate(np.where(np.isnan(given), -1, number))
        held = (last >= 0) & (number - last <= CARRIED_SETS) & (self.person[last] == self.person)
        return replace(
            self, values={**self.values, Vital.SUPPLEMENTAL_OXYGEN: np.where(held, given[last], np.nan)}
        )


def vectors(sets: Sets, newcomers: Booleans | None = None) -> Vectors:
    """The hub's features of every set, of shape (sets, features); its earlier sets are the same person's.

    Of `newcomers` nothing is known from before.
    """
    mappings = [sets.values_of(row) for row in range(len(sets))]
    result = np.empty((len(sets), len(NAMES)), dtype=np.float32)
    first = 0
    for row in range(len(sets)):
        if sets.person[row] != sets.person[first]:
            first = row
        alone = newcomers is not None and newcomers[row]
        earlier = [] if alone else mappings[max(first, row - BASELINE_SETS) : row]
        result[row] = features(mappings[row], earlier, sets.age_of(row))
    return result


def last_of_blocks(
    person: Integers, hour: Integers, charted: Mapping[Vital, Floats], phase: int = 0
) -> tuple[Integers, Integers, dict[Vital, Floats]]:
    """Of rows in the order of person and hour: for each block of six hours its last row, its number, and the
    last charted value of each vital in it. `phase` moves the blocks so many hours ahead (0 to 5)."""
    block = (hour - 1 + phase) // BLOCK_HOURS
    starts = np.flatnonzero((np.diff(person, prepend=-1) != 0) | (np.diff(block, prepend=-1) != 0))
    ends = np.append(starts[1:], len(block)) - 1
    group = np.repeat(np.arange(len(starts)), ends - starts + 1)
    values: dict[Vital, Floats] = {}
    for vital, column in charted.items():
        known = np.flatnonzero(~np.isnan(column))
        last = np.full(len(starts), -1)
        np.maximum.at(last, group[known], known)
        values[vital] = np.where(last >= 0, column[last], np.nan)
    return ends, block[ends], values


def with_gaps(sets: Sets, generator: np.random.Generator) -> Sets:
    """The same people in other homes: some have one kit alone, of some a vital is missing now and then,
    and not everywhere the levels of consciousness below alert are told apart."""
    people, index = np.unique(sets.person, return_inverse=True)
    kind = generator.random(len(people))[index]
    kit = generator.integers(len(OF_ONE_KIT), size=len(people))[index]
    values = {vital: column.copy() for vital, column in sets.values.items()}
    for number, has in enumerate(OF_ONE_KIT):
        rows = (kind < SHARE_OF_ONE_KIT) & (kit == number)
        for vital in values.keys() - set(has):
            values[vital][rows] = np.nan
    some = (kind >= SHARE_OF_ONE_KIT) & (kind < SHARE_OF_ONE_KIT + SHARE_LACKING)
    for vital in sorted(values):
        values[vital][some & (generator.random(len(sets)) < LACKING_AMONG_THOSE)] = np.nan
    if Vital.CONSCIOUSNESS in values:
        level = values[Vital.CONSCIOUSNESS]
        coarse = (generator.random(len(people)) < 0.3)[index] & (level >= 1)
        level[coarse] = generator.integers(1, 3, size=len(people))[index][coarse]
    return replace(sets, values=values)
