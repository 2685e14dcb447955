"""From a strap's notifications to what the ICS hears of a resident's rhythm, by the model that is shipped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.virtual import encoding
from hub.assessment.rhythm import Pulse, RhythmModel
from hub.telling.summaries import read
from hub.telling.summary import Period
from hub.uplink.cloudevents import from_json, to_json
from hub.uplink.feed import resident_summary_event
from hub.uplink.heard import HeardSummary, resident_summary_heard
from tests.rigs.contract import event_faults
from tests.rigs.house import CUFF, House, decoded, raw, write_configuration
from tests.rigs.hub_process import HubProcess, carehub_here
from tests.rigs.simulated_machine import HOUR, MINUTE
from tests.rigs.straps import STRAPS, irregular, noise, regular, worn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = Period(NOON - 6 * HOUR, NOON + 6 * HOUR)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path, STRAPS, rhythm=RhythmModel.configured(None))
    yield house
    house.connection.close()


def heard(house: House, intervals: list[float]) -> HeardSummary:
    """The summary of the strap's resident, as a subscriber hears it."""
    for reading in worn(intervals, NOON):
        house.take(reading)
    house.end_streams()
    _, (of_ill, _) = read(house.connection, house.config, DAY)
    event = from_json(to_json(resident_summary_event(house.identity, of_ill)))
    assert event_faults(event) == []
    return resident_summary_heard(event)


def test_a_pulse_that_stays_irregular_is_found_and_raises_no_alert(house: House) -> None:
    for minute in range(5):
        payload = encoding.blood_pressure(125, 80, pulse=72, status=0x04 if minute < 2 else 0)
        house.take(decoded(raw(CUFF, "blood_pressure", payload, NOON - minute * MINUTE)))
    pulse = heard(house, irregular(700)).pulse
    assert pulse is not None
    assert pulse.pulse is Pulse.IRREGULAR
    assert pulse.words.startswith("irregular pulse: consider an ECG")
    assert pulse.words.endswith("cuff said irregular 2 of 5 times")
    assert pulse.numbers["finding-probability"] > 50
    assert house.alerts() == []


@pytest.mark.parametrize(
    "intervals",
    [
        regular(700),
        [*regular(300), *irregular(75), *regular(325)],
        [*regular(300), *noise(75), *regular(325)],
    ],
    ids=["regular", "one irregular minute", "one noisy minute"],
)
def test_neither_a_regular_pulse_nor_one_odd_minute_in_it_is_a_finding(
    house: House, intervals: list[float]
) -> None:
    pulse = heard(house, intervals).pulse
    assert pulse is not None
    assert pulse.pulse is Pulse.NOT_IRREGULAR
    assert "consider an ECG" not in pulse.words


def test_noise_alone_says_nothing(house: House) -> None:
    pulse = heard(house, noise(700)).pulse
    assert pulse is not None
    assert pulse.pulse is Pulse.UNKNOWN
    assert pulse.numbers["good-windows"] == 0


async def test_a_running_hub_judges_what_is_replayed_to_it_and_beats_of_a_moment_are_no_finding(
    tmp_path: Path,
) -> None:
    """What is replayed counts as received when it comes: all at once, and no pulse was irregular for long."""
    path = write_configuration(tmp_path, STRAPS, model='[model]\nmode = "off"\n')
    readings = list(worn(irregular(500), NOON))
    async with HubProcess(path) as hub:
        assert await hub.feed(readings) == len(readings)
        assert "rhythm model" in hub.log
    first, _ = json.loads(carehub_here("residents", "--json", "--config", path).output)
    assert first["rhythm"].startswith("too few beats of good quality")
    assert first["rhythm"].endswith("good windows irregular) (shadow)")
