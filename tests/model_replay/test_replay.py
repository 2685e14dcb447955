"""Somebody made up goes through a whole hub, as one who was held back does in `make model-replay`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.news2 import Band
from hub.clock import now
from hub.readings import Breathing, Value, Vital
from hub.uplink.contract import AlertChange
from tests.model_replay.__main__ import replay
from tests.model_replay.account import Account, rows
from tests.model_replay.person import FEWEST, NobodyError, Person, Round, expected, middle_one, person_of
from tests.model_replay.stage import Played

WELL: Mapping[Vital, Value] = {
    Vital.RESPIRATION_RATE: 16.0,
    Vital.OXYGEN_SATURATION: 96.0,
    Vital.SYSTOLIC_PRESSURE: 132.0,
    Vital.DIASTOLIC_PRESSURE: 74.0,
    Vital.PULSE_RATE: 72.0,
    Vital.TEMPERATURE: 36.6,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.AIR,
}
WORSE: Mapping[Vital, Value] = {
    **WELL,
    Vital.RESPIRATION_RATE: 26.0,
    Vital.OXYGEN_SATURATION: 91.0,
    Vital.SYSTOLIC_PRESSURE: 98.0,
    Vital.PULSE_RATE: 118.0,
    Vital.TEMPERATURE: 38.6,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN,
}
PULSE_ALONE: Mapping[Vital, Value] = {Vital.PULSE_RATE: 88.0}


def somebody(*found: Mapping[Vital, Value], age_years: int | None = 84) -> Person:
    return Person(age_years, [Round(6 * timedelta(hours=n), values) for n, values in enumerate(found)])


@pytest.fixture(scope="module")
def model() -> DeteriorationModel:
    return DeteriorationModel.configured(None)


@pytest.fixture(scope="module")
def account(model: DeteriorationModel) -> Account:
    return asyncio.run(replay(model, somebody(WELL, PULSE_ALONE, WORSE), now()))


def test_a_person_who_gets_worse_is_told_with_risk_words_and_shadow_record(account: Account) -> None:
    assert [check.what for check in account.checks() if not check.happened] == []
    raised = [each for each in account.with_model.alerts if each.change is AlertChange.RAISED]
    assert raised[-1].band is Band.HIGH
    table = rows(account)
    assert len(table) == 3
    assert all(row["risk"].endswith("%") and row["in words"] for row in table)
    assert table[-1]["would have alerted"] in {"yes", "no"}
    assert "raised (high)" in table[-1]["alerts"]


def spoilt_values(played: Played) -> Played:
    first, *others = played.observations[::-1]
    observed = {vital: each for vital, each in first.assessment.observations.items() if vital in WELL}
    vital, measured = next(iter(observed.items()))
    changed = {**first.assessment.observations, vital: replace(measured, value=1.0)}
    spoilt = replace(first, assessment=replace(first.assessment, observations=changed))
    return replace(played, observations=[*others[::-1], spoilt])


def spoilt_risk(played: Played, **changes: Any) -> Played:
    *others, last = played.observations
    assert last.assessment.risk is not None
    risk = replace(last.assessment.risk, **changes)
    return replace(
        played, observations=[*others, replace(last, assessment=replace(last.assessment, risk=risk))]
    )


def without_risk(played: Played) -> Played:
    *others, last = played.observations
    return replace(
        played, observations=[*others, replace(last, assessment=replace(last.assessment, risk=None))]
    )


def of_another_band(played: Played) -> Played:
    *others, last = played.alerts
    return replace(played, alerts=[*others, replace(last, band=Band.MEDIUM)])


def not_exported(played: Played) -> Played:
    *kept, _ = played.history.items()
    return replace(played, history=dict(kept))


def of_no_threshold(played: Played) -> Played:
    return replace(played, history={at: {**row, "would_alert": ""} for at, row in played.history.items()})


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (spoilt_values, "exactly what was measured"),
        (lambda played: replace(played, observations=played.observations[:-1]), "exactly what was measured"),
        (lambda played: spoilt_risk(played, probability=0.9999), "the model's own"),
        (without_risk, "the model's own"),
        (lambda played: spoilt_risk(played, reasons=None), "reasons in words"),
        (lambda played: spoilt_risk(played, reasons="other words"), "reasons in words"),
        (not_exported, "the shadow record has each risk"),
        (of_no_threshold, "whether it would have alerted"),
        (lambda played: replace(played, alerts=played.alerts[:-1]), "that NEWS2 raises"),
        (lambda played: replace(played, alerts=[*played.alerts, played.alerts[-1]]), "that NEWS2 raises"),
        (of_another_band, "due in its band"),
    ],
)
def test_each_fault_is_found(account: Account, fault: Callable[[Played], Played], found: str) -> None:
    spoilt = replace(account, with_model=fault(account.with_model))
    assert any(found in check.what for check in spoilt.checks() if not check.happened)


def test_a_risk_that_is_told_without_the_model_is_found(account: Account) -> None:
    spoilt = replace(account, without_model=account.with_model)
    assert any("without the model" in check.what for check in spoilt.checks() if not check.happened)


# --- whom it takes, and when


def test_what_training_prints_of_a_person_is_read_as_devices_would_say_it() -> None:
    values = {"pulse_rate": 71.6, "temperature": 36.649, "supplemental_oxygen": "oxygen"}
    line = {
        "age": 70,
        "sets": [
            {"hours": 6, "values": {}},
            {"hours": 12, "values": {**values, "systolic_pressure": 120.0}},
            {"hours": 18, "values": {"systolic_pressure": 119.5, "diastolic_pressure": 70.0}},
        ],
    }
    read = person_of(json.dumps(line))
    assert [each.since_admission for each in read.rounds] == [timedelta(hours=12), timedelta(hours=18)]
    assert read.rounds[0].values == {
        Vital.PULSE_RATE: 72.0,
        Vital.TEMPERATURE: 36.6,
        Vital.SUPPLEMENTAL_OXYGEN: Breathing.OXYGEN,
    }, "a cuff tells both pressures or none"
    assert read.rounds[1].values == {Vital.SYSTOLIC_PRESSURE: 120.0, Vital.DIASTOLIC_PRESSURE: 70.0}


def test_rounds_end_then_and_no_two_are_a_day_or_four_hours_apart() -> None:
    last = now()
    times = somebody(*[WELL] * 12).times(last)
    assert times[-1] == last
    assert len(times) == 12
    apart = {later - earlier for number, later in enumerate(times) for earlier in times[:number]}
    assert min(apart) > timedelta(hours=4)
    for hours in range(4, 53, 4):
        assert not any(
            timedelta(0) <= each - timedelta(hours=hours) <= timedelta(minutes=4) for each in apart
        )


def test_it_takes_whoever_is_in_the_middle_of_those_whose_last_round_is_whole(
    model: DeteriorationModel,
) -> None:
    last = now()
    before = [WELL] * (FEWEST - 1)
    whole = [somebody(*before, {**WELL, Vital.PULSE_RATE: rate}) for rate in (60.0, 90.0, 130.0)]
    gap = somebody(*before, PULSE_ALONE)
    short = somebody(*before)
    by_risk = sorted(whole, key=lambda each: risk_at_the_end(model, each))
    assert middle_one(model, [gap, *whole, short], last) is by_risk[1]
    with pytest.raises(NobodyError):
        middle_one(model, [gap, short], last)


def risk_at_the_end(model: DeteriorationModel, person: Person) -> float:
    risk = expected(model, person, person.times(now()))[-1]
    assert risk is not None
    return risk.probability
