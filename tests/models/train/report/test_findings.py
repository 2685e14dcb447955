"""What is measured is measured on the right rows, and what cannot be is not made up."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from models.train.measures.alerting import Alerting, compared
from models.train.measures.discrimination import TimeMatched
from models.train.report.findings import Findings, counts, document, groups_of, measured
from models.train.report.predictions import Deaths, Onsets
from tests.models.train.report import made_up


def tables(people: int = 400) -> tuple[Onsets, Deaths]:
    arrays = made_up.deterioration(people)
    onsets = Onsets(**{field.name: arrays[field.name] for field in dataclasses.fields(Onsets)})
    deaths = Deaths(**{field.name: arrays[f"death_{field.name}"] for field in dataclasses.fields(Deaths)})
    return onsets, deaths


@pytest.fixture(scope="module")
def onsets() -> Onsets:
    return tables()[0]


@pytest.fixture(scope="module")
def found() -> Findings:
    return measured(*tables(), rounds=10)


def test_everybody_is_in_one_age_band_and_one_sex() -> None:
    age, sex = np.array([16.0, 49, 50, 64.9, 65, 79, 80, 100]), np.array([0, 1, 0, 1, 0, 1, 0, 1])
    groups = groups_of(age, sex)
    bands = [groups[name] for name in groups if "year" in name]
    assert np.sum(bands, axis=0).tolist() == [1] * 8
    assert [int(band.sum()) for band in bands] == [2, 2, 2, 2]
    assert (groups["women"] ^ groups["men"]).all()
    assert groups["everybody"].all()


def test_who_is_of_no_known_age_or_sex_is_in_no_group_but_everybody() -> None:
    groups = groups_of(np.array([np.nan]), np.array([-1]))
    assert [name for name, rows in groups.items() if rows.any()] == ["everybody"]


def test_a_group_is_measured_on_its_own_people(found: Findings, onsets: Onsets) -> None:
    rows = onsets.sex == 0
    women = next(group for group in found.groups if group.name == "women")
    matched = TimeMatched(onsets.risk[rows], onsets.label[rows], onsets.block[rows])
    assert women.figures["model"].value == matched.auroc(np.ones(int(rows.sum())))
    assert women.counts == counts(onsets, rows)
    assert women.counts.people == len(set(onsets.person[rows].tolist()))
    assert women.figures["happened"].value == pytest.approx(100 * onsets.label[rows].mean())
    assert women.figures["told"].value == pytest.approx(100 * onsets.risk[rows].mean())


def test_a_threshold_for_all_is_the_same_in_every_group(found: Findings, onsets: Onsets) -> None:
    rows = onsets.sex == 1
    men = next(group for group in found.groups if group.name == "men")
    alerts = (onsets.risk[rows] >= found.threshold).sum()
    assert men.figures["model alerts"].value == pytest.approx(400 * alerts / rows.sum())


def test_alerts_are_compared_as_the_measure_does(found: Findings, onsets: Onsets) -> None:
    model = Alerting(onsets.risk, onsets.person, onsets.hours_to_onset)
    news2 = Alerting(onsets.news2, onsets.person, onsets.hours_to_onset)
    beside = compared(model, news2, 5)
    assert found.figures["found change percent"].value == beside.found_change_percent
    assert found.figures["alerts change percent"].value == beside.alerts_change_percent
    assert found.figures["model alerts"].value <= found.figures["NEWS2 5 alerts"].value
    assert found.events == beside.rule.events
    assert len(found.lead_news2) == beside.rule.found
    shares = [found.figures[f"model found {hours} h before"].value for hours in (6, 12, 18)]
    by_hand = [100 * (found.lead_model >= hours).sum() / found.events for hours in (6, 12, 18)]
    assert shares == pytest.approx(by_hand)


def test_more_onsets_found_in_a_group_is_the_difference_of_the_two(found: Findings) -> None:
    for group in found.groups:
        more = group.figures["model found"].value - group.figures["NEWS2 found"].value
        assert group.figures["found gain"].value == pytest.approx(more)


def test_the_alerts_before_an_onset_are_a_share_of_all_alerts(found: Findings, onsets: Onsets) -> None:
    alert = onsets.news2 >= 5
    before = alert & (onsets.hours_to_onset <= 24)
    assert found.figures["NEWS2 5 timely"].value == pytest.approx(100 * before.sum() / alert.sum())


def test_a_run_of_alerts_calls_once(found: Findings, onsets: Onsets) -> None:
    calls = 0
    for person in set(onsets.person.tolist()):
        before = False
        for score in onsets.news2[onsets.person == person]:
            calls += bool(score >= 5 and not before)
            before = bool(score >= 5)
    assert found.figures["NEWS2 5 new alerts"].value == pytest.approx(400 * calls / len(onsets.person))


def test_intervals_hold_their_value_and_have_a_width(found: Findings) -> None:
    for name in ("time-matched model", "time-matched NEWS2", "found change percent", "everybody: told"):
        estimate = found.figures[name]
        assert estimate.low < estimate.value < estimate.high


def test_recalibration_brings_what_is_told_to_what_happens(found: Findings) -> None:
    before, after = found.calibration_before, found.calibration_after
    assert abs(after["in_the_large"].value) < abs(before["in_the_large"].value)
    assert after["expected_calibration_error"].value < before["expected_calibration_error"].value


def test_the_card_gets_the_figures_as_json_without_nan() -> None:
    onsets, deaths = tables(60)
    old = dataclasses.replace(onsets, age=np.full(len(onsets.age), 85.0))
    found = document(measured(old, deaths, rounds=5))
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text)["counts"]["people"] == 60
    assert "under 50 years: model" not in found["figures"]
