"""What the page says of times, vitals, values and bands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hub.assessment.news2 import Band, OxygenScale, score
from hub.readings import AbsentReason, Breathing, Consciousness, Quality, Vital
from hub.web.words import (
    absent_words,
    ago_words,
    band_class,
    band_words,
    count_words,
    date_words,
    duration_words,
    moment_words,
    number_words,
    pressure_words,
    quality_words,
    score_words,
    short_vital_words,
    time_words,
    unit_words,
    until_words,
    value_words,
    vital_words,
)

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 7, 10, 3, 3, tzinfo=UTC)  # 04:03 in London


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=2, minutes=10), "2 h 10 min"),
        (timedelta(hours=5, minutes=59), "5 h 59 min"),
        (timedelta(hours=6, minutes=59), "6 h"),
        (timedelta(hours=47, minutes=59), "47 h"),
        (timedelta(hours=48), "2 days"),
    ],
)
def test_a_span_is_said_as_exactly_as_it_matters(span: timedelta, words: str) -> None:
    assert duration_words(span) == words


def test_what_has_just_been_is_just_now_and_what_is_to_come_is_said_to_be() -> None:
    assert ago_words(NOW - timedelta(seconds=30), NOW) == "just now"
    assert ago_words(NOW - timedelta(minutes=12), NOW) == "12 min ago"
    assert ago_words(NOW + timedelta(seconds=30), NOW) == "just now"
    assert ago_words(NOW + timedelta(hours=1), NOW) == "in 1 h by the hub's clock"
    assert ago_words(None, NOW) == "not known"


def test_what_is_due_is_due_in_a_while_or_now_or_overdue() -> None:
    assert until_words(NOW + timedelta(minutes=40), NOW) == "in 40 min"
    assert until_words(NOW + timedelta(seconds=20), NOW) == "now"
    assert until_words(NOW - timedelta(hours=2), NOW) == "2 h overdue"
    assert until_words(None, NOW) == "not known"


def test_times_are_those_of_the_home_in_summer_too() -> None:
    assert time_words(NOW, LONDON) == "04:03"
    assert moment_words(NOW, NOW, LONDON) == "04:03"
    assert moment_words(NOW - timedelta(hours=5), NOW, LONDON) == "yesterday 23:03"
    assert moment_words(NOW - timedelta(days=2), NOW, LONDON) == "Wed 8 Jul, 04:03"
    assert moment_words(NOW - timedelta(days=365), NOW, LONDON) == "Thu 10 Jul 2025, 04:03"
    assert date_words(datetime(2026, 3, 2, 23, 59, tzinfo=UTC), LONDON) == "2 March 2026"
    assert date_words(datetime(2026, 7, 2, 23, 30, tzinfo=UTC), LONDON) == "3 July 2026"


def test_every_vital_has_a_name_and_every_number_a_unit() -> None:
    for vital in Vital:
        assert vital_words(vital)
        assert short_vital_words(vital)
        assert bool(unit_words(vital)) == bool(vital.unit)
    with pytest.raises(ValueError, match="wobble"):
        vital_words("wobble")


def test_values_are_said_with_their_unit() -> None:
    assert value_words(91.0, Vital.OXYGEN_SATURATION) == "91 %"
    assert value_words(26.0, "respiration_rate") == "26 a minute"
    assert value_words(Consciousness.NEW_CONFUSION, Vital.CONSCIOUSNESS) == "New confusion"
    assert value_words("C", Vital.CONSCIOUSNESS) == "New confusion"
    assert value_words(Breathing.OXYGEN, Vital.SUPPLEMENTAL_OXYGEN) == "On oxygen"
    assert value_words(None, Vital.PULSE_RATE) == "not measured"
    assert value_words(float("inf"), Vital.GLUCOSE) == "above what the sensor can measure"
    assert value_words(float("nan"), Vital.GLUCOSE) == "not known"
    assert pressure_words(128.4, 80.0) == "128/80 mmHg"
    assert pressure_words(None, 80.0) == "?/80 mmHg"


def test_numbers_are_rounded_half_up_as_the_chart_rounds_them() -> None:
    assert number_words(36.05, Vital.TEMPERATURE) == "36.1"
    assert number_words(91.5, Vital.OXYGEN_SATURATION) == "92"
    assert number_words(90.5, Vital.PULSE_RATE) == "91"


@given(some.floats(min_value=30, max_value=260))
def test_a_number_scores_the_same_as_the_words_that_it_is_shown_by(number: float) -> None:
    for vital in (Vital.RESPIRATION_RATE, Vital.OXYGEN_SATURATION, Vital.PULSE_RATE, Vital.TEMPERATURE):
        shown = float(number_words(number, vital))
        scored = [score({vital: each}, OxygenScale.SCALE_1).sub_scores for each in (number, shown)]
        assert scored[0] == scored[1]


def test_a_partial_score_is_the_least_that_it_can_be_and_high_is_high() -> None:
    assert score_words(5, Band.MEDIUM) == "NEWS2 5, medium"
    assert score_words(5, "medium", complete=False) == "NEWS2 at least 5, at least medium"
    assert score_words(9, Band.HIGH, complete=False) == "NEWS2 at least 9, high"
    assert score_words(None, None) == "NEWS2 not known"
    assert band_words(Band.SINGLE_RED) == "3 in one parameter"
    assert band_class(Band.SINGLE_RED) == "single-red"


def test_every_reason_and_every_doubt_has_words() -> None:
    assert all(absent_words(reason) for reason in AbsentReason)
    assert quality_words(Quality.GOOD) == ""
    assert quality_words("questionable") == "in doubt: measure again"


def test_counts_are_english() -> None:
    assert [count_words(number, "alert") for number in (0, 1, 41)] == ["no alerts", "1 alert", "41 alerts"]
    assert count_words(2, "body", "bodies") == "2 bodies"
