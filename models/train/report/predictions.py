"""The cross-fitted predictions that training leaves: every person, and every recording, is judged by a model
that did not see them.

`deterioration.npz`, one row for each six-hourly observation set of hospital system A from the fourth block of
the stay on, and with the prefix `death_` one row for each person of the 2012 set:

| array | what |
|---|---|
| `person` int | whose set it is |
| `block` int | which six hours of the stay |
| `hour` int | the last hour of the set |
| `label` int | 1: onset within 12 hours |
| `hours_to_onset` float | from the set's last hour; inf if there is none |
| `age` float, `sex` int | years; 1 male, 0 female |
| `news2` int, `news2_without_oxygen` int | partial NEWS2, as the hub scores it |
| `risk` float | the model's probability |
| `death_person`, `..._died`, `..._age`, `..._sex`, `..._risk`, `..._news2` | the last set of 48 hours |

`rhythm.npz` is described in `models.train.rhythm`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from hub.errors import CareportError
from models.train.measures.arrays import Booleans, Floats, Integers

DETERIORATION = "deterioration.npz"
RHYTHM = "rhythm.npz"
_OF_DEATHS = "death_"


class ReportError(CareportError):
    """Predictions or a card that no report can be made of."""


@dataclass(frozen=True)
class Onsets:
    """Observation sets before, or without, an onset of sepsis (see above)."""

    person: Integers
    block: Integers
    hour: Integers
    label: Integers
    hours_to_onset: Floats
    age: Floats
    sex: Integers
    news2: Integers
    news2_without_oxygen: Integers
    risk: Floats


@dataclass(frozen=True)
class Deaths:
    """The last set of each person's first 48 hours, and whether they died in hospital."""

    person: Integers
    died: Integers
    age: Floats
    sex: Integers
    risk: Floats
    news2: Integers


@dataclass(frozen=True)
class Rhythms:
    """Recordings and their windows (see `models.train.rhythm`)."""

    label: npt.NDArray[np.str_]
    probability: Floats
    teacher: Floats
    logistic: Floats
    entropy: Floats
    good: Booleans
    window_record: Integers
    window_probability: Floats
    window_good: Booleans
    threshold: Floats


def read_deterioration(path: Path) -> tuple[Onsets, Deaths]:
    """Read `deterioration.npz`. Raises ReportError if something is missing or cannot be."""
    arrays = _arrays(path)
    onsets = _table(Onsets, arrays, "", path)
    deaths = _table(Deaths, arrays, _OF_DEATHS, path)
    _same_length(path, "sets", {field.name: getattr(onsets, field.name) for field in fields(onsets)})
    _same_length(path, "people", {field.name: getattr(deaths, field.name) for field in fields(deaths)})
    for name, risk in (("risk", onsets.risk), ("death_risk", deaths.risk)):
        # Written so that NaN is refused too.
        if not bool(((risk >= 0) & (risk <= 1)).all()):
            raise ReportError(f"{path}: {name} holds what is no probability")
    for name, label in (("label", onsets.label), ("death_died", deaths.died)):
        if set(np.unique(label).tolist()) != {0, 1}:
            raise ReportError(f"{path}: {name} must hold both 0 and 1, and nothing else")
    if not bool((onsets.hours_to_onset > 0).all()):
        raise ReportError(
            f"{path}: hours_to_onset must be above 0: a set at or after the onset foresees nothing"
        )
    return onsets, deaths


def read_rhythm(path: Path) -> Rhythms:
    """Read `rhythm.npz`. Raises ReportError if something is missing or cannot be."""
    rhythms = _table(Rhythms, _arrays(path), "", path)
    of_windows = {"window_record", "window_probability", "window_good"}
    columns = {field.name: getattr(rhythms, field.name) for field in fields(rhythms)}
    _same_length(path, "windows", {name: columns[name] for name in of_windows})
    _same_length(
        path,
        "recordings",
        {name: column for name, column in columns.items() if name not in {*of_windows, "threshold"}},
    )
    recordings = len(rhythms.label)
    if len(rhythms.window_record) and not (
        rhythms.window_record.min() >= 0 and rhythms.window_record.max() < recordings
    ):
        raise ReportError(f"{path}: window_record names a recording that is not there")
    if not {"A", "N"} <= set(rhythms.label.tolist()):
        raise ReportError(f"{path}: label must hold both A and N")
    return rhythms


def _arrays(path: Path) -> Mapping[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise ReportError(f"{path} is not there: train the model first (make model)") from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise ReportError(f"{path} cannot be read as predictions: {error}") from error


_Table = TypeVar("_Table", Onsets, Deaths, Rhythms)


def _table(table: type[_Table], arrays: Mapping[str, npt.NDArray[Any]], prefix: str, path: Path) -> _Table:
    columns: dict[str, npt.NDArray[Any]] = {}
    for field in fields(table):
        name = f"{prefix}{field.name}"
        if name not in arrays:
            raise ReportError(f"{path}: the array {name} is missing; train the model anew (make model)")
        column = arrays[name]
        kinds = {"Floats": np.float64, "Integers": np.int64, "Booleans": np.bool_}
        kind = kinds.get(str(field.type))
        columns[field.name] = column if kind is None else column.astype(kind)
    return table(**columns)


def _same_length(path: Path, of: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise ReportError(f"{path}: not as many {of} in every array, or none: {lengths}")
