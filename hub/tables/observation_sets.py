"""Rows of a table as observation sets: one row, one set, in the order of time for each person.

The columns are those of the data that the model was trained on, with their units; all but `patient` may be
missing, and then were measured nowhere. What the hub does not believe of a sensor it does not believe of a
cell: beyond `PLAUSIBLE`, or with a diastolic pressure that is not below the systolic, it was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from drivers.quality import PLAUSIBLE
from hub.assessment.glasgow import SUMS, from_glasgow
from hub.assessment.news2 import OxygenScale
from hub.intake.manual import RESPIRATION_RATES
from hub.readings import Breathing, Consciousness, Value, Vital
from hub.tables.cells import NOTHING, Remark, number
from hub.tables.csv_text import Row, Table

PATIENT = "patient"
AGE = "Age"
SCALE = "spo2_scale"
VITALS: Mapping[str, Vital] = {
    "HR": Vital.PULSE_RATE,
    "O2Sat": Vital.OXYGEN_SATURATION,
    "Temp": Vital.TEMPERATURE,
    "SBP": Vital.SYSTOLIC_PRESSURE,
    "DBP": Vital.DIASTOLIC_PRESSURE,
    "Resp": Vital.RESPIRATION_RATE,
    "FiO2": Vital.SUPPLEMENTAL_OXYGEN,
    "consciousness": Vital.CONSCIOUSNESS,
}
"""The column of each vital. `Gender` is read by nothing: no score here knows it."""

_AIR = 0.21
"""The fraction of oxygen in the air. Below it there is none: a sensor or a typist got it wrong, but for some
rounding."""
_ROUNDED_AIR = 0.2
_RESPIRATION = (float(RESPIRATION_RATES[0]), float(RESPIRATION_RATES[-1]))
_AGES = (0.0, 125.0)
_YOUNGEST = 16

_LEVELS = {
    **{level.value.lower(): level for level in Consciousness},
    "alert": Consciousness.ALERT,
    "confusion": Consciousness.NEW_CONFUSION,
    "new confusion": Consciousness.NEW_CONFUSION,
    "voice": Consciousness.VOICE,
    "pain": Consciousness.PAIN,
    "unresponsive": Consciousness.UNRESPONSIVE,
}
_SCALES = {float(scale): scale for scale in OxygenScale}


class Remarkable(NamedTuple):
    """A cell that was remarkable: its column, why, and its text."""

    column: str
    remark: Remark
    text: str


class ObservedRow(NamedTuple):
    """What a row says: whose it is ("" for nobody's), what was measured, and what was remarkable."""

    patient: str
    values: Mapping[Vital, Value]
    age_years: int | None
    scale: OxygenScale
    remarkable: Sequence[Remarkable]


class ObservationColumns:
    """Where the columns of a table stand.

    `missing` says of each that is not there, in words, what that means.

    Raises:
        TableError: the column `patient` is not there, or one of them is there more than once.
    """

    def __init__(self, table: Table) -> None:
        self._patient = table.needed(PATIENT)
        self._vitals = [
            (name, vital, position)
            for name, vital in VITALS.items()
            if (position := table.position(name)) is not None
        ]
        self._age = table.position(AGE)
        self._scale = table.position(SCALE)
        self.missing = [
            f"{table.missing(name)}: {vital.value.replace('_', ' ')} counts as not measured throughout"
            for name, vital in VITALS.items()
            if table.position(name) is None
        ]
        if self._age is None:
            self.missing.append(f"{table.missing(AGE)}: the age counts as not known throughout")

    def read(self, row: Row) -> ObservedRow:
        """What a row of the table says."""
        cells = row.cells
        values: dict[Vital, Value] = {}
        remarkable: list[Remarkable] = []
        for name, vital, position in self._vitals:
            value, remark = vital_in(vital, cells[position])
            if value is not None:
                values[vital] = value
            if remark is not None:
                remarkable.append(Remarkable(name, remark, cells[position]))
        self._contradiction(values, remarkable)
        patient = cells[self._patient]
        if not patient.strip():
            patient = ""
            remarkable.append(Remarkable(PATIENT, Remark.NOBODY, patient))
        age = scale = None
        if self._age is not None:
            age, remark = age_in(cells[self._age])
            if remark is not None:
                remarkable.append(Remarkable(AGE, remark, cells[self._age]))
        if self._scale is not None:
            scale, remark = scale_in(cells[self._scale])
            if remark is not None:
                remarkable.append(Remarkable(SCALE, remark, cells[self._scale]))
        return ObservedRow(patient, values, age, scale or OxygenScale.SCALE_1, remarkable)

    def _contradiction(self, values: dict[Vital, Value], remarkable: list[Remarkable]) -> None:
        systolic, diastolic = values.get(Vital.SYSTOLIC_PRESSURE), values.get(Vital.DIASTOLIC_PRESSURE)
        if isinstance(systolic, float) and isinstance(diastolic, float) and diastolic >= systolic:
            del values[Vital.SYSTOLIC_PRESSURE], values[Vital.DIASTOLIC_PRESSURE]
            remarkable.append(Remarkable("DBP", Remark.CONTRADICTORY, f"{systolic:g}/{diastolic:g}"))


@lru_cache(maxsize=65_536)  # most cells of a table hold what others held before
def vital_in(vital: Vital, text: str) -> tuple[Value | None, Remark | None]:
    """The value of a vital's cell, in the vital's fixed unit, and what is remarkable about it."""
    if vital is Vital.CONSCIOUSNESS:
        return _consciousness(text)
    found = number(text)
    if not isinstance(found, float):
        return None, found
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        if found > _AIR:
            return Breathing.OXYGEN, Remark.FRACTION_ABOVE_1 if found > 1 else None
        return Breathing.AIR, Remark.FRACTION_BELOW_AIR if found < _ROUNDED_AIR else None
    lowest, highest = _RESPIRATION if vital is Vital.RESPIRATION_RATE else PLAUSIBLE[vital]
    return (found, None) if lowest <= found <= highest else (None, Remark.IMPLAUSIBLE)


def _consciousness(text: str) -> tuple[Value | None, Remark | None]:
    """A letter or word of ACVPU, or a sum of the Glasgow Coma Scale."""
    bare = " ".join(text.lower().split())
    if bare in NOTHING:
        return None, None
    if bare in _LEVELS:
        return _LEVELS[bare], None
    total = number(bare)
    if isinstance(total, float) and total in SUMS:
        return from_glasgow(int(total)), None
    return None, Remark.IMPLAUSIBLE if isinstance(total, float) else Remark.UNREADABLE


@lru_cache(maxsize=4096)
def age_in(text: str) -> tuple[int | None, Remark | None]:
    """The completed years of an age's cell."""
    found = number(text)
    if not isinstance(found, float):
        return None, found
    if not _AGES[0] <= found <= _AGES[1]:
        return None, Remark.IMPLAUSIBLE
    return int(found), Remark.UNDER_16 if found < _YOUNGEST else None


@lru_cache(maxsize=256)
def scale_in(text: str) -> tuple[OxygenScale | None, Remark | None]:
    """The SpO2 scale of a cell."""
    found = number(text)
    if not isinstance(found, float):
        return None, found
    return (_SCALES[found], None) if found in _SCALES else (None, Remark.UNREADABLE)
