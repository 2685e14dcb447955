"""The learned model beside the score: told as a shadow, and never a reason for or against an alert."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.alerts.life import Alert
from hub.assessment.deterioration import SHIPPED_CARD, SHIPPED_MODEL, DeteriorationModel
from hub.assessment.news2 import Band
from hub.assessment.reason import NOTHING, Reason
from hub.clock import ClockQuality, ClockStamp
from hub.intake.intake import Taken
from hub.readings import Consciousness, Reading, Vital
from hub.shadow import risks
from hub.shadow.record import AlertBudget
from hub.store.transaction import Transaction
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import AlertChange
from hub.uplink.fhir.understood import HeardRisk
from hub.uplink.heard import HeardAlert
from tests.rigs.clocks import RightClock
from tests.rigs.house import ILL, House, cuff, entry, oximeter, thermometer
from tests.rigs.stand_in import StandIn

Decided = tuple[list[Taken], list[Alert], list[str], list[dict[str, Any]]]
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def getting_worse(noon: datetime) -> list[Reading]:
    return [
        entry(noon),
        cuff(125, noon + MINUTE),
        oximeter(96, noon + 2 * MINUTE),
        thermometer(38.6, noon + 3 * MINUTE),
        oximeter(91, noon + 4 * MINUTE, pulse=112),
        cuff(92, noon + 5 * MINUTE, pulse=118),
        oximeter(88, noon + 6 * MINUTE, pulse=133),
    ]


NO_FLOAT = cast(float, numpy.float32(0.25))
REASON = Reason(Vital.PULSE_RATE, 118.0, 76.0, usual=True, moved=0.7)


class Unsayable(StandIn):
    """Gives a reason that is none."""

    def __init__(self, reason: Reason) -> None:
        super().__init__()
        self._reason = reason

    def reasons(self, *_: object, **__: object) -> tuple[Reason, ...]:
        """It."""
        return (self._reason,)


ANSWERS: dict[str, Callable[[], StandIn]] = {
    "never": lambda: StandIn(0.0),
    "always": lambda: StandIn(1.0),
    "by the pulse": lambda: StandIn(),
    "not a number": lambda: StandIn(math.nan),
    "no probability": lambda: StandIn(7.0),
    "less than none": lambda: StandIn(0.5, recalibrated=-math.inf),
    "breaks": lambda: StandIn(RuntimeError("the interpreter broke")),
    "has no memory": lambda: StandIn(MemoryError()),
    "does not know why": lambda: StandIn(why=ZeroDivisionError("the reasons broke")),
    "no float": lambda: StandIn(NO_FLOAT, recalibrated=NO_FLOAT),
    "gives no reasons": lambda: Unsayable(cast(Reason, object())),
    "gives reasons that cannot be stored": lambda: Unsayable(replace(REASON, moved=NO_FLOAT)),
    "gives reasons that are no text": lambda: Unsayable(replace(REASON, since="\ud800")),
    "gives reasons that have no words": lambda: Unsayable(replace(REASON, input=Vital.BODY_WEIGHT)),
}
"""What a model may do."""


def run(folder: Path, readings: Iterable[Reading], model: DeteriorationModel | None) -> Decided:
    """Take them with a model: what became of each, the alerts, and the assessments but for their risks."""
    house = House(folder, model=model, clock=RightClock())
    taken = [house.take(reading, ILL) for reading in readings]
    assessments = [{**each, "risk": None} for each in house.assessments()]
    decided = (taken, house.alerts(), [each.words for each in house.told_alerts()], assessments)
    house.connection.close()
    return decided


@pytest.mark.parametrize("what", ANSWERS)
def test_no_model_changes_an_alert_whatever_it_says(tmp_path: Path, noon: datetime, what: str) -> None:
    """Shadow: with no model and with one that cries, sleeps or breaks, all is the same."""
    readings = getting_worse(noon)
    without = run(tmp_path / "without", readings, None)
    assert [alert.band for alert in without[1]][-1] is Band.HIGH
    assert run(tmp_path / "with", readings, ANSWERS[what]().model) == without


def test_the_shipped_model_changes_no_alert(tmp_path: Path, noon: datetime) -> None:
    shipped = DeteriorationModel.load(SHIPPED_MODEL, SHIPPED_CARD)
    readings = getting_worse(noon)
    assert run(tmp_path / "with", readings, shipped) == run(tmp_path / "without", readings, None)


steps = st.lists(
    st.tuples(
        st.sampled_from(["oximeter", "cuff", "thermometer", "entry"]),
        st.sampled_from([0, 1, 7, 31, 250, 900]),  # minutes after the one before
        st.integers(0, 3),  # how bad
        st.integers(0, 40),  # minutes that it comes late
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.sampled_from(sorted(ANSWERS)))
def test_whatever_is_measured_no_model_changes_an_alert(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, int, int, int]], what: str
) -> None:
    at = datetime.fromisoformat("2026-03-01T12:00:00Z")
    readings: list[Reading] = []
    for kind, minutes, badness, late in steps:
        at += minutes * MINUTE + timedelta(seconds=1)
        readings.append(a_reading(kind, at, badness, late))
    without = run(tmp_path_factory.mktemp("without"), readings, None)
    assert run(tmp_path_factory.mktemp("with"), readings, ANSWERS[what]().model) == without


def a_reading(kind: str, at: datetime, badness: int, late: int) -> Reading:
    match kind:
        case "oximeter":
            return oximeter(97 - 4 * badness, at, pulse=72 + 25 * badness)
        case "cuff":
            return cuff(125 - 15 * badness, at, measured=at - late * MINUTE)
        case "thermometer":
            return thermometer(37 + badness, at)
        case _:
            return entry(at, consciousness=Consciousness.PAIN if badness == 3 else Consciousness.ALERT)


# --- a model that fails


def test_a_model_that_breaks_is_said_once_in_the_log(
    tmp_path: Path, noon: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, model=StandIn(ValueError("broken")).model)
    for minute in range(3):
        house.take(oximeter(97, noon + minute * MINUTE))
    assert [one["risk"] for one in house.assessments()] == [None, None, None]
    assert caplog.text.count("the deterioration model failed") == 1


def test_a_past_that_cannot_be_found_costs_the_risk_and_nothing_else(
    tmp_path: Path, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    readings = getting_worse(noon)
    without = run(tmp_path / "without", readings, None)
    monkeypatch.setattr(Transaction, "hours", broken)
    assert run(tmp_path / "with", readings, StandIn().model) == without


def test_a_risk_that_nobody_can_explain_is_a_risk_all_the_same(tmp_path: Path, noon: datetime) -> None:
    house = House(tmp_path, model=StandIn(0.25, why=ZeroDivisionError("broken")).model)
    house.take(oximeter(97, noon))
    (risk,) = [one["risk"] for one in house.assessments()]
    assert (risk["probability"], risk["reasons"]) == (0.25, None)
    (told,) = house.told_observations()
    assert told.risk is not None
    assert told.risk.reasons is None


@pytest.mark.parametrize("what", ["not a number", "no probability", "less than none"])
def test_what_is_no_probability_is_not_kept_as_a_risk(tmp_path: Path, noon: datetime, what: str) -> None:
    house = House(tmp_path, model=ANSWERS[what]().model, budget=AlertBudget(0.2))
    house.take(oximeter(97, noon))
    (row,) = house.connection.execute("SELECT risk, model, would_alert, reasons FROM assessment")
    assert row == (None, None, None, None)


def test_a_risk_that_is_no_float_is_kept_as_one(tmp_path: Path, noon: datetime) -> None:
    """Else it were a few bytes on the card, of which nobody could tell what they are."""
    house = House(tmp_path, model=ANSWERS["no float"]().model, budget=AlertBudget(0.2))
    house.take(oximeter(97, noon))
    (row,) = house.connection.execute("SELECT risk, uncalibrated, would_alert FROM assessment")
    assert row == (0.25, 0.25, 1)


def test_a_model_that_is_slow_rests_and_keeps_no_alert_waiting_again(
    tmp_path: Path, noon: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(risks, "PATIENCE_SECONDS", 0.02)
    slow = StandIn(0.25, seconds=0.03)
    house = House(tmp_path, model=slow.model)
    for reading in getting_worse(noon):
        house.take(reading, ILL)
    assert len(slow.asked) == 1
    assert [one["risk"] is None for one in house.assessments()] == [False, *[True] * 6]
    assert house.alerts()[-1].band is Band.HIGH
    assert "it is not asked for 10 minutes" in caplog.text
    monkeypatch.setattr(risks, "monotonic", lambda: time.monotonic() + risks.REST_SECONDS + 1)
    house.take(oximeter(97, noon + HOUR))
    assert len(slow.asked) == 2


# --- what is told of a risk


def test_the_models_risk_is_in_the_assessment_and_told_as_a_shadow(tmp_path: Path, noon: datetime) -> None:
    house = House(tmp_path, model=StandIn().model)
    for reading in getting_worse(noon):
        house.take(reading, ILL)
    risk = house.assessments()[-1]["risk"]
    assert 0 < risk["probability"] < 1
    assert (risk["model"], risk["version"], risk["mode"]) == ("stand-in", "0", "shadow")
    (raised,) = [alert for alert in house.told_alerts(AlertChange.RAISED) if alert.band is Band.HIGH]
    (cause,) = [one for one in house.assessments() if values_of(one) == raised_by(raised)]
    assert raised.assessment.risk is not None
    assert as_kept(raised.assessment.risk) == cause["risk"]
    told = house.told_observations()[-1].risk
    assert told is not None
    assert as_kept(told) == risk


def test_why_the_risk_is_what_it_is_is_told_with_it(tmp_path: Path, noon: datetime) -> None:
    house = House(tmp_path, model=StandIn().model)
    for hours in (12, 8, 4):
        house.take(oximeter(97, noon - hours * HOUR, pulse=76))
    house.take(oximeter(91, noon, pulse=118))
    words = "pulse faster than usual (118 a minute, usually 76)"
    assert house.assessments()[-1]["risk"]["reasons"] == [words]
    observed, alert = house.told_observations()[-1].risk, house.told_alerts()[-1].assessment.risk
    assert observed is not None
    assert alert is not None
    assert (observed.reasons, alert.reasons) == (words, words)
    first = house.told_observations()[0].risk
    assert first is not None
    assert first.reasons == "nothing stands out"


def test_since_when_is_said_by_the_homes_own_clock(tmp_path: Path, noon: datetime) -> None:
    stand_in = StandIn()
    house = House(tmp_path, model=stand_in.model, clock=RightClock())
    for hours, pulse in ((60, 76), (54, 76), (48, 76), (20, 118), (8, 118)):
        house.take(oximeter(97, noon - hours * HOUR, pulse=pulse))
    house.take(oximeter(91, noon, pulse=118))
    (words,) = house.assessments()[-1]["risk"]["reasons"]
    assert words == "pulse faster than usual since yesterday (118 a minute, usually 76)"


def test_a_hub_that_does_not_know_the_day_says_no_weekday(tmp_path: Path, noon: datetime) -> None:
    class NotSetYet(RightClock):
        def stamp(self) -> ClockStamp:
            return replace(super().stamp(), quality=ClockQuality.NOT_YET)

    stand_in = StandIn()
    House(tmp_path, model=stand_in.model, clock=NotSetYet()).take(oximeter(97, noon))
    assert stand_in.times == [None]


def test_of_a_set_that_is_not_told_nobody_asks_why(tmp_path: Path, noon: datetime) -> None:
    """It is not cheap, and a stream makes a set of every few seconds."""
    stand_in = StandIn()
    house = House(tmp_path, model=stand_in.model)
    for second in range(5):
        house.take(oximeter(97, noon + timedelta(seconds=second)))
    assert [each["risk"]["reasons"] for each in house.assessments()] == [[], None, None, None, None]


def test_a_recalibrated_risk_is_told_with_the_models_own(tmp_path: Path, noon: datetime) -> None:
    house = House(tmp_path, model=StandIn(0.25, recalibrated=0.0625).model)
    house.take(oximeter(97, noon))
    (risk,) = [one["risk"] for one in house.assessments()]
    assert (risk["probability"], risk["uncalibrated"]) == (0.0625, 0.25)
    (told,) = house.told_observations()
    assert told.risk is not None
    assert (told.risk.probability, told.risk.uncalibrated) == (0.0625, 0.25)
    assert any("recalibrated to what became of the people of this home" in to_json(e) for e in house.events())


def values_of(assessment: Mapping[str, Any]) -> dict[str, object]:
    return {vital: said["value"] for vital, said in assessment["observations"].items()}


def raised_by(alert: HeardAlert) -> dict[str, object]:
    return {vital.value: said.value for vital, said in alert.assessment.observations.items()}


def as_kept(risk: HeardRisk) -> dict[str, object]:
    """A risk that was told, in the words of the command line."""
    return {
        "probability": round(risk.probability, 4),
        "model": risk.model,
        "version": risk.version,
        "sha256_prefix": risk.sha256_prefix,
        "uncalibrated": risk.uncalibrated,
        "reasons": None
        if risk.reasons is None
        else risk.reasons.split("; ")
        if risk.reasons != NOTHING
        else [],
        "missing": list(risk.missing),
        "out_of_range": list(risk.out_of_range),
        "mode": risk.mode,
    }


def test_without_a_model_no_risk_is_told(house: House, noon: datetime) -> None:
    house.take(oximeter(91, noon))
    assert house.assessments()[0]["risk"] is None
    told = [*house.told_observations(), *(alert.assessment for alert in house.told_alerts())]
    assert [assessment.risk for assessment in told] == [None, None]
    assert not any("RiskAssessment" in to_json(event) for event in house.events())


def test_the_model_is_given_one_set_of_each_four_hours_before_this_one_oldest_first(
    tmp_path: Path, noon: datetime
) -> None:
    stand_in = StandIn()
    house = House(tmp_path, model=stand_in.model)
    for hours, saturation in ((30, 90), (9, 91), (8.5, 92), (5, 93), (2, 94), (0, 95)):
        house.take(oximeter(saturation, noon - hours * HOUR))
    last = stand_in.asked[-1]
    assert last.current[Vital.OXYGEN_SATURATION] == 95
    assert [one[Vital.OXYGEN_SATURATION] for one in last.earlier] == [90, 92, 93]
    assert last.carried == 2, "of a day's"
    assert [one[Vital.OXYGEN_SATURATION] for one in stand_in.asked[4].earlier] == [90, 92], "6.5 h before"


def test_the_model_is_given_what_was_measured_though_each_set_had_only_a_part_of_it(
    tmp_path: Path, noon: datetime
) -> None:
    """Single readings, each sent alone: of a round five hours ago, and of this one, which took an hour."""
    stand_in = StandIn()
    house = House(tmp_path, model=stand_in.model)
    for hours in (5, 0):
        end = noon - hours * HOUR
        house.take(thermometer(36.0 + hours / 10, end - 50 * MINUTE))
        house.take(cuff(120 + hours, end - 35 * MINUTE, pulse=60))
        house.take(entry(end - 20 * MINUTE), ILL)
        house.take(oximeter(95 - hours, end, pulse=70))
    last = stand_in.asked[-1]
    assert Vital.SYSTOLIC_PRESSURE not in last.current
    before, this_round = last.earlier
    assert before[Vital.TEMPERATURE] == 36.5
    assert before[Vital.SYSTOLIC_PRESSURE] == 125
    assert before[Vital.OXYGEN_SATURATION] == 90
    assert (before[Vital.PULSE_RATE], before[Vital.CONSCIOUSNESS]) == (70, Consciousness.ALERT)
    assert this_round[Vital.TEMPERATURE] == 36.0
    assert this_round[Vital.SYSTOLIC_PRESSURE] == 120
    assert not {Vital.OXYGEN_SATURATION, Vital.PULSE_RATE, Vital.CONSCIOUSNESS} & this_round.keys()
    assert last.carried == 2


def test_a_set_that_comes_late_is_judged_by_what_was_known_then(tmp_path: Path, noon: datetime) -> None:
    """And the newest set anew, with it: it is seen there as of its own time, and once."""
    stand_in = StandIn()
    house = House(tmp_path, model=stand_in.model)
    house.take(thermometer(37.0, noon - 5 * HOUR))
    house.take(thermometer(38.9, noon + 40 * MINUTE))
    house.take(cuff(99, noon + 50 * MINUTE, pulse=130, measured=noon + 20 * MINUTE))
    late, anew = stand_in.asked[-2:]
    assert late.current.keys() & {Vital.TEMPERATURE, Vital.SYSTOLIC_PRESSURE} == {Vital.SYSTOLIC_PRESSURE}
    assert [dict(each) for each in late.earlier] == [{Vital.TEMPERATURE: 37.0}]
    assert {Vital.TEMPERATURE, Vital.SYSTOLIC_PRESSURE} <= anew.current.keys()
    assert [dict(each) for each in anew.earlier] == [{Vital.TEMPERATURE: 37.0}]
    house.take(oximeter(97, noon + 4.5 * HOUR))
    *_, before, own_time = stand_in.asked[-1].earlier
    assert before[Vital.SYSTOLIC_PRESSURE] == 99, "measured before the last four hours"
    assert own_time == {Vital.TEMPERATURE: 38.9}


def test_a_restart_changes_nothing_of_what_the_model_is_given(tmp_path: Path, noon: datetime) -> None:
    before, after = StandIn(), StandIn()
    house = House(tmp_path / "before", model=before.model)
    for number in range(100):
        at = noon + number * 31 * MINUTE
        house.take(oximeter(90 + number % 9, at))
        if number % 5 == 0:
            house.take(cuff(120 + number % 9, at + 7 * MINUTE, measured=at - number % 3 * MINUTE))
    house.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(tmp_path / "before", tmp_path / "after")
    last = oximeter(90, noon + 3200 * MINUTE)
    house.take(last)
    House(tmp_path / "after", model=after.model).take(last)
    assert after.asked == before.asked[-1:]
    assert len(after.asked[0].earlier) == 8


def test_an_alert_that_a_set_raises_which_is_no_news_is_told_with_its_reasons(
    tmp_path: Path, noon: datetime
) -> None:
    """Its band alerts since the hub was started again, within the minute, with another configuration."""
    high = House(tmp_path, '[alerts]\nfrom_band = "high"\n', model=StandIn().model)
    high.take(oximeter(91, noon, pulse=118))
    assert high.alerts() == []
    high.connection.close()
    house = House(tmp_path, model=StandIn().model)
    house.take(oximeter(91, noon + timedelta(seconds=1), pulse=118))
    assert len(house.told_observations()) == 1, "the second set says nothing new"
    (alert,) = house.told_alerts()
    assert alert.assessment.risk is not None
    assert alert.assessment.risk.reasons is not None
