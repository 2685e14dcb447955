"""Alerts, onsets found and lead times, by hand and against the definitions spelled out slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.train.measures.alerting import WINDOW_HOURS, Alerting, compared, new_alerts, quantile

# Two people with an onset, one without; a set every six hours. Person 1 is found 18 h before; person 2
# only by an alert 30 h before, which is too early to count; person 3 has a false alert.
PERSON = np.array([1, 1, 1, 1, 2, 2, 3, 3])
HOURS = np.array([24.0, 18, 12, 6, 30, 24, np.inf, np.inf])
SCORE = np.array([2, 5, 4, 6, 7, 1, 5, 0])


def test_counts_by_hand() -> None:
    found = Alerting(SCORE, PERSON, HOURS).outcome(5)
    assert (found.alerts, found.days, found.events, found.found) == (4, 2, 2, 1)
    assert found.alerts_each_100_days == 200
    assert found.share_found == 0.5
    assert (found.timely, found.share_timely) == (2, 0.5)  # person 1's two


def test_the_lead_is_from_the_first_alert_in_the_window() -> None:
    alerting = Alerting(SCORE, PERSON, HOURS)
    for threshold, hours in ((5, [18]), (1, [24, 24]), (8, [])):
        found, rows = alerting.leads(threshold)
        assert found.tolist() == hours
        assert PERSON[rows].tolist() == [1, 2][: len(hours)]


def test_a_quantile_counts_weights() -> None:
    hours = np.array([24.0, 6, 12])
    assert quantile(hours, 0.5, np.ones(3)) == 12
    assert quantile(hours, 0.5, np.array([3.0, 1, 1])) == 24
    assert quantile(hours, 0.25, np.array([0.0, 1, 1])) == 6
    assert math.isnan(quantile(hours, 0.5, np.zeros(3)))


def test_a_person_without_a_set_in_the_window_cannot_be_found_and_is_not_counted() -> None:
    found = Alerting(np.array([9, 9]), np.array([1, 2]), np.array([WINDOW_HOURS + 1, 6])).outcome(5)
    assert (found.events, found.found, found.alerts) == (1, 1, 2)


def test_a_set_at_the_onset_is_no_warning() -> None:
    assert Alerting(np.array([9]), np.array([1]), np.array([0.0])).outcome(5).events == 0


def test_a_rate_is_never_exceeded_and_not_lower_than_it_must_be() -> None:
    alerting = Alerting(SCORE, PERSON, HOURS)
    assert alerting.threshold_for_alerts(4) == 5
    assert alerting.threshold_for_alerts(3.9) == 6  # the two 5s come together, or not at all
    assert alerting.threshold_for_alerts(0.5) == math.inf
    assert alerting.threshold_for_alerts(100) == 0
    assert alerting.threshold_at_alert_rate(200) == 5


def test_as_many_onsets_are_found_with_the_highest_threshold_that_does_it() -> None:
    alerting = Alerting(SCORE, PERSON, HOURS)
    assert alerting.threshold_for_found(1) == 6
    assert alerting.threshold_for_found(2) == 1
    assert alerting.threshold_for_found(0) == math.inf
    with pytest.raises(ValueError, match="there are 2"):
        alerting.threshold_for_found(3)


def test_a_better_score_finds_more_with_the_same_alerts_and_the_same_with_fewer() -> None:
    person, hours = np.arange(10), np.array([6.0, 6, 6, 6, *[np.inf] * 6])
    rule = Alerting(np.array([5, 5, 0, 0, 5, 5, 0, 0, 0, 0]), person, hours)  # 2 of 4 found, 4 alerts
    better = Alerting(np.array([9, 8, 7, 2, 6, 1, 0, 0, 0, 0]), person, hours)
    found = compared(better, rule, 5)
    assert (found.rule.alerts, found.rule.found) == (4, 2)
    assert (found.same_alerts.alerts, found.same_alerts.found) == (4, 3)
    assert found.found_change_percent == 50
    assert (found.same_found.alerts, found.same_found.found) == (2, 2)
    assert found.alerts_change_percent == -50


def test_a_score_beside_itself_finds_no_more() -> None:
    same = Alerting(SCORE, PERSON, HOURS)
    found = compared(same, same, 5)
    assert found.found_change_percent == 0
    assert found.alerts_change_percent == -50  # of its four alerts the 6 and the 7 alone find the same person


def test_a_rule_that_finds_nobody_cannot_be_compared_with() -> None:
    found = compared(Alerting(SCORE, PERSON, HOURS), Alerting(SCORE, PERSON, HOURS), 99)
    assert math.isnan(found.found_change_percent)
    assert math.isnan(found.alerts_change_percent)


def test_only_the_first_of_a_run_of_alerts_is_new() -> None:
    alert = np.array([True, True, False, True, True])
    person = np.array([1, 1, 1, 1, 2])
    hour = np.array([6, 12, 18, 24, 6])
    assert new_alerts(alert, person, hour).tolist() == [True, False, False, True, True]
    order = np.array([3, 4, 0, 2, 1])  # in whatever order the sets come
    assert new_alerts(alert[order], person[order], hour[order]).tolist() == [True, True, True, False, False]


@st.composite
def wards(draw: st.DrawFn) -> tuple[list[int], list[int], list[float], list[int], list[int]]:
    """Score, person, hours to the onset, and each person's weight on each set of theirs."""
    score, person, hours, weight = [], [], [], []
    for number in range(draw(st.integers(1, 5))):
        onset = draw(st.sampled_from([math.inf, 6.0, 40.0]))
        times = draw(st.integers(0, 3))
        for index in range(draw(st.integers(1, 6))):
            if onset - 6 * index > 0:
                score.append(draw(st.integers(0, 4)))
                person.append(number)
                hours.append(onset - 6 * index)
                weight.append(times)
    return score, person, hours, weight, sorted(set(score))


@given(wards(), st.integers(0, 5), st.floats(0, 40))
def test_weighted_counts_are_those_of_the_definitions(
    ward: tuple[list[int], list[int], list[float], list[int], list[int]], threshold: int, allowed: float
) -> None:
    score, person, hours, weight, levels = ward

    def slowly(at: float) -> tuple[float, float, float]:
        alerts = sum(times for one, times in zip(score, weight, strict=True) if one >= at)
        events = found = 0
        for number in set(person):
            mine = [i for i, whose in enumerate(person) if whose == number and hours[i] <= WINDOW_HOURS]
            events += weight[mine[0]] if mine else 0
            found += weight[mine[0]] if any(score[i] >= at for i in mine) else 0
        return alerts, events, found

    weights = np.array(weight, dtype=float)
    alerting = Alerting(np.array(score), np.array(person), np.array(hours))
    outcome = alerting.outcome(threshold, weights)
    assert (outcome.alerts, outcome.events, outcome.found) == slowly(threshold)
    lowest = min((level for level in levels if slowly(level)[0] <= allowed), default=math.inf)
    assert alerting.threshold_for_alerts(allowed, weights) == lowest
    if outcome.found > 0:
        highest = max(level for level in levels if slowly(level)[2] >= outcome.found)
        assert alerting.threshold_for_found(outcome.found, weights) == highest
