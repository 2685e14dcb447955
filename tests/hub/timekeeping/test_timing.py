"""When was it measured: the sensor's clock against the hub's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.clock import ClockQuality
from hub.readings import DeviceTime, Flag, RawPayload, Reading, reading_id
from hub.timekeeping.timing import ClockRule, TimeQuality, measured_at, told_age, told_before

RULE = ClockRule(timedelta(minutes=5), timedelta(days=30), ZoneInfo("Europe/London"))


def reading(received_at: datetime, time: DeviceTime | None) -> Reading:
    raw = RawPayload("a", "b", b"x", received_at)
    return Reading(id=reading_id(raw, time), raw=raw, measurements=(), device_time=time)


@pytest.mark.parametrize(
    ("time", "expected", "quality"),
    [
        (None, "2026-07-01T12:00", TimeQuality.RECEIVED),
        (DeviceTime(2026, 7, 1, 13, 1, 0), "2026-07-01T12:00", TimeQuality.AGREED),  # British Summer Time
        (DeviceTime(2026, 7, 1, 11, 0, 0), "2026-07-01T10:00", TimeQuality.SENSOR),  # two hours in memory
        (DeviceTime(2026, 7, 1, 14, 0, 0), "2026-07-01T12:00", TimeQuality.DOUBTFUL),  # ahead
        (DeviceTime(2000, 1, 1, 0, 0, 0), "2026-07-01T12:00", TimeQuality.DOUBTFUL),  # nobody set it
        (DeviceTime(2026, 0, 0, 0, 0, 0), "2026-07-01T12:00", TimeQuality.DOUBTFUL),  # month not known
        (DeviceTime(0, 0, 0, 0, 0, 0), "2026-07-01T12:00", TimeQuality.DOUBTFUL),
    ],
)
def test_the_rule(time: DeviceTime | None, expected: str, quality: TimeQuality) -> None:
    noon = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert measured_at(reading(noon, time), RULE) == (
        datetime.fromisoformat(expected).replace(tzinfo=UTC),
        quality,
    )


def local(moment: datetime) -> DeviceTime:
    """What a sensor that is set to London shows at a moment."""
    return DeviceTime(*moment.astimezone(ZoneInfo("Europe/London")).timetuple()[:6])


@pytest.mark.parametrize("hours", [1, 12, 24])
@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_an_age_that_is_a_common_error_of_a_clock_is_doubtful(
    noon: datetime, hours: int, minutes: int
) -> None:
    """Live, of a slow clock; or from memory: nobody can tell."""
    slow = reading(noon, local(noon - timedelta(hours=hours, minutes=minutes)))
    assert measured_at(slow, RULE) == (noon, TimeQuality.DOUBTFUL)
    from_memory = replace(slow, flags=frozenset({Flag.FROM_MEMORY}))
    assert measured_at(from_memory, RULE) == (
        noon - timedelta(hours=hours, minutes=minutes),
        TimeQuality.SENSOR,
    )


@pytest.mark.parametrize("minutes", [6, 54, 66, 12 * 60 - 6, 12 * 60 + 6, 24 * 60 - 6, 24 * 60 + 6])
def test_any_other_age_is_that_of_a_reading_from_memory(noon: datetime, minutes: int) -> None:
    moment = noon - timedelta(minutes=minutes)
    assert measured_at(reading(noon, local(moment)), RULE) == (moment, TimeQuality.SENSOR)


AUTUMN = datetime(2026, 10, 25, tzinfo=UTC)  # at 01:00 UTC London goes back from 02:00 to 01:00


@given(st.integers(0, 3 * 3600))
@example(1800)  # 01:30 in London, the first time
@example(5400)  # and the second
def test_a_live_reading_in_the_hour_that_exists_twice_agrees(second: int) -> None:
    received_at = AUTUMN + timedelta(seconds=second)
    assert measured_at(reading(received_at, local(received_at)), RULE) == (received_at, TimeQuality.AGREED)


def test_a_reading_from_the_hour_that_exists_twice_is_of_the_instant_nearer_to_its_receipt() -> None:
    half_past_one = DeviceTime(2026, 10, 25, 1, 30, 0)
    second = AUTUMN + timedelta(minutes=90)
    assert measured_at(reading(second + timedelta(hours=2), half_past_one), RULE)[0] == second


def test_a_clock_that_the_sensor_says_is_not_set_is_not_believed(noon: datetime) -> None:
    flagged = replace(reading(noon, DeviceTime(2026, 3, 1, 9, 0, 0)), flags=frozenset({Flag.CLOCK_NOT_SET}))
    assert measured_at(flagged, RULE) == (noon, TimeQuality.RECEIVED)


@given(
    st.builds(
        DeviceTime,
        st.integers(0, 65535), st.integers(0, 255), st.integers(0, 255),
        st.integers(0, 255), st.integers(0, 255), st.integers(0, 255),
    )
)  # fmt: skip
def test_no_sensor_time_puts_a_measurement_after_its_receipt(time: DeviceTime) -> None:
    noon = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    moment, _ = measured_at(reading(noon, time), RULE)
    assert noon - RULE.believed_for <= moment <= noon


@pytest.mark.parametrize("time", [DeviceTime(1, 1, 1, 0, 0, 0), DeviceTime(9999, 12, 31, 23, 59, 59)])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_a_sensor_time_at_the_end_of_all_times_is_doubtful(
    noon: datetime, time: DeviceTime, zone: str
) -> None:
    rule = replace(RULE, zone=ZoneInfo(zone))
    assert measured_at(reading(noon, time), rule) == (noon, TimeQuality.DOUBTFUL)


@pytest.mark.parametrize("hub_clock", [ClockQuality.NOT_YET, ClockQuality.STEPPED])
@pytest.mark.parametrize("flags", [frozenset[Flag](), frozenset({Flag.FROM_MEMORY})])
@given(
    st.timedeltas(timedelta(minutes=5, seconds=1), timedelta(days=60)),
    st.sampled_from([-1, 1]),
)
def test_beside_a_hub_clock_that_is_not_believed_any_other_time_of_a_sensor_is_doubtful(
    hub_clock: ClockQuality, flags: frozenset[Flag], apart: timedelta, direction: int
) -> None:
    noon = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    one = replace(reading(noon, local(noon - direction * apart)), flags=flags)
    assert measured_at(one, RULE, hub_clock) == (noon, TimeQuality.DOUBTFUL)


@pytest.mark.parametrize("hub_clock", list(ClockQuality))
def test_a_sensor_that_agrees_with_the_hub_agrees_however_the_hubs_clock_is_known(
    noon: datetime, hub_clock: ClockQuality
) -> None:
    assert measured_at(reading(noon, local(noon)), RULE, hub_clock) == (noon, TimeQuality.AGREED)
    assert measured_at(reading(noon, None), RULE, hub_clock) == (noon, TimeQuality.RECEIVED)


@given(st.integers(31, 365 * 10), st.integers(0, 65535))
def test_a_numbered_record_is_of_when_its_meter_says_however_long_ago(days: int, number: int) -> None:
    """A glucose of a year ago, told at a meter's first link, is none of now."""
    noon = datetime(2026, 7, 1, 14, 30, tzinfo=UTC)
    moment = noon - timedelta(days=days)
    record = replace(reading(noon, local(moment)), sequence_number=number)
    if (local(moment).month, local(moment).day) == (1, 1):
        assert measured_at(record, RULE) == (noon, TimeQuality.DOUBTFUL)
    else:
        assert measured_at(record, RULE) == (moment, TimeQuality.SENSOR)
    for hub_clock in (ClockQuality.NOT_YET, ClockQuality.STEPPED):
        assert measured_at(record, RULE, hub_clock) == (noon, TimeQuality.DOUBTFUL)


@pytest.mark.parametrize(
    "time",
    [
        DeviceTime(2000, 1, 1, 0, 3, 12),  # before there were such meters
        DeviceTime(2020, 1, 1, 17, 3, 12),  # the first of January
        DeviceTime(2019, 5, 14, 12, 4, 0),  # minutes after it was made
        DeviceTime(2027, 5, 14, 17, 4, 0),  # ahead
    ],
)
def test_a_numbered_record_of_a_clock_that_nobody_set_is_doubtful(time: DeviceTime) -> None:
    noon = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    record = replace(reading(noon, time), sequence_number=7)
    assert measured_at(record, RULE) == (noon, TimeQuality.DOUBTFUL)


@pytest.mark.parametrize("hub_clock", list(ClockQuality))
@given(st.integers(31, 365 * 20), st.booleans())
def test_a_sensor_that_is_years_off_is_not_believed(
    hub_clock: ClockQuality, days: int, from_memory: bool
) -> None:
    noon = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    for off in (-timedelta(days=days), timedelta(days=days)):
        one = reading(noon, local(noon + off))
        one = replace(one, flags=frozenset({Flag.FROM_MEMORY}) if from_memory else frozenset())
        assert measured_at(one, RULE, hub_clock) == (noon, TimeQuality.DOUBTFUL)


@pytest.mark.parametrize(
    ("ago", "before"),
    [
        (timedelta(minutes=-3), False),
        (timedelta(0), False),
        (timedelta(minutes=4), True),  # its clock agrees with the hub's, and it was a moment before
        (timedelta(hours=1), True),  # doubtful: and so perhaps of before
        (timedelta(days=3), True),
        (timedelta(days=31), False),  # a clock that nobody set, which would never come to be after
    ],
)
def test_what_a_sensor_measured_before_a_moment_is_told_by_its_own_clock(
    noon: datetime, ago: timedelta, before: bool
) -> None:
    assert told_before(reading(noon, local(noon - ago)), noon - timedelta(seconds=1), RULE) is before


def test_a_sensor_without_a_time_measured_nothing_before(noon: datetime) -> None:
    tomorrow = noon + timedelta(days=1)
    assert not told_before(reading(noon, None), tomorrow, RULE)
    unset = replace(reading(noon, local(noon - timedelta(days=1))), flags=frozenset({Flag.CLOCK_NOT_SET}))
    assert not told_before(unset, tomorrow, RULE)
    assert not told_before(reading(noon, DeviceTime(2026, 2, 30, 0, 0, 0)), tomorrow, RULE)


def test_a_meters_numbered_record_is_of_before_however_old_it_is(noon: datetime) -> None:
    old = reading(noon, local(noon - timedelta(days=400, hours=3)))
    assert not told_before(old, noon, RULE)
    assert told_before(replace(old, sequence_number=7), noon, RULE)


def test_how_old_a_reading_is_by_its_sensors_clock_alone(noon: datetime) -> None:
    for minutes in (-90, 0, 3, 60, 60 * 24 * 400):
        age = timedelta(minutes=minutes)
        assert told_age(reading(noon, local(noon - age)), RULE) == age
    assert told_age(reading(noon, None), RULE) is None
    assert told_age(reading(noon, DeviceTime(2026, 2, 30, 0, 0, 0)), RULE) is None
    unset = replace(reading(noon, local(noon)), flags=frozenset({Flag.CLOCK_NOT_SET}))
    assert told_age(unset, RULE) is None
