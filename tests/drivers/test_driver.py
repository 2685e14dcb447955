"""The contract of a driver: what becomes of a payload that it reads, and of one that it cannot."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from drivers.catalogue import DRIVERS
from drivers.driver import Decoded, Driver
from hub.readings import DeviceTime, Flag, Measurement, RawPayload, Vital, reading_id

SECOND = timedelta(seconds=1)
TIME = DeviceTime(2026, 2, 28, 20, 56, 0)
PULSE = (Measurement(Vital.PULSE_RATE, 70.0),)

# Every characteristic that can carry a time stamp, with what stands before and behind it.
WITH_A_TIME = [
    ("blood_pressure", "2a35", "02 7800 5000 5d00", ""),
    ("blood_pressure", "2a36", "02 9c00 ff07 ff07", ""),
    ("pulse_oximeter", "2a5e", "01 6100 4800", ""),
    ("thermometer", "2a1c", "02 6c0100ff", ""),
    ("thermometer", "2a1e", "02 6c0100ff", ""),
    ("beurer_bm85", "2a35", "56 7100 4900 0000", "0041 01 0000"),
]


def driver_that_decodes(decoded: Decoded) -> Driver:
    return Driver("other", "Other", "1234", {"2abc": lambda _: decoded}, streaming=frozenset({"2abc"}))


def test_a_reading_has_all_that_was_decoded_each_in_its_place(noon: datetime) -> None:
    raw = RawPayload("C4:F2:17:00:00:01", "other", b"\x01", noon, "2abc")
    reading = driver_that_decodes(Decoded(PULSE, frozenset({Flag.LOW_PERFUSION}), TIME, 41, 2)).read(raw)
    assert reading.id == reading_id(raw, TIME)
    assert reading.raw is raw
    assert reading.measurements == PULSE
    assert reading.flags == {Flag.LOW_PERFUSION}
    assert reading.device_time == TIME
    assert (reading.sequence_number, reading.user_id) == (41, 2)
    assert reading.problem is None
    assert reading.streaming


@pytest.mark.parametrize(("flags", "readings"), [(frozenset(), 1), (frozenset({Flag.CLOCK_NOT_SET}), 2)])
def test_a_clock_that_is_not_set_does_not_say_that_two_readings_are_one(
    noon: datetime, flags: frozenset[Flag], readings: int
) -> None:
    driver = driver_that_decodes(Decoded(PULSE, flags, TIME))
    twice = (RawPayload("C4:F2:17:00:00:01", "other", b"\x01", noon + n * SECOND) for n in range(2))
    assert len({driver.read(raw).id for raw in twice}) == readings


def test_what_cannot_be_read_is_kept_with_the_reason_and_no_measurement(noon: datetime) -> None:
    raw = RawPayload("C4:F2:17:00:00:01", "thermometer", b"\x00\x01", noon, "2a1c")
    reading = DRIVERS["thermometer"].read(raw)
    assert reading.problem == "payload too short: 2 bytes where its flags announce 5 or more"
    assert reading.raw is raw
    assert (reading.measurements, reading.flags, reading.device_time) == ((), frozenset(), None)


@pytest.mark.parametrize(("driver", "characteristic", "before", "behind"), WITH_A_TIME)
@pytest.mark.parametrize(
    ("stamp", "time", "is_set"),
    [
        ("ea07 02 1c 14 38 00", TIME, True),
        ("0000 02 1c 14 38 00", DeviceTime(0, 2, 28, 20, 56, 0), False),  # the year is not known
        ("ea07 02 1e 14 38 00", None, False),  # 30 February
    ],
)
def test_whatever_has_a_time_says_so_where_its_clock_is_not_set(
    driver: str,
    characteristic: str,
    before: str,
    behind: str,
    stamp: str,
    time: DeviceTime | None,
    is_set: bool,
) -> None:
    decoded = DRIVERS[driver].characteristics[characteristic](bytes.fromhex(before + stamp + behind))
    assert decoded.device_time == time
    assert (Flag.CLOCK_NOT_SET not in decoded.flags) == is_set
