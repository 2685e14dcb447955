"""The contract of a driver: what becomes of a payload that it reads, and of one that it cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import DRIVERS
from drivers.driver import Decoded
from drivers.gatt import GattDriver
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
    ("weight_scale", "2a9d", "02 b036", ""),
    ("glucose", "2a18", "00 2900", ""),
]


def driver_that_decodes(decoded: Decoded) -> GattDriver:
    return GattDriver(
        name="other",
        title="Other",
        service="1234",
        characteristics={"2abc": lambda _: decoded},
        streaming=frozenset({"2abc"}),
    )


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


NOT_SET = frozenset({Flag.CLOCK_NOT_SET})
UNSET = DeviceTime(2000, 1, 1, 0, 3, 12)
NO_DAY = DeviceTime(2026, 2, 0, 20, 56, 0)


@pytest.mark.parametrize(
    ("decoded", "an_hour_later", "a_year_later"),
    [
        (Decoded(PULSE, frozenset(), TIME), True, True),
        (Decoded(PULSE, frozenset(), UNSET), True, True),
        (Decoded(PULSE, NOT_SET, UNSET), True, True),
        (Decoded(PULSE, NOT_SET, NO_DAY), True, False),
        (Decoded(PULSE, NOT_SET, None), True, False),  # it sent a time, which cannot be
        (Decoded(PULSE, frozenset(), None), False, False),  # it sent none
        (Decoded(PULSE, NOT_SET, None, sequence_number=0), True, True),
        (Decoded(PULSE, frozenset(), None, sequence_number=7), True, True),
    ],
)
def test_a_record_that_comes_again_is_the_same_if_its_time_or_its_number_says_so(
    noon: datetime, decoded: Decoded, an_hour_later: bool, a_year_later: bool
) -> None:
    driver = replace(driver_that_decodes(decoded), keeps_records=decoded.sequence_number is None)
    first, hour, year = (
        driver.read(RawPayload("C4:F2:17:00:00:01", "other", b"\x01", noon + after)).id
        for after in (timedelta(0), timedelta(hours=1), timedelta(days=365))
    )
    assert (hour == first, year == first) == (an_hour_later, a_year_later)


def test_a_stored_spot_check_of_a_clock_nobody_set_counts_once_however_often_the_memory_is_asked_for(
    noon: datetime,
) -> None:
    """Every link asks for all that an oximeter has stored: each day anew it would be scored as of now."""
    # 2A5E, flags 03: time stamp, measurement status; SpO2 82, pulse 72; 2000-01-01 00:03:12; bit 9: stored
    stored = bytes.fromhex("03 5200 4800 d007 01 01 00 03 0c 0002")
    fresh = bytes.fromhex("03 5200 4800 d007 01 01 00 03 0c 0000")
    days = (noon + n * timedelta(days=1) for n in (0, 1, 2, 400))
    driver = DRIVERS["pulse_oximeter"]
    raws = [RawPayload("C4:F2:17:00:00:02", driver.name, stored, day, "2a5e") for day in days]
    assert len({driver.read(raw).id for raw in raws}) == 1
    assert len({driver.read(replace(raw, payload=fresh)).id for raw in raws}) == 4


def test_the_number_of_an_advertised_packet_does_not_say_that_two_are_one(noon: datetime) -> None:
    """BTHome's packet id has eight bits: a door that opens has soon opened before with the same bytes."""
    driver = replace(
        driver_that_decodes(Decoded(PULSE, sequence_number=7)),
        streaming=frozenset(),
        advertised=frozenset({"2abc"}),
    )
    twice = (RawPayload("C4:F2:17:00:00:01", "other", b"\x07", noon + n * SECOND) for n in range(2))
    readings = [driver.read(raw) for raw in twice]
    assert len({reading.id for reading in readings}) == 2
    assert {reading.sequence_number for reading in readings} == {7}


@pytest.mark.parametrize("name", sorted(DRIVERS))
def test_only_what_tells_several_numbers_with_a_time_keeps_records(name: str) -> None:
    """A thermometer's one number, from a clock that begins anew whenever it is switched on, comes again."""
    driver = DRIVERS[name]
    assert not (driver.keeps_records and name in {"thermometer", "weight_scale"})
    assert driver.keeps_records or name not in {"blood_pressure", "beurer_bm85"}
    assert not (driver.keeps_records and driver.streaming)


@pytest.mark.parametrize("name", sorted(name for name, each in DRIVERS.items() if each.identified_as))
def test_a_record_is_the_same_after_its_sensor_was_enrolled_anew_with_the_driver_of_its_model(
    noon: datetime, name: str
) -> None:
    """`carehub devices scan` suggests both; its memory comes again, and is not counted again."""
    of_model = DRIVERS[name]
    of_profile = DRIVERS[of_model.identified_as or ""]
    assert of_model.characteristics == of_profile.characteristics
    sent = [(characteristic, before, behind) for with_a, characteristic, before, behind in WITH_A_TIME
            if with_a == of_profile.name]  # fmt: skip
    assert sent
    for characteristic, before, behind in sent:
        payload = bytes.fromhex(f"{before} ea07 02 1c 14 38 00 {behind}")  # 2026-02-28 20:56
        raw = RawPayload("C4:F2:17:00:00:01", of_profile.name, payload, noon, characteristic)
        again = replace(raw, driver=name, received_at=noon + timedelta(days=3))
        assert of_profile.read(raw).problem is None
        assert of_model.read(again).id == of_profile.read(raw).id


def test_the_drivers_of_and_are_identified_as_those_of_the_profiles() -> None:
    named = {name: each.identified_as for name, each in DRIVERS.items() if each.identified_as}
    assert named == {"and_ua651ble": "blood_pressure", "and_ut201ble": "thermometer"}


cuffs = st.builds(
    lambda numbers, time: (
        bytes([0x06])
        + b"".join(number.to_bytes(2, "little") for number in numbers[:3])
        + bytes.fromhex("d007 01 01") + bytes(time)
        + numbers[3].to_bytes(2, "little")
    ),
    st.tuples(st.integers(90, 200), st.integers(40, 80), st.integers(60, 90), st.integers(40, 120)),
    st.tuples(st.integers(0, 23), st.integers(0, 59), st.integers(0, 59)),
)  # fmt: skip
"""A 2A35 in mmHg with systolic, diastolic, mean, a time on 2000-01-01 and a pulse."""


@given(st.lists(cuffs, min_size=1, max_size=30, unique=True), st.data())
def test_a_cuffs_memory_of_a_clock_nobody_set_counts_once_in_any_order_on_any_later_day(
    memory: list[bytes], data: st.DataObject
) -> None:
    driver, morning = DRIVERS["blood_pressure"], datetime(2026, 3, 1, tzinfo=UTC)
    ids = set()
    for _ in range(data.draw(st.integers(1, 4), "links")):
        at = morning + data.draw(st.timedeltas(timedelta(0), timedelta(days=900)), "link")
        for number, payload in enumerate(data.draw(st.permutations(memory), "order")):
            told = driver.read(
                RawPayload("C4:F2:17:00:00:01", driver.name, payload, at + number * SECOND, "2a35")
            )
            assert len(told.measurements) == 4
            ids.add(told.id)
    assert len(ids) == len(memory)


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
