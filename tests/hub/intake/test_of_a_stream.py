"""A sensor that streams: every value is stored, and only what lasts is scored and alerted."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from drivers.virtual import encoding
from hub.alerts.life import Outcome
from hub.clock import ClockQuality, ClockStamp
from hub.configuration.file import Sensor
from hub.intake.intake import Taken
from hub.intake.reception import Reception
from hub.intake.streams import ClosedStretch
from hub.readings import Flag, Reading
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Moment
from tests.rigs.house import ILL, OXIMETER, SHARED, WELL_OXIMETER, House, cuff, decoded, oximeter, raw

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
NAN = math.nan  # no finger


def streamed(saturation: float, at: datetime, *, pulse: float = 72, device: str = OXIMETER) -> Reading:
    payload = encoding.continuous(saturation, pulse)
    return decoded(raw(device, "pulse_oximeter", payload, at, "2a5f"))


def stream(
    house: House, start: datetime, seconds: Iterable[int], saturation: Callable[[int], float]
) -> dict[int, Taken]:
    """One value at each of these seconds after the start; what became of the stretches that were assessed, by
    the second of their last sample."""
    assessed: dict[int, Taken] = {}
    for second in seconds:
        value = saturation(second)
        pulse = NAN if math.isnan(value) else 72
        taken = house.take(streamed(value, start + second * SECOND, pulse=pulse))
        if taken.outcome is not None:
            ended = house.stretches()[-1].placed.measured_at
            assessed[(ended - start) // SECOND] = taken
    return assessed


# --- what does not last


def test_one_bad_second_in_two_minutes_raises_no_alert_and_is_stored(house: House, noon: datetime) -> None:
    stream(house, noon, range(120), lambda second: 91 if second == 60 else 97)
    house.end_streams()
    assert len(house.samples()) == 120
    lowest = [each.lowest for row in house.stretches() for each in row.placed.reading.stretch.vitals]  # type: ignore[union-attr]  # stretches
    assert 91 in lowest
    assert house.alerts() == []
    assert {one["observations"]["oxygen_saturation"]["value"] for one in house.assessments()} == {97}


def test_a_bad_value_each_45_minutes_raises_no_alert_in_8_hours(house: House, noon: datetime) -> None:
    for number in range(11):
        stream(house, noon + number * 45 * MINUTE, range(61), lambda second: 91 if second == 30 else 97)
    assert house.count("assessment") > 0
    assert house.alerts() == []


def test_lone_values_each_45_minutes_are_stored_and_not_scored(house: House, noon: datetime) -> None:
    for number in range(11):
        house.take(streamed(91, noon + number * 45 * MINUTE))
    assert house.end_streams().resident == ILL
    assert house.counts() == {
        "reading": 11, "assessment": 0, "alert": 0, "audit": 0, "outbox": 0,
    }  # fmt: skip


# --- what lasts


@pytest.mark.parametrize("begins", range(60, 70))
def test_a_fall_that_lasts_is_alerted_within_half_a_minute_whenever_it_begins(
    house: House, noon: datetime, begins: int
) -> None:
    taken = stream(house, noon, range(120), lambda second: 91 if second >= begins else 97)
    raised = [second for second, each in taken.items() if each.outcome is Outcome.RAISED]
    assert len(raised) == 1
    assert begins + 15 <= raised[0] < begins + 30


def test_a_fall_is_alerted_though_the_sensor_misses_every_second_value(house: House, noon: datetime) -> None:
    stream(house, noon, range(60), lambda _: 97)
    taken = stream(house, noon, range(60, 91), lambda second: NAN if second % 2 else 88)
    assert Outcome.RAISED in {each.outcome for each in taken.values()}


def test_a_resident_who_is_put_on_a_sensor_ill_is_alerted_as_soon_as_there_is_enough(
    house: House, noon: datetime
) -> None:
    taken = stream(house, noon, range(30), lambda _: 88)
    assert next(iter(taken)) == 15
    assert taken[15].outcome is Outcome.RAISED


def test_when_the_clock_is_set_back_the_stream_goes_on(house: House, noon: datetime) -> None:
    stream(house, noon, range(60), lambda _: 97)
    stream(house, noon - 60 * MINUTE, range(30), lambda _: 88)
    assert len(house.open_alerts()) == 1


# --- gaps


def test_values_before_and_after_a_finger_was_out_are_not_taken_together(
    house: House, noon: datetime
) -> None:
    """Badly placed for five seconds each time, and nothing between."""
    for start in range(0, 300, 25):
        stream(house, noon, range(start, start + 5), lambda _: 88)
        stream(house, noon, range(start + 5, start + 25), lambda _: NAN)
    house.end_streams()
    assert len(house.samples()) == 300
    assert house.count("assessment") == 0


def test_after_a_gap_the_stream_must_last_again(house: House, noon: datetime) -> None:
    stream(house, noon, range(60), lambda _: 97)
    taken = stream(house, noon, range(100, 130), lambda _: 88)
    assert list(taken) == [59, 115]


# --- beside other readings


def test_a_spot_check_alerts_at_once_even_beside_a_stream(house: House, noon: datetime) -> None:
    stream(house, noon, range(40), lambda _: 97)
    assert house.take(oximeter(91, noon + 40 * SECOND)).outcome is Outcome.RAISED


def test_a_cuff_amid_a_stream_is_scored_beside_the_median_and_not_the_newest_value(
    house: House, noon: datetime
) -> None:
    stream(house, noon, range(45), lambda second: 97 if second < 44 else 60)
    house.take(cuff(120, noon + 44 * SECOND, pulse=72))
    newest = house.assessments()[-1]
    assert newest["observations"]["systolic_pressure"]["value"] == 120
    assert newest["observations"]["oxygen_saturation"]["value"] == 97
    assert house.alerts() == []


def test_a_low_median_and_a_cuff_are_scored_together(house: House, noon: datetime) -> None:
    stream(house, noon, range(45), lambda _: 91)
    house.take(cuff(88, noon + 44 * SECOND))
    assert house.assessments()[-1]["news2"]["total"] == 6


def test_two_residents_streams_are_kept_apart(house: House, noon: datetime) -> None:
    for second in range(40):
        house.take(streamed(97, noon + second * SECOND))
        house.take(streamed(88, noon + second * SECOND, device=WELL_OXIMETER))
    assert [alert.resident for alert in house.alerts()] == ["R-0077"]
    values = {one["observations"]["oxygen_saturation"]["value"] for one in house.assessments(ILL)}
    assert values == {97}


def test_a_stream_of_a_shared_sensor_waits_for_a_person(house: House, noon: datetime) -> None:
    for second in range(40):
        house.take(streamed(88, noon + second * SECOND, device=SHARED))
    assert house.end_streams().resident is None
    assert (len(house.samples()), house.observed(), house.count("assessment")) == (40, 0, 0)


# --- how often


@pytest.mark.parametrize("a_second", [1, 4])
def test_a_minute_of_a_steady_stream_is_one_row_and_assessed_once(
    house: House, noon: datetime, a_second: int
) -> None:
    for number in range(615 * a_second + 1):
        house.take(streamed(97, noon + number * SECOND / a_second))
    assert len(house.samples()) == 615 * a_second + 1
    assert house.count("reading") == house.count("assessment") == 11
    assert house.observed() == 2 * 11


def test_a_stream_that_keeps_changing_is_assessed_no_more_than_six_times_a_minute(
    house: House, noon: datetime
) -> None:
    stream(house, noon, range(600), lambda second: 88 if second // 20 % 2 else 97)
    house.end_streams()
    assert len(house.samples()) == 600
    assert 20 <= house.count("assessment") <= 60


def test_how_long_a_stream_must_last_is_configured(tmp_path: Path, noon: datetime) -> None:
    house = House(tmp_path, '[observation_sets]\nstream = "2 min"\n')
    assert next(iter(stream(house, noon, range(90), lambda _: 88))) == 60
    house.connection.close()


# --- what is not committed


def take_in_vain(house: House, stretches: Iterable[ClosedStretch]) -> None:
    """Take them in transactions that are not committed."""
    for closed in stretches:
        with suppress(NotCommittedError), house.transaction() as transaction:
            house.intake.take_stretch(transaction, closed)
            raise NotCommittedError(house.path, "the card is full")


def test_a_stretch_that_is_taken_again_since_it_was_not_committed_counts_once(
    tmp_path: Path, noon: datetime
) -> None:
    """Each is tried three times before it is committed, and all comes out as if it were tried once."""
    found = []
    for times in (1, 3):
        house = House(tmp_path / str(times))
        for second in range(90):
            reading = streamed(97 if second < 45 else 88, noon + second * SECOND)
            over = house.intake.streams.add(reading, house.clock.stamp())
            for _ in range(times - 1):
                take_in_vain(house, over)
            house.take_all(over)
        found.append((house.counts(), house.assessments(), house.alerts()))
        house.connection.close()
    assert found[0] == found[1]
    assert len(found[0][2]) == 1


async def test_the_value_that_raises_the_alert_is_not_lost_to_a_card_that_fails(
    house: House, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of every value fails once, as when the card is full, and the reception tries again."""
    rollbacks = 0
    add_assessment = Transaction.add_assessment

    def full_at_first(transaction: Transaction, *row: object) -> int:
        nonlocal rollbacks
        rollbacks += 1
        if rollbacks % 2:
            transaction._connection.execute("SELECT no_such_function()")  # an OperationalError: the card's
        return add_assessment(transaction, *row)  # type: ignore[arg-type]  # the very same arguments

    monkeypatch.setattr(Transaction, "add_assessment", full_at_first)
    async with Writer(house.path) as writer:
        reception = Reception(writer, house.intake, retry_seconds=0.001)
        async with asyncio.timeout(20):
            for second in range(31):
                await reception.accept(streamed(88, noon + second * SECOND).raw)
            await reception.settled()
    assert rollbacks >= 4, "of each of the two, the first attempt failed"
    assert (len(house.samples()), house.count("assessment"), len(house.alerts())) == (31, 2, 1)


def test_a_value_that_comes_twice_changes_nothing(house: House, noon: datetime) -> None:
    stream(house, noon, range(31), lambda _: 88)
    house.take(streamed(88, noon + 15 * SECOND))
    house.end_streams()
    assert len(house.samples()) == 31


def test_a_stretch_that_comes_twice_changes_nothing(house: House, noon: datetime) -> None:
    stamp = house.clock.stamp()
    for second in range(31):
        over = house.intake.streams.add(streamed(88, noon + second * SECOND), stamp)
        house.take_all(over)
        if over:
            before = house.counts()
            assert house.take_all(over).duplicate
            assert house.counts() == before
    assert before["alert"] == 1


@pytest.mark.parametrize("next_owner", [None, "R-0077"])
def test_a_stretch_of_a_sensor_that_was_forgotten_meanwhile_is_nobodys_and_not_observed(
    house: House, noon: datetime, next_owner: str | None
) -> None:
    over = [
        closed
        for second in range(31)
        for closed in house.intake.streams.add(streamed(88, noon + second * SECOND), house.clock.stamp())
    ]
    assert [each.owner and each.owner.id for each in over] == [ILL]
    house.register.forget(OXIMETER)
    if next_owner is not None:
        sensor = Sensor(address=OXIMETER, driver="pulse_oximeter", resident=next_owner)
        house.register.enrol(sensor, noon - MINUTE)
    assert house.take_all(over).resident is None
    assert [(row.placed.resident, row.placed.observed) for row in house.stretches()] == [(None, ())]
    assert house.count("alert") == 0


def test_a_lone_sample_that_was_not_gathered_is_no_observation(house: House, noon: datetime) -> None:
    with house.transaction() as transaction:
        house.intake.take(transaction, streamed(80, noon), house.clock.stamp())
    assert (house.count("reading"), house.count("assessment")) == (1, 0)


def test_a_restart_costs_the_last_values_of_a_stream_and_nothing_else(tmp_path: Path, noon: datetime) -> None:
    before = House(tmp_path)
    stream(before, noon, range(40), lambda _: 97)
    before.connection.close()
    after = House(tmp_path)
    taken = stream(after, noon, range(40, 70), lambda _: 88)
    assert next(iter(taken)) == 55
    assert len(after.open_alerts()) == 1
    after.connection.close()


# --- rounds: a shared sensor, and a wristband


def test_a_shared_sensors_stream_is_of_who_was_scanned_only_from_the_next_finger_on(
    house: House, noon: datetime
) -> None:
    """The finger that is in it when somebody is scanned may be another's, until it was out."""

    def moment(second: float) -> ClockStamp:
        return ClockStamp(uuid.UUID(int=1), (100 + second) * SECOND, ClockQuality.SYNCHRONISED)

    def say(seconds: Iterable[int], saturation: float) -> None:
        for second in seconds:
            pulse = NAN if math.isnan(saturation) else 72
            sample = streamed(saturation, noon + second * SECOND, pulse=pulse, device=SHARED)
            if math.isnan(saturation):
                sample = replace(sample, flags=sample.flags | {Flag.SENSOR_DISPLACED})
            house.take_all(house.intake.streams.add(sample, moment(second)))

    say(range(20), 88)
    house.rounds.open(None, ILL, "reader", Moment(noon + 20 * SECOND, moment(20)))
    say(range(20, 60), 88)
    assert house.count("assessment") == 0
    say(range(60, 66), NAN)
    say(range(66, 90), 91)
    house.end_streams()
    assert {row.placed.resident for row in house.stretches()} == {None, ILL}
    assert [each.resident for each in house.alerts()] == [ILL]
    theirs = [row.placed for row in house.stretches() if row.placed.resident == ILL]
    assert min(row.measured_at - row.reading.stretch.duration for row in theirs) == noon + 66 * SECOND  # type: ignore[union-attr]  # stretches
