"""What was measured of late, remembered beside the card so that it need not be searched there.

For each resident the newest usable measurements and observation sets. All of it follows from the readings
and assessments on the card, from which it is made again at each start: it costs the card no byte.

It follows the writer's transaction: what a transaction that is undone has added is undone here too.

All times here are told by the present clock, so that they can be compared (`hub/timekeeping/correction.py`).
So the window is loaded when it is first needed, and again after each step of the clock: `tell_anew`.
"""

from __future__ import annotations

import bisect
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple, TypeVar

from hub.assessment.hour import Hour
from hub.assessment.observation_set import Observation, taken
from hub.clock import Step
from hub.readings import Value, Vital
from hub.store.recent_sets import SETS_LOADED, Sets, StoredSet, load_sets, moments_of_sets, with_set
from hub.store.rows import SELECT_READING, StoredReading
from hub.store.steps import all_steps
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.present import Place, Present
from hub.timekeeping.timing import TimeQuality

_Timed = TypeVar("_Timed")
_Kept = TypeVar("_Kept")
REMEMBERED_FOR = timedelta(hours=25)
_ALWAYS = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_READINGS_LOADED = 20_000
_LOADED_FOR = timedelta(hours=1)  # however many these are, up to
_READINGS_LOADED_MOST = 40_000
_WAITED_MOST = 2_000  # as `hub.intake.reception.MOST_WAITING`: so many may be older than those behind them
_LOADED_AT_ONCE = 500
_LOOKED_THROUGH = 10  # times as many, for a stream's samples, of which nine in ten are no observation
_MEASUREMENTS_KEPT = 32  # of one vital of one resident; when there are more, half of them go


class StoredMeasurement(NamedTuple):
    """A usable measurement of a resident; `reading` is the number of the reading that said it."""

    observation: Observation
    reading: int

    @staticmethod
    def of(
        sequence: int, placed: PlacedReading, measured_at: datetime, time_quality: TimeQuality
    ) -> Iterator[tuple[Vital, StoredMeasurement]]:
        """What observation sets may take from a reading, each as measured at that moment."""
        doubtful = time_quality is TimeQuality.DOUBTFUL
        for each in placed.taken:
            if (value := taken(each)) is not None:
                observation = Observation(value, measured_at, placed.reading.id, each.quality, doubtful)
                yield each.vital, StoredMeasurement(observation, sequence)


@dataclass(slots=True)
class _Vital:
    """One vital of one resident: its measurements by time, and from when on they are all here."""

    by_time: list[StoredMeasurement] = field(default_factory=list)
    complete_since: datetime | None = None


@dataclass(slots=True)
class _Window:
    """What is remembered, all of it told by one clock: of a resident all since `reached`, if it is there."""

    vitals: dict[str, defaultdict[Vital, _Vital]] = field(default_factory=dict)
    sets: dict[str, Sets] = field(default_factory=dict)
    complete_since: datetime = _ALWAYS
    reached: dict[str, datetime] = field(default_factory=dict)


class Recent:
    """The window of the newest measurements and observation sets. For the writer's thread alone.

    `steps` has every step of the clock that is on the card; `present` is the clock that tells the times here
    (None: they are as they were told), and `followed` how many steps of this process's clock it has followed
    (None: it has not begun to).
    """

    def __init__(self, connection: sqlite3.Connection, *, lasting: bool = False) -> None:
        """`lasting` where nothing is ever committed to the database (`standing_in.py`): then the window need
        not be loaded by each transaction anew."""
        self._connection = connection
        self._lasting = lasting
        self._lasts: tuple[int, _Window] | None = None
        self._undo: list[Callable[[], None]] = []
        self._too_much = False
        self._loaded: _Window | None = None
        self.steps: tuple[Step, ...] = all_steps(connection)
        self.present: Present | None = None
        self.followed: int | None = None

    @property
    def loaded(self) -> bool:
        """Whether the window is here; else it is loaded when it is first asked for anything."""
        return self._loaded is not None

    @property
    def _window(self) -> _Window:
        if self._loaded is None:
            self._load()
            assert self._loaded is not None
        return self._loaded

    def _load(self) -> None:
        # What is loaded has what this transaction has stored up to now: undone with it, it is loaded again.
        self._undo.append(partial(self._put_back, self._loaded, self.steps, self.present, self.followed))
        self._loaded = _loaded(self._connection, self.present)

    def _put_back(
        self,
        window: _Window | None,
        steps: tuple[Step, ...],
        present: Present | None,
        followed: int | None,
    ) -> None:
        self._loaded, self.steps, self.present, self.followed = window, steps, present, followed

    def add_step(self, step: Step) -> None:
        """Remember a step of the clock, which is on the card; then `tell_anew`."""
        self._undo.append(partial(self._put_back, self._loaded, self.steps, self.present, self.followed))
        self.steps = (*self.steps, step)

    def tell_anew(self, present: Present, followed: int) -> None:
        """Tell all times by another clock: that of the present, after so many steps."""
        self._undo.append(partial(self._put_back, self._loaded, self.steps, self.present, self.followed))
        first = self.followed is None  # in its transaction: nothing was stored before it
        self.present, self.followed = present, followed
        if first and self._lasts is not None and self._lasts[0] == followed:
            self._loaded = self._lasts[1]
            return
        self._loaded = _loaded(self._connection, present)
        if first and self._lasting:
            self._lasts = followed, self._loaded

    def add(self, sequence: int, placed: PlacedReading, place: Place | None = None) -> None:
        """Remember what a reading measured of its resident; `place` where the present clock tells another."""
        if placed.resident is None or self._loaded is None:  # not loaded: it will be, with this one
            return
        measured_at = placed.measured_at if place is None else place.measured_at
        quality = placed.time_quality if place is None else place.time_quality
        for by_time, stored in _remember(self._loaded, sequence, placed, measured_at, quality):
            self._undo.append(partial(by_time.remove, stored))
            self._too_much = self._too_much or len(by_time) > _MEASUREMENTS_KEPT

    def add_set(self, resident: str, stored: StoredSet, given: Mapping[Vital, Value]) -> None:
        """Remember an observation set, and what was measured at its very moment."""
        if self._loaded is None:
            return
        before = self._loaded.sets.get(resident)
        self._undo.append(partial(_put_one_back, self._loaded.sets, resident, before))
        self._loaded.sets[resident] = with_set(before, stored, given)

    def take_out(self, resident: str, sequence: int) -> None:
        """Forget what a reading measured of a resident: it is not theirs."""
        if self._loaded is None:
            return
        for known in self._loaded.vitals.get(resident, {}).values():
            for stored in [each for each in known.by_time if each.reading == sequence]:
                self._undo.append(
                    partial(_put_measured_back, known, list(known.by_time), known.complete_since)
                )
                known.by_time.remove(stored)
                if known.complete_since is not None:
                    # The one before it may be on the card alone.
                    known.complete_since = _moment(known.by_time[0]) if known.by_time else _NEVER

    def load_sets_anew(self, resident: str) -> None:
        """Load a resident's observation sets from the card again, since some were withdrawn there."""
        if self._loaded is None:
            return
        sets, before = self._loaded.sets, self._loaded.sets.get(resident)
        moments = moments_of_sets(self._connection, self.present, resident)
        found = load_sets(self._connection, self.present, moments, resident).get(resident)
        self._undo.append(partial(_put_one_back, sets, resident, before))
        if found is not None:
            sets[resident] = found
        else:
            sets.pop(resident, None)

    @contextmanager
    def beside(self, connection: sqlite3.Connection) -> Iterator[None]:
        """Meanwhile, ask this connection instead of the card's; what comes of it is to be undone by then."""
        card, self._connection = self._connection, connection
        try:
            yield
        finally:
            self._connection = card

    def covers(self, resident: str, since: datetime, until: datetime) -> bool:
        """Whether `newest` finds all that was measured of a resident from `since` to `until`.

        Of a vital that is measured every few seconds only the last minutes are here, and the newest not
        after `until` is among them, unless `until` lies before them.
        """
        if since < self._complete_since(resident):
            return False
        known = self._window.vitals.get(resident)
        return known is None or all(
            vital.complete_since is None or vital.complete_since <= since or vital.complete_since < until
            for vital in known.values()
        )

    def lacks(self, resident: str, since: datetime, until: datetime) -> datetime | None:
        """Until when it lacks what was measured of a resident from `since` on, where all later is here.

        None where it lacks nothing, or `until` itself lies before.
        """
        complete = self._complete_since(resident)
        return complete if since < complete <= until else None

    def reach_back(
        self, resident: str, since: datetime, found: Iterable[tuple[Vital, StoredMeasurement]]
    ) -> None:
        """Remember what the card has of a resident from `since` on: it need not be asked again.

        Unless the transaction is undone: it may have been rehearsed beside the card.
        """
        known = {each.reading for vital in self._vitals_of(resident).values() for each in vital.by_time}
        for vital, stored in found:
            if stored.reading not in known:
                by_time = self._vitals_of(resident)[vital].by_time
                by_time.insert(_not_after(by_time, _moment(stored), _moment), stored)
                self._too_much = self._too_much or len(by_time) > _MEASUREMENTS_KEPT
        reached = self._window.reached
        self._undo.append(partial(_put_one_back, reached, resident, reached.get(resident)))
        reached[resident] = since

    def _complete_since(self, resident: str) -> datetime:
        return self._window.reached.get(resident, self._window.complete_since)

    def _vitals_of(self, resident: str) -> defaultdict[Vital, _Vital]:
        return self._window.vitals.setdefault(resident, defaultdict(_Vital))

    def newest(self, resident: str, until: datetime) -> Iterator[tuple[Vital, StoredMeasurement]]:
        """For each vital the newest measurement not after `until`; several, where they are of one instant."""
        for vital, known in self._window.vitals.get(resident, {}).items():
            by_time = known.by_time
            position = _not_after(by_time, until, _moment)
            if position == 0:
                continue
            newest = by_time[position - 1]
            yield vital, newest
            while (position := position - 1) and _moment(by_time[position - 1]) == _moment(newest):
                yield vital, by_time[position - 1]

    def hours(self, resident: str) -> Sequence[Hour]:
        """What was measured of a resident in each of the last hours with any, oldest first."""
        sets = self._window.sets.get(resident)
        return () if sets is None else sets.hours

    def newest_set(self, resident: str) -> StoredSet | None:
        """The resident's newest observation set."""
        sets = self._window.sets.get(resident)
        return None if sets is None else sets.newest

    def mark(self) -> int:
        """Where the transaction is now, for `undo_to`."""
        return len(self._undo)

    def undo_to(self, mark: int) -> None:
        """Forget what was added since a mark of the same transaction."""
        while len(self._undo) > mark:
            self._undo.pop()()

    def settled(self) -> None:
        """The transaction is committed: keep what was added, and let go of what has become too much."""
        if self._too_much and self._loaded is not None:
            _trim(self._loaded)
        self._too_much = False
        self._undo.clear()


def _trim(window: _Window) -> None:
    """Let go of what has become too much; half of what may be kept stays, and what is of the same instant."""
    for vitals in window.vitals.values():
        for known in vitals.values():
            if len(known.by_time) > _MEASUREMENTS_KEPT:
                oldest = _moment(known.by_time[-(_MEASUREMENTS_KEPT // 2)])
                del known.by_time[: bisect.bisect_left(known.by_time, oldest, key=_moment)]
                known.complete_since = oldest


def _put_measured_back(
    known: _Vital, by_time: list[StoredMeasurement], complete_since: datetime | None
) -> None:
    known.by_time[:] = by_time
    known.complete_since = complete_since


def _put_one_back(kept: dict[str, _Kept], resident: str, before: _Kept | None) -> None:
    if before is None:
        kept.pop(resident, None)
    else:
        kept[resident] = before


def _moment(stored: StoredMeasurement) -> datetime:
    return stored.observation.measured_at


def _not_after(in_order: Sequence[_Timed], until: datetime, moment: Callable[[_Timed], datetime]) -> int:
    """How many of them are not after a moment; mostly all are."""
    if not in_order or moment(in_order[-1]) <= until:
        return len(in_order)
    return bisect.bisect_right(in_order, until, key=moment)


def _remember(
    window: _Window, sequence: int, placed: PlacedReading, measured_at: datetime, time_quality: TimeQuality
) -> list[tuple[list[StoredMeasurement], StoredMeasurement]]:
    """Take in what a reading measured; return each, with where it is now."""
    added: list[tuple[list[StoredMeasurement], StoredMeasurement]] = []
    if placed.resident is None:
        return added
    for vital, stored in StoredMeasurement.of(sequence, placed, measured_at, time_quality):
        vitals = window.vitals.get(placed.resident)
        if vitals is None:
            vitals = window.vitals[placed.resident] = defaultdict(_Vital)
        by_time = vitals[vital].by_time
        by_time.insert(_not_after(by_time, measured_at, _moment), stored)
        added.append((by_time, stored))
    return added


def _loaded(connection: sqlite3.Connection, present: Present | None) -> _Window:
    """The window from the card, by a clock; what is damaged or of another version is left out: the hub must
    start. So is what was measured nobody knows how long ago, in another boot."""
    window = _Window()
    moments = _load_readings(window, connection, present)
    window.sets = load_sets(connection, present, moments)
    return window


def _load_readings(
    window: _Window, connection: sqlite3.Connection, present: Present | None
) -> dict[int, datetime]:
    """Take in the newest readings on the card; return by number when they were measured."""
    (highest,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM reading").fetchone()
    lowest = highest - _LOOKED_THROUGH * _READINGS_LOADED_MOST
    rows = connection.execute(
        f"{SELECT_READING} WHERE r.sequence > ? AND coalesce(r.observed, '') != '[]'"
        f" ORDER BY r.sequence DESC LIMIT {_READINGS_LOADED_MOST}",
        (lowest,),
    )
    (assessed,) = connection.execute(
        "SELECT coalesce(min(reading), 0) FROM"
        f" (SELECT reading FROM assessment ORDER BY sequence DESC LIMIT {SETS_LOADED})"
    ).fetchone()
    newest = oldest = None
    count = too_old = 0
    moments: dict[int, datetime] = {}
    for row in rows:
        count += 1
        try:
            stored = StoredReading.of(row)
            place: Place | None = stored.place
            if present is not None:
                place = present.place(stored.placed.reading, stored.placed.stamp, stored.place)
        except (ValueError, TypeError, LookupError, OverflowError):
            continue
        if place is None:
            continue
        newest = newest or place.received_at
        if count > _READINGS_LOADED and newest - place.received_at > _LOADED_FOR:
            # Not the end of it: what waited for a full card has a higher number than what came after it.
            window.complete_since = max(window.complete_since, newest - _LOADED_FOR)
            too_old += 1
            if too_old > _WAITED_MOST:
                break
            continue
        if newest - place.received_at > REMEMBERED_FOR:
            window.complete_since = max(window.complete_since, newest - REMEMBERED_FOR)
            continue  # as above
        oldest = place.received_at
        if stored.sequence >= assessed:
            moments[stored.sequence] = place.measured_at
        _remember(window, stored.sequence, stored.placed, place.measured_at, place.time_quality)
        if count % _LOADED_AT_ONCE == 0:
            _trim(window)  # of a stream there is far more than is kept
    more = connection.execute("SELECT 1 FROM reading WHERE sequence <= ? LIMIT 1", (lowest,)).fetchone()
    if count >= _READINGS_LOADED_MOST or more is not None:
        window.complete_since = max(window.complete_since, oldest or _NEVER)
    return moments
