"""What to do after a round: the alert first, by the home's ladder, and nothing made up."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.alerts.concern import Concern
from hub.alerts.life import Alert
from hub.assessment.news2 import OxygenScale, score
from hub.configuration.file import Rung
from hub.readings import Breathing, Consciousness, Value, Vital
from hub.residents.care import Care
from hub.web.what_now import NOT_KNOWN_PLAN, Step, WhatNow, what_now

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LADDER = (Rung(after=5 * MINUTE, tell="senior carer"), Rung(after=10 * MINUTE, tell="999"))
WELL: dict[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 97.0,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
    Vital.SYSTOLIC_PRESSURE: 128.0,
    Vital.PULSE_RATE: 72.0,
    Vital.CONSCIOUSNESS: Consciousness.ALERT,
    Vital.TEMPERATURE: 36.7,
}
ILL = {**WELL, Vital.RESPIRATION_RATE: 26.0, Vital.OXYGEN_SATURATION: 90.0, Vital.PULSE_RATE: 115.0}
SCORE = score(ILL, OxygenScale.SCALE_1)
ALERT = Alert(
    id=uuid.UUID(int=1),
    resident="R-0412",
    band=SCORE.band,
    news2=SCORE,
    raised_at=NOON,
    measured_at=NOON,
    contributing=SCORE.contributing,
    assessed_until=NOON,
)


def words(found: WhatNow) -> list[str]:
    """The steps."""
    return [each.words for each in found.steps]


def test_who_is_well_is_observed_as_the_chart_says() -> None:
    found = what_now(score(WELL, OxygenScale.SCALE_1), None, (), Care(), NOON)
    assert found == WhatNow("routine", (Step("NEWS2 asks for: observe at least every 12 hours."),))


def test_a_score_of_half_is_not_left_at_that() -> None:
    half = score({Vital.PULSE_RATE: 72.0}, OxygenScale.SCALE_1)
    assert words(what_now(half, None, (), Care(), NOON))[0].startswith("Measure what is missing")


def test_without_a_score_nothing_is_said_of_one() -> None:
    none = score({}, OxygenScale.SCALE_1)
    for nothing in (None, none):
        assert words(what_now(nothing, None, (), Care(), NOON)) == [
            "There is no score. Measure what is missing."
        ]


def test_an_alert_says_whom_to_tell_and_when() -> None:
    found = what_now(SCORE, ALERT, LADDER, Care(), NOON + MINUTE)
    assert found.urgency == "emergency"
    assert found.steps[:3] == (
        Step("Take the alert, so that everybody knows that somebody is with them."),
        Step("If nobody has taken it by then, tell: senior carer.", NOON + 5 * MINUTE),
        Step("If nobody has taken it by then, tell: 999.", NOON + 10 * MINUTE),
    )


def test_a_rung_that_is_due_comes_first_the_highest_before_all() -> None:
    found = what_now(SCORE, ALERT, LADDER, Care(), NOON + 10 * MINUTE)
    assert [each.partition(": ")[2] for each in words(found)[:2]] == ["999.", "senior carer."]
    assert all(each.at is None for each in found.steps)


def test_an_alert_that_somebody_took_says_who() -> None:
    taken = replace(ALERT, acknowledged_at=NOON, acknowledged_by="Ann")
    assert words(what_now(SCORE, taken, LADDER, Care(), NOON + 20 * MINUTE))[0].startswith(
        "Ann has taken this"
    )


def test_an_open_alert_is_not_forgotten_for_a_score_that_is_good_by_now() -> None:
    found = what_now(score(WELL, OxygenScale.SCALE_1), ALERT, LADDER, Care(), NOON)
    assert found.urgency == "emergency"
    assert "emergency assessment" in words(found)[-1]


@pytest.mark.parametrize(
    ("plan", "said"), [(None, NOT_KNOWN_PLAN), ("not to hospital", "Agreed on for them: not to hospital")]
)
def test_what_was_agreed_on_is_said_with_an_alert_and_that_it_is_not_known(
    plan: str | None, said: str
) -> None:
    assert said in words(what_now(SCORE, ALERT, LADDER, Care(escalation_plan=plan), NOON))
    assert said not in words(what_now(SCORE, None, (), Care(escalation_plan=plan), NOON))


def test_a_concern_is_said_whatever_the_score() -> None:
    worried = replace(ALERT, concern=Concern(NOON, by="Ann"))
    found = words(what_now(score(WELL, OxygenScale.SCALE_1), worried, LADDER, Care(), NOON))
    assert any(each.startswith("Whatever the score") for each in found)
