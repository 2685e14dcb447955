"""Rounds: whose turn it is on a kit that many residents share, now and of late. Pure.

A kit is one cuff, one oximeter and so on that go from resident to resident, with a reader of wristbands. The
scan of a wristband opens a round for the resident who wears it, on the reader's kit; or a person opens one on
the staff page. The round lasts

- until another resident is scanned there, or a round is opened for another on the page;
- until a person closes it on the page, or its resident has left;
- until something is scanned that is nobody's wristband here, or that was damaged on its way: whoever was
  scanned, it need not be the resident of the round;
- until the reader is pulled out or forgotten, or is heard only from now on: who is scanned then nobody knows;
- or until it times out: so long after their last scan. Scanned again before, the same resident goes on.

All of it goes by the clock that nobody sets, so that setting the time opens and closes nothing. What was
measured in a round is decided in `hub/attribution/rule.py`. A reading may be stored long after it was
received, on a card that was full; so the rounds of late are remembered, a bounded number of each kit. They
are not kept over a restart of the hub, on purpose: without a round a reading is nobody's, and waits for a
person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from hub.clock import ClockStamp
from hub.trail import Moment

REMEMBERED = 500
"""Rounds of each kit: of days, in a home of thirty residents. What is older is nobody's."""


class Closing(StrEnum):
    """Why a round was closed."""

    NEXT_SCAN = "next scan"
    NEXT_ROUND = "opened for another"
    BY_PERSON = "by a person"
    RESIDENT_LEFT = "resident not watched any more"
    UNKNOWN_CODE = "unknown code"
    DAMAGED_SCAN = "damaged scan"
    READER_UNHEARD = "reader not heard"
    TIME_OUT = "time-out"


@dataclass(frozen=True, slots=True)
class Round:
    """One resident's turn on a kit (None: the one of all that name none), opened by the reader with that
    address, or `by` a person (then `reader` is None). `until` is the time since boot from which on it is
    over; `closed` says why, once it is."""

    kit: str | None
    resident: str
    reader: str | None
    opened: Moment
    until: timedelta
    closed: Closing | None = None
    by: str | None = None

    @property
    def ends_at(self) -> datetime:
        """When it is over, or was, by the clock that said when it was opened."""
        return self.opened.at + (self.until - self.opened.stamp.since_boot)

    def has(self, stamp: ClockStamp) -> bool:
        """Whether that moment is in it."""
        began = self.opened.stamp
        return began.boot == stamp.boot and began.since_boot <= stamp.since_boot < self.until


class Rounds:
    """The rounds of every kit. Moments are given in their order; any thread may ask, one may change."""

    def __init__(self, lasts: timedelta) -> None:
        self._lasts = lasts
        self._rounds: dict[str | None, tuple[Round, ...]] = {}  # of each kit, the newest last; replaced whole

    def open(
        self, kit: str | None, resident: str, reader: str | None, moment: Moment, by: str | None = None
    ) -> Sequence[Round]:
        """It is this resident's turn: their round on the kit goes on, or a new one replaces another's.

        `reader` has scanned their wristband; or it is None, and a person has said so (`by`). Returns what was
        closed and what was opened, in this order; nothing where it goes on.
        """
        until = moment.stamp.since_boot + self._lasts
        timed_out = self._time_out(kit, moment.stamp)
        current = self._current(kit)
        if current is not None and current.resident == resident:
            self._replace_newest(replace(current, until=until))
            return timed_out
        closed = self.close(kit, Closing.NEXT_SCAN if by is None else Closing.NEXT_ROUND, moment)
        opened = Round(kit, resident, reader, moment, until, by=by)
        self._rounds = {**self._rounds, kit: (*self._of(kit), opened)[-REMEMBERED:]}
        return [*timed_out, *closed, opened]

    def close(self, kit: str | None, why: Closing, moment: Moment) -> Sequence[Round]:
        """It is nobody's turn on the kit any more. Returns what was closed."""
        timed_out = self._time_out(kit, moment.stamp)
        current = self._current(kit)
        if current is None:
            return timed_out
        closed = replace(current, until=moment.stamp.since_boot, closed=why)
        self._replace_newest(closed)
        return [*timed_out, closed]

    def time_out(self, stamp: ClockStamp) -> Sequence[Round]:
        """Close what has lasted long enough by now, and return it. Nothing depends on when this is asked:
        such a round was over from its `until` on."""
        return [each for kit in self._rounds for each in self._time_out(kit, stamp)]

    def at(self, kit: str | None, stamp: ClockStamp) -> Round | None:
        """The round that there was on the kit at that moment; None where there was none, or none is
        remembered."""
        # They follow one another: the first that was opened by then is the only one that can have it.
        for each in reversed(self._of(kit)):
            if each.opened.stamp.since_boot <= stamp.since_boot:
                return each if each.has(stamp) else None
        return None

    def open_rounds(self, stamp: ClockStamp) -> tuple[Round, ...]:
        """The rounds that are open at this moment, the newest last."""
        found = [each for kit in self._rounds if (each := self.at(kit, stamp)) is not None]
        return tuple(sorted(found, key=lambda each: each.opened.stamp.since_boot))

    def _of(self, kit: str | None) -> tuple[Round, ...]:
        return self._rounds.get(kit, ())

    def _current(self, kit: str | None) -> Round | None:
        """The newest, unless it is closed."""
        newest = self._of(kit)[-1:]
        return newest[0] if newest and newest[0].closed is None else None

    def _time_out(self, kit: str | None, stamp: ClockStamp) -> Sequence[Round]:
        current = self._current(kit)
        if current is None or stamp.since_boot < current.until:
            return []
        closed = replace(current, closed=Closing.TIME_OUT)
        self._replace_newest(closed)
        return [closed]

    def _replace_newest(self, changed: Round) -> None:
        kit = changed.kit
        self._rounds = {**self._rounds, kit: (*self._of(kit)[:-1], changed)}
