"""From hourly rows of intensive care to observation sets as a care home has them.

One set every six hours of stay, made of the last charted value of each vital in that block; its
label is the onset of sepsis within twelve hours after it. A set at or after the onset is dropped,
and so is a person who is labelled from the first row, whose onset is not known.

Oxygen is a state and no measurement, so its last charted value holds until another is charted. That
an oxygen fraction was charted in this very block would say more of the outcome than all vitals
together: it says that a ventilator is being adjusted, which no care home can say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hub.assessment.features import BASELINE_SETS, INPUTS, NAMES, features
from hub.readings import Breathing, Value, Vital

FILE = "cinc2019_hospital_a.parquet"
BLOCK_HOURS = 6
HORIZON_HOURS = 12
FIRST_BLOCK = 3
"""Sets are judged from the fourth block of a stay on (counted from 0)."""
LABEL_LEAD_HOURS = 6
"""The challenge's label turns 1 so long before the onset."""

COLUMNS = {
    Vital.RESPIRATION_RATE: "Resp",
    Vital.OXYGEN_SATURATION: "O2Sat",
    Vital.SYSTOLIC_PRESSURE: "SBP",
    Vital.DIASTOLIC_PRESSURE: "DBP",
    Vital.PULSE_RATE: "HR",
    Vital.TEMPERATURE: "Temp",
    Vital.SUPPLEMENTAL_OXYGEN: "FiO2",
}

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Hours:
    """The hourly rows, in the order of person and hour. NaN: not charted."""

    person: Integers
    hour: Integers
    label: Integers
    age: Floats
    charted: Mapping[Vital, Floats]


@dataclass(frozen=True)
class Sets:
    """Observation sets, in the order of person and block: row i of each is one set.

    `block` counts six-hour blocks of the stay from 0. `values` has NaN where nothing was charted;
    oxygen is 1 where the fraction last charted is above 0.21, 0 where not, NaN where none was.
    `oxygen_charted` tells where a fraction was charted in this very block.
    """

    person: Integers
    block: Integers
    label: Integers
    age: Floats
    values: Mapping[Vital, Floats]
    oxygen_charted: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.person)

    def values_of(self, row: int) -> dict[Vital, Value]:
        """One set as the hub has it; what was not charted is not in it."""
        found: dict[Vital, Value] = {}
        for vital, column in self.values.items():
            value = float(column[row])
            if np.isnan(value):
                continue
            if vital is Vital.SUPPLEMENTAL_OXYGEN:
                found[vital] = Breathing.OXYGEN if value else Breathing.AIR
            else:
                found[vital] = value
        return found

    def where(self, rows: npt.NDArray[np.bool_]) -> Sets:
        """Those sets alone."""
        return Sets(
            self.person[rows],
            self.block[rows],
            self.label[rows],
            self.age[rows],
            {vital: column[rows] for vital, column in self.values.items()},
            self.oxygen_charted[rows],
        )


def read(data: Path) -> Hours:
    """Read the training file in the folder `data`."""
    from pyarrow import parquet  # only training has it

    table = parquet.read_table(data / FILE).sort_by([("patient", "ascending"), ("ICULOS", "ascending")])

    def column(name: str) -> Floats:
        return np.asarray(table[name].to_numpy(), dtype=np.float64)

    _, person = np.unique(table["patient"].to_numpy(), return_inverse=True)
    return Hours(
        person=person.astype(np.int64),
        hour=column("ICULOS").astype(np.int64),
        label=column("SepsisLabel").astype(np.int64),
        age=column("Age"),
        charted={vital: column(name) for vital, name in COLUMNS.items()},
    )


def observation_sets(hours: Hours) -> Sets:
    """Condense hourly rows, in order of person and hour, to labelled sets."""
    block = (hours.hour - 1) // BLOCK_HOURS
    starts = np.flatnonzero((np.diff(hours.person, prepend=-1) != 0) | (np.diff(block, prepend=-1) != 0))
    ends = np.append(starts[1:], len(block)) - 1
    group = np.repeat(np.arange(len(starts)), ends - starts + 1)

    values: dict[Vital, Floats] = {}
    for vital, charted in hours.charted.items():
        known = np.flatnonzero(~np.isnan(charted))
        last = np.full(len(starts), -1)
        np.maximum.at(last, group[known], known)
        values[vital] = np.where(last >= 0, charted[last], np.nan)
    fraction = np.clip(values[Vital.SUPPLEMENTAL_OXYGEN], 0.21, 1.0)
    oxygen_charted = ~np.isnan(fraction)
    fraction = _held(fraction, hours.person[ends])
    values[Vital.SUPPLEMENTAL_OXYGEN] = np.where(np.isnan(fraction), np.nan, fraction > 0.21)

    people = hours.person.max() + 1
    onset = np.full(people, np.iinfo(np.int64).max)
    positive = hours.label == 1
    np.minimum.at(onset, hours.person[positive], hours.hour[positive] + LABEL_LEAD_HOURS)
    first_row = np.flatnonzero(np.diff(hours.person, prepend=-1) != 0)
    unknown_onset = np.zeros(people, dtype=bool)
    unknown_onset[hours.person[first_row]] = positive[first_row]

    person = hours.person[ends]
    ahead = onset[person] - hours.hour[ends]
    keep = (ahead > 0) & ~unknown_onset[person]
    label = (ahead <= HORIZON_HOURS).astype(np.int64)
    return Sets(person, block[ends], label, hours.age[ends], values, oxygen_charted).where(keep)


def _held(values: Floats, person: Integers) -> Floats:
    """Each value that is not known replaced by the same person's last known one, if there is one."""
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    same = (last >= 0) & (person[last] == person)
    return np.where(same, values[last], np.nan)


def vectors(sets: Sets) -> Vectors:
    """The hub's own features of every set; its earlier sets are those of the same person before it."""
    mappings = [sets.values_of(row) for row in range(len(sets))]
    result = np.empty((len(sets), len(NAMES)), dtype=np.float32)
    first = 0
    for row in range(len(sets)):
        if sets.person[row] != sets.person[first]:
            first = row
        earlier = mappings[max(first, row - BASELINE_SETS) : row]
        age = None if np.isnan(sets.age[row]) else int(sets.age[row])
        result[row] = features(mappings[row], earlier, age)
    return result


def columns_of(name: str) -> list[int]:
    """The places in a feature vector that one of `INPUTS` fills."""
    if name not in INPUTS:
        raise ValueError(f"{name}: no input of the model")
    return [i for i, feature in enumerate(NAMES) if feature == name or feature.startswith(f"{name} ")]


def without(matrix: Vectors, name: str, rows: npt.NDArray[np.bool_]) -> None:
    """Make one input missing in those rows, in place: what `features` gives where it is not known."""
    for column in columns_of(name):
        matrix[rows, column] = 0.0


def without_baseline(matrix: Vectors, rows: npt.NDArray[np.bool_]) -> None:
    """Make the earlier sets missing in those rows, in place."""
    for column, feature in enumerate(NAMES):
        if feature.endswith(" change"):
            matrix[rows, column] = 0.0
