"""What the benchmark says of the aims, from figures that are known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import aims
from tests.aims import Aim, Found
from tests.bench.block import Block
from tests.bench.table import held_to_the_aims

_GOOD = Block(
    system="the hub",
    readings=(0.05,),
    alerts=(0.01,),
    steady_processor=0.1,
    alerting_written=0,
    steady_written=600,
    steady_device=0,
    flood_rate=3000,
    flood_processor=0,
    flood_written=0,
    readings_a_message=20,
    lost=0,
    repeated=0,
    memory_started=70,
    memory_peak=79,
    load=0,
)
_RAW = replace(_GOOD, flood_rate=4000)
_THINGSBOARD = replace(_GOOD, flood_rate=1000, readings=(0.2,), alerts=())


def _held(hub: Block, thingsboard: Block | None = _THINGSBOARD) -> dict[Aim, Found]:
    blocks = {"the hub": [hub], "raw limit, 20 a message": [_RAW]}
    if thingsboard is not None:
        blocks["ThingsBoard, sqlite"] = [thingsboard]
    return {found.aim: found for found in held_to_the_aims(blocks)}


def test_a_hub_that_reaches_every_aim_meets_them_all() -> None:
    assert {found.met for found in _held(_GOOD).values()} == {True}


@pytest.mark.parametrize(
    ("worse", "missed"),
    [
        (replace(_GOOD, flood_rate=2999), {aims.FLOOD_BESIDE_THINGSBOARD}),
        (replace(_GOOD, flood_rate=2399), {aims.FLOOD_BESIDE_THINGSBOARD, aims.FLOOD_BESIDE_RAW}),
        (replace(_GOOD, alerts=(0.041,)), {aims.ALERT_BESIDE_THINGSBOARD}),
        (replace(_GOOD, alerts=(0.061,)), {aims.ALERT, aims.ALERT_BESIDE_THINGSBOARD}),
        (replace(_GOOD, alerts=()), {aims.ALERT, aims.ALERT_BESIDE_THINGSBOARD}),
        (replace(_GOOD, steady_written=901), {aims.WRITTEN}),
        (replace(_GOOD, memory_peak=81), {aims.MEMORY}),
    ],
)
def test_a_figure_beyond_its_aim_misses_that_aim(worse: Block, missed: set[Aim]) -> None:
    assert {aim for aim, found in _held(worse).items() if not found.met} == missed


def test_without_the_gateway_its_aims_are_not_measured_and_nothing_else_is_missed() -> None:
    not_met = {aim: found.met for aim, found in _held(_GOOD, None).items() if not found.met}
    assert not_met == {aims.FLOOD_BESIDE_THINGSBOARD: None, aims.ALERT_BESIDE_THINGSBOARD: None}


def test_what_is_missed_says_why_and_what_is_met_does_not() -> None:
    missed, met = _held(replace(_GOOD, flood_rate=100))[aims.FLOOD_BESIDE_RAW], _held(_GOOD)[aims.WRITTEN]
    assert str(missed) == (
        "flood: at least 60 % of the raw limit at the same batch size: MISSED, measured 100/s against "
        f"4,000/s (2%). Why: {aims.FLOOD_BESIDE_RAW.reason}"
    )
    assert str(met) == (
        "200 readings/s: 900 bytes to disk a reading at most: met, measured 600 bytes against 900 bytes"
    )
