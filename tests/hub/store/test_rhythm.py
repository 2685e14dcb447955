"""Windows of a rhythm on the card: as they were put there, of their reading, and gone with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.assessment.rhythm import JudgedWindow, SignalQuality
from hub.store.retention import Kind, Piece
from hub.store.rhythm import KeptWindow, add_windows, kept_windows, last_window_ended, stretches_before
from hub.store.rows import ModelName
from tests.rigs.house import ILL, House, oximeter
from tests.rigs.straps import SHARED_STRAP, STRAPS, regular, worn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MODEL = ModelName("rhythm", "1", "0123456789ab")
FIRST = JudgedWindow(NOON, NOON + 40 * SECOND, SignalQuality(60, 58, 0.95), 0.875)
SECOND_ONE = JudgedWindow(NOON + 40 * SECOND, NOON + MINUTE, SignalQuality(30, 2, 0.0), None)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """With three stretches of a strap, and a spot check between them."""
    house = House(tmp_path, STRAPS)
    for minute in range(3):
        for reading in worn(regular(12), NOON + minute * MINUTE):
            house.take(reading)
        house.end_streams()
        house.take(oximeter(97, NOON + minute * MINUTE + 30 * SECOND))
    yield house
    house.connection.close()


def kept(house: House) -> list[KeptWindow]:
    return list(kept_windows(house.connection, 0))


def test_windows_come_back_as_they_were_stored_with_whose_they_are(house: House) -> None:
    first, _, third = (each.sequence for each in house.stretches())
    add_windows(house.connection, third, [FIRST], 0.5, MODEL)
    add_windows(house.connection, first, [FIRST, SECOND_ONE], 0.5, MODEL)
    assert [(each.reading, each.window) for each in kept(house)] == [
        (first, FIRST), (first, SECOND_ONE), (third, FIRST),
    ]  # fmt: skip
    assert {(each.resident, each.threshold, each.model) for each in kept(house)} == {(ILL, 0.5, MODEL)}
    assert kept(house)[0].received_at == house.stretches()[0].placed.reading.raw.received_at
    assert kept(house)[0].stamp == house.stretches()[0].placed.stamp
    assert last_window_ended(house.connection, first) == SECOND_ONE.ended
    assert last_window_ended(house.connection, third - 1) is None
    assert [each.reading for each in kept_windows(house.connection, first + 1)] == [third]


def test_a_window_that_is_there_is_not_stored_again(house: House) -> None:
    number = house.stretches()[0].sequence
    for _ in range(2):
        add_windows(house.connection, number, [FIRST], 0.5, MODEL)
    assert len(kept(house)) == 1


def test_they_go_with_the_reading_that_they_are_of(house: House) -> None:
    first, second, _ = (each.sequence for each in house.stretches())
    for number in (first, second):
        add_windows(house.connection, number, [FIRST], 0.5, MODEL)
    Piece(Kind.READINGS, readings=[first]).remove(house.connection)
    assert [each.reading for each in kept(house)] == [second]
    assert house.count("rhythm_window") == 1


def test_the_stretches_before_one_are_those_of_its_sensor_the_newest_first(house: House) -> None:
    for reading in worn(regular(12), NOON, SHARED_STRAP):
        house.take(reading)
    house.end_streams()
    first, second, third, of_another = house.stretches()
    assert list(stretches_before(house.connection, third)) == [second, first]
    assert list(stretches_before(house.connection, of_another)) == []
