"""The layout: never past the end, nothing left over; and times that cannot be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import DecodeError
from drivers.payload import (
    ALWAYS,
    DATE_TIME,
    FLOAT,
    FOUR_OCTETS,
    SFLOAT,
    SIGNED_16,
    THREE_OCTETS,
    TWO_OCTETS,
    UNSIGNED_8,
    UNSIGNED_16,
    Layout,
    date_time,
)
from hub.readings import DeviceTime


def little_endian(octets: bytes) -> int:
    return int.from_bytes(octets, "little")


def signed(octets: bytes) -> int:
    return int.from_bytes(octets, "little", signed=True)


# How many bytes each format has, and what is made of them. Written for this test from the documentation.
FORMATS: list[tuple[str, int, Callable[[bytes], object]]] = [
    (UNSIGNED_8, 1, little_endian),
    (UNSIGNED_16, 2, little_endian),
    (SIGNED_16, 2, signed),
    (SFLOAT, 2, little_endian),
    (FLOAT, 4, little_endian),
    (TWO_OCTETS, 2, bytes),
    (THREE_OCTETS, 3, bytes),
    (FOUR_OCTETS, 4, bytes),
    (DATE_TIME, 7, bytes),
]


@st.composite
def sent(draw: st.DrawFn) -> tuple[Layout, bytes, tuple[object, ...], list[int]]:
    """A layout, a payload that keeps to it, what it says, and where each of its fields ends."""
    bits = draw(st.permutations([1 << bit for bit in range(8)]))
    rows = draw(st.lists(st.tuples(st.booleans(), st.sampled_from(FORMATS)), min_size=1, max_size=8))
    flags = draw(st.integers(0, 255))
    fields, payload, ends = [], bytes([flags]), [1]
    said: list[object] = [flags]
    for (optional, (written, size, meaning)), bit in zip(rows, bits, strict=False):
        fields.append((bit if optional else ALWAYS, written))
        if optional and not flags & bit:
            said.append(None)
            continue
        octets = draw(st.binary(min_size=size, max_size=size))
        payload += octets
        ends.append(len(payload))
        said.append(meaning(octets))
    return Layout(*fields), payload, tuple(said), ends


def test_fields_are_read_one_after_the_other_least_significant_byte_first() -> None:
    layout = Layout(
        (ALWAYS, UNSIGNED_8), (0x01, UNSIGNED_16), (0x02, UNSIGNED_8), (0x04, THREE_OCTETS), (ALWAYS, FLOAT)
    )
    assert layout.read(bytes.fromhex("05 01 0203 040506 6c0100ff")) == (
        0x05,
        0x01,
        0x0302,
        None,  # the flags do not announce it
        bytes.fromhex("040506"),
        0xFF00016C,
    )


@given(sent())
def test_every_field_is_what_its_bytes_say_or_none_where_it_is_not_announced(
    one: tuple[Layout, bytes, tuple[object, ...], list[int]],
) -> None:
    layout, payload, said, _ = one
    assert layout.read(payload) == said


@given(sent(), st.data())
def test_a_payload_that_ends_too_early_is_refused_and_carried(
    one: tuple[Layout, bytes, tuple[object, ...], list[int]], data: st.DataObject
) -> None:
    layout, payload, _, ends = one
    short = payload[: data.draw(st.integers(0, len(payload) - 1))]
    needed = next(end for end in ends if end > len(short))
    with pytest.raises(DecodeError) as error:
        layout.read(short)
    assert error.value.payload == short
    assert (
        error.value.reason
        == f"payload too short: {len(short)} bytes where its flags announce {needed} or more"
    )


@given(sent(), st.binary(min_size=1, max_size=9))
def test_bytes_left_over_are_refused_and_carried(
    one: tuple[Layout, bytes, tuple[object, ...], list[int]], extra: bytes
) -> None:
    layout, payload, _, ends = one
    with pytest.raises(DecodeError) as error:
        layout.read(payload + extra)
    assert error.value.payload == payload + extra
    assert (
        error.value.reason
        == f"payload too long: {len(payload + extra)} bytes where its flags announce {ends[-1]}"
    )


def test_an_empty_payload_has_not_even_flags() -> None:
    for layout in (Layout((ALWAYS, SFLOAT)), Layout((ALWAYS, SFLOAT), repeated=(ALWAYS, SFLOAT))):
        with pytest.raises(DecodeError, match="too short: 0 bytes where its flags announce 1 or more"):
            layout.read(b"")


def test_a_field_with_two_formats_is_in_the_one_that_its_flag_says() -> None:
    layout = Layout((0x01, UNSIGNED_16, UNSIGNED_8), (0x02, UNSIGNED_8))
    assert layout.read(bytes.fromhex("03 0102 03")) == (0x03, 0x0201, 0x03)
    assert layout.read(bytes.fromhex("02 01 03")) == (0x02, 0x01, 0x03)
    with pytest.raises(DecodeError, match="too short: 2 bytes where its flags announce 3 or more"):
        layout.read(bytes.fromhex("01 01"))
    with pytest.raises(DecodeError, match="too long: 3 bytes where its flags announce 2"):
        layout.read(bytes.fromhex("00 01 02"))


@given(sent(), st.lists(st.binary(min_size=2, max_size=2), max_size=200), st.binary(max_size=1))
def test_what_is_repeated_is_read_to_the_end_and_never_past_it(
    one: tuple[Layout, bytes, tuple[object, ...], list[int]], repeated: list[bytes], half: bytes
) -> None:
    fields, payload, said, _ = one
    layout = Layout(*fields._fields[1:], repeated=(ALWAYS, UNSIGNED_16))
    payload += b"".join(repeated) + half
    if not half:
        assert layout.read(payload) == (*said, tuple(map(little_endian, repeated)))
        return
    with pytest.raises(DecodeError, match=f"ends within a field: {len(payload)} bytes") as error:
        layout.read(payload)
    assert error.value.payload == payload


def test_what_is_repeated_is_none_where_its_flag_does_not_announce_it() -> None:
    layout = Layout((ALWAYS, UNSIGNED_8), (0x02, UNSIGNED_8), repeated=(0x01, UNSIGNED_16))
    assert layout.read(bytes.fromhex("00 01")) == (0x00, 0x01, None, None)
    assert layout.read(bytes.fromhex("01 01")) == (0x01, 0x01, None, ())
    assert layout.read(bytes.fromhex("03 01 02 0304 0506")) == (0x03, 0x01, 0x02, (0x0403, 0x0605))
    with pytest.raises(DecodeError, match="too long: 4 bytes where its flags announce 2"):
        layout.read(bytes.fromhex("00 01 0203"))
    with pytest.raises(DecodeError, match="too short: 1 bytes where its flags announce 2 or more"):
        layout.read(bytes.fromhex("01"))


def read_time(content: str) -> tuple[DeviceTime | None, bool]:
    return date_time(bytes.fromhex(content))


def test_a_time_that_was_not_sent_says_nothing_of_the_clock() -> None:
    assert date_time(None) == (None, False)


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
    assert read_time(content) == (time, False)


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
    assert read_time(content) == (time, True)


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
    assert read_time(content) == (None, True)


@given(content=st.binary(min_size=7, max_size=7))
def test_no_seven_bytes_break_the_clock(content: bytes) -> None:
    time, clock_not_set = date_time(content)
    assert time is not None or clock_not_set
