"""What a model said, kept so that it can be judged later by what happened: the history of its risks.

An assessment goes with its readings (`retention.py`: after 90 days, unless set otherwise). What is needed to
judge a model, who, when, which risk, which score, what was missing, is kept longer (`store.keep_scores`) in
`kept_score`, some 60 bytes a row: retention puts it there when it removes an assessment, so that it costs
nothing until then. Values are not in it.

**One row an hour** (UTC) of each resident and model, the last set in it: a round of cuff, oximeter and
thermometer makes several sets within minutes, of which the last knows most, and a stream one a minute. With
it stand the `highest` risk of the hour, and whether any of its sets would have alerted.

Risks are the model's own probabilities, whatever a site's recalibration made of them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from hub.clock import ClockQuality, from_microseconds, to_microseconds
from hub.readings import Value, Vital
from hub.store.encoding import CLOCK_QUALITIES, VITAL_NUMBERS, VITALS, observations_of
from hub.store.rows import ModelName

HOUR = timedelta(hours=1)
MOST_LOOKED_AT = 500_000
"""Assessments that are looked through for what is recent: a month of twelve residents who are streamed."""

Row = tuple[object, ...]
_MICROSECOND = timedelta(microseconds=1)
_HOUR = HOUR // _MICROSECOND

_AT = "coalesce(a.at, r.measured_at, r.received_at)"
_RISK = "coalesce(a.uncalibrated, a.risk)"
_FROM = (
    "FROM assessment a JOIN reading r ON r.sequence = a.reading"
    # A damaged card may have anything in place of a number, which must not keep all others from being found.
    f" WHERE {_RISK} BETWEEN 0 AND 1 AND a.model"
)
_ASSESSED = (
    f"SELECT a.resident, a.model, {_AT}, r.clock, {_RISK}, a.would_alert, a.band, a.total,"
    f" a.observations, a.reading, a.age {_FROM} IS NOT NULL"
)
_KEEP = (
    "INSERT INTO kept_score (resident, hour, model, at, clock, risk, highest, would_alert, band, total,"
    " vitals, age) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
    " ON CONFLICT (resident, hour, model) DO UPDATE SET at = ?4, clock = ?5, risk = ?6,"
    " highest = max(highest, ?7),"
    " would_alert = max(coalesce(would_alert, ?8), coalesce(?8, would_alert)),"
    " band = ?9, total = ?10, vitals = ?11, age = ?12"
)


@dataclass(frozen=True, slots=True)
class Score:
    """The last set of a resident in an hour: what a model said of it, and what NEWS2 did.

    `risk` is the model's own probability, `highest` the highest of that hour; `would_alert` is None where
    there was no threshold. `total` is NEWS2's, the least that it can be where a vital of it is not among
    `vitals`, those that the set knew. `clock` is how far the hub's clock was to be believed.
    """

    resident: str
    at: datetime
    clock: ClockQuality
    risk: float
    highest: float
    would_alert: bool | None
    band: str
    total: int
    vitals: frozenset[Vital]
    age: int | None
    model: ModelName


@dataclass(frozen=True, slots=True)
class RecentSet:
    """A set as it is compared with what the model was trained on."""

    values: dict[Vital, Value]
    age: int | None
    risk: float


def rows_to_keep(connection: sqlite3.Connection, assessments: Sequence[int]) -> list[Row]:
    """Of these assessments what outlives them, in their order; those without a risk have nothing."""
    rows = connection.execute(
        f"{_ASSESSED} AND a.sequence IN (SELECT value FROM json_each(?)) ORDER BY a.sequence",
        (json.dumps(list(assessments)),),
    )
    return _merged(rows)


def keep(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Store what `rows_to_keep` found, within the transaction that removes the assessments."""
    connection.executemany(_KEEP, rows)


def trim(connection: sqlite3.Connection, before: datetime) -> int:
    """Let go of what is of before then; return how many rows."""
    return connection.execute("DELETE FROM kept_score WHERE at < ?", (to_microseconds(before),)).rowcount


def history(connection: sqlite3.Connection) -> Iterator[Score]:
    """All that is known, of what was removed and of what is still there, in no order of time.

    What cannot be read, since the card is damaged, is left out.
    """
    models = {
        number: ModelName(str(name), str(version), str(sha256))
        for number, name, version, sha256 in connection.execute(
            "SELECT number, name, version, sha256 FROM model"
        )
    }
    found: dict[tuple[object, ...], Row] = {
        tuple(row[:3]): tuple(row)
        for row in connection.execute(
            "SELECT * FROM kept_score WHERE risk BETWEEN 0 AND 1 AND highest BETWEEN 0 AND 1"
        )
    }
    for row in _merged(connection.execute(f"{_ASSESSED} ORDER BY a.sequence")):
        before = found.get(row[:3])
        found[row[:3]] = row if before is None else _later(before, row)
    for row in found.values():
        try:
            yield _score(row, models)
        except (ValueError, TypeError, LookupError, OverflowError):
            continue


def recent_risks(
    connection: sqlite3.Connection, model: ModelName, since: datetime, now: datetime
) -> Iterator[tuple[str, int, float]]:
    """Of each resident and hour since then the highest risk by this model: (resident, microseconds, risk).

    The time is when the hour began.
    """
    rows = connection.execute(
        f"SELECT a.resident, {_AT} / {_HOUR}, max({_RISK}) {_FROM} = ? AND a.sequence >= ?"
        f" AND {_AT} BETWEEN ? AND ? GROUP BY 1, 2",
        (*_recent(connection, model, since), to_microseconds(since), to_microseconds(now)),
    )
    for resident, hour, risk in rows:
        yield str(resident), hour * _HOUR, float(risk)


def recent_sets(
    connection: sqlite3.Connection, model: ModelName, since: datetime, now: datetime, most: int
) -> Iterator[RecentSet]:
    """Of each resident and hour since then the last set that this model saw, the newest `most` of them."""
    rows = connection.execute(
        f"SELECT a.observations, a.reading, a.age, {_RISK}, max(a.sequence) {_FROM} = ? AND a.sequence >= ?"
        f" AND {_AT} BETWEEN ? AND ? GROUP BY a.resident, {_AT} / {_HOUR}"
        " ORDER BY max(a.sequence) DESC LIMIT ?",
        (*_recent(connection, model, since), to_microseconds(since), to_microseconds(now), most),
    )
    for observations, reading, age, risk, _ in rows:
        try:
            values = {vital: value for vital, (value, _) in observations_of(observations, reading).items()}
        except (ValueError, TypeError, LookupError):
            continue
        yield RecentSet(values, age, float(risk))


def _recent(connection: sqlite3.Connection, model: ModelName, since: datetime) -> tuple[int, int]:
    """The model's number (0: it is not known), and the first assessment to look at."""
    row = connection.execute(
        "SELECT number FROM model WHERE name = ? AND version = ? AND sha256 = ?",
        (model.name, model.version, model.sha256),
    ).fetchone()
    return (0 if row is None else int(row[0])), _first_since(connection, since)


def _first_since(connection: sqlite3.Connection, since: datetime) -> int:
    """Below it no assessment is of a reading that came since then; where the clock was wrong, hardly any.

    Numbers go up in the order of arrival, and there is no index of times.
    """
    low, high = connection.execute(
        "SELECT coalesce(min(sequence), 0), coalesce(max(sequence), 0) + 1 FROM assessment"
    ).fetchone()
    low = max(low, high - MOST_LOOKED_AT)
    bound = to_microseconds(since)
    while low < high:
        middle = (low + high) // 2
        number, received_at = connection.execute(
            "SELECT a.sequence, r.received_at FROM assessment a JOIN reading r ON r.sequence = a.reading"
            " WHERE a.sequence >= ? AND a.at IS NULL ORDER BY a.sequence LIMIT 1",
            (middle,),
        ).fetchone() or (0, bound)
        low, high = (low, middle) if received_at >= bound else (number + 1, high)
    return int(low)


def _merged(rows: Iterable[Sequence[Any]]) -> list[Row]:
    """One row an hour, as `kept_score` has its columns."""
    found: dict[tuple[object, ...], Row] = {}
    for row in rows:
        try:
            made = _kept(*row)
        except (ValueError, TypeError, LookupError, OverflowError):
            continue  # damaged: what cannot be read judges nothing
        before = found.get(made[:3])
        found[made[:3]] = made if before is None else _later(before, made)
    return list(found.values())


def _kept(
    resident: object,
    model: object,
    at: int,
    clock: object,
    risk: float,
    would_alert: object,
    band: object,
    total: object,
    observations: str,
    reading: int,
    age: object,
) -> Row:
    known = (
        VITAL_NUMBERS[vital]
        for vital, (value, _) in observations_of(observations, reading).items()
        if not isinstance(value, float) or isfinite(value)
    )
    vitals = " ".join(map(str, sorted(known)))
    return (resident, at // _HOUR, model, at, clock, risk, risk, would_alert, band, total, vitals, age)


def _later(before: Row, now: Row) -> Row:
    """Of two rows of an hour the later to come, with the highest risk, and whether any would have alerted."""
    highest = max(float(str(before[6])), float(str(now[6])))
    alerts = [each for each in (before[7], now[7]) if isinstance(each, int)]
    return (*now[:6], highest, max(alerts, default=None), *now[8:])


def _score(row: Row, models: dict[int, ModelName]) -> Score:
    resident, _, model, at, clock, risk, highest, would_alert, band, total, vitals, age = row
    assert isinstance(at, int)
    return Score(
        resident=str(resident),
        at=from_microseconds(at),
        clock=CLOCK_QUALITIES[int(str(clock))],
        risk=float(str(risk)),
        highest=float(str(highest)),
        would_alert=None if would_alert is None else bool(would_alert),
        band=str(band),
        total=int(str(total)),
        vitals=frozenset(VITALS[int(number)] for number in str(vitals).split()),
        age=None if age is None else int(str(age)),
        model=models[int(str(model))],
    )
