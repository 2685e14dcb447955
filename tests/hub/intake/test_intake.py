"""A reading and all that it causes: one transaction, the right owner, the right time, and no guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.alerts.life import AlertState, Outcome, Resolution
from hub.assessment.news2 import Band
from hub.clock import stamp
from hub.readings import (
    AbsentReason,
    Consciousness,
    Measurement,
    Quality,
    Vital,
)
from hub.residents.register import UnknownResidentError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.uplink.contract import AlertChange
from tests.rigs.house import ILL, SHARED, House, cuff, entry, oximeter, thermometer

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


# --- one transaction


async def test_a_reading_and_all_it_causes_are_stored_or_nothing_of_it(
    tmp_path: Path, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alert's event is the last thing written: where it fails, even the reading is not there."""
    house = House(tmp_path)
    reading = oximeter(80, noon)

    def fails(*_: object) -> None:
        raise LookupError("no outbox")

    async with Writer(house.path) as writer:
        with monkeypatch.context() as broken:
            broken.setattr(Transaction, "tell", fails)
            with pytest.raises(LookupError, match="no outbox"):
                await writer.write(lambda transaction: house.intake.take(transaction, reading, stamp()))
        assert set(house.counts().values()) == {0}
        await writer.write(lambda transaction: house.intake.take(transaction, reading, stamp()))
    assert house.counts() == {
        "reading": 1, "assessment": 1, "alert": 1, "audit": 1, "outbox": 2,
    }  # fmt: skip


def test_a_reading_that_comes_twice_counts_once(house: House, noon: datetime) -> None:
    house.take(oximeter(80, noon))
    before = house.counts()
    taken = house.take(oximeter(80, noon))
    assert taken.duplicate
    assert house.counts() == before


def test_a_cuff_that_sends_its_memory_again_later_is_counted_once(house: House, noon: datetime) -> None:
    house.take(cuff(120, noon, measured=noon))
    assert house.take(cuff(120, noon + HOUR, measured=noon)).duplicate
    assert house.count("assessment") == 1


def test_a_memory_of_a_clock_that_nobody_set_is_counted_once_in_any_order_on_any_day_after_any_start(
    tmp_path: Path, noon: datetime
) -> None:
    """Thirty records of a cuff that has stood at the beginning of 2000 ever since."""
    unset = datetime.fromisoformat("2000-01-01T00:02:00Z")
    order = list(range(30))
    for days in (0, 1, 1, 40, 400):
        house = House(tmp_path)
        Random(days).shuffle(order)
        for place, number in enumerate(order):
            at = noon + days * 24 * HOUR + timedelta(seconds=place)
            house.take(cuff(120 + number % 3, at, measured=unset + number * timedelta(seconds=50)))
        assert (house.count("reading"), house.count("assessment")) == (30, 30)
        house.connection.close()


def test_events_have_the_same_ids_when_the_same_readings_are_taken_again(
    tmp_path: Path, noon: datetime
) -> None:
    """As after a restored backup: what is told twice is recognised."""
    readings = [
        oximeter(94, noon),
        cuff(85, noon + MINUTE),
        oximeter(80, noon + 2 * MINUTE, pulse=135),
        cuff(85, noon + 10 * MINUTE, measured=noon - 10 * MINUTE),
    ]
    told = []
    for name in ("first", "second"):
        house = House(tmp_path / name, "[publish]\nreading = true\n")
        for reading in readings:
            house.take(reading)
        told.append([(event.id, event.type) for event in house.events()])
        house.connection.close()
    assert told[0] == told[1]
    assert len({identifier for identifier, _ in told[0]}) == len(told[0]) > 8


# --- whose is it


def test_a_reading_of_a_shared_sensor_waits_for_a_person_and_is_not_scored(
    house: House, noon: datetime
) -> None:
    assert house.take(oximeter(60, noon, device=SHARED)).resident is None
    assert house.counts() == {
        "reading": 1, "assessment": 0, "alert": 0, "audit": 0, "outbox": 0,
    }  # fmt: skip


def test_a_reading_of_a_stranger_waits_for_a_person_and_is_not_scored(house: House, noon: datetime) -> None:
    assert house.take(oximeter(60, noon, device="C4:F2:17:99:99:99")).resident is None
    assert (house.count("reading"), house.count("assessment")) == (1, 0)


def test_a_reading_is_its_sensors_owners_and_no_other_resident_is_scored(
    house: House, noon: datetime
) -> None:
    house.take(oximeter(60, noon))
    assert [row[0] for row in house.connection.execute("SELECT DISTINCT resident FROM assessment")] == [ILL]


def test_an_observation_of_an_unknown_resident_is_refused_and_nothing_is_stored(
    house: House, noon: datetime
) -> None:
    with pytest.raises(UnknownResidentError, match="R-9999"):
        house.take(entry(noon), "R-9999")
    assert house.count("reading") == 0


# --- what is scored


def test_a_partial_score_that_reaches_a_band_alerts_and_says_what_is_missing(
    house: House, noon: datetime
) -> None:
    assert house.take(oximeter(91, noon)).outcome is Outcome.RAISED
    (alert,) = house.alerts()
    assert alert.band is Band.SINGLE_RED
    assert "at least 3" in alert.words
    assert "respiration rate" in alert.words
    (told,) = house.told_alerts(AlertChange.RAISED)
    assert told.words == alert.words
    assert told.assessment.news2.complete is False
    assert Vital.CONSCIOUSNESS in told.assessment.news2.missing


def test_the_same_band_does_not_alert_again_and_a_higher_one_supersedes(house: House, noon: datetime) -> None:
    outcomes = [
        house.take(oximeter(91, noon)).outcome,  # 3
        house.take(oximeter(90, noon + MINUTE)).outcome,  # 3 again
        house.take(cuff(88, noon + 2 * MINUTE)).outcome,  # 3 + 3
        house.take(oximeter(85, noon + 3 * MINUTE)).outcome,  # 6 again
        house.take(oximeter(85, noon + 4 * MINUTE, pulse=131)).outcome,  # 9
    ]
    assert outcomes == [
        Outcome.RAISED, Outcome.UNCHANGED, Outcome.SUPERSEDED, Outcome.UNCHANGED, Outcome.SUPERSEDED,
    ]  # fmt: skip
    raised = house.told_alerts(AlertChange.RAISED)
    assert [alert.band for alert in raised] == [Band.SINGLE_RED, Band.MEDIUM, Band.HIGH]
    first, second, third = house.alerts()
    assert (second.supersedes, third.supersedes) == (first.id, second.id)
    assert [alert.state for alert in (first, second, third)] == [
        AlertState.RESOLVED, AlertState.RESOLVED, AlertState.RAISED,
    ]  # fmt: skip
    assert [alert.supersedes for alert in raised] == [None, first.id, second.id]
    resolved = house.told_alerts(AlertChange.RESOLVED)
    assert [(alert.alert, alert.resolution) for alert in resolved] == [
        (first.id, Resolution.SUPERSEDED), (second.id, Resolution.SUPERSEDED),
    ]  # fmt: skip


def test_an_alert_ends_by_itself_only_after_the_resident_was_better_for_the_set_time(
    house: House, noon: datetime
) -> None:
    house.take(oximeter(91, noon))
    outcomes = [house.take(oximeter(97, noon + n * 10 * MINUTE)).outcome for n in (1, 2, 3, 4)]
    assert outcomes == [Outcome.UNCHANGED, Outcome.UNCHANGED, Outcome.UNCHANGED, Outcome.RESOLVED]
    assert [what for what, _ in house.history(house.alerts()[0])] == ["raised", "resolved"]
    (told,) = house.told_alerts(AlertChange.RESOLVED)
    assert told.resolution is Resolution.RECOVERED


@pytest.mark.parametrize("band", ["medium", "high"])
def test_an_alert_that_is_configured_higher_is_not_raised_lower(
    tmp_path: Path, noon: datetime, band: str
) -> None:
    house = House(tmp_path, f'[alerts]\nfrom_band = "{band}"\n')
    house.take(oximeter(91, noon))
    assert house.alerts() == []
    house.take(cuff(80, noon + MINUTE, pulse=135))
    assert [alert.band for alert in house.alerts()] == [Band.HIGH]


ABSENT = st.builds(lambda reason: (None, reason, Quality.GOOD), st.sampled_from(AbsentReason))
UNUSABLE = st.builds(lambda value: (value, None, Quality.UNUSABLE), st.floats(0, 300, allow_nan=False))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    said=st.dictionaries(
        st.sampled_from(
            [
                Vital.OXYGEN_SATURATION,
                Vital.SYSTOLIC_PRESSURE,
                Vital.PULSE_RATE,
                Vital.TEMPERATURE,
                Vital.RESPIRATION_RATE,
            ]
        ),
        st.one_of(ABSENT, UNUSABLE),
        min_size=1,
    )
)
def test_what_is_absent_or_unusable_is_kept_and_never_scored(
    tmp_path_factory: pytest.TempPathFactory,
    noon: datetime,
    said: Mapping[Vital, tuple[float | None, AbsentReason | None, Quality]],
) -> None:
    house = House(tmp_path_factory.mktemp("house"))
    measurements = tuple(Measurement(vital, *one) for vital, one in said.items())
    good = oximeter(97, noon - MINUTE)
    house.take(good)
    before = house.assessments()
    house.take(replace(oximeter(60, noon), measurements=measurements))
    assert house.count("reading") == 2
    assert house.observed() == 2
    assert house.assessments() == before
    assert house.alerts() == []
    house.connection.close()


def test_a_bad_value_beside_a_good_one_is_left_out_of_the_score(house: House, noon: datetime) -> None:
    good = oximeter(97, noon, pulse=250)
    saturation, pulse = good.measurements
    house.take(replace(good, measurements=(saturation, replace(pulse, quality=Quality.UNUSABLE))))
    (assessment,) = house.assessments()
    assert set(assessment["observations"]) == {"oxygen_saturation"}
    assert "pulse_rate" in assessment["news2"]["missing"]


def test_a_failed_measurement_does_not_hide_the_good_one_before_it(house: House, noon: datetime) -> None:
    house.take(oximeter(91, noon))
    failed = oximeter(95, noon + MINUTE, pulse=80)
    saturation, pulse = failed.measurements
    nothing = Measurement(saturation.vital, None, AbsentReason.NOT_A_NUMBER)
    house.take(replace(failed, measurements=(nothing, pulse)))
    observed = house.assessments()[-1]["observations"]
    assert observed["oxygen_saturation"]["value"] == 91
    assert observed["pulse_rate"]["value"] == 80


def test_manual_observations_complete_a_set(house: House, noon: datetime) -> None:
    house.take(cuff(120, noon))
    house.take(oximeter(97, noon + MINUTE))
    house.take(thermometer(36.8, noon + 2 * MINUTE))
    assert house.assessments()[-1]["news2"]["complete"] is False
    house.take(entry(noon + 3 * MINUTE, consciousness=Consciousness.NEW_CONFUSION), ILL)
    score = house.assessments()[-1]["news2"]
    assert (score["complete"], score["total"], score["band"]) == (True, 3, "single_red")
    assert [alert.band for alert in house.alerts()] == [Band.SINGLE_RED]


def test_two_of_the_same_instant_make_one_set_whatever_their_order(tmp_path: Path, noon: datetime) -> None:
    """A cuff and an oximeter both give a pulse; one of them doubts its own."""
    doubtful = oximeter(97, noon, pulse=140)
    doubtful = replace(
        doubtful,
        measurements=tuple(replace(one, quality=Quality.QUESTIONABLE) for one in doubtful.measurements),
    )
    readings = [doubtful, cuff(120, noon, pulse=70), thermometer(36.8, noon)]
    seen = []
    for number, order in enumerate(permutations(readings)):
        house = House(tmp_path / str(number))
        for reading in order:
            house.take(reading)
        observed = house.assessments()[-1]["observations"]
        seen.append({vital: one["value"] for vital, one in observed.items()})
        house.connection.close()
    assert all(one == seen[0] for one in seen)
    assert seen[0]["pulse_rate"] == 70


# --- what is told


def test_an_observation_set_is_told_when_it_says_something_new_or_once_a_minute(
    house: House, noon: datetime
) -> None:
    for second in range(0, 180):  # three minutes long, one each second; the score changes at 90 s
        house.take(oximeter(97 if second < 90 else 95, noon + timedelta(seconds=second)))
    told = [event.time for event in house.events("observation")]
    assert told == [noon + timedelta(seconds=second) for second in (0, 60, 90, 120)]


def test_observations_and_readings_are_told_as_the_configuration_says(tmp_path: Path, noon: datetime) -> None:
    quiet = House(tmp_path / "quiet", "[publish]\nobservation = false\n")
    quiet.take(oximeter(97, noon))
    assert quiet.events() == []
    loud = House(tmp_path / "loud", "[publish]\nreading = true\n")
    loud.take(oximeter(97, noon))
    loud.take(oximeter(97, noon, device=SHARED))
    assert [reading.resident for reading in loud.told_readings()] == [ILL, None]


def test_an_alert_overtakes_the_readings_that_wait_before_it(tmp_path: Path, noon: datetime) -> None:
    house = House(tmp_path, "[publish]\nreading = true\n")
    house.take(oximeter(97, noon))
    house.take(oximeter(80, noon + MINUTE))
    rows = house.connection.execute("SELECT channel FROM outbox ORDER BY sequence")
    assert [row[0] for row in rows] == ["alert", "observation", "observation", "reading", "reading"]


def test_a_reading_that_could_not_be_taken_is_kept_with_the_reason(house: House, noon: datetime) -> None:
    for _ in range(2):
        with house.transaction() as transaction:
            house.intake.keep(transaction, oximeter(80, noon), stamp(), "the sky fell")
    (row,) = house.connection.execute("SELECT resident, problem, measurements FROM reading")
    assert row == (None, "the sky fell", "[]")
    assert house.alerts() == []
