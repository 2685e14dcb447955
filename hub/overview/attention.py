"""Who needs somebody first, when each is to be observed next, and what is still to be measured. Pure.

**The order.** It is for people who have two hands: whoever stands first is looked at first.

1. Open alerts that nobody has acknowledged, then those that somebody has: each by band, a concern being an
   alert whatever the score (of equal band it goes first), the oldest first. Whoever has one stands here,
   though they are said to be in hospital.
2. Who should have been observed by now: who was scored higher goes first, then who has waited longest. Who
   was never observed completely is among them: of them the least is known.
3. Whose risk rises, the highest first. The risk is a shadow: it only decides who comes first of those of whom
   nothing else is to be said, and an alert or an observation that is due is never behind it.
4. Everybody else, and last of all who is not watched (in hospital, moved, without consent). By room, as
   people count rooms ("2" before "10"), then by pseudonym.

**When the next observation is due.** By chart 4 of NEWS2 (Royal College of Physicians 2017), or as the home
has it (`[observation_sets] due`): so long after the newest set that counts as done, by its band. A set is
done when it is complete and all of it was measured anew (`Done`); whatever was scored since then may ask
for an earlier one and never for a later: the earliest counts. So an oximeter that stays on a finger puts no
round off, and neither does half a round. Who has no set that is done is due so long after the oldest score
there is, and who has no score at all is due now.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from statistics import median

from hub.alerts.life import Alert
from hub.assessment.news2 import DUE_WITHIN, PARAMETERS, Band
from hub.assessment.observation_set import Recency
from hub.readings import Value, Vital

RISK_IS_OF = timedelta(hours=12)
"""A risk older than this says nothing of now."""
RISK_BEFORE = timedelta(hours=72)
"""The time before the newest risk that it is compared with."""
_RISKS_BEFORE = 3  # fewer have no middle worth the name
_RISEN = math.log(2)  # the odds have doubled


class Done:
    """Which observation sets of one resident count as done, asked in the order of their moments.

    One does that is complete, and of which no parameter is of a reading that the one that counted before it
    had: a pulse that is measured every 30 seconds makes no new set of an old temperature.
    """

    def __init__(self) -> None:
        self._counted: frozenset[int] = frozenset()

    def counts(self, observations: Mapping[Vital, tuple[Value, int]]) -> bool:
        """Whether the next set does; for each vital its value and the number of its reading, as the store has
        them (`AssessmentRow.observations`)."""
        if any(vital not in observations for vital in PARAMETERS):
            return False
        readings = frozenset(observations[vital][1] for vital in PARAMETERS)
        if not self._counted.isdisjoint(readings):
            return False
        self._counted = readings
        return True


@dataclass(frozen=True, slots=True)
class Scored:
    """What a set was scored: its moment (aware), its band (the least, where it was partial), and whether it
    was `done` (`Done`; where that is not known, whether it was complete)."""

    at: datetime
    band: Band
    done: bool


@dataclass(frozen=True, slots=True)
class Due:
    """When the next observation is due, since which band asks for it; `at` is None where there was none
    ever."""

    at: datetime | None
    band: Band

    def overdue(self, now: datetime) -> bool:
        """Whether it should have been made by now."""
        return self.at is None or now > self.at

    def late_by(self, now: datetime) -> timedelta | None:
        """By how much it is overdue (nothing where it is not); None where nobody was ever observed."""
        return None if self.at is None else max(now - self.at, timedelta(0))


def next_due(scores: Iterable[Scored], within: Mapping[Band, timedelta] = DUE_WITHIN) -> Due:
    """When the next observation of a resident is due.

    Args:
        scores: their sets, in any order, at least from the newest that was done on.
        within: `observation_sets.due` of the configuration.
    """
    known = tuple(scores)
    since = max((each.at for each in known if each.done), default=None)
    asking = [(each.at + within[each.band], each.band) for each in known if since is None or each.at >= since]
    if not asking:
        return Due(None, Band.ZERO)
    at = min(moment for moment, _ in asking)
    return Due(at, max((band for moment, band in asking if moment == at), key=lambda band: band.rank))


def still_to_measure(measured: Mapping[Vital, datetime], at: datetime, recency: Recency) -> tuple[Vital, ...]:
    """The parameters of NEWS2 that a set formed at a moment would lack, in the order of the chart.

    Args:
        measured: for each vital when its newest usable value was measured, aware.
        at: the moment, aware.
        recency: `observation_sets` of the configuration.
    """

    def known(vital: Vital) -> bool:
        moment = measured.get(vital)
        limit = recency.recent_by_vital.get(vital, recency.recent)
        return moment is not None and timedelta(0) <= at - moment <= limit

    return tuple(vital for vital in PARAMETERS if not known(vital))


def rising_risk(risks: Iterable[tuple[datetime, float]], now: datetime) -> float | None:
    """The newest risk of a resident, a probability, if it has risen; None where it has not or nobody can
    tell.

    It has where its odds are at least twice the middle ones of the three days before it, of three risks at
    the least: so it is held against what is usual for this person, and against nobody else.

    Args:
        risks: each with its moment, aware, in any order.
        now: the time by the hub's clock.
    """
    in_order = sorted((at, risk) for at, risk in risks if at <= now)
    if not in_order:
        return None
    newest_at, newest = in_order[-1]
    before = [risk for at, risk in in_order[:-1] if newest_at - RISK_BEFORE <= at < newest_at]
    if now - newest_at > RISK_IS_OF or len(before) < _RISKS_BEFORE:
        return None
    # A hair's breadth, since the odds of what has doubled exactly are rarely twice in binary.
    return newest if _log_odds(newest) - _log_odds(median(before)) >= _RISEN - 1e-9 else None


def _log_odds(probability: float) -> float:
    least = 1e-6
    held = min(max(probability, least), 1 - least)
    return math.log(held / (1 - held))


class Why(IntEnum):
    """Why somebody stands where they do, the most urgent first."""

    ALERT = 0  # an open alert that nobody has acknowledged
    CONCERN = 1  # the same, and nothing but somebody's concern holds it
    ALERT_TAKEN = 2  # an open alert that somebody has acknowledged
    CONCERN_TAKEN = 3
    OVERDUE = 4
    RISK = 5
    NOTHING = 6
    NOT_WATCHED = 7

    @property
    def words(self) -> str:
        """The reason as a carer reads it; empty where there is none."""
        return _WORDS[self]


_WORDS = {
    Why.ALERT: "alert: nobody has taken it",
    Why.CONCERN: "concern: nobody has taken it",
    Why.ALERT_TAKEN: "alert, taken",
    Why.CONCERN_TAKEN: "concern, taken",
    Why.OVERDUE: "observation overdue",
    Why.RISK: "risk rising",
    Why.NOTHING: "",
    Why.NOT_WATCHED: "not watched",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides where a resident (a pseudonym) stands.

    `risk` is `rising_risk`'s answer. `unreadable_alert` is an open alert of which nothing can be read: it
    counts as one of the highest band that nobody has acknowledged.
    """

    resident: str
    room: str
    due: Due
    alert: Alert | None = None
    risk: float | None = None
    watched: bool = True
    unreadable_alert: bool = False

    def why(self, now: datetime) -> Why:
        """Why they stand where they do."""
        if self.unreadable_alert:
            return Why.ALERT
        if self.alert is not None and self.alert.open:
            taken = self.alert.acknowledged_at is not None
            if self.alert.of_concern_alone:
                return Why.CONCERN_TAKEN if taken else Why.CONCERN
            return Why.ALERT_TAKEN if taken else Why.ALERT
        if not self.watched:
            return Why.NOT_WATCHED
        if self.due.overdue(now):
            return Why.OVERDUE
        return Why.NOTHING if self.risk is None else Why.RISK


def in_order(standings: Iterable[Standing], now: datetime) -> Sequence[Standing]:
    """Who needs somebody first: all of them, by the order above. `now` is aware."""
    return sorted(standings, key=lambda each: (*_urgency(each, now), _counted(each.room), each.resident))


def _urgency(standing: Standing, now: datetime) -> tuple[int, float, float]:
    """Smaller is more urgent: why, then how much, then for how long."""
    why = standing.why(now)
    if standing.unreadable_alert:
        return why, -Band.HIGH.rank - 1, 0.0
    alert = standing.alert
    if why <= Why.CONCERN_TAKEN and alert is not None:
        concern = 0.5 if alert.concerned else 0.0
        return why, -alert.band.rank - concern, alert.raised_at.timestamp()
    if why is Why.OVERDUE:
        at = standing.due.at
        return why, -standing.due.band.rank, -math.inf if at is None else at.timestamp()
    return why, 0.0 if standing.risk is None else -standing.risk, 0.0


def _counted(room: str) -> tuple[bool, tuple[tuple[bool, int, str], ...]]:
    """A room as people count them: "2" before "10", "2" before "2a"; who has none last."""
    parts = re.findall(r"\d+|\D+", room.casefold().strip())
    keyed = tuple((not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts)
    return not parts, keyed
