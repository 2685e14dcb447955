"""When was it measured: the sensor's clock against the hub's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.readings import DeviceTime, Flag, RawPayload, Reading, reading_id
from hub.timing import ClockRule, TimeQuality, measured_at

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
