"""What people and the clock do to an alert: delivery, acknowledgement, escalation; and its words."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.alerts.answers import acknowledge, deliver, escalate
from hub.alerts.life import Alert, AlertError, AlertPolicy, AlertState, Resolution
from hub.assessment.news2 import Band, News2, OxygenScale
from hub.configuration.file import Alerts, ObservationSets, Rung
from hub.readings import Vital

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LADDER = (Rung(after=5 * MINUTE, tell="senior carer"), Rung(after=10 * MINUTE, tell="999"))
SCORE = News2(
    OxygenScale.SCALE_1,
    {
        Vital.OXYGEN_SATURATION: 3,
        Vital.SUPPLEMENTAL_OXYGEN: 0,
        Vital.SYSTOLIC_PRESSURE: 3,
        Vital.PULSE_RATE: 2,
        Vital.TEMPERATURE: 0,
    },
    (Vital.RESPIRATION_RATE, Vital.CONSCIOUSNESS),
)
HIGH = Alert(
    id=uuid.UUID(int=7),
    resident="R-0412",
    band=Band.HIGH,
    news2=SCORE,
    raised_at=NOON,
    measured_at=NOON,
    contributing=SCORE.contributing,
    assessed_until=NOON,
)


def test_the_states_follow_what_is_recorded_in_whatever_order_it_comes() -> None:
    delivered = deliver(HIGH, NOON + MINUTE)
    assert delivered.state is AlertState.DELIVERED
    assert acknowledge(delivered, "carer-7", NOON, "ics").alert.state is AlertState.ACKNOWLEDGED
    early = acknowledge(HIGH, "carer-7", NOON, "ics").alert
    assert early.state is AlertState.ACKNOWLEDGED
    assert deliver(early, NOON).state is AlertState.ACKNOWLEDGED
    resolved = replace(HIGH, resolved_at=NOON, resolution=Resolution.RECOVERED)
    late = acknowledge(deliver(resolved, NOON + MINUTE), "carer-7", NOON + MINUTE, "ics").alert
    assert late.state is AlertState.RESOLVED
    assert (late.delivered_at, late.acknowledged_by) == (NOON + MINUTE, "carer-7")


def test_the_first_delivery_is_kept() -> None:
    once = deliver(HIGH, NOON + MINUTE)
    assert deliver(once, NOON + 2 * MINUTE) == once


def test_the_first_acknowledgement_is_kept() -> None:
    first = acknowledge(HIGH, "carer-7", NOON + MINUTE, "cli")
    second = acknowledge(first.alert, "gp-2", NOON + 2 * MINUTE, "ics")
    assert first.accepted
    assert not second.accepted
    assert second.alert == first.alert
    assert (second.alert.acknowledged_by, second.alert.acknowledged_via) == ("carer-7", "cli")
    assert first.words.endswith(": acknowledged by carer-7")
    assert second.words.endswith(": already acknowledged by carer-7")


def test_an_acknowledgement_by_nobody_is_refused() -> None:
    with pytest.raises(AlertError, match="by whom"):
        acknowledge(HIGH, "  ", NOON, "ics")


# Escalation


def test_an_alert_climbs_each_rung_once() -> None:
    alert = HIGH
    told = []
    for minute in range(30):
        if escalation := escalate(alert, LADDER, NOON + minute * MINUTE):
            alert = escalation.alert
            told.append((minute, escalation.rung.tell))
    assert told == [(5, "senior carer"), (10, "999")]


def test_after_an_outage_one_event_tells_all_that_are_due() -> None:
    escalation = escalate(HIGH, LADDER, NOON + timedelta(hours=3))
    assert escalation is not None
    assert (escalation.rung, escalation.rungs, escalation.alert.rung) == (LADDER[1], LADDER, 2)
    assert escalation.words.startswith(
        "nobody has acknowledged for at least 10 min: tell senior carer, 999. R-0412: "
    )


def test_what_is_acknowledged_or_resolved_climbs_no_more() -> None:
    later = NOON + timedelta(hours=3)
    alert = HIGH
    assert escalate(acknowledge(alert, "carer-7", NOON, "cli").alert, LADDER, later) is None
    assert escalate(replace(alert, resolved_at=NOON), LADDER, later) is None
    assert escalate(alert, (), later) is None


def test_a_clock_set_back_or_a_ladder_made_shorter_climbs_nothing_twice() -> None:
    alert = replace(HIGH, rung=2)
    assert escalate(alert, LADDER, NOON - MINUTE) is None
    assert escalate(alert, LADDER[:1], NOON + timedelta(hours=3)) is None


def test_the_policy_comes_from_the_configuration_and_the_ladder_from_the_band_raised() -> None:
    alerts = Alerts()
    policy = AlertPolicy.of(alerts, ObservationSets(late=timedelta(hours=2)))
    assert (policy.from_band, policy.resolve_after) == (alerts.from_band, alerts.resolve_after)
    assert policy.late == timedelta(hours=2)
    stepped_down = replace(HIGH, band=Band.MEDIUM)
    assert policy.ladder_of(stepped_down) == alerts.ladder[Band.HIGH]
    assert replace(policy, ladder={}).ladder_of(stepped_down) == ()


# Words


def test_an_alert_says_in_words_who_how_bad_and_what_is_not_known() -> None:
    alert = replace(HIGH, questionable=frozenset({Vital.PULSE_RATE}))
    assert alert.words == (
        "R-0412: NEWS2 at least 8 (high): oxygen saturation 3, systolic pressure 3, pulse rate 2 "
        "(questionable); partial: respiration rate, consciousness not measured"
    )
    assert replace(alert, band=Band.MEDIUM).words.endswith("; since then stepped down to medium")


def test_an_alert_says_how_late_its_measurement_reached_the_hub() -> None:
    late = replace(HIGH, raised_at=NOON + 155 * MINUTE)
    assert late.words.endswith("; measured 155 min before this alert")
    assert "before" not in replace(HIGH, raised_at=NOON + 0.9 * MINUTE).words


def test_a_late_readings_ladder_begins_when_the_alert_is_raised() -> None:
    alert = replace(HIGH, raised_at=NOON + 60 * MINUTE)
    assert escalate(alert, LADDER, NOON + 64 * MINUTE) is None
    assert escalate(alert, LADDER, NOON + 65 * MINUTE) is not None
