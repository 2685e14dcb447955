"""What somebody's concern does to an alert, and what becomes of it when it is settled. Pure, like
`hub/alerts/life.py`.

The rules, each tested in `tests/hub/alerts/test_of_concern.py` and, against all else that may happen to
alerts, in `tests/hub/alerts/test_alert_machine.py`:

- A concern counts whatever the score: where no alert is open it raises one, of the band that the score of
  that moment has (it may be zero, or unknown) and with a ladder of its own.
- Where one is open that still calls somebody, it joins it: the ladders of band and concern are climbed
  together, from the beginning, so that nobody is left out who was to be told; that may tell somebody twice.
- Where the open alert is silent (it was acknowledged, or has climbed its whole ladder), a new alert takes its
  place: an acknowledgement of what was known before is none of the concern.
- Good values neither end such an alert nor step it down; what they would have done is remembered. A higher
  band supersedes it, and takes the concern along.
- Only a person settles a concern, and says what they found. Then the alert is what it would be without it: it
  ends where nothing else holds it, comes down where it would have, or goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from hub.alerts.assessed import Assessed
from hub.alerts.concern import LONGEST_WORDS, Concern, ConcernError, joined
from hub.alerts.life import Alert, AlertError, AlertPolicy, Decision, Outcome, Resolution


def heed(
    open_alert: Alert | None,
    said: Concern,
    assessed: Assessed,
    policy: AlertPolicy,
    new_id: Callable[[], UUID],
) -> Decision:
    """What a concern does to the resident's open alert: joined to it (`Outcome.CONCERN`), or a new one.

    Args:
        assessed: what is known of the resident at the moment; it may be nothing.
        new_id: gives the alert that is raised its id, if one is.

    Raises:
        AlertError: `open_alert` is resolved, or is another resident's.
    """
    if open_alert is None:
        return Decision(Outcome.RAISED, raised=_raised(assessed, said, policy, new_id()))
    if not open_alert.open or open_alert.resident != assessed.resident:
        raise AlertError(open_alert.id, "is not the open alert of the resident whom the concern is about")
    concern = joined(open_alert.concern, said)
    climbed = open_alert.rung >= len(policy.ladder_of(open_alert))
    if open_alert.acknowledged_at is None and not climbed:
        rung = open_alert.rung if open_alert.concerned else 0
        return Decision(Outcome.CONCERN, replace(open_alert, concern=concern, rung=rung))
    closed = replace(open_alert, resolved_at=assessed.received_at, resolution=Resolution.SUPERSEDED)
    return Decision(Outcome.SUPERSEDED, closed, _anew(open_alert, concern, assessed, policy, new_id()))


def _raised(assessed: Assessed, concern: Concern, policy: AlertPolicy, new_id: UUID) -> Alert:
    alerting = assessed.news2.band.rank >= policy.from_band.rank
    return Alert(
        id=new_id,
        resident=assessed.resident,
        band=assessed.news2.band,
        news2=assessed.news2,
        raised_at=assessed.received_at,
        measured_at=assessed.at,
        contributing=assessed.news2.contributing if alerting else frozenset(),
        assessed_until=assessed.at,
        questionable=assessed.observations.questionable,
        doubtful_time=assessed.observations.doubtful_time,
        concern=concern,
    )


def _anew(silent: Alert, concern: Concern, assessed: Assessed, policy: AlertPolicy, new_id: UUID) -> Alert:
    """The alert that takes a silent one's place. It is never of a lower band: then it has the score of the
    other, which was raised by it, since what was bad may only not have been measured of late."""
    raised = _raised(assessed, concern, policy, new_id)
    if silent.of_concern_alone or raised.band.rank > silent.band.rank:
        return replace(
            raised,
            supersedes=silent.id,
            contributing=raised.contributing | silent.contributing,
            assessed_until=max(raised.assessed_until, silent.assessed_until),
        )
    return replace(
        silent,
        id=new_id,
        raised_at=assessed.received_at,
        supersedes=silent.id,
        rung=0,
        delivered_at=None,
        acknowledged_at=None,
        acknowledged_by=None,
        acknowledged_via=None,
        concern=concern,
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """A concern that was settled: the alert as it is now, and whether it was stepped down by it."""

    alert: Alert
    stepped_down: bool = False

    @property
    def words(self) -> str:
        """The answer to whoever settled it."""
        if not self.alert.open:
            return "The concern is settled, and nothing else holds the alert: it is closed."
        if self.stepped_down:
            return f"The concern is settled. The alert goes on for the score, at {self.alert.band.words}."
        return "The concern is settled. The alert goes on for the score, until what was bad is measured good."


def settle(alert: Alert, by: str, at: datetime, note: str, policy: AlertPolicy) -> Settled:
    """Somebody has looked after a concern and ends it; `note` is what they found.

    Raises:
        AlertError: there is no concern to be settled.
        ConcernError: nobody is named, or it is not said what was found.
    """
    note = " ".join(note.split())
    if not by.strip():
        raise ConcernError("settle: say who settles the concern")
    if not note:
        raise ConcernError("settle: write in a few words what you found, so that others can rely on it")
    if len(note) > LONGEST_WORDS:
        raise ConcernError(f"settle: {len(note)} letters are too many, at most {LONGEST_WORDS} can be kept")
    if alert.concern is None or not alert.open:
        raise AlertError(alert.id, "there is no concern in it to be settled, or it is closed by now")
    if alert.concern.settled:
        raise AlertError(alert.id, "its concern was settled before")
    concern = replace(alert.concern, settled_at=at, settled_by=by, note=note)
    # The ladder is another from now on: whoever is due by it is told again rather than left out.
    rung = alert.rung if alert.acknowledged_at is not None else 0
    settled = replace(alert, concern=concern, but_for_concern=None, rung=rung)
    come_down = alert.but_for_concern
    lowest = min(policy.from_band.rank, alert.band.rank)
    if alert.of_concern_alone or (come_down is not None and come_down.rank < lowest):
        return Settled(replace(settled, resolved_at=at, resolution=Resolution.SETTLED))
    if come_down is None:
        return Settled(settled)
    return Settled(replace(settled, band=come_down), stepped_down=True)


def close(alert: Alert, at: datetime) -> Alert:
    """The alert of somebody who is not watched any more. It is no recovery, and settles nothing.

    Raises:
        AlertError: it is closed already.
    """
    if not alert.open:
        raise AlertError(alert.id, "is closed already")
    return replace(alert, resolved_at=at, resolution=Resolution.LEFT)
