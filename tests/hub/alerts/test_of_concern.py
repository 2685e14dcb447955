"""What somebody's concern does to an alert, rule by rule; under anything that may happen it is held to them
in `tests/hub/alerts/test_alert_machine.py`."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.alerts.answers import escalate
from hub.alerts.assessed import Assessed
from hub.alerts.concern import Concern, ConcernError, SoftSign
from hub.alerts.life import Alert, AlertError, AlertPolicy, Decision, Outcome, Resolution, consider
from hub.alerts.of_concern import close, heed, settle
from hub.assessment.news2 import Band
from hub.configuration.file import Alerts, ObservationSets, Rung
from hub.readings import Vital
from tests.rigs.assessments import (
    HIGH,
    MEDIUM,
    MINUTE,
    NOON,
    PULSE,
    RED,
    SATURATION,
    WELL,
    assessed,
    considered,
    raised,
    seen,
)
from tests.rigs.assessments import POLICY as OF_SCORES

LADDER = (Rung(after=3 * MINUTE, tell="night nurse"), Rung(after=12 * MINUTE, tell="GP or 111"))
POLICY = replace(OF_SCORES, concern_ladder=LADDER)


def said(minute: float = 0, *signs: SoftSign, words: str = "") -> Concern:
    return Concern(said_at=NOON + minute * MINUTE, signs=signs, words=words, by="Asha")


def heeded(alert: Alert | None, new: Assessed, concern: Concern | None = None) -> Decision:
    return heed(alert, concern or said(), new, POLICY, uuid.uuid4)


def joined(alert: Alert | None, new: Assessed, concern: Concern | None = None) -> Alert:
    decision = heeded(alert, new, concern)
    held = decision.raised or decision.existing
    assert held is not None
    return held


def followed(alert: Alert, *assessments: Assessed) -> Alert:
    after = considered(alert, *assessments, policy=POLICY)
    held = after.raised or after.existing
    assert held is not None
    return held


def settled(alert: Alert, minute: float = 200) -> Alert:
    return settle(alert, "Sam", NOON + minute * MINUTE, "a bad night", POLICY).alert


def told(alert: Alert, minute: float) -> list[str]:
    climbed = escalate(alert, POLICY.ladder_of(alert), NOON + minute * MINUTE)
    return [] if climbed is None else [rung.tell for rung in climbed.rungs]


@pytest.mark.parametrize(
    ("points", "band"), [(WELL, Band.ZERO), ({}, Band.ZERO), (WELL | {PULSE: 1}, Band.LOW)]
)
def test_a_concern_raises_an_alert_whatever_the_score_and_if_nothing_was_measured(
    points: dict[Vital, int], band: Band
) -> None:
    decision = heeded(None, assessed(points, 0), said(0, SoftSign.OFF_LEGS))
    alert = decision.raised
    assert alert is not None
    assert (decision.outcome, alert.band, alert.of_concern_alone) == (Outcome.RAISED, band, True)
    assert "somebody who cares for them is concerned: off legs" in alert.words
    assert alert.response == "see this person now, whatever the score"


def test_it_climbs_a_ladder_of_its_own() -> None:
    alert = joined(None, assessed(WELL, 0))
    assert told(alert, 2) == []
    assert told(alert, 12) == ["night nurse", "GP or 111"]


def test_good_values_never_end_it_and_only_a_person_does() -> None:
    alert = followed(joined(None, assessed(WELL, 0)), assessed(WELL, 31), assessed(WELL, 90))
    assert alert.open
    ended = settled(alert)
    assert (ended.open, ended.resolution) == (False, Resolution.SETTLED)


def test_a_score_that_calls_for_an_alert_supersedes_it_and_takes_it_along() -> None:
    alert = joined(None, assessed(WELL, 0))
    decision = consider(alert, assessed(RED, 5), POLICY, uuid.uuid4)
    assert decision.outcome is Outcome.SUPERSEDED
    assert decision.raised is not None
    assert (decision.raised.band, decision.raised.concerned) == (Band.SINGLE_RED, True)
    assert not decision.raised.of_concern_alone, "now the score holds it too"
    assert settled(decision.raised).open


def test_a_concern_of_a_band_below_the_homes_own_gives_way_once_the_home_alerts_from_there() -> None:
    later = replace(POLICY, from_band=Band.HIGH)
    alert = heed(None, said(), assessed(MEDIUM, 0), later, uuid.uuid4).raised
    assert alert is not None
    assert alert.of_concern_alone
    assert consider(alert, assessed(MEDIUM, 5), POLICY, uuid.uuid4).outcome is Outcome.SUPERSEDED


def test_one_that_joins_an_alert_is_told_by_both_ladders_from_the_beginning() -> None:
    """It was said 8 minutes after the alert: the senior carer had been told, the night nurse had not."""
    alert = replace(raised(RED), rung=1)
    decision = heeded(alert, assessed(RED, 8), said(8))
    assert (decision.outcome, decision.raised) == (Outcome.CONCERN, None)
    assert decision.existing is not None
    assert told(decision.existing, 8) == ["night nurse", "senior carer"]
    assert told(decision.existing, 12) == ["night nurse", "senior carer", "999", "GP or 111"]


def test_one_that_is_said_again_adds_its_signs_and_climbs_on() -> None:
    first = replace(joined(None, assessed(WELL, 0), said(0, SoftSign.TIRED, words="sleeps")), rung=1)
    again = joined(first, assessed(WELL, 5), said(5, SoftSign.BREATHLESS))
    assert again.id == first.id
    assert again.concern == replace(said(5, SoftSign.BREATHLESS, SoftSign.TIRED, words="sleeps"), times=2), (
        "what was said before is not lost"
    )
    assert told(again, 12) == ["GP or 111"]


@pytest.mark.parametrize("silent", [seen(raised(HIGH)), replace(raised(HIGH), rung=2)])
def test_a_silent_alert_gives_way_to_a_new_one_of_no_lower_band(silent: Alert) -> None:
    """Nothing of what was bad is known at the moment: that is no recovery."""
    decision = heeded(silent, assessed({}, 60), said(60))
    new = decision.raised
    assert new is not None
    assert (decision.outcome, new.supersedes) == (Outcome.SUPERSEDED, silent.id)
    assert (new.band, new.contributing, new.news2) == (silent.band, silent.contributing, silent.news2)
    assert (new.acknowledged_at, new.rung, new.raised_at) == (None, 0, NOON + 60 * MINUTE)
    assert decision.existing is not None
    assert decision.existing.resolution is Resolution.SUPERSEDED


def test_while_it_holds_an_alert_that_is_not_stepped_down_either() -> None:
    alert = joined(raised(HIGH), assessed(HIGH, 1))
    alert = followed(alert, assessed(RED, 2), assessed(RED, 40))
    assert (alert.band, alert.but_for_concern) == (Band.HIGH, Band.SINGLE_RED)
    done = settle(alert, "Sam", NOON + 41 * MINUTE, "chest infection", POLICY)
    assert (done.alert.open, done.alert.band, done.stepped_down) == (True, Band.SINGLE_RED, True)


def test_once_settled_an_alert_ends_of_which_all_was_measured_good_meanwhile() -> None:
    alert = followed(joined(raised(RED), assessed(RED, 1)), assessed(WELL, 2), assessed(WELL, 40))
    assert alert.open
    assert not settled(alert).open


def test_once_settled_it_goes_on_where_it_got_worse_again() -> None:
    alert = joined(raised(RED), assessed(RED, 1))
    alert = followed(alert, assessed(WELL, 2), assessed(WELL, 40), assessed({SATURATION: 3}, 41))
    assert settled(alert).open
    assert followed(settled(alert), assessed(WELL, 50), assessed(WELL, 81)).resolution is Resolution.RECOVERED


def test_whoever_is_due_by_the_bands_ladder_is_told_after_it_was_settled() -> None:
    alert = joined(raised(RED), assessed(RED, 1))
    climbed = escalate(alert, POLICY.ladder_of(alert), NOON + 6 * MINUTE)
    assert climbed is not None
    assert told(settled(climbed.alert, 7), 10) == ["senior carer", "999"]


def test_a_relapse_of_a_taken_alert_is_news_though_a_concern_kept_it_open() -> None:
    alert = joined(raised(HIGH), assessed(HIGH, 1))
    alert = seen(followed(alert, assessed(WELL, 2), assessed(WELL, 40)))
    decision = consider(alert, assessed(MEDIUM, 45), POLICY, uuid.uuid4)
    assert decision.raised is not None
    assert decision.raised.concerned


@pytest.mark.parametrize(
    ("by", "note", "wanted"),
    [(" ", "seen", "say who settles"), ("Sam", " ", "what you found"), ("Sam", "a" * 501, "501 letters")],
)
def test_to_settle_it_somebody_says_what_they_found(by: str, note: str, wanted: str) -> None:
    with pytest.raises(ConcernError, match=wanted):
        settle(joined(None, assessed(WELL, 0)), by, NOON, note, POLICY)


def test_there_must_be_a_concern_to_be_settled() -> None:
    alert = joined(raised(RED), assessed(RED, 1))
    for without in (raised(RED), settled(alert), settled(joined(None, assessed(WELL, 0)))):
        with pytest.raises(AlertError, match="concern"):
            settle(without, "Sam", NOON, "seen", POLICY)


def test_it_is_not_joined_to_an_alert_that_is_closed() -> None:
    with pytest.raises(AlertError, match="is not the open alert"):
        heeded(settled(joined(None, assessed(WELL, 0))), assessed(WELL, 1))


def test_one_who_leaves_is_no_recovery_and_settles_nothing() -> None:
    closed = close(joined(None, assessed(WELL, 0)), NOON + MINUTE)
    assert (closed.open, closed.resolution) == (False, Resolution.LEFT)
    assert closed.concern is not None
    assert not closed.concern.settled
    with pytest.raises(AlertError, match="closed already"):
        close(closed, NOON)


def test_the_ladder_of_a_concern_comes_from_the_configuration() -> None:
    policy = AlertPolicy.of(Alerts(), ObservationSets())
    ladder = policy.ladder_of(joined(None, assessed(WELL, 0)))
    assert [(rung.after, rung.tell) for rung in ladder] == [
        (timedelta(minutes=15), "senior carer"),
        (timedelta(minutes=30), "GP or 111"),
    ]
