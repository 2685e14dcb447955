"""Hospital system A of the PhysioNet/Computing in Cardiology Challenge 2019: who turns to sepsis, and when.

One set every six hours of stay, made of the last charted value of each vital in that block; its label is the
onset of sepsis within twelve hours after it. A set at or after the onset is dropped, and so is a person who
is labelled from the first row, whose onset is not known.

Oxygen is as charted in the block; the features hold it, as the hub does, for a day. To hold it for the rest
of the stay would be wrong: nobody charts that a weaned person breathes air. To see only whether it was
charted in this very block would say more of the outcome than all vitals together, since it says that a
ventilator is being adjusted, which no care home can say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hub.readings import Vital
from models.train.deterioration.sets import BLOCK_HOURS, Sets, last_of_blocks
from models.train.measures.arrays import Booleans, Floats, Integers

FILE = "cinc2019_hospital_a.parquet"
HORIZON_HOURS = 12
FIRST_BLOCK = 3
"""Sets are judged from the fourth block of a stay on (counted from 0)."""
LABEL_LEAD_HOURS = 6
"""The challenge's label turns 1 so long before the onset."""
AIR_FRACTION = 0.21

COLUMNS = {
    Vital.RESPIRATION_RATE: "Resp",
    Vital.OXYGEN_SATURATION: "O2Sat",
    Vital.SYSTOLIC_PRESSURE: "SBP",
    Vital.DIASTOLIC_PRESSURE: "DBP",
    Vital.PULSE_RATE: "HR",
    Vital.TEMPERATURE: "Temp",
}


@dataclass(frozen=True)
class Hours:
    """The hourly rows, in the order of person and hour. NaN: not charted. Oxygen: 1 given, 0 air."""

    person: Integers
    hour: Integers
    label: Integers
    age: Floats
    male: Floats
    charted: Mapping[Vital, Floats]


def oxygen_given(fraction: Floats) -> Floats:
    """1 where the inspired fraction is above that of air, 0 where not, NaN where it is not known."""
    return np.where(np.isnan(fraction), np.nan, np.clip(fraction, AIR_FRACTION, 1.0) > AIR_FRACTION)


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
        male=column("Gender"),
        charted={
            **{vital: column(name) for vital, name in COLUMNS.items()},
            Vital.SUPPLEMENTAL_OXYGEN: oxygen_given(column("FiO2")),
        },
    )


def observation_sets(hours: Hours, phase: int = 0) -> Sets:
    """Condense hourly rows, in order of person and hour, to labelled sets.

    `phase` (0 to 5) moves the blocks by so many hours: the same people, looked at at other times.
    """
    ends, block, values = last_of_blocks(hours.person, hours.hour, hours.charted, phase)
    people = int(hours.person.max()) + 1
    onset = np.full(people, np.inf)
    positive = hours.label == 1
    np.minimum.at(onset, hours.person[positive], hours.hour[positive] + LABEL_LEAD_HOURS)
    first_row = np.flatnonzero(np.diff(hours.person, prepend=-1) != 0)
    unknown_onset = np.zeros(people, dtype=bool)
    unknown_onset[hours.person[first_row]] = positive[first_row]

    person, hour = hours.person[ends], hours.hour[ends]
    ahead = onset[person] - hour
    label = (ahead <= HORIZON_HOURS).astype(np.int64)
    every = Sets(person, block, hour, label, onset[person], hours.age[ends], hours.male[ends], values)
    return every.where((ahead > 0) & ~unknown_onset[person])


def judged(sets: Sets) -> Booleans:
    """Which sets are judged: those from the fourth block of the stay on."""
    return np.asarray((sets.hour - 1) // BLOCK_HOURS >= FIRST_BLOCK)
