"""What an assessment means for a resident's alerts, rule by rule (`test_alert_machine.py`: all at once)."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.alerts.life import (
    AlertError,
    AlertState,
    Decision,
    Outcome,
    Resolution,
    consider,
)
from hub.assessment.news2 import Band
from hub.assessment.observation_set import ObservationSet
from hub.readings import Vital
from tests.rigs.assessments import (
    HIGH,
    LADDER,
    MEDIUM,
    MIND,
    MINUTE,
    NOON,
    POLICY,
    PRESSURE,
    PULSE,
    RED,
    RESPIRATION,
    SATURATION,
    WELL,
    assessed,
    considered,
    existing,
    raised,
    seen,
    without,
)

# Raising


@pytest.mark.parametrize(
    ("points", "band"), [(RED, Band.SINGLE_RED), (MEDIUM, Band.MEDIUM), (HIGH, Band.HIGH)]
)
def test_an_alerting_band_raises_an_alert(points: dict[Vital, int], band: Band) -> None:
    alert = raised(points)
    assert (alert.state, alert.band, alert.resident) == (AlertState.RAISED, band, "R-0412")
    assert alert.contributing == {vital for vital in points if points[vital]}
    assert alert.raised_at == alert.measured_at == NOON


def test_a_band_below_the_policys_raises_none() -> None:
    assert considered(None, assessed(WELL | {PULSE: 2, SATURATION: 2}, 0)) == Decision(Outcome.NOTHING)
    policy = replace(POLICY, from_band=Band.MEDIUM)
    assert considered(None, assessed(RED, 0), policy=policy) == Decision(Outcome.NOTHING)
    assert considered(None, assessed(MEDIUM, 0), policy=policy).outcome is Outcome.RAISED


def test_an_alert_remembers_which_values_their_sensor_doubted() -> None:
    alert = considered(None, assessed(HIGH, 0, questionable=frozenset({PULSE}))).raised
    assert alert is not None
    assert alert.questionable == {PULSE}
    assert "pulse rate 2 (questionable)" in alert.words


def test_a_partial_score_that_already_reaches_a_band_raises_an_alert() -> None:
    assert raised({SATURATION: 3, PULSE: 3, PRESSURE: 2}).band is Band.HIGH


@pytest.mark.parametrize("points", [MEDIUM, RED, WELL | {MIND: 3, PULSE: 2}])
def test_the_same_band_or_a_lower_one_does_not_alert_again(points: dict[Vital, int]) -> None:
    decision = considered(raised(MEDIUM), assessed(points, 5))
    assert decision.outcome is Outcome.UNCHANGED
    assert decision.raised is None
    assert existing(decision).band is Band.MEDIUM


def test_a_higher_band_raises_a_new_alert_that_nobody_has_acknowledged_yet() -> None:
    old = seen(raised(MEDIUM))
    decision = considered(old, assessed(HIGH, 5))
    assert decision.outcome is Outcome.SUPERSEDED
    closed, new = existing(decision), decision.raised
    assert new is not None
    assert (closed.id, closed.resolution) == (old.id, Resolution.SUPERSEDED)
    assert closed.resolved_at == NOON + 5 * MINUTE
    assert (new.supersedes, new.band, new.state, new.rung) == (old.id, Band.HIGH, AlertState.RAISED, 0)


# Resolving


def test_an_alert_is_resolved_when_the_score_has_lain_below_for_long_enough() -> None:
    alert = raised(MEDIUM)
    first = considered(alert, assessed(WELL, 10))
    assert first.outcome is Outcome.UNCHANGED
    assert considered(first.existing, assessed(WELL, 39)).outcome is Outcome.UNCHANGED
    last = considered(first.existing, assessed(WELL, 39), assessed(WELL, 40))
    assert last.outcome is Outcome.RESOLVED
    resolved = existing(last)
    assert (resolved.state, resolved.resolution) == (AlertState.RESOLVED, Resolution.RECOVERED)
    assert resolved.resolved_at == NOON + 40 * MINUTE


def test_a_fall_back_into_the_band_begins_the_wait_anew_and_alerts_nobody_again() -> None:
    back = considered(raised(MEDIUM), assessed(WELL, 10), assessed(MEDIUM, 20))
    assert back.outcome is Outcome.UNCHANGED
    assert existing(back).below_since == {}
    again = considered(back.existing, assessed(WELL, 30), assessed(WELL, 59))
    assert again.outcome is Outcome.UNCHANGED
    assert considered(again.existing, assessed(WELL, 60)).outcome is Outcome.RESOLVED


def test_a_score_that_lacks_a_vital_that_contributed_never_resolves() -> None:
    for lacking in ((SATURATION,), (PULSE,), (SATURATION, PULSE)):
        partial = without(WELL, *lacking)
        assessments = [assessed(partial, minute) for minute in range(10, 600, 10)]
        decision = considered(raised(MEDIUM), *assessments)
        assert decision.outcome is Outcome.UNCHANGED
        assert existing(decision).band is Band.MEDIUM


def test_a_score_that_lacks_only_what_never_contributed_resolves() -> None:
    partial = without(WELL, MIND, RESPIRATION)
    decision = considered(raised(MEDIUM), assessed(partial, 10), assessed(partial, 40))
    assert decision.outcome is Outcome.RESOLVED


def test_a_vital_that_turned_bad_after_the_alert_must_be_measured_well_too() -> None:
    turned = considered(raised(RED), assessed(WELL | {MIND: 3}, 5)).existing
    partial = without(WELL, MIND)
    assert considered(turned, assessed(partial, 10), assessed(partial, 50)).outcome is Outcome.UNCHANGED
    assert considered(turned, assessed(WELL, 10), assessed(WELL, 50)).outcome is Outcome.RESOLVED


def test_a_vital_that_was_bad_in_a_superseded_alert_must_be_measured_well_too() -> None:
    confused = raised(WELL | {MIND: 3})
    partial = without(WELL, MIND)
    worse = considered(confused, assessed(partial | {SATURATION: 3, PULSE: 2}, 5)).raised
    assert considered(worse, assessed(partial, 10), assessed(partial, 50)).outcome is Outcome.UNCHANGED
    assert considered(worse, assessed(WELL, 10), assessed(WELL, 50)).outcome is Outcome.RESOLVED


def test_one_good_measurement_that_is_carried_in_the_set_does_not_resolve_alone() -> None:
    carried = {SATURATION: 10.0}
    begun = considered(raised(RED), assessed(WELL, 10)).existing
    assert considered(begun, assessed(WELL, 40, measured=carried)).outcome is Outcome.UNCHANGED
    assert considered(begun, assessed(WELL, 40)).outcome is Outcome.RESOLVED


def test_what_was_measured_by_a_clock_that_ran_ahead_does_not_end_the_wait() -> None:
    ahead = [assessed(WELL, received + 60, received=received) for received in (10, 40, 50)]
    alert = existing(considered(raised(RED), *ahead))
    assert alert.open
    assert considered(alert, assessed(WELL, 55), assessed(WELL, 85)).outcome is Outcome.RESOLVED


def test_a_clock_that_ran_ahead_does_not_make_what_follows_late() -> None:
    alert = considered(None, assessed(RED, 70, received=0)).raised
    assert alert is not None
    assert alert.measured_at == NOON
    assert considered(alert, assessed(WELL, 10), assessed(WELL, 40)).outcome is Outcome.RESOLVED


def test_an_assessment_of_the_same_instant_is_not_late() -> None:
    assert considered(raised(RED), assessed(WELL, 0), assessed(WELL, 30)).outcome is Outcome.RESOLVED


def test_no_wait_is_configurable() -> None:
    policy = replace(POLICY, resolve_after=timedelta(0))
    assert considered(raised(RED), assessed(WELL, 1), policy=policy).outcome is Outcome.RESOLVED


# Stepping down


def test_a_band_that_has_fallen_steps_the_alert_down_so_that_a_later_rise_alerts_again() -> None:
    stepped = considered(raised(HIGH), assessed(MEDIUM, 10), assessed(MEDIUM, 40))
    assert stepped.outcome is Outcome.STEPPED_DOWN
    assert existing(stepped).band is Band.MEDIUM
    assert existing(stepped).open
    again = considered(stepped.existing, assessed(HIGH, 50))
    assert again.outcome is Outcome.SUPERSEDED
    assert again.raised is not None
    assert again.raised.band is Band.HIGH


def test_an_alert_that_has_not_stepped_down_yet_does_not_alert_again() -> None:
    assert considered(raised(HIGH), assessed(MEDIUM, 10), assessed(HIGH, 30)).raised is None


def test_an_alert_steps_down_to_the_worst_band_since_and_then_resolves_in_its_own_time() -> None:
    fallen = considered(
        raised(HIGH), assessed(MEDIUM, 10), assessed(RED, 20), assessed(WELL, 30), assessed(WELL, 40)
    )
    assert (fallen.outcome, existing(fallen).band) == (Outcome.STEPPED_DOWN, Band.MEDIUM)
    further = considered(fallen.existing, assessed(WELL, 50))
    assert (further.outcome, existing(further).band) == (Outcome.STEPPED_DOWN, Band.SINGLE_RED)
    assert considered(further.existing, assessed(WELL, 60)).outcome is Outcome.RESOLVED


def test_a_partial_score_does_not_step_down() -> None:
    partial = without(MEDIUM, MIND)
    assert existing(considered(raised(HIGH), assessed(partial, 10), assessed(partial, 50))).band is Band.HIGH


def test_an_alert_that_a_newer_configuration_would_not_raise_is_not_closed_by_it() -> None:
    policy = replace(POLICY, from_band=Band.HIGH)
    held = considered(raised(MEDIUM), assessed(MEDIUM, 10), assessed(MEDIUM, 50), policy=policy)
    assert held.outcome is Outcome.UNCHANGED
    gone = considered(held.existing, assessed(WELL, 60), assessed(WELL, 90), policy=policy)
    assert gone.outcome is Outcome.RESOLVED


# A relapse behind an alert that could not be resolved

VERY_HIGH = HIGH | {PRESSURE: 3}
PARTLY_WELL, PARTLY_HIGH = without(WELL, MIND), without(VERY_HIGH, MIND)


def test_a_relapse_alerts_again_although_the_old_alert_could_not_be_resolved() -> None:
    old = seen(raised(VERY_HIGH))
    decision = considered(old, assessed(PARTLY_WELL, 60), assessed(PARTLY_HIGH, 90))
    assert decision.outcome is Outcome.SUPERSEDED
    assert decision.raised is not None
    assert decision.raised.state is AlertState.RAISED
    assert MIND in decision.raised.contributing


def test_a_relapse_into_a_lower_band_alerts_again_too() -> None:
    old = seen(raised(VERY_HIGH))
    decision = considered(old, assessed(PARTLY_WELL, 60), assessed(without(MEDIUM, MIND), 90))
    assert decision.raised is not None
    assert decision.raised.band is Band.MEDIUM


def test_a_dip_that_was_too_short_is_no_relapse() -> None:
    old = seen(raised(VERY_HIGH))
    assert considered(old, assessed(PARTLY_WELL, 60), assessed(PARTLY_HIGH, 89)).raised is None


def test_a_time_in_which_nothing_that_contributed_was_measured_is_no_recovery() -> None:
    old = seen(raised(RED))
    warm = {Vital.TEMPERATURE: 0}
    assert considered(old, assessed(warm, 60), assessed(warm, 120), assessed(RED, 180)).raised is None


def test_an_alert_that_is_still_calling_is_not_replaced_by_a_relapse_but_one_that_has_called_in_vain_is() -> (
    None
):
    calling = replace(raised(VERY_HIGH), rung=1)
    relapse = [assessed(PARTLY_WELL, 60), assessed(PARTLY_HIGH, 90)]
    assert considered(calling, *relapse).raised is None
    exhausted = replace(calling, rung=len(LADDER))
    assert considered(exhausted, *relapse).raised is not None
    lower = [assessed(PARTLY_WELL, 60), assessed(without(MEDIUM, MIND), 90)]
    assert considered(exhausted, *lower).raised is None, "nobody has seen the higher one"


# Another cause behind an alert whose own cause is not measured


def test_another_cause_alerts_again_where_the_first_was_not_measured() -> None:
    old = seen(raised(WELL | {MIND: 3}))
    choking = assessed(without(RED, MIND), 60)
    decision = considered(old, choking)
    assert decision.outcome is Outcome.SUPERSEDED
    assert decision.raised is not None
    assert decision.raised.contributing == {MIND, SATURATION}
    again = seen(decision.raised)
    assert considered(again, assessed(without(RED, MIND), 65)).raised is None, "it is known by now"


def test_another_cause_does_not_alert_again_where_the_first_was_measured_or_is_still_calling() -> None:
    confused = raised(WELL | {MIND: 3})
    assert considered(seen(confused), assessed(RED, 60)).raised is None
    assert considered(confused, assessed(without(RED, MIND), 60)).raised is None
    assert considered(seen(confused), assessed({SATURATION: 2}, 60)).raised is None


# Late readings


def test_a_late_reading_raises_and_says_how_late_it_is() -> None:
    alert = considered(None, assessed(HIGH, 0, received=155)).raised
    assert alert is not None
    assert (alert.measured_at, alert.raised_at) == (NOON, NOON + 155 * MINUTE)
    assert "measured 155 min before this alert" in alert.words


def test_a_late_reading_of_a_higher_band_supersedes() -> None:
    decision = considered(raised(MEDIUM, 60), assessed(HIGH, 30, received=61))
    assert decision.outcome is Outcome.SUPERSEDED
    assert decision.raised is not None
    assert decision.raised.assessed_until == NOON + 60 * MINUTE


def test_late_readings_neither_resolve_nor_lower() -> None:
    late = [assessed(WELL, minute, received=61 + minute) for minute in (0, 20, 40, 59)]
    alert = raised(MEDIUM, 60)
    decision = considered(alert, *late)
    assert decision == Decision(Outcome.UNCHANGED, alert)


def test_a_late_bad_reading_within_the_wait_begins_it_anew_and_one_before_it_does_not() -> None:
    begun = considered(raised(MEDIUM), assessed(WELL, 10), assessed(WELL, 20)).existing
    within = considered(begun, assessed(MEDIUM, 15, received=25), assessed(WELL, 40))
    assert within.outcome is Outcome.UNCHANGED
    at_once = considered(begun, assessed(MEDIUM, 10, received=25), assessed(WELL, 40))
    assert at_once.outcome is Outcome.UNCHANGED
    before = considered(begun, assessed(MEDIUM, 5, received=25), assessed(WELL, 40))
    assert before.outcome is Outcome.RESOLVED


def test_a_reading_beyond_the_limit_is_not_alerted_and_the_decision_says_so() -> None:
    hours = 60.0 * 12
    assert considered(None, assessed(HIGH, 0, received=hours)).outcome is Outcome.RAISED
    assert considered(None, assessed(HIGH, 0, received=hours + 1)) == Decision(Outcome.TOO_LATE)
    alert = raised(MEDIUM, hours)
    assert considered(alert, assessed(HIGH, 0, received=hours + 1)) == Decision(Outcome.TOO_LATE, alert)


# What cannot be


@pytest.mark.parametrize("change", [{"resident": "R-9"}, {"resolved_at": NOON}])
def test_another_residents_or_a_resolved_alert_is_refused(change: dict[str, object]) -> None:
    alert = replace(raised(HIGH), **change)  # type: ignore[arg-type]  # a parametrised field name
    with pytest.raises(AlertError) as caught:
        consider(alert, assessed(HIGH, 1), POLICY, uuid.uuid4)
    assert caught.value.alert == alert.id


def test_a_score_of_what_the_set_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="observation set"):
        replace(assessed(HIGH, 0), observations=ObservationSet(NOON, {}))
