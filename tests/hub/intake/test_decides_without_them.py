"""Weight and glucose: whatever is decided of a person is the same without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.alerts.life import Outcome
from hub.readings import Consciousness, Reading, Vital
from tests.rigs.clocks import RightClock
from tests.rigs.house import (
    ILL,
    OXIMETER,
    House,
    cuff,
    decoded,
    entry,
    meter,
    oximeter,
    raw,
    scale,
    thermometer,
)
from tests.rigs.stand_in import StandIn

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
BOTH = {Vital.BODY_WEIGHT.value, Vital.GLUCOSE.value}


# --- nothing that is decided has them


def test_neither_raises_moves_or_ends_an_alert(house: House, noon: datetime) -> None:
    house.take(oximeter(85, noon))
    house.take(oximeter(97, noon + 10 * MINUTE))
    before = house.alerts()
    for minute in range(11, 50):
        assert house.take(meter(1.2, noon + minute * MINUTE)).outcome is None
        assert house.take(scale(31.0, noon + minute * MINUTE)).outcome is None
    assert house.alerts() == before
    assert house.take(oximeter(97, noon + 50 * MINUTE)).outcome is Outcome.RESOLVED


def test_an_old_weight_that_comes_late_raises_no_alert_about_what_is_over(
    house: House, noon: datetime
) -> None:
    """Weighed five minutes after a bad saturation, told by the scale's memory when all is well again."""
    house.take(oximeter(85, noon))
    for minute in (10, 45):
        house.take(oximeter(97, noon + minute * MINUTE))
    assert [alert.open for alert in house.alerts()] == [False]
    house.take(scale(61.5, noon + 3 * HOUR, measured=noon + 5 * MINUTE))
    assert [alert.open for alert in house.alerts()] == [False]
    told = house.told_observations()[-1]
    assert (told.at, told.observations[Vital.BODY_WEIGHT].value) == (noon + 5 * MINUTE, 61.5)
    assert house.count("assessment") == 4, "and it is not put together anew with the newest set"


@pytest.mark.parametrize("days", [1, 20])
def test_a_meters_memory_is_told_with_the_times_that_it_says(house: House, noon: datetime, days: int) -> None:
    measured = noon - days * 24 * HOUR + 10 * MINUTE
    taken = house.take(meter(14.2, noon, measured=measured, number=4))
    (told,) = house.told_observations()
    assert (told.at, told.observations[Vital.GLUCOSE].at) == (measured, measured)
    assert not told.observations[Vital.GLUCOSE].doubtful_time
    assert (taken.outcome, house.alerts()) == (None, [])
    assert house.take(meter(14.2, noon + days * HOUR, measured=measured, number=4)).duplicate


def test_a_memory_of_a_clock_that_nobody_set_is_told_once_as_of_now_and_marked(
    house: House, noon: datetime
) -> None:
    unset = datetime.fromisoformat("2000-01-01T00:02:00Z")
    house.take(meter(14.2, noon, measured=unset, number=4))
    (told,) = house.told_observations()
    assert (told.at, told.observations[Vital.GLUCOSE].doubtful_time) == (noon, True)
    assert house.take(meter(14.2, noon + 48 * HOUR, measured=unset, number=4)).duplicate


GLUCOSE = bytes.fromhex("06 0700 ea07 03 01 0b 1e 00 36c0 11")
"""2A18: flags (a concentration, in mol/L), number 7, 2026-03-01 11:30:00, 54e-4 mol/L, capillary, finger."""
WEIGHT = bytes.fromhex("02 0c30 ea07 03 01 0b 1e 00")
"""2A9D: flags (a time), 12,300 steps of 0.005 kg, 2026-03-01 11:30:00."""


@pytest.mark.parametrize(
    ("name", "characteristic", "payload", "vital", "value"),
    [
        ("glucose", "2a18", GLUCOSE, Vital.GLUCOSE, 5.4),
        ("weight_scale", "2a9d", WEIGHT, Vital.BODY_WEIGHT, 61.5),
    ],
)
@pytest.mark.parametrize("days", [0, 20])
def test_what_a_meter_or_a_scale_has_stored_is_told_as_of_when_it_was_measured_and_once(
    house: House, noon: datetime, name: str, characteristic: str, payload: bytes, vital: Vital, value: float,
    days: int,
) -> None:  # fmt: skip
    """Half an hour later, and long after the 24 hours beyond which a score alerts no more."""
    at = noon + days * 24 * HOUR
    taken = house.take(decoded(raw(OXIMETER, name, payload, at, characteristic)))
    (told,) = house.told_observations()
    assert (told.observations[vital].value, told.observations[vital].at) == (value, noon - 30 * MINUTE)
    assert not told.observations[vital].doubtful_time
    assert (taken.outcome, house.alerts()) == (None, [])
    again = decoded(raw(OXIMETER, name, payload, at + 5 * 24 * HOUR, characteristic))
    assert house.take(again).duplicate


steps = st.lists(
    st.tuples(
        st.sampled_from(["oximeter", "cuff", "thermometer", "entry", "weight", "glucose", "late glucose"]),
        st.integers(0, 20),  # minutes after the one before
        st.integers(0, 3),  # how bad
    ),
    min_size=2,
    max_size=14,
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps)
def test_whatever_is_decided_of_a_person_is_the_same_without_weight_and_glucose(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, int, int]]
) -> None:
    at = datetime.fromisoformat("2026-03-01T12:00:00Z")
    whole, bare = (
        House(tmp_path_factory.mktemp("house"), model=StandIn().model, clock=RightClock()) for _ in range(2)
    )
    for kind, minutes, badness in steps:
        at += minutes * MINUTE + SECOND
        reading = a_reading(kind, at, badness)
        taken = whole.take(reading, ILL)
        if kind in {"weight", "glucose", "late glucose"}:
            assert taken.outcome is None
        else:
            assert bare.take(reading, ILL) == taken
    assert whole.alerts() == bare.alerts()
    assert [stripped(each) for each in whole.assessments() if not of_no_score(whole, each)] == (
        bare.assessments()
    )
    for each in (whole, bare):
        each.connection.close()


def a_reading(kind: str, at: datetime, badness: int) -> Reading:
    match kind:
        case "oximeter":
            return oximeter(97 - 4 * badness, at, pulse=72 + 25 * badness)
        case "cuff":
            return cuff(125 - 15 * badness, at)
        case "thermometer":
            return thermometer(37 + badness, at)
        case "entry":
            return entry(at, consciousness=Consciousness.PAIN if badness == 3 else Consciousness.ALERT)
        case "weight":
            return scale(60.0 + badness, at)
        case "glucose":
            return meter(5.0 + badness, at)
        case _:
            return meter(5.0 + badness, at, measured=at - (3 + 7 * badness) * MINUTE)


def of_no_score(house: House, assessment: Mapping[str, Any]) -> bool:
    """Whether a weight or a glucose completed it: it has the newest value."""
    observations = assessment["observations"]
    newest = max(each["measured_at"] for each in observations.values())
    return any(observations[vital]["measured_at"] == newest for vital in BOTH & observations.keys())


def stripped(assessment: Mapping[str, Any]) -> dict[str, Any]:
    kept = {vital: said for vital, said in assessment["observations"].items() if vital not in BOTH}
    return {**assessment, "observations": kept}


# --- nor is a baseline of the model


def test_sets_that_have_nothing_of_the_models_inputs_take_no_place_among_those_before(
    tmp_path: Path, noon: datetime
) -> None:
    """Weight and glucose alone: of the last eight sets all eight tell of the person."""
    stand_in = StandIn()
    house = House(tmp_path, model=stand_in.model)
    at = noon
    for number in range(10):
        at += 4 * HOUR
        house.take(oximeter(90 + number, at))
        house.take(scale(61.5, at + 40 * MINUTE))
        house.take(meter(5.5, at + 41 * MINUTE))
    house.take(oximeter(99, at + 4 * HOUR))
    assert [each.get(Vital.OXYGEN_SATURATION) for each in stand_in.asked[-1].earlier] == [*range(92, 100)]
