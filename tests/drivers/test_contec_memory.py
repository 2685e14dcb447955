"""What Contec's oximeters have stored, as payloads of a minute each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contec_cms50 import DRIVER
from drivers.contec_memory import NO_TIME, blocks, decode_stored
from drivers.driver import DecodeError
from hub.readings import AbsentReason, DeviceTime, Flag, Quality, RawPayload, Vital
from hub.timekeeping.timing import ClockRule, TimeQuality, measured_at

BEGAN = bytes.fromhex("14 1a 02 1b 16 3b 1e")  # 2026-02-27 22:59:30
SAMPLES = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), max_size=200)


def octets(samples: list[tuple[int, int]]) -> bytes:
    return bytes(octet for sample in samples for octet in sample)


@given(SAMPLES)
def test_all_that_has_a_number_is_in_one_block_and_the_same_again(samples: list[tuple[int, int]]) -> None:
    told = list(blocks(BEGAN, octets(samples)))
    assert told == list(blocks(BEGAN, octets(samples)))
    there = {}
    for block in told:
        assert block[:7] == BEGAN
        first = int.from_bytes(block[7:10], "big")
        for n in range((len(block) - 11) // 2):
            there[first + n] = (block[11 + 2 * n], block[12 + 2 * n])
        decode_stored(block)
    for n, (saturation, pulse) in enumerate(samples):
        assert there.get(n, (saturation, pulse)) == (saturation, pulse)
        if 20 <= saturation <= 100 and 10 <= pulse <= 254:
            assert n in there


def test_a_minute_without_a_finger_is_left_out() -> None:
    told = list(blocks(BEGAN, octets([(97, 70)] * 60 + [(0, 0)] * 60 + [(127, 255)] * 60 + [(96, 71)])))
    assert [decode_stored(block).sequence_number for block in told] == [0, 3]


def test_the_time_goes_on_over_midnight() -> None:
    *_, block = blocks(BEGAN, octets([(97, 70)] * (72 * 60)))
    assert decode_stored(block).device_time == DeviceTime(2026, 2, 28, 0, 10, 30)


def test_a_minute_is_its_median_and_what_is_no_number_does_not_count() -> None:
    [block] = blocks(BEGAN, octets([(97, 70)] * 20 + [(0, 0)] * 10 + [(88, 120)] * 11 + [(112, 70)] * 9))
    decoded = decode_stored(block)
    assert [(each.value, each.quality) for each in decoded.measurements] == [
        (97.0, Quality.GOOD),
        (70.0, Quality.GOOD),
    ]
    assert decoded.flags == {Flag.FROM_MEMORY}


@pytest.mark.parametrize("sample", [(112, 70), (127, 70), (0, 70), (97, 255), (97, 0)])
def test_a_sample_with_one_that_is_no_number_is_none(sample: tuple[int, int]) -> None:
    [block] = blocks(BEGAN, octets([sample] * 31 + [(95, 64)] * 29))
    assert [each.value for each in decode_stored(block).measurements] == [95.0, 64.0]


def test_a_minute_of_which_less_than_half_has_a_number_is_questionable() -> None:
    [block] = blocks(BEGAN, octets([(97, 70)] * 29 + [(0, 0)] * 31))
    decoded = decode_stored(block)
    assert decoded.flags == {Flag.FROM_MEMORY, Flag.QUESTIONABLE_MEASUREMENT}
    assert {each.quality for each in decoded.measurements} == {Quality.QUESTIONABLE}


@pytest.mark.parametrize(
    ("began", "time"),
    [
        (NO_TIME, None),
        (bytes.fromhex("14 1a 02 1e 05 00 00"), None),  # 30 February
        (bytes.fromhex("00 00 00 00 16 0a 00"), None),  # an hour and a minute of no day
        (bytes.fromhex("ff 63 0c 1f 17 3b 3b"), None),  # 25599
        # 1 January, and the minutes after midnight: where clocks begin that nobody has set; before 2010
        (bytes.fromhex("14 1a 01 01 05 00 00"), DeviceTime(2026, 1, 1, 5, 0, 0)),
        (bytes.fromhex("14 1a 02 1b 00 08 00"), DeviceTime(2026, 2, 27, 0, 8, 0)),
        (bytes.fromhex("13 62 05 05 05 00 00"), DeviceTime(1998, 5, 5, 5, 0, 0)),
    ],
)
def test_without_a_date_of_a_clock_that_was_set_it_is_never_scored(
    began: bytes, time: DeviceTime | None
) -> None:
    [block] = blocks(began, octets([(85, 130)] * 60))
    decoded = decode_stored(block)
    assert decoded.flags == {Flag.FROM_MEMORY, Flag.CLOCK_NOT_SET}
    assert decoded.device_time == time
    assert {each.quality for each in decoded.measurements} == {Quality.UNUSABLE}


def test_an_old_recording_is_of_its_own_time_and_none_of_it_is_scored_as_of_now(noon: datetime) -> None:
    rule = ClockRule(timedelta(minutes=5), timedelta(days=7), UTC)
    began = bytes.fromhex("14 19 0c 03 16 00 00")  # 2025-12-03 22:00:00: four hours, three months ago
    scored = 0
    for block in blocks(began, octets([(85, 130)] * 4 * 3600)):
        reading = DRIVER.read(RawPayload("USB:10C4:EA60:1", DRIVER.name, block, noon, "stored"))
        if any(each.usable for each in reading.measurements):
            assert measured_at(reading, rule)[1] is TimeQuality.SENSOR
            scored += 1
    assert scored == 4 * 60 - 10


def test_a_minute_without_any_number_is_absent() -> None:
    decoded = decode_stored(BEGAN + bytes.fromhex("000000 01 0000 7fff"))
    assert {(each.vital, each.absent) for each in decoded.measurements} == {
        (Vital.OXYGEN_SATURATION, AbsentReason.NOT_A_NUMBER),
        (Vital.PULSE_RATE, AbsentReason.NOT_A_NUMBER),
    }


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "000000",
        "000000 01",  # no sample
        "000000 01 61",  # half of one
        "000000 02 6144",  # another spacing
        "000001 01 6144",  # not cut every 60
        "000000 01" + "6144" * 61,
    ],
)
def test_what_is_no_minute_is_refused(rest: str) -> None:
    with pytest.raises(DecodeError):
        decode_stored(BEGAN + bytes.fromhex(rest))
