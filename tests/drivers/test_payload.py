"""The cursor: never past the end, nothing left over, and times that cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import DecodeError
from drivers.payload import Payload
from hub.readings import DeviceTime, Flag


def date_time(content: str) -> tuple[DeviceTime | None, set[Flag]]:
    flags: set[Flag] = set()
    return Payload(bytes.fromhex(content)).date_time(flags), flags


def test_fields_are_read_one_after_the_other_least_significant_byte_first() -> None:
    payload = Payload(bytes.fromhex("01 0203 040506 6cf1 6c0100ff"))
    assert payload.unsigned(1) == 0x01
    assert payload.unsigned(2) == 0x0302
    assert payload.unsigned(3) == 0x060504
    assert payload.sfloat() == 36.4
    assert payload.float32() == 36.4
    payload.finish()


def test_a_big_endian_field_is_read_most_significant_byte_first() -> None:
    assert Payload(bytes.fromhex("0102")).unsigned_big_endian(2) == 0x0102


@given(content=st.binary(max_size=8), size=st.integers(1, 9))
def test_reading_past_the_end_is_refused_and_carries_the_payload(content: bytes, size: int) -> None:
    payload = Payload(content)
    if size <= len(content):
        assert payload.unsigned(size) == int.from_bytes(content[:size], "little")
        return
    with pytest.raises(DecodeError, match="too short") as error:
        payload.unsigned(size)
    assert error.value.payload == content


def test_bytes_left_over_are_refused_and_carry_the_payload() -> None:
    payload = Payload(b"\x01\x02")
    payload.unsigned(1)
    with pytest.raises(DecodeError, match="too long: 2 bytes where its flags announce 1") as error:
        payload.finish()
    assert error.value.payload == b"\x01\x02"


@pytest.mark.parametrize(
    ("content", "time"),
    [
        ("ea07 08 0b 14 38 00", DeviceTime(2026, 8, 11, 20, 56, 0)),
        ("e807 02 1d 17 3b 3b", DeviceTime(2024, 2, 29, 23, 59, 59)),  # a leap day
        ("2e06 01 01 00 00 00", DeviceTime(1582, 1, 1, 0, 0, 0)),  # the first year of 2A08
        ("0f27 0c 1f 00 00 00", DeviceTime(9999, 12, 31, 0, 0, 0)),  # the last
    ],
)
def test_a_possible_time_is_the_sensors_time(content: str, time: DeviceTime) -> None:
    assert date_time(content) == (time, set())


@pytest.mark.parametrize(
    ("content", "time"),
    [
        ("0000 00 00 00 00 00", DeviceTime(0, 0, 0, 0, 0, 0)),
        ("0000 05 15 0a 1e 2d", DeviceTime(0, 5, 21, 10, 30, 45)),  # year not known
        ("e407 00 15 0a 1e 2d", DeviceTime(2020, 0, 21, 10, 30, 45)),  # month not known
        ("e407 00 1f 0a 1e 2d", DeviceTime(2020, 0, 31, 10, 30, 45)),  # some month has 31 days
        ("e407 05 00 0a 1e 2d", DeviceTime(2020, 5, 0, 10, 30, 45)),  # day not known
        ("0000 02 1d 0a 1e 2d", DeviceTime(0, 2, 29, 10, 30, 45)),  # may be a leap year
    ],
)
def test_a_date_that_is_not_known_is_kept_but_marked(content: str, time: DeviceTime) -> None:
    assert date_time(content) == (time, {Flag.CLOCK_NOT_SET})


@pytest.mark.parametrize(
    "content",
    [
        "e407 0d 15 0a 1e 2d",  # month 13
        "e407 05 20 0a 1e 2d",  # 32 May
        "e407 04 1f 0a 1e 2d",  # 31 April
        "e407 02 1e 0a 1e 2d",  # 30 February
        "e707 02 1d 0a 1e 2d",  # 29 February 2023
        "e407 00 20 0a 1e 2d",  # 32nd of a month not known
        "e407 05 15 18 1e 2d",  # 24 h
        "e407 05 15 0a 3c 2d",  # minute 60
        "e407 05 15 0a 1e 3c",  # second 60
        "e407 05 15 0a 1e 4b",  # second 75
        "2d06 05 15 0a 1e 2d",  # 1581, before the Gregorian calendar
        "1027 05 15 0a 1e 2d",  # 10000
        "ffff ff ff ff ff ff",
    ],
)
def test_an_impossible_time_is_dropped_and_marked(content: str) -> None:
    assert date_time(content) == (None, {Flag.CLOCK_NOT_SET})


@given(content=st.binary(min_size=7, max_size=7))
def test_no_seven_bytes_break_the_clock(content: bytes) -> None:
    flags: set[Flag] = set()
    time = Payload(content).date_time(flags)
    assert time is not None or flags == {Flag.CLOCK_NOT_SET}
