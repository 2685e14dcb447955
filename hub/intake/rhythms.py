"""Windows of a pulse's rhythm, from the stretches of sensors that tell the times between beats (straps).

What a stretch completes is stored with it, in one transaction, and made of nothing but what is on the card:
of this stretch, and of the ones before it where a window began in them. So a stretch that is taken again
changes nothing, and a window is never without what it was made of.

A window never reaches over a break: a silence, a payload with no usable pulse (no skin contact), a clock that
was set, another boot, owner or sensor. The beats of a run stand in windows of sixty
(`hub/assessment/rhythm.py`); what is left of it at a break makes one more where there is enough.

All of it is a shadow: it comes after whatever is decided of an alert, and where it fails, that is said once
and the stretch is as without it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic, thread_time
from typing import TYPE_CHECKING

from drivers.catalogue import driver
from drivers.driver import Decoded, DecodeError
from drivers.stretch import payloads
from hub.assessment.model_file import HASH_PREFIX, ModelError
from hub.assessment.rhythm import (
    GAP,
    LEAST_BEATS,
    MOST_BEATS,
    Interval,
    RhythmModel,
    Window,
    windows,
)
from hub.intake.streams import SILENCE, ClosedStretch
from hub.readings import RawPayload
from hub.shadow.risks import PATIENCE_SECONDS, REST_SECONDS
from hub.store.errors import is_fault_of_database, trouble_of_card
from hub.store.rhythm import add_windows, last_window_ended, stretch_by_id, stretches_before
from hub.store.rows import ModelName, StoredReading
from hub.timekeeping.placed import PlacedReading

if TYPE_CHECKING:
    from hub.configuration.file import Config
    from hub.store.transaction import Transaction

_log = logging.getLogger(__name__)

_MOST_BEHIND = timedelta(minutes=3)
"""How long before a stretch a window may begin that it completes: sixty beats at twenty a minute."""

Run = Sequence[Interval]


@dataclass(frozen=True, slots=True)
class Heard:
    """One payload of a stream: when it was received (aware), whether it has a usable pulse, and the times
    between beats that it tells, in seconds, the oldest first."""

    at: datetime
    usable: bool
    intervals: tuple[float, ...]


def load_rhythm_model(config: Config) -> RhythmModel | None:
    """The rhythm model, or None where it is off or cannot be used: the hub goes on without it."""
    if config.rhythm.mode == "off":
        return None
    try:
        model = RhythmModel.configured(config.rhythm.file)
    except ModelError as error:
        _log.error("%s The hub goes on without it; NEWS2 and its alerts do not need it.", error)
        return None
    except Exception:  # noqa: BLE001  # no fault of a model may keep a hub from starting
        _log.exception("no rhythm model, since it cannot be loaded; please report this")
        return None
    _log.info("rhythm model %s %s loaded, in shadow mode", model.name, model.version)
    return model


class Rhythms:
    """Stores what the stretches of streams say of their residents' rhythm. For the writer's thread alone."""

    def __init__(self, model: RhythmModel | None) -> None:
        self._model = model
        self._fails = False
        self._rests_until = 0.0

    def take(self, transaction: Transaction, closed: ClosedStretch) -> None:
        """Store the windows that a stretch completes, which was stored just before as its owner's.

        Raises:
            sqlite3.Error: the database could not do it. Unless it takes nothing at all (card full, read-only)
                no more windows are made until the hub starts again: else no stretch were ever stored.
        """
        if self._model is None or not closed.tells_beats or monotonic() < self._rests_until:
            return
        depth, begun = transaction.begin_piece(), thread_time()
        try:
            self._take(transaction, closed, self._model)
            transaction.keep_piece()
        except Exception as error:
            if is_fault_of_database(error):
                if trouble_of_card(error) not in {"full", "read-only"}:
                    self._model = None
                    _log.error(
                        "windows of rhythm cannot be stored (%s): there will be no more of them", error
                    )
                raise
            transaction.undo_piece(depth)
            self._say_once_that_it_fails()
        finally:
            self._rest_if_slow(thread_time() - begun)

    def _rest_if_slow(self, seconds: float) -> None:
        """A commit, and so an alert of another, waits for it."""
        if seconds > PATIENCE_SECONDS:
            self._rests_until = monotonic() + REST_SECONDS
            _log.error(
                "the rhythm of a pulse took %.1f s of the processor; none is judged for %.0f minutes",
                seconds,
                REST_SECONDS / 60,
            )

    def _say_once_that_it_fails(self) -> None:
        if not self._fails:
            self._fails = True
            _log.error(
                "the rhythm of a pulse could not be judged; NEWS2 and its alerts go on without it; please"
                " report this",
                exc_info=True,
            )

    def _take(self, transaction: Transaction, closed: ClosedStretch, model: RhythmModel) -> None:
        connection = transaction.connection
        stretch = stretch_by_id(connection, closed.reading.id)
        if stretch is None or stretch.placed.resident is None:
            return
        found = [model.judged(window) for window in completed(_runs(connection, stretch))]
        if found:
            name = ModelName(model.name, model.version, model.sha256[:HASH_PREFIX])
            add_windows(connection, stretch.sequence, found, model.threshold, name)


def completed(runs: Sequence[Run]) -> list[Window]:
    """The windows of runs of beats, oldest first. The last run may go on: of that, those that are full.

    Of the end of a run there is one only where the stretch says in which the run broke off: not of what a
    silence of ten seconds ended, which closes the stretch first. It is less than a window.
    """
    *over, last = runs
    of_over = [each for run in over for each in windows(run) if len(each.intervals_ms) >= LEAST_BEATS]
    return of_over + windows(last[: len(last) // MOST_BEATS * MOST_BEATS])


def _runs(connection: sqlite3.Connection, stretch: StoredReading) -> Sequence[Run]:
    """The runs of beats that a stretch ends, from the end of the last window on that was made of them."""
    heard, done = _heard(stretch), None
    since = heard[0].at - _MOST_BEHIND
    for before in stretches_before(connection, stretch):
        if not _goes_on(before.placed, stretch.placed, heard[0].at):
            break
        done = last_window_ended(connection, before.sequence)
        heard = _heard(before) + heard
        if done is not None or heard[0].at < since:
            break
    runs = in_runs(heard)
    return runs if done is None else _after(runs, done)


def _after(runs: Sequence[Run], done: datetime) -> Sequence[Run]:
    """What comes after the beat that ended a window: by its place, since notifications may come unevenly, and
    the beats of one then seem to be before the last one's."""
    for place, run in reversed(list(enumerate(runs))):
        for last, beat in reversed(list(enumerate(run))):
            if beat.ended == done:
                return [run[last + 1 :], *runs[place + 1 :]]
    return [[beat for beat in run if beat.ended > done] for run in runs]


def _goes_on(before: PlacedReading, placed: PlacedReading, at: datetime) -> bool:
    """Whether what was heard at a moment follows upon the stretch before it, of one person, by one clock."""
    one, other = ((each.resident, each.stamp.boot, each.stamp.quality) for each in (before, placed))
    if one != other:
        return False
    return timedelta(0) <= at - before.reading.raw.received_at < SILENCE


def in_runs(heard: Iterable[Heard]) -> Sequence[Run]:
    """What was heard, in runs without a break; the last one may be empty."""
    runs: list[list[Interval]] = [[]]
    for each in heard:
        if not each.usable and runs[-1]:
            runs.append([])
        ended = each.at - timedelta(seconds=sum(each.intervals))
        for seconds in each.intervals:
            ended += timedelta(seconds=seconds)
            if runs[-1] and ended - runs[-1][-1].ended > timedelta(seconds=seconds) + GAP:
                runs.append([])
            runs[-1].append(Interval(ended, seconds * 1000))
    return runs


def _heard(stretch: StoredReading) -> list[Heard]:
    """What a stretch is made of, oldest first."""
    samples = payloads(stretch.placed.reading.raw)
    decoders = driver(samples[0].driver).characteristics
    decode = decoders[samples[0].characteristic or next(iter(decoders))]
    return [_heard_of(each, decode) for each in samples]


def _heard_of(sample: RawPayload, decode: Callable[[bytes], Decoded]) -> Heard:
    try:
        said = decode(sample.payload)
    except DecodeError:
        return Heard(sample.received_at, False, ())
    usable = any(measured.usable for measured in said.measurements)
    return Heard(sample.received_at, usable, said.beat_intervals)
