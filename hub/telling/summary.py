"""What happened in a period, for those who look at many homes: pure functions over what the store keeps.

Of each resident: how often each vital was measured, its range, and how its median differs from that of the
period before, of equal length; the highest score; how many observation sets were due and how many were done;
the alerts, and how long each waited for somebody. Of the hub: its sensors, and what it could not use.

Whatever happens is counted in the period in which it happened, and in no other: an alert raised at 18:59 and
acknowledged at 19:40 is raised in one and acknowledged, after 41 minutes, in the next.

**Due.** How many observation sets were due follows from chart 4 of NEWS2 (Royal College of Physicians 2017):
0 points, one in 12 hours; 1 to 4, one in 6; 3 in one parameter, or 5 and more, one an hour ("7 or more:
continuous monitoring" is counted as hourly, the least that it can mean). The newest complete score says how
often; a partial one after it may ask for more and never for less, since it is the least that the score can
be. The number is not a whole one, so that it can be added up: 8 hours at 0 points ask for 0.67 sets.

A weight or a glucose is summed up as any other vital, and makes no set: nobody was observed by it, so that
somebody who was weighed and nothing else counts as not observed, and has no score.

Of a stream the range is that of its stretches (`hub/stretch.py`), every usable second of it, and not only of
what was observed; and there are the time with a usable value, and the time below each threshold there was.
A stretch is counted where it ends. Count, median and change are of what was observed, as of any vital.

**Done.** Only a complete set counts, and only if all seven parameters were measured anew since the one that
counted before: a pulse that is measured every 30 seconds makes no new set of an old temperature.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from math import isfinite
from statistics import median
from uuid import UUID

from hub.alerts.life import Alert
from hub.assessment.news2 import DUE_WITHIN, PARAMETERS, Band
from hub.clock import ClockQuality, from_microseconds, to_microseconds
from hub.readings import Vital
from hub.store.rows import AssessmentRow
from hub.stretch import Stretch, StretchedVital
from hub.telling.irregular_pulse import PulseSummary

_BANDS = tuple(Band)


@dataclass(frozen=True, slots=True)
class Period:
    """From `since`, up to and without `until`; both aware."""

    since: datetime
    until: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.since <= moment < self.until

    @property
    def before(self) -> Period:
        """The period before it, of equal length."""
        return Period(self.since - (self.until - self.since), self.since)


@dataclass(frozen=True, slots=True)
class VitalSummary:
    """One vital of one resident, in the vital's unit. `change` is the median's, against the period before.

    Coded vitals (consciousness, oxygen) have no range and no median. `usable` is for how long streams had a
    usable value (None: none had one), `below` each threshold, and for how long they were below it.
    """

    count: int
    lowest: float | None = None
    highest: float | None = None
    median: float | None = None
    change: float | None = None
    usable: timedelta | None = None
    below: tuple[tuple[float, timedelta], ...] = ()


@dataclass(frozen=True, slots=True)
class HighestScore:
    """The highest NEWS2 of a period; `complete` says whether nothing was missing in it."""

    total: int
    band: Band
    complete: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class AlertsSummary:
    """What became of alerts in a period, whenever they were raised.

    `never_acknowledged` ended before anybody had acknowledged them; `waiting` had neither ended nor been
    acknowledged at the period's end. `waited` has how long those that were acknowledged had waited for it,
    since each was raised; where the clock was set in between so that this is less than nothing, it is not
    known and left out.
    """

    raised: int = 0
    acknowledged: int = 0
    resolved: int = 0
    never_acknowledged: int = 0
    escalated: int = 0
    waiting: int = 0
    waited: tuple[timedelta, ...] = ()

    @property
    def median_wait(self) -> timedelta | None:
        """How long an alert waited for somebody: the middle one."""
        if not self.waited:
            return None
        return timedelta(seconds=median(wait.total_seconds() for wait in self.waited))

    @property
    def longest_wait(self) -> timedelta | None:
        """How long the one waited that waited longest."""
        return max(self.waited, default=None)


@dataclass(frozen=True, slots=True)
class ResidentSummary:
    """A resident's period; `sets` were formed, `done` of them complete and new, `due` asked for. `pulse` is
    what was found of their rhythm, a shadow; None where nothing was."""

    resident: str
    period: Period
    vitals: Mapping[Vital, VitalSummary]
    highest: HighestScore | None
    sets: int
    done: int
    due: float
    alerts: AlertsSummary
    pulse: PulseSummary | None = None


@dataclass(frozen=True, slots=True)
class DeviceSummary:
    """A sensor's period. `battery` is in percent; None where it is not known.

    `last_heard` is None where that was not in the period, nor in the days before it that were looked at.
    """

    device: str
    driver: str
    readings: int
    not_decoded: int
    last_heard: datetime | None
    battery: int | None = None


@dataclass(frozen=True, slots=True)
class HubState:
    """How the hub is when the summary is made.

    `removed` is what retention removed in the life of this database; `trail` is the trail's head. Of
    the model's inputs `inputs_differ` has those that differ from its training (None: not known),
    `inputs_changed` those that differ from the home's own first month.
    """

    waiting: int
    set_aside: int
    removed: Mapping[str, int]
    trail: str
    clock: ClockQuality
    inputs_differ: tuple[str, ...] | None = None
    inputs_changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShadowSummary:
    """What the model would have alerted in a period, by the thresholds that were in force.

    `would_alert` counts as `hub/assessment/budget.py` does: who stays above is counted once. Of the `news2`
    alerts that were raised in the period, `coincided` had such a one of the same resident within 12 hours
    before or after. `scored` is how many sets got a risk while there was a threshold.
    """

    scored: int
    would_alert: int
    news2: int
    coincided: int


@dataclass(frozen=True, slots=True)
class HubSummary:
    """The hub's period. `unobserved` are the residents of whom no set was formed: of whom nothing at all
    was measured, or nothing but weight and glucose. `shadow` is None where no model had a threshold."""

    period: Period
    readings: int
    unassigned: int
    not_decoded: int
    devices: tuple[DeviceSummary, ...]
    alerts: AlertsSummary
    residents: int
    unobserved: tuple[str, ...]
    state: HubState
    shadow: ShadowSummary | None = None


class Tally:
    """A resident's period while its assessments are counted, in the order in which the hub came to them.

    It keeps numbers and no rows: a week of a home that streams is a million of them.
    """

    def __init__(self, resident: str, period: Period) -> None:
        self._resident = resident
        self._period = period
        self._before = period.before
        self._now: dict[Vital, _Values] = {}
        self._earlier: dict[Vital, _Values] = {}
        self._scored_at, self._scores = array("q"), bytearray()
        self._highest: HighestScore | None = None
        self._sets = 0
        self._done = 0
        self._counted: frozenset[int] = frozenset()

    def add(self, row: AssessmentRow) -> None:
        """Count one assessment; of one from outside the period, what bears upon it.

        Raises:
            ValueError: its band is not one.
        """
        band, complete = Band(row.band), _complete(row)
        if row.at >= self._period.until:
            return
        if row.at in self._before:
            _measure(row, self._earlier)
        if row.at in self._period:
            _measure(row, self._now)
        if not row.is_of_a_score:
            return
        self._scored_at.append(to_microseconds(row.at))
        self._scores.append(band.rank << 1 | complete)
        new = not complete or self._counted.isdisjoint(
            reading for vital, (_, reading) in row.observations.items() if vital in PARAMETERS
        )
        if complete and new:
            self._counted = frozenset(row.observations[vital][1] for vital in PARAMETERS)
        if row.at not in self._period:
            return
        self._sets += 1
        self._done += complete and new
        found = HighestScore(row.total, band, complete, row.at)
        if self._highest is None or _height(found) >= _height(self._highest):
            self._highest = found

    def add_stretch(self, at: datetime, stretch: Stretch) -> None:
        """Count a stretch of a stream of theirs, which ended then."""
        if at in self._period:
            for each in stretch.vitals:
                self._now.setdefault(each.vital, _Values()).add_stretch(each)

    def summary(self, alerts: AlertsSummary, pulse: PulseSummary | None = None) -> ResidentSummary:
        """What was counted until now, with what was counted elsewhere."""
        return ResidentSummary(
            resident=self._resident,
            period=self._period,
            vitals={
                vital: self._now[vital].summary(self._earlier.get(vital))
                for vital in Vital
                if vital in self._now
            },
            highest=self._highest,
            sets=self._sets,
            done=self._done,
            due=_due(self._period, sorted(zip(self._scored_at, self._scores, strict=True))),
            alerts=alerts,
            pulse=pulse,
        )


def of_alerts(alerts: Iterable[Alert], period: Period, escalated: Collection[UUID]) -> AlertsSummary:
    """What became of alerts in a period.

    Args:
        alerts: those raised before its end, of which not all need bear upon it.
        escalated: the alerts that climbed their ladder in the period.
    """
    alerts = [alert for alert in alerts if alert.raised_at < period.until]
    acknowledged = [alert for alert in alerts if alert.acknowledged_at and alert.acknowledged_at in period]
    ended = [alert for alert in alerts if alert.resolved_at and alert.resolved_at in period]
    waits = (
        alert.acknowledged_at - alert.raised_at for alert in acknowledged if alert.acknowledged_at is not None
    )
    return AlertsSummary(
        raised=sum(alert.raised_at in period for alert in alerts),
        acknowledged=len(acknowledged),
        resolved=len(ended),
        never_acknowledged=sum(not _by(alert.acknowledged_at, alert.resolved_at) for alert in ended),
        escalated=sum(alert.id in escalated for alert in alerts),
        waiting=sum(
            not _before(alert.acknowledged_at, period.until) and not _before(alert.resolved_at, period.until)
            for alert in alerts
        ),
        waited=tuple(wait for wait in waits if wait >= timedelta(0)),
    )


def _by(moment: datetime | None, at: datetime | None) -> bool:
    return moment is not None and at is not None and moment <= at


def _before(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment < at


class _Values:
    """The values of one vital."""

    __slots__ = ("_below", "_count", "_numbers", "_range", "_usable")

    def __init__(self) -> None:
        self._count = 0
        self._numbers = array("d")
        self._range = array("d")  # of stretches: the lowest and the highest
        self._usable: timedelta | None = None
        self._below: dict[float, timedelta] = {}

    def add(self, value: object) -> None:
        self._count += 1
        if isinstance(value, float) and isfinite(value):  # beyond what its sensor can say there is no range
            self._numbers.append(value)

    def add_stretch(self, said: StretchedVital) -> None:
        said_before = self._range or (said.lowest, said.highest)
        self._range = array("d", (min(*said_before, said.lowest), max(*said_before, said.highest)))
        self._usable = (self._usable or timedelta(0)) + said.usable
        if said.below is not None and said.threshold is not None:
            self._below[said.threshold] = self._below.get(said.threshold, timedelta(0)) + said.below

    def summary(self, before: _Values | None) -> VitalSummary:
        middle = median(self._numbers) if self._numbers else None
        earlier = before._numbers if before is not None else ()
        return VitalSummary(
            count=self._count,
            lowest=min(chain(self._numbers, self._range), default=None),
            highest=max(chain(self._numbers, self._range), default=None),
            median=middle,
            # Not 0.10000000000000142.
            change=round(middle - median(earlier), 6) if middle is not None and earlier else None,
            usable=self._usable,
            below=tuple(sorted(self._below.items())),
        )


def _measure(row: AssessmentRow, values: dict[Vital, _Values]) -> None:
    """Note what was measured anew: not what a set carried from a reading before."""
    for vital, (value, reading) in row.observations.items():
        if reading == row.reading:
            values.setdefault(vital, _Values()).add(value)


def _complete(row: AssessmentRow) -> bool:
    return all(vital in row.observations for vital in PARAMETERS)


def _height(score: HighestScore) -> tuple[int, int, datetime]:
    """By band and then by total; of equal ones the last."""
    return score.band.rank, score.total, score.at


def _due(period: Period, scores: Iterable[tuple[int, int]]) -> float:
    """How many sets chart 4 asked for: how long each score was the one that counts, by how often it asks.

    Before a resident's first score nothing says how often: it is due as of somebody with no points.
    """
    asked, since, rank = 0.0, period.since, Band.ZERO.rank
    for at, score in scores:
        moment = from_microseconds(at)
        if moment > since:
            asked += (moment - since) / DUE_WITHIN[_BANDS[rank]]
            since = moment
        rank = score >> 1 if score & 1 else max(rank, score >> 1)
    asked += (period.until - since) / DUE_WITHIN[_BANDS[rank]]
    return round(asked, 2)
