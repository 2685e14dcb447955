"""A sensor's clock: bytes from the GATT Specification Supplement, by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bluetooth.sensor_clock import CLOCKS, CURRENT_TIME, DATE_TIME, ahead, decoded, encoded
from hub.readings import DeviceTime

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 7, 5, 14, 9, 30, 500_000, LONDON)  # a Sunday, in summer time
DATE_TIME_OF_NOW = bytes.fromhex(
    "ea07"  # year 2026
    "07"  # July
    "05"  # day 5
    "0e"  # 14 hours: local time, not UTC
    "09"  # 9 minutes
    "1e"  # 30 seconds
)
CURRENT_TIME_OF_NOW = DATE_TIME_OF_NOW + bytes.fromhex(
    "07"  # day of week: Sunday
    "80"  # 128/256 s
    "02"  # adjusted by an external reference
)


def test_a_date_time_is_local_time() -> None:
    assert encoded(DATE_TIME, NOW) == DATE_TIME_OF_NOW


def test_a_current_time_says_the_day_of_the_week_the_fraction_and_why() -> None:
    assert encoded(CURRENT_TIME, NOW) == CURRENT_TIME_OF_NOW


def test_monday_is_the_first_day_of_the_week() -> None:
    assert encoded(CURRENT_TIME, datetime(2026, 11, 23, tzinfo=UTC))[7] == 1


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        encoded(DATE_TIME, datetime(2026, 7, 5))  # noqa: DTZ001 -- that is the point


def test_what_a_clock_shows_is_read() -> None:
    shown = DeviceTime(2026, 7, 5, 14, 9, 30)
    assert decoded(DATE_TIME, DATE_TIME_OF_NOW) == shown
    assert decoded(CURRENT_TIME, CURRENT_TIME_OF_NOW) == shown


@pytest.mark.parametrize("characteristic", CLOCKS)
@given(payload=st.binary(max_size=12))
def test_bytes_that_are_no_clocks_show_nothing(characteristic: str, payload: bytes) -> None:
    shown = decoded(characteristic, payload)
    length = {DATE_TIME: 7, CURRENT_TIME: 10}[characteristic]
    assert (shown is not None) == (len(payload) == length)
    if shown is not None:
        ahead(shown, NOW)  # whatever it is, it does not fail


def test_a_clock_is_ahead_of_the_homes_time() -> None:
    assert ahead(DeviceTime(2026, 7, 5, 14, 10, 0), NOW) == timedelta(seconds=30)
    assert ahead(DeviceTime(2000, 1, 1, 0, 0, 0), NOW) == datetime(2000, 1, 1) - datetime(  # noqa: DTZ001
        2026, 7, 5, 14, 9, 30
    )


@pytest.mark.parametrize(
    "shown", [DeviceTime(0, 7, 5, 0, 0, 0), DeviceTime(2026, 0, 5, 0, 0, 0), DeviceTime(2026, 2, 30, 0, 0, 0)]
)
def test_a_date_that_is_not_known_or_cannot_be_is_ahead_of_nothing(shown: DeviceTime) -> None:
    assert ahead(shown, NOW) is None


@given(now=st.datetimes(datetime(1600, 1, 1), timezones=st.just(LONDON)))  # noqa: DTZ001 -- the zone is added
def test_what_is_set_is_what_is_shown(now: datetime) -> None:
    for characteristic in CLOCKS:
        shown = decoded(characteristic, encoded(characteristic, now))
        assert shown is not None
        assert ahead(shown, now) == timedelta()
