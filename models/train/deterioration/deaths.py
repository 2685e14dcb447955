"""The PhysioNet/Computing in Cardiology Challenge 2012, sets a and b: who dies in hospital.

One set every six hours of the first 48 in intensive care, of the last charted value of each vital. The
Glasgow Coma Scale stands for ACVPU: 15 alert, 14 new confusion, 9 to 13 voice, 4 to 8 pain, 3 unresponsive
(as `carehub score` reads it). Saturations are arterial. Of most people no respiration rate is known.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hub.readings import Vital
from models.train.deterioration.hospital_stays import oxygen_given
from models.train.deterioration.sets import Sets, last_of_blocks
from models.train.measures.arrays import Floats, Integers

OBSERVATIONS = "cinc2012_obs.parquet"
PEOPLE = "cinc2012_patients.csv"
FIRST_HOUR = 12
"""Sets are judged from this hour on."""
LAST_HOUR = 48

_PLAUSIBLE = {"RespRate": (1, 80), "SaO2": (40, 100), "SysABP": (30, 300), "NISysABP": (30, 300)} | {
    "DiasABP": (10, 200),
    "NIDiasABP": (10, 200),
    "HR": (10, 300),
    "Temp": (25, 45),
}
"""Zeros and the like are no measurements."""


def level(glasgow: Floats) -> Floats:
    """The number of the ACVPU level that a sum of the Glasgow Coma Scale (3 to 15) stands for."""
    return np.select(
        [glasgow >= 15, glasgow >= 14, glasgow >= 9, glasgow >= 4, glasgow >= 3], [0, 1, 2, 3, 4], np.nan
    )


def read(data: Path, phase: int = 0) -> Sets:
    """The sets of the folder `data`; `label` is death in hospital. `phase` moves the blocks, in hours."""
    from pyarrow import csv, parquet  # only training has it

    table = parquet.read_table(data / OBSERVATIONS)
    table = table.sort_by([("RecordID", "ascending"), ("minute", "ascending")])
    people = csv.read_csv(data / PEOPLE).sort_by("RecordID")

    def column(name: str) -> Floats:
        values = np.asarray(table[name].to_numpy(), dtype=np.float64)
        low, high = _PLAUSIBLE.get(name, (-np.inf, np.inf))
        return np.where((values >= low) & (values <= high), values, np.nan)

    def either(arterial: str, cuff: str) -> Floats:
        first = column(arterial)
        return np.where(np.isnan(first), column(cuff), first)

    number = people["RecordID"].to_numpy()
    person = np.searchsorted(number, table["RecordID"].to_numpy()).astype(np.int64)
    hour = np.clip((column("minute") - 1) // 60 + 1, 1, LAST_HOUR).astype(np.int64)
    oxygen = oxygen_given(column("FiO2"))
    ventilated = column("MechVent") == 1
    charted = {
        Vital.RESPIRATION_RATE: column("RespRate"),
        Vital.OXYGEN_SATURATION: column("SaO2"),
        Vital.SYSTOLIC_PRESSURE: either("SysABP", "NISysABP"),
        Vital.DIASTOLIC_PRESSURE: either("DiasABP", "NIDiasABP"),
        Vital.PULSE_RATE: column("HR"),
        Vital.TEMPERATURE: column("Temp"),
        Vital.SUPPLEMENTAL_OXYGEN: np.where(np.isnan(oxygen) & ventilated, 1.0, oxygen),
        Vital.CONSCIOUSNESS: level(column("GCS")),
    }
    ends, block, values = last_of_blocks(person, hour, charted, phase)
    died = people["In-hospital_death"].to_numpy().astype(np.int64)
    whose: Integers = person[ends]
    return Sets(
        whose,
        block,
        hour[ends],
        died[whose],
        np.where(died[whose] == 1, float(LAST_HOUR), np.inf),
        np.asarray(people["Age"].to_numpy(), dtype=np.float64)[whose],
        np.asarray(people["Gender"].to_numpy(), dtype=np.float64)[whose],
        values,
    )
