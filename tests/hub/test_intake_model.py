"""The learned model beside the score: told as a shadow, and never a reason for or against an alert."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from hub.alerts import Alert
from hub.assessment.deterioration import SHIPPED_CARD, SHIPPED_MODEL, DeteriorationModel
from hub.assessment.news2 import Band
from hub.readings import (
    Reading,
    Value,
    Vital,
)
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import AlertChange
from hub.uplink.fhir.understood import HeardRisk
from hub.uplink.heard import HeardAlert
from tests.rigs.house import ILL, House, cuff, entry, oximeter, thermometer

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.connection.close()


class Stub:
    """A model that always says the same, whatever that is."""

    name, version, sha256 = "stub", "0", "0" * 64

    def __init__(self, says: float | Exception | None) -> None:
        self._says = says

    def probability(
        self, current: Mapping[Vital, Value], earlier: Sequence[Mapping[Vital, Value]], age: int | None
    ) -> float | None:
        """Say it."""
        if isinstance(self._says, Exception):
            raise self._says
        return self._says


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


@pytest.mark.parametrize("says", [0.0, 1.0, None, math.nan, RuntimeError("the interpreter broke")], ids=repr)
def test_no_model_changes_an_alert_whatever_it_says(
    tmp_path: Path, noon: datetime, says: float | Exception | None
) -> None:
    """Shadow: with no model, with the shipped one, with one that cries, sleeps or breaks, all is the same."""

    readings = getting_worse(noon)

    def alerts(name: str, model: DeteriorationModel | None) -> list[Alert]:
        house = House(tmp_path / name, model=model)
        for reading in readings:
            house.take(reading, ILL)
        assert house.count("assessment") == len(readings)
        found = house.alerts()
        house.connection.close()
        return found

    without = alerts("without", None)
    assert [alert.band for alert in without][-1] is Band.HIGH
    assert alerts("shipped", DeteriorationModel.load(SHIPPED_MODEL, SHIPPED_CARD)) == without
    assert alerts("stub", cast(DeteriorationModel, Stub(says))) == without


def test_a_model_that_breaks_is_said_once_in_the_log(
    tmp_path: Path, noon: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, model=cast(DeteriorationModel, Stub(ValueError("broken"))))
    for minute in range(3):
        house.take(oximeter(97, noon + minute * MINUTE))
    assert [one["risk"] for one in house.assessments()] == [None, None, None]
    assert caplog.text.count("the deterioration model failed") == 1


def test_the_models_risk_is_in_the_assessment_and_told_as_a_shadow(tmp_path: Path, noon: datetime) -> None:
    model = DeteriorationModel.load(SHIPPED_MODEL, SHIPPED_CARD)
    house = House(tmp_path, model=model)
    for reading in getting_worse(noon):
        house.take(reading, ILL)
    risk = house.assessments()[-1]["risk"]
    assert 0 < risk["probability"] < 1
    assert (risk["model"], risk["version"], risk["mode"]) == (model.name, model.version, "shadow")
    (raised,) = [alert for alert in house.told_alerts(AlertChange.RAISED) if alert.band is Band.HIGH]
    (cause,) = [one for one in house.assessments() if values_of(one) == raised_by(raised)]
    assert raised.assessment.risk is not None
    assert as_kept(raised.assessment.risk) == cause["risk"]
    told = house.told_observations()[-1].risk
    assert told is not None
    assert as_kept(told) == risk


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


def test_the_model_is_given_the_sets_before_this_one_oldest_first(tmp_path: Path, noon: datetime) -> None:
    seen: list[list[object]] = []

    class Watching(Stub):
        def probability(
            self, current: Mapping[Vital, Value], earlier: Sequence[Mapping[Vital, Value]], age: int | None
        ) -> float | None:
            seen.append([one[Vital.OXYGEN_SATURATION] for one in earlier])
            return None

    house = House(tmp_path, model=cast(DeteriorationModel, Watching(None)))
    for minute, saturation in enumerate((97, 96, 95)):
        house.take(oximeter(saturation, noon + minute * MINUTE))
    assert seen == [[], [97], [97, 96]]
