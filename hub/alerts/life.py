"""The life of an alert: raised, delivered, acknowledged, resolved. No clock, no database, no transport.

The rules, each tested in `tests/hub/alerts/test_life.py` or, about clocks, in
`tests/hub/alerts/test_times.py`:

- A resident has at most one open alert. The same band or a lower one does not alert again while it
  is open; a higher band raises a new alert that supersedes it, so that an acknowledgement of the
  lower never counts for the higher.
- A band is left only when, for `resolve_after`, every assessment lay below it and measured every
  vital that contributed to the alert, with each of those vitals measured anew at the end of that
  time. A partial score that merely lacks the bad vital therefore lowers and resolves nothing.
  Leaving the lowest alerting band resolves the alert; leaving a higher one steps it down.
- An open alert does not hide a relapse. It may stay open only because something was not measured
  again; so once all that was measured, one contributing vital at the least, has lain below a band
  for `resolve_after`, reaching that band again raises a new alert in place of a silent one: one
  that was acknowledged, or that has climbed its whole ladder in that same band.
- Nor does it hide another cause. A partial score that lacks a vital that contributed is only "at
  least" its band; if vitals that had not contributed reach an alerting band by themselves, that
  too raises a new alert in place of a silent one.
- Readings that come late, older than the newest one assessed, may raise an alert, but lower and
  resolve nothing. Beyond `late` they are not alerted at all, and the decision says so.
- Nor does a measurement whose time is doubtful lower or resolve anything; it may raise an alert.
- The hub's own clock may have been ahead. Once it is put right, no moment that an alert remembers is
  later than the clock: that delays its end by `resolve_after` at the most, and hides no relapse.
- An alert without acknowledgement climbs its ladder, each rung once, by the time since it was raised
  (`hub/alerts/answers.py`).
- Somebody's concern counts whatever the score (`hub/alerts/of_concern.py`). While it is not settled nothing
  that is measured ends the alert or steps it down; a higher band supersedes it and takes the concern along.

The learned model's risk is no input here: it can add, never take away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from hub.alerts.assessed import Assessed
from hub.alerts.concern import Concern
from hub.assessment.news2 import Band, News2, in_words
from hub.configuration.file import Alerts, ObservationSets, Rung
from hub.errors import CareportError
from hub.readings import Vital


class AlertError(CareportError):
    """An alert was asked for something that cannot be; carries its id."""

    def __init__(self, alert: UUID, reason: str) -> None:
        super().__init__(f"alert {alert}: {reason}")
        self.alert = alert


class AlertState(StrEnum):
    """How far an alert has come. DELIVERED: the broker took it; a person need not have seen it."""

    RAISED = "raised"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Resolution(StrEnum):
    """Why an alert is no longer open."""

    RECOVERED = "recovered"
    SUPERSEDED = "superseded"
    SETTLED = "settled"  # somebody ended the concern, and nothing else held it open
    WITHDRAWN = "withdrawn"  # it rested on a reading that was not theirs, and nothing else holds it open
    LEFT = "left"  # the resident is not watched any more: in hospital, moved, deceased, without consent


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """When to alert; `of` builds it from the configuration."""

    from_band: Band
    resolve_after: timedelta
    late: timedelta
    ladder: Mapping[Band, Sequence[Rung]] = field(default_factory=dict)
    concern_ladder: Sequence[Rung] = ()

    @classmethod
    def of(cls, alerts: Alerts, observation_sets: ObservationSets) -> Self:
        """The policy that `[alerts]` and `observation_sets.late` ask for."""
        return cls(
            alerts.from_band,
            alerts.resolve_after,
            observation_sets.late,
            alerts.ladder,
            alerts.concern_ladder,
        )

    def ladder_of(self, alert: Alert) -> Sequence[Rung]:
        """The ladder of the band in which the alert was raised, even if it was stepped down since; with a
        concern that is not settled that of a concern too, whichever rung comes first."""
        of_band = () if alert.of_concern_alone else self.ladder.get(alert.news2.band, ())
        if not alert.concerned:
            return of_band
        return sorted((*of_band, *self.concern_ladder), key=lambda rung: rung.after)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `resident` is a pseudonym; `news2` is the score that raised it; all times are aware.

    `band` begins as the band of `news2` and may be stepped down. `contributing` has every vital
    that scored in an alerting assessment since the first of the alerts that this one supersedes.
    `assessed_until` is the newest moment assessed. `below_since` has, for each alerting band up to
    `band`, since when all assessments lay below it with every contributing vital measured;
    `quiet_since` the same by what was measured alone. `rung` counts the rungs climbed.

    `concern` is the last that was said of them in this alert, settled or not. While it is not,
    `but_for_concern` is the band that the alert would have come down to by what was measured, None while it
    would not have. An alert that nothing but a concern holds has no `contributing` vital.
    """

    id: UUID
    resident: str
    band: Band
    news2: News2
    raised_at: datetime
    measured_at: datetime
    contributing: frozenset[Vital]
    assessed_until: datetime
    questionable: frozenset[Vital] = frozenset()
    doubtful_time: frozenset[Vital] = frozenset()
    supersedes: UUID | None = None
    below_since: Mapping[Band, datetime] = field(default_factory=dict)
    quiet_since: Mapping[Band, datetime] = field(default_factory=dict)
    rung: int = 0
    delivered_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    acknowledged_via: str | None = None
    resolved_at: datetime | None = None
    resolution: Resolution | None = None
    concern: Concern | None = None
    but_for_concern: Band | None = None

    @property
    def concerned(self) -> bool:
        """Whether somebody's concern holds it open."""
        return self.concern is not None and not self.concern.settled

    @property
    def of_concern_alone(self) -> bool:
        """Whether nothing but a concern raised it: no score has called for it since."""
        return self.concern is not None and not self.contributing

    @property
    def state(self) -> AlertState:
        """How far the alert has come; what is recorded later than that is kept, and changes nothing."""
        if self.resolved_at is not None:
            return AlertState.RESOLVED
        if self.acknowledged_at is not None:
            return AlertState.ACKNOWLEDGED
        return AlertState.RAISED if self.delivered_at is None else AlertState.DELIVERED

    @property
    def response(self) -> str:
        """What is asked for at the least, in short: by chart 4, and for a concern whatever the score is."""
        if not self.concerned:
            return self.band.response
        seen = "see this person now, whatever the score"
        return seen if self.of_concern_alone else f"{seen}; {self.band.response}"

    @property
    def open(self) -> bool:
        """True until the alert is resolved."""
        return self.state is not AlertState.RESOLVED

    @property
    def words(self) -> str:
        """The alert in one line, for people: whom it is about, the score, and what to know of it."""
        notes = []
        delay = (self.raised_at - self.measured_at) // timedelta(minutes=1)
        if delay > 0:
            notes.append(f"measured {delay} min before this alert")
        doubtful = ", ".join(
            in_words(vital) for vital in self.news2.sub_scores if vital in self.doubtful_time
        )
        if doubtful:
            notes.append(f"when it was measured is doubtful, its sensor's clock may be wrong: {doubtful}")
        if self.band is not self.news2.band:
            notes.append(f"since then stepped down to {self.band.words}")
        score = self.news2.describe(self.questionable)
        if self.concern is None or (self.concern.settled and not self.of_concern_alone):
            return "; ".join([f"{self.resident}: {score}", *notes])
        settled = " (settled)" if self.concern.settled else ""
        return "; ".join([f"{self.resident}: {self.concern.told}{settled}. {score}", *notes])


class Outcome(StrEnum):
    """What an assessment led to."""

    NOTHING = "nothing"  # no alert is open, and none is called for
    UNCHANGED = "unchanged"  # the open alert goes on; what is remembered of it may have changed
    RAISED = "raised"
    SUPERSEDED = "superseded"  # the open alert was closed, and a new one raised in its place
    STEPPED_DOWN = "stepped down"
    RESOLVED = "resolved"
    TOO_LATE = "too late"  # measured too long ago to be alerted
    CONCERN = "concern joined"  # somebody's concern joined the open alert


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an assessment: the open alert as it is now, and the new one, if any. Store both."""

    outcome: Outcome
    existing: Alert | None = None
    raised: Alert | None = None


def consider(
    open_alert: Alert | None, assessed: Assessed, policy: AlertPolicy, new_id: Callable[[], UUID]
) -> Decision:
    """Decide what an assessment means for the resident's open alert, and whether it raises one.

    `new_id` gives the alert that is raised its id, if one is.

    Raises:
        AlertError: `open_alert` is resolved, or is another resident's.
    """
    if open_alert is not None and not open_alert.open:
        raise AlertError(open_alert.id, "is resolved, so it is not the resident's open alert")
    if open_alert is not None and open_alert.resident != assessed.resident:
        raise AlertError(open_alert.id, f"is {open_alert.resident}'s, the assessment {assessed.resident}'s")
    if assessed.received_at - assessed.at > policy.late:
        return Decision(Outcome.TOO_LATE, open_alert)
    alerting = assessed.news2.band.rank >= policy.from_band.rank
    if open_alert is None:
        if not alerting:
            return Decision(Outcome.NOTHING)
        return Decision(Outcome.RAISED, raised=_raise(assessed, new_id()))
    open_alert = _not_after(open_alert, assessed.clock)
    if alerting and _is_news(open_alert, assessed, policy):
        closed = _resolve(open_alert, assessed, Resolution.SUPERSEDED)
        return Decision(Outcome.SUPERSEDED, closed, _raise(assessed, new_id(), open_alert))
    return _follow(open_alert, assessed, policy)


def _raise(assessed: Assessed, new_id: UUID, superseded: Alert | None = None) -> Alert:
    alert = Alert(
        id=new_id,
        resident=assessed.resident,
        band=assessed.news2.band,
        news2=assessed.news2,
        raised_at=assessed.received_at,
        measured_at=assessed.at,
        contributing=assessed.news2.contributing,
        assessed_until=assessed.at,
        questionable=assessed.observations.questionable,
        doubtful_time=assessed.observations.doubtful_time,
    )
    if superseded is None:
        return alert
    # What was bad before must be measured again too before the new alert is over.
    return replace(
        alert,
        supersedes=superseded.id,
        contributing=alert.contributing | superseded.contributing,
        assessed_until=max(alert.assessed_until, superseded.assessed_until),
        concern=superseded.concern if superseded.concerned else None,
    )


def _not_after(alert: Alert, clock: datetime) -> Alert:
    """The alert without a moment, of those that are compared, later than the hub's clock."""
    return replace(
        alert,
        assessed_until=min(alert.assessed_until, clock),
        below_since={band: min(since, clock) for band, since in alert.below_since.items()},
        quiet_since={band: min(since, clock) for band, since in alert.quiet_since.items()},
    )


def _resolve(alert: Alert, assessed: Assessed, resolution: Resolution) -> Alert:
    return replace(alert, resolved_at=assessed.received_at, resolution=resolution)


def _is_news(alert: Alert, assessed: Assessed, policy: AlertPolicy) -> bool:
    """Whether an alerting assessment says what the open alert has not said."""
    band = assessed.news2.band
    if band.rank > alert.band.rank:
        return True
    if alert.of_concern_alone:
        return True
    climbed = alert.rung >= len(policy.ladder_of(alert))
    silent = alert.acknowledged_at is not None or (band is alert.band and climbed)
    if alert.but_for_concern is not None and band.rank > alert.but_for_concern.rank:
        # Without the concern the alert would have come down, and this would have raised another.
        return silent or climbed
    if not silent:
        return False
    quiet_since = alert.quiet_since.get(band)
    relapsed = quiet_since is not None and assessed.at - quiet_since >= policy.resolve_after
    points = assessed.news2.sub_scores
    others = {vital: points[vital] for vital in points.keys() - alert.contributing}
    another_cause = replace(assessed.news2, sub_scores=others).band.rank >= policy.from_band.rank
    return relapsed or (another_cause and not alert.contributing <= points.keys())


def _follow(alert: Alert, assessed: Assessed, policy: AlertPolicy) -> Decision:
    """The open alert after an assessment that raises nothing: unchanged, stepped down or resolved."""
    if alert.of_concern_alone:
        until = max(alert.assessed_until, assessed.at)
        return Decision(Outcome.UNCHANGED, replace(alert, assessed_until=until))
    band = assessed.news2.band
    # A from_band that was configured higher since then must not close at once what is open.
    lowest = min(policy.from_band, alert.band, key=lambda each: each.rank)
    bands = [each for each in Band if lowest.rank <= each.rank <= alert.band.rank]
    contributing = alert.contributing
    if band.rank >= lowest.rank:
        contributing |= assessed.news2.contributing
    measured = assessed.news2.sub_scores.keys()
    in_order = assessed.at >= alert.assessed_until
    comparable = in_order and contributing <= assessed.surely_measured
    touched = in_order and not contributing.isdisjoint(measured)
    followed = replace(
        alert,
        contributing=contributing,
        assessed_until=max(alert.assessed_until, assessed.at),
        below_since=_below(alert.below_since, bands, assessed, may_begin=comparable),
        quiet_since=_below(alert.quiet_since, bands, assessed, may_begin=touched),
    )
    if not comparable:
        return Decision(Outcome.UNCHANGED, _higher_again(followed, band) if alert.concerned else followed)
    observations = assessed.observations.observations
    # A value carried in the set from the start of the recovery is no second measurement. (A clock that
    # runs ahead must not end the wait either: hence `at` among them.)
    anew = min([assessed.at, *(observations[vital].measured_at for vital in contributing)])
    held = [each for each in bands if not _left(followed, each, anew, policy)]
    if alert.concerned:
        # Whoever is concerned sees what no sensor does: it stays as it is until somebody settles that.
        come_down = held[-1] if held else Band.ZERO
        return Decision(
            Outcome.UNCHANGED,
            replace(followed, but_for_concern=None if come_down is alert.band else come_down),
        )
    if not held:
        return Decision(Outcome.RESOLVED, _resolve(followed, assessed, Resolution.RECOVERED))
    if held[-1] is alert.band:
        return Decision(Outcome.UNCHANGED, followed)
    return Decision(Outcome.STEPPED_DOWN, replace(followed, band=held[-1]))


def _higher_again(alert: Alert, band: Band) -> Alert:
    """What the alert would have come down to, but for its concern, is no lower than what was measured
    since."""
    if alert.but_for_concern is None or band.rank <= alert.but_for_concern.rank:
        return alert
    return replace(alert, but_for_concern=None if band.rank >= alert.band.rank else band)


def _below(
    since: Mapping[Band, datetime], bands: Sequence[Band], assessed: Assessed, may_begin: bool
) -> dict[Band, datetime]:
    """For each band, since when assessments have lain below it, after one more assessment."""
    after: dict[Band, datetime] = {}
    for band in bands:
        begun = since.get(band)
        if assessed.news2.band.rank >= band.rank:
            # Below it no more; but one that comes late says nothing of the time after it.
            if begun is not None and begun > assessed.at:
                after[band] = begun
        elif begun is not None:
            after[band] = begun
        elif may_begin:
            after[band] = assessed.at
    return after


def _left(alert: Alert, band: Band, anew: datetime, policy: AlertPolicy) -> bool:
    since = alert.below_since.get(band)
    return since is not None and anew - since >= policy.resolve_after
