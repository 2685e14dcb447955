"""What the suite says of the aims: met only where each line that belongs to one kept it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.aims import KILLS, OF_THE_FAULTS, OVERTAKES, Found
from tests.faults.account import Judgement
from tests.faults.report import Row, Verdict, held_to_the_aims, judged

_ALL_THERE = Judgement(
    offered=120,
    confirmed=100,
    alerts=2,
    lost_readings=0,
    lost_alerts=0,
    duplicates=7,
    doubles=0,
    clashes=0,
    strangers=0,
    disorder=0,
)


def _of_the_kills(*rows: Row) -> Found:
    return next(found for found in held_to_the_aims(rows) if found.aim is KILLS)


def test_an_aim_is_met_where_every_line_of_the_hub_kept_it() -> None:
    found = _of_the_kills(
        judged("hub", "online", _ALL_THERE, aim=KILLS), judged("hub", "outage", _ALL_THERE, aim=KILLS)
    )
    assert found.met
    assert "2 scenarios: 0 of 200 readings lost, 0 of 4 alerts, 14 duplicates by id, 0 without" in str(found)


@pytest.mark.parametrize("fault", ["lost_readings", "lost_alerts", "doubles", "clashes", "strangers"])
def test_one_line_that_broke_it_is_enough_to_miss_it_and_says_how(fault: str) -> None:
    broken = judged("hub", "outage", replace(_ALL_THERE, **{fault: 1}), aim=KILLS)
    found = _of_the_kills(judged("hub", "online", _ALL_THERE, aim=KILLS), broken)
    assert found.met is False
    assert f"outage: {broken.remarks}" in found.measured


def test_what_a_peer_lost_stands_beside_it_and_breaks_nothing() -> None:
    peer = judged("mosquitto bridge", "online", replace(_ALL_THERE, lost_readings=50), aim=KILLS)
    found = _of_the_kills(judged("hub", "online", _ALL_THERE, aim=KILLS), peer)
    assert found.met
    assert "mosquitto bridge: online: 50 of 100 readings lost" in found.beside


def test_a_peer_alone_measures_nothing_of_the_hub() -> None:
    assert _of_the_kills(judged("mosquitto bridge", "online", _ALL_THERE, aim=KILLS)).met is None


def test_an_aim_of_speed_goes_by_its_own_line() -> None:
    row = Row("hub", "an alert raised then", "", "", "", "in 2,000 ms", Verdict.MISSED, OVERTAKES)
    found = next(each for each in held_to_the_aims([row]) if each.aim is OVERTAKES)
    assert found.met is False
    assert "in 2,000 ms" in found.measured


def test_each_aim_is_told_of_whatever_was_run() -> None:
    assert [(found.aim, found.met) for found in held_to_the_aims([])] == [(a, None) for a in OF_THE_FAULTS]
