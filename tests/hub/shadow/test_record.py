"""The shadow record: kept beside each set, counted in the hub's summary, and no part of any alert."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.alerts.concern import concern_reading
from hub.assessment.news2 import Band
from hub.shadow.record import AlertBudget, ShadowTally
from hub.telling.summaries import read
from hub.telling.summary import Period, ShadowSummary
from tests.rigs.house import ILL, WELL, WELL_OXIMETER, House, oximeter
from tests.rigs.made_up_model import made_up_model

HOUR = timedelta(hours=1)


def tallied(period: Period, *told: tuple[str, datetime, bool | None]) -> ShadowSummary | None:
    tally = ShadowTally()
    for resident, at, would_alert in told:
        tally.add(resident, at, would_alert)
    return tally.summary(period, ())


def course(
    begin: datetime, *above: bool | None, of: str = ILL
) -> Sequence[tuple[str, datetime, bool | None]]:
    return [(of, begin + 6 * number * HOUR, each) for number, each in enumerate(above)]


def test_who_stays_above_is_counted_once(noon: datetime) -> None:
    period = Period(noon, noon + 48 * HOUR)
    assert tallied(period, *course(noon, True, True, False, True)) == ShadowSummary(4, 1, 0, 0)


def test_who_came_to_be_above_before_the_period_is_not_counted_in_it(noon: datetime) -> None:
    period = Period(noon, noon + 48 * HOUR)
    told = course(noon - 12 * HOUR, False, True, True, False, False, True)
    assert tallied(period, *told) == ShadowSummary(4, 1, 0, 0)


def test_without_a_threshold_there_is_nothing_to_tell(noon: datetime) -> None:
    period = Period(noon, noon + 48 * HOUR)
    assert tallied(period) is None
    assert tallied(period, *course(noon, None, None)) is None
    assert tallied(period, *course(noon - 48 * HOUR, True)) is None


def test_a_threshold_that_is_taken_away_while_a_risk_is_compared_with_it_costs_no_risk() -> None:
    """`hub/shadow/watch.py` sets it on another thread than the writer's."""

    class TakenAway(AlertBudget):
        asked = 0

        def __getattribute__(self, name: str) -> Any:
            if name == "threshold":
                TakenAway.asked += 1
                return 0.5 if TakenAway.asked == 1 else None
            return super().__getattribute__(name)

    assert TakenAway().would_alert(0.7) is True


@pytest.fixture
def shadowed(tmp_path: Path) -> House:
    """Would alert from a pulse of 100 on."""
    return House(tmp_path, model=made_up_model(), budget=AlertBudget(0.5))


def test_the_hubs_summary_tells_what_would_have_alerted_and_what_news2_did(
    shadowed: House, noon: datetime
) -> None:
    shadowed.take(oximeter(80, noon, pulse=110))  # both
    shadowed.take(oximeter(97, noon, pulse=140, device=WELL_OXIMETER))  # both: 3 for the pulse
    shadowed.take(oximeter(97, noon + 20 * HOUR, pulse=70, device=WELL_OXIMETER))
    hub, _ = read(shadowed.connection, shadowed.config, Period(noon, noon + 24 * HOUR))
    assert hub.shadow == ShadowSummary(scored=3, would_alert=2, news2=2, coincided=2)
    shadowed.connection.close()


def test_an_alert_of_news2_that_the_model_did_not_see_does_not_coincide(
    shadowed: House, noon: datetime
) -> None:
    shadowed.take(oximeter(80, noon, pulse=70))
    shadowed.take(oximeter(97, noon, pulse=105, device=WELL_OXIMETER))
    hub, _ = read(shadowed.connection, shadowed.config, Period(noon, noon + 24 * HOUR))
    assert hub.shadow == ShadowSummary(scored=2, would_alert=1, news2=1, coincided=0)
    shadowed.connection.close()


def test_a_concern_is_no_alert_of_news2_and_asks_no_model(shadowed: House, noon: datetime) -> None:
    """The set of its moment has the pulse that would alert, and was counted when that was measured."""
    shadowed.take(oximeter(97, noon, pulse=105))
    shadowed.take(concern_reading("a carer", noon + HOUR / 12, []), resident=ILL)
    hub, _ = read(shadowed.connection, shadowed.config, Period(noon, noon + 24 * HOUR))
    assert hub.shadow == ShadowSummary(scored=1, would_alert=1, news2=0, coincided=0)
    assert hub.alerts.raised == 1
    shadowed.connection.close()


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5, 1.0])
def test_no_threshold_raises_moves_or_ends_an_alert(
    tmp_path: Path, noon: datetime, threshold: float | None
) -> None:
    """The same readings with whatever the shadow says: the alerts are those of a hub without a model."""

    def alerts(house: House) -> list[tuple[str, Band, str]]:
        for number, (saturation, pulse) in enumerate([(97, 70), (88, 140), (85, 60), (97, 110), (96, 70)]):
            house.take(oximeter(saturation, noon + number * HOUR, pulse=pulse))
            house.take(oximeter(97, noon + number * HOUR, pulse=pulse, device=WELL_OXIMETER))
        found = [(each.resident, each.band, each.state.value) for each in house.alerts()]
        house.connection.close()
        return found

    without = alerts(House(tmp_path / "without"))
    beside = alerts(House(tmp_path / "with", model=made_up_model(), budget=AlertBudget(threshold)))
    assert beside == without
    assert {each[0] for each in without} == {ILL, WELL}


def test_a_shadow_that_fails_takes_no_summary_away(
    tmp_path: Path, noon: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(tmp_path, model=made_up_model(), budget=AlertBudget(0.5))
    house.take(oximeter(91, noon))

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ShadowTally, "summary", fails)
    hub, _ = read(house.connection, house.config, Period(noon, noon + HOUR))
    assert (hub.shadow, hub.alerts.raised) == (None, 1)
    assert "the shadow record is in no summary" in caplog.text
    house.connection.close()
