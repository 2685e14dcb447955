"""What is remembered of one resident: newest values, scores, when they are due. No card, no clock."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hub.assessment.news2 import PARAMETERS, Band
from hub.overview.attention import Done, Scored
from hub.overview.glance import KnownValue, PastScore
from hub.readings import Quality, Vital
from hub.store.rows import AssessmentRow

SCORES_KEPT = timedelta(days=7)
VALUES_KEPT = timedelta(days=30)

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Remembered:
    """What the board makes a glance of; it is taken in one reading and one set after another.

    `newest_set` and `complete_set` are rows with their moments, put right.
    """

    newest: dict[Vital, KnownValue] = field(default_factory=dict)
    newest_set: tuple[datetime, AssessmentRow] | None = None
    complete_set: tuple[datetime, AssessmentRow] | None = None
    hours: dict[int, PastScore] = field(default_factory=dict)
    _done: Done = field(default_factory=Done)
    _done_at: datetime | None = None
    _done_band: Band = Band.ZERO
    _asked: dict[Band, datetime] = field(default_factory=dict)

    def take_value(self, value: KnownValue) -> None:
        """Take in what was measured: the newest counts, as in observation sets (`observation_set.form`)."""
        known = self.newest.get(value.vital)
        if known is None or _preference(value) > _preference(known):
            self.newest[value.vital] = value

    def take_set(self, row: AssessmentRow, past: PastScore) -> None:
        """Take in a set whose row and place among the past scores these are."""
        newest = self.newest_set
        if newest is None or (past.at, row.sequence) >= (newest[0], newest[1].sequence):
            self.newest_set = past.at, row
        complete = self.complete_set
        if past.complete and (complete is None or past.at >= complete[0]):
            self.complete_set = past.at, row
        hour = (past.at - _BEGIN) // _HOUR
        known = self.hours.get(hour)
        if known is None:
            self.hours[hour] = past
        else:
            self.hours[hour] = higher_of(known, past)
        self._ask(row, past)

    def _ask(self, row: AssessmentRow, past: PastScore) -> None:
        """Keep of what was scored since the newest set that is done the earliest of each band: the others ask
        for nothing earlier."""
        if self._done_at is not None and past.at < self._done_at:
            return  # it came late; what was done after it counts
        newest = self.newest_set
        in_its_order = newest is not None and newest[1] is row
        if in_its_order and self._done.counts(row.observations):
            self._done_at, self._done_band = past.at, past.band
            self._asked.clear()
            return
        self._asked[past.band] = min(past.at, self._asked.get(past.band, past.at))

    @property
    def asking(self) -> Iterable[Scored]:
        """What `hub.overview.attention.next_due` needs to know."""
        done = [] if self._done_at is None else [Scored(self._done_at, self._done_band, done=True)]
        return [*done, *(Scored(at, band, done=False) for band, at in self._asked.items())]

    def scores(self, since: datetime) -> tuple[PastScore, ...]:
        """The highest of each hour since then, oldest first; what is older is forgotten."""
        first = (since - _BEGIN) // _HOUR
        for hour in [hour for hour in self.hours if hour < first]:
            del self.hours[hour]
        return tuple(self.hours[hour] for hour in sorted(self.hours))


def higher_of(one: PastScore, other: PastScore) -> PastScore:
    """Of two scores of an hour the one that a picture shows (`PastScore`), with the higher risk of both."""
    chosen = max(one, other, key=lambda each: (each.band.rank, each.total, each.complete, each.at))
    risks = [each.risk for each in (one, other) if each.risk is not None]
    highest = max(risks, default=None)
    if chosen.risk == highest:
        return chosen
    return PastScore(chosen.at, chosen.total, chosen.band, chosen.complete, highest)


def by_hours(scores: Iterable[PastScore]) -> tuple[PastScore, ...]:
    """The highest of each hour (UTC), oldest first."""
    hours: dict[int, PastScore] = {}
    for each in scores:
        hour = (each.at - _BEGIN) // _HOUR
        hours[hour] = higher_of(hours[hour], each) if hour in hours else each
    return tuple(hours[hour] for hour in sorted(hours))


def _preference(value: KnownValue) -> tuple[datetime, bool, uuid.UUID]:
    return value.measured_at, value.quality is Quality.GOOD, value.reading


def measured(newest: Iterable[KnownValue]) -> dict[Vital, datetime]:
    """When the newest usable value of each parameter of NEWS2 was measured."""
    return {each.vital: each.measured_at for each in newest if each.vital in PARAMETERS}
