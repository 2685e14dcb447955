"""The identity of a reading: what is sent again is the same, what is measured again is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.readings import DeviceTime, RawPayload, reading_id

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def received(at: datetime) -> RawPayload:
    return RawPayload("C4:F2:17:00:00:03", "thermometer", b"x", at)


def shown(moment: datetime) -> DeviceTime:
    return DeviceTime(*moment.timetuple()[:6])


def test_a_reading_without_a_time_is_told_apart_by_its_receipt(noon: datetime) -> None:
    assert reading_id(received(noon), None) == reading_id(received(noon), None)
    assert reading_id(received(noon), None) != reading_id(received(noon + timedelta(seconds=1)), None)


@given(st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1)), st.data())  # noqa: DTZ001 - hypothesis wants them so
def test_a_time_that_can_be_identifies_a_reading_whenever_it_is_sent(
    measured: datetime, data: st.DataObject
) -> None:
    """In any zone, and from any day of the 30 for which a memory is believed by default."""
    zone = st.integers(-12, 14).map(lambda hours: hours * HOUR)
    local = measured.replace(tzinfo=UTC) + data.draw(zone)
    ages = st.timedeltas(timedelta(0), 30 * DAY)
    one, other = (received(measured.replace(tzinfo=UTC) + data.draw(ages)) for _ in range(2))
    assert reading_id(one, shown(local)) == reading_id(other, shown(local))


@given(
    st.builds(
        DeviceTime,
        st.integers(0, 2020) | st.integers(2040, 65535),
        *(st.integers(0, highest) for highest in (12, 31, 23, 59, 59)),
    ),
    st.integers(1, 1000),
)
def test_a_time_that_cannot_be_identifies_a_reading_within_a_day(time: DeviceTime, days: int) -> None:
    morning = datetime(2026, 3, 1, tzinfo=UTC)
    same = {reading_id(received(morning + hours * HOUR), time) for hours in range(24)}
    assert len(same) == 1
    assert reading_id(received(morning + days * DAY), time) not in same


def test_a_date_that_is_none_does_not_identify_a_reading_beyond_its_day(noon: datetime) -> None:
    no_date = DeviceTime(2026, 2, 31, 12, 0, 0)
    assert reading_id(received(noon), no_date) != reading_id(received(noon + DAY), no_date)
