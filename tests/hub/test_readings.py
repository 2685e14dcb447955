"""What is measured, and its identity: what is sent again is the same, what is measured again is not."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.assessment.features import INPUT_VITALS
from hub.assessment.news2 import PARAMETERS
from hub.readings import (
    OF_NO_SCORE,
    OF_THE_ROOM,
    AbsentReason,
    Breathing,
    Button,
    Code,
    Consciousness,
    DeviceTime,
    Door,
    Measurement,
    Motion,
    Quality,
    RawPayload,
    Reading,
    Value,
    Vital,
    reading_id,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MILLISECOND = timedelta(milliseconds=1)
ALL_TIMES = st.datetimes(timezones=st.just(UTC))
RECEIPTS = st.datetimes(datetime(2001, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them so
ANY_DEVICE_TIME = st.builds(
    DeviceTime, st.integers(0, 65535), *(st.integers(0, highest) for highest in (12, 31, 23, 59, 59))
)


def received(at: datetime, payload: bytes = b"x", device: str = "C4:F2:17:00:00:03") -> RawPayload:
    return RawPayload(device, "thermometer", payload, at)


def shown(moment: datetime) -> DeviceTime:
    return DeviceTime(*moment.timetuple()[:6])


def milliseconds_of(identity: uuid.UUID) -> int:
    return int.from_bytes(identity.bytes[:6])


def since_1970(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // MILLISECOND


def test_a_reading_without_a_time_is_told_apart_by_its_receipt(noon: datetime) -> None:
    assert reading_id(received(noon), None) == reading_id(received(noon), None)
    assert reading_id(received(noon), None) != reading_id(received(noon + timedelta(seconds=1)), None)
    assert reading_id(received(noon), None) != reading_id(received(noon + timedelta(microseconds=1)), None)


@given(RECEIPTS, st.data())
def test_a_time_that_can_be_identifies_a_reading_whenever_it_is_sent(
    measured: datetime, data: st.DataObject
) -> None:
    """In any zone, and from any day of the 30 for which a memory is believed by default."""
    zone = st.integers(-12, 14).map(lambda hours: hours * HOUR)
    local = measured + data.draw(zone)
    ages = st.timedeltas(timedelta(0), 30 * DAY)
    one, other = (received(measured + data.draw(ages)) for _ in range(2))
    assert reading_id(one, shown(local)) == reading_id(other, shown(local))


@given(
    st.datetimes(datetime(2010, 1, 2), datetime(2099, 12, 31, 23, 59, 59)).filter(  # noqa: DTZ001 - as above
        lambda shown: (shown.month, shown.day) != (1, 1) and not (shown.hour in {0, 12} and shown.minute < 10)
    ),
    RECEIPTS,
    RECEIPTS,
)
def test_a_memory_of_any_age_is_the_same_reading_whatever_the_hubs_clock_says(
    local: datetime, one: datetime, other: datetime
) -> None:
    """A cuff sends the same two months of memory each day; and the hub's own clock may be years off."""
    assert reading_id(received(one), shown(local)) == reading_id(received(other), shown(local))


CANNOT_BE = st.builds(
    DeviceTime,
    st.integers(0, 2009) | st.integers(2100, 65535),
    *(st.integers(0, highest) for highest in (12, 31, 23, 59, 59)),
)
NOBODY_SET_IT = st.builds(
    DeviceTime, st.integers(0, 2024), st.just(1), st.just(1), *(st.integers(0, n) for n in (23, 59, 59))
) | st.builds(
    DeviceTime,
    st.integers(2010, 2025),
    st.integers(1, 12),
    st.integers(1, 28),
    st.sampled_from([0, 12]),
    st.integers(0, 9),
    st.integers(0, 59),
)


@given(CANNOT_BE | NOBODY_SET_IT, st.integers(1, 1000))
@example(DeviceTime(2000, 1, 1, 0, 0, 31), 1)  # begins anew whenever it is switched on
@example(DeviceTime(2015, 1, 1, 8, 30, 0), 1)
def test_a_time_that_may_stand_still_identifies_a_reading_within_a_day(time: DeviceTime, days: int) -> None:
    """Of a sensor that keeps no records: those that do are below."""
    morning = datetime(2026, 3, 1, tzinfo=UTC)
    same = {reading_id(received(morning + hours * HOUR), time) for hours in range(24)}
    assert len(same) == 1
    assert reading_id(received(morning + days * DAY), time) not in same


def test_a_date_that_is_none_does_not_identify_a_reading_beyond_its_day(noon: datetime) -> None:
    no_date = DeviceTime(2026, 2, 31, 12, 0, 0)
    assert reading_id(received(noon), no_date) != reading_id(received(noon + DAY), no_date)


def test_another_payload_device_or_time_is_another_reading(noon: datetime) -> None:
    """Positive control of all that calls readings the same."""
    raw, time = received(noon), shown(noon)
    others = [
        reading_id(received(noon, payload=b"y"), time),
        reading_id(received(noon, device="C4:F2:17:00:00:04"), time),
        reading_id(received(noon, payload=b""), time),
        reading_id(raw, None),
    ]
    assert len({reading_id(raw, time), *others}) == 5


@given(ALL_TIMES, st.none() | ANY_DEVICE_TIME, st.binary(max_size=20))
@example(datetime(1, 1, 1, tzinfo=UTC), None, b"")
@example(datetime(9999, 12, 31, tzinfo=UTC), DeviceTime(9999, 12, 31, 23, 59, 59), b"")
def test_every_identity_is_a_uuid_of_version_8(at: datetime, time: DeviceTime | None, payload: bytes) -> None:
    identity = reading_id(received(at, payload), time)
    assert identity.variant == uuid.RFC_4122
    assert identity.version == 8
    assert identity == reading_id(received(at, payload), time)


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        (None, "2026-03-01T12:00:00.123+00:00"),
        (DeviceTime(2026, 3, 1, 11, 30, 5), "2026-03-01T11:30:05+00:00"),  # as if it were UTC
        (DeviceTime(2025, 8, 17, 11, 30, 5), "2025-08-17T11:30:05+00:00"),
        (DeviceTime(2000, 1, 1, 0, 0, 0), "2026-03-01T00:00:00+00:00"),  # the day of receipt
        (DeviceTime(2026, 0, 0, 0, 0, 0), "2026-03-01T00:00:00+00:00"),
    ],
)
def test_an_identity_begins_with_the_moment_that_tells_it_apart(
    noon: datetime, time: DeviceTime | None, moment: str
) -> None:
    identity = reading_id(received(noon + 123.9 * MILLISECOND), time)
    assert milliseconds_of(identity) == since_1970(datetime.fromisoformat(moment))


@given(RECEIPTS, st.timedeltas(timedelta(0), 300 * DAY))
def test_identities_grow_with_the_time_of_receipt(at: datetime, later: timedelta) -> None:
    earlier_id, later_id = reading_id(received(at), None), reading_id(received(at + later), None)
    assert later < MILLISECOND or earlier_id.bytes[:6] <= later_id.bytes[:6]
    assert later <= MILLISECOND or earlier_id < later_id


@given(ALL_TIMES)
@example(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(1970, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
def test_an_identity_has_the_milliseconds_that_were_full_when_it_was_received(at: datetime) -> None:
    assert milliseconds_of(reading_id(received(at), None)) == max(since_1970(at), 0)


@pytest.mark.parametrize("before_1970", [datetime(1, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC)])
def test_a_moment_before_1970_is_taken_for_1970(before_1970: datetime) -> None:
    assert milliseconds_of(reading_id(received(before_1970), None)) == 0


def test_the_bits_that_are_not_time_are_as_good_as_random(noon: datetime) -> None:
    """Each of the 74 is one in about half of the identities: none is lost or always the same."""
    identities = [reading_id(received(noon, index.to_bytes(2)), None).int for index in range(2000)]
    free = [bit for bit in range(128) if bit < 62 or 64 <= bit < 76]
    shares = [sum(identity >> bit & 1 for identity in identities) / len(identities) for bit in free]
    assert len(free) == 74
    assert all(0.4 < share < 0.6 for share in shares)


@pytest.mark.parametrize("of_a_record", [{}, {"keeps_records": True}, {"sequence_number": 7}])
def test_a_known_reading_keeps_its_identity(noon: datetime, of_a_record: dict[str, Any]) -> None:
    """Made by hand with date and sha256sum: they are on the wire and in the store, and must not change."""
    known = uuid.UUID("019ca945-0a00-8d56-a18b-6cb5db1d527a")
    assert reading_id(received(noon), shown(noon), **of_a_record) == known
    stream = [reading_id(received(noon + index * SECOND), None) for index in range(60)]
    assert all(one < other for one, other in pairwise(stream))


# --- records that a sensor has stored, and tells at each link

WHOLE_TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)).map(shown)  # noqa: DTZ001 - as above
NO_DATE = st.builds(
    DeviceTime,
    st.integers(0, 65535),
    st.just(0) | st.integers(13, 255),  # month
    *(st.integers(0, highest) for highest in (31, 23, 59, 59)),
)
NO_CLOCK = DeviceTime(2000, 1, 1, 0, 0, 31)
PAYLOADS = st.binary(min_size=1, max_size=20)


@given(WHOLE_TIMES | NOBODY_SET_IT.filter(lambda time: time.year > 0), RECEIPTS, RECEIPTS, PAYLOADS)
@example(NO_CLOCK, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 9, tzinfo=UTC), b"x")
def test_a_record_with_a_whole_date_is_the_same_whenever_it_is_sent_however_wrong_its_clock(
    time: DeviceTime, one: datetime, other: datetime, payload: bytes
) -> None:
    """Changed on purpose: a memory of a clock at 2000-01-01 once counted anew on each day."""
    first, again = (reading_id(received(at, payload), time, keeps_records=True) for at in (one, other))
    assert first == again
    as_if_utc = datetime(time.year, time.month, time.day, time.hour, time.minute, time.second, tzinfo=UTC)
    assert milliseconds_of(first) == max(since_1970(as_if_utc), 0)


@given(st.none() | WHOLE_TIMES | NO_DATE, RECEIPTS, RECEIPTS, PAYLOADS, st.booleans())
def test_a_numbered_record_is_the_same_whenever_it_is_sent_whatever_its_clock_says(
    time: DeviceTime | None, one: datetime, other: datetime, payload: bytes, keeps: bool
) -> None:
    first, again = (
        reading_id(received(at, payload), time, keeps_records=keeps, sequence_number=0) for at in (one, other)
    )
    assert first == again


@given(NO_DATE, st.integers(1, 1000))
def test_a_record_whose_time_is_no_date_counts_once_a_day(time: DeviceTime, days: int) -> None:
    morning = datetime(2026, 3, 1, tzinfo=UTC)
    same = {reading_id(received(morning + n * HOUR), time, keeps_records=True) for n in range(24)}
    assert len(same) == 1
    assert reading_id(received(morning + days * DAY), time, keeps_records=True) not in same


def test_a_record_without_any_time_is_told_apart_by_its_receipt(noon: datetime) -> None:
    """It may be a new measurement of the same numbers: nothing says that it is not."""
    ids = {reading_id(received(noon + n * SECOND), None, keeps_records=True) for n in range(3)}
    assert len(ids) == 3


@given(PAYLOADS, st.integers(0, 159), st.none() | st.integers(0, 65535))
def test_two_records_that_differ_in_any_bit_are_two(payload: bytes, bit: int, number: int | None) -> None:
    other = bytearray(payload)
    other[bit // 8 % len(payload)] ^= 1 << bit % 8
    at = datetime(2026, 3, 1, tzinfo=UTC)
    one, two = (
        reading_id(received(at, each), NO_CLOCK, keeps_records=True, sequence_number=number)
        for each in (payload, bytes(other))
    )
    assert one != two


CODES: dict[Vital, type[Code]] = {
    Vital.CONSCIOUSNESS: Consciousness,
    Vital.SUPPLEMENTAL_OXYGEN: Breathing,
    Vital.DOOR: Door,
    Vital.MOTION: Motion,
    Vital.BUTTON: Button,
}
VALUES = st.floats(allow_nan=False) | st.sampled_from([code for kind in CODES.values() for code in kind])


def is_of(vital: Vital, value: object) -> bool:
    """Whether a vital has such values: those that are codes, and numbers, which are floats."""
    return isinstance(value, CODES.get(vital, float))


@given(st.sampled_from(Vital), VALUES, st.sampled_from(Quality))
def test_a_measurement_is_of_its_vitals_type_or_cannot_be_made(
    vital: Vital, value: Value, quality: Quality
) -> None:
    if is_of(vital, value):
        assert Measurement(vital, value, quality=quality).usable == (quality is not Quality.UNUSABLE)
        return
    with pytest.raises(ValueError, match=f"{vital}: .* is not of this vital's type"):
        Measurement(vital, value, quality=quality)


@pytest.mark.parametrize("value", [True, 120, "A"])
def test_a_driver_cannot_pass_off_something_else_as_a_number(value: Value) -> None:
    with pytest.raises(ValueError, match=r"pulse_rate: .* is not of this vital's type"):
        Measurement(Vital.PULSE_RATE, value)


@given(st.sampled_from(Vital), st.sampled_from(AbsentReason))
def test_a_measurement_has_a_value_or_the_reason_why_there_is_none(
    vital: Vital, reason: AbsentReason
) -> None:
    assert not Measurement(vital, None, reason).usable
    with pytest.raises(ValueError, match=f"{vital}: give a value or the reason for its absence"):
        Measurement(vital, None)
    for value in (36.6, Consciousness.ALERT, Breathing.AIR, Door.OPEN, Motion.CLEAR, Button.HELD):
        if is_of(vital, value):
            with pytest.raises(ValueError, match=f"{vital}: give a value or the reason for its absence"):
                Measurement(vital, value, reason)


def measured(*vitals: Vital) -> Reading:
    """A reading that could measure none of these: whose they are does not depend on a value."""
    raw = received(datetime(2026, 3, 1, tzinfo=UTC))
    return Reading(
        reading_id(raw, None), raw, tuple(Measurement(each, None, AbsentReason.ERROR) for each in vitals)
    )


def test_a_reading_is_of_the_room_if_it_measured_something_and_nothing_of_a_person() -> None:
    assert measured(Vital.DOOR).of_the_room
    assert measured(Vital.ROOM_TEMPERATURE, Vital.MOTION, Vital.BUTTON).of_the_room
    assert not measured(Vital.DOOR, Vital.BODY_WEIGHT).of_the_room
    assert not measured().of_the_room
    assert not any(measured(each).of_the_room for each in Vital if each not in OF_THE_ROOM)


def test_no_vital_that_a_score_has_is_of_the_room_or_of_no_score() -> None:
    assert OF_THE_ROOM.isdisjoint(OF_NO_SCORE)
    assert (OF_THE_ROOM | OF_NO_SCORE).isdisjoint({*PARAMETERS, *INPUT_VITALS})
