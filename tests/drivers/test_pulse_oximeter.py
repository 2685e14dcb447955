"""Pulse Oximeter Service 1.0.1: payloads written by hand from the specification."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.pulse_oximeter import DRIVER, decode_continuous, decode_spot_check
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, RawPayload, Vital

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE

SATURATION = Vital.OXYGEN_SATURATION
PULSE = Vital.PULSE_RATE

SPOT_CHECK = bytes.fromhex(
    "0f"  # flags: time stamp, measurement status, device and sensor status, pulse amplitude index
    "6000"  # SpO2 0x0060 = 96
    "4800"  # pulse rate 0x0048 = 72
    "e407 05 15 0a 1e 2d"  # 0x07E4 = 2020, May, 21st, 10:30:45
    "0001"  # measurement status 0x0100: bit 8, fully qualified data
    "000000"  # device and sensor status
    "2df0"  # pulse amplitude index 0xF02D = 4.5 %
)

CONTINUOUS = bytes.fromhex(
    "1f"  # flags: fast pair, slow pair, measurement status, device and sensor status, amplitude index
    "6000 4800"  # normal: 96 %, 72 /min
    "5d00 5800"  # fast: 93 %, 88 /min
    "6100 4600"  # slow: 97 %, 70 /min
    "2001"  # measurement status 0x0120: bit 5, ongoing, and bit 8, fully qualified data
    "000000"  # device and sensor status
    "2df0"  # pulse amplitude index 0xF02D = 4.5 %
)


def spot_check(measurement_status: int, device_status: int = 0) -> Decoded:
    return decode_spot_check(
        SPOT_CHECK[:12]
        + measurement_status.to_bytes(2, "little")
        + device_status.to_bytes(3, "little")
        + SPOT_CHECK[17:]
    )


def continuous(measurement_status: int, device_status: int = 0) -> Decoded:
    # flags 0c: measurement status, device and sensor status
    status = measurement_status.to_bytes(2, "little") + device_status.to_bytes(3, "little")
    return decode_continuous(bytes.fromhex("0c 6000 4800") + status)


def qualities(decoded: Decoded) -> tuple[Quality, Quality]:
    saturation, pulse = decoded.measurements
    assert (saturation.vital, pulse.vital) == (SATURATION, PULSE)
    return saturation.quality, pulse.quality


def test_a_spot_check_with_every_field_is_read_field_by_field() -> None:
    assert decode_spot_check(SPOT_CHECK) == Decoded(
        measurements=(Measurement(SATURATION, 96.0), Measurement(PULSE, 72.0)),
        device_time=DeviceTime(2020, 5, 21, 10, 30, 45),
    )


def test_a_continuous_measurement_with_every_field_gives_the_normal_pair() -> None:
    assert decode_continuous(CONTINUOUS) == Decoded(
        measurements=(Measurement(SATURATION, 96.0), Measurement(PULSE, 72.0)),
        flags=frozenset({Flag.MEASUREMENT_ONGOING}),
    )


@pytest.mark.parametrize(("characteristic", "streaming"), [("", False), ("2a5e", False), ("2a5f", True)])
def test_a_continuous_measurement_is_read_as_one_of_a_stream_and_a_spot_check_is_not(
    noon: datetime, characteristic: str, streaming: bool
) -> None:
    payload = bytes.fromhex("00 6000 4800")
    reading = DRIVER.read(RawPayload("C4:F2:17:00:00:02", DRIVER.name, payload, noon, characteristic))
    assert reading.problem is None
    assert reading.streaming is streaming


@pytest.mark.parametrize("decode", [decode_spot_check, decode_continuous])
def test_a_payload_with_no_optional_field_is_a_saturation_and_a_pulse(
    decode: Callable[[bytes], Decoded],
) -> None:
    # exponent -1: 0xF3D3 = 97.9, 0xF2D5 = 72.5
    assert decode(bytes.fromhex("00 d3f3 d5f2")) == Decoded(
        measurements=(Measurement(SATURATION, 97.9), Measurement(PULSE, 72.5))
    )


@pytest.mark.parametrize(
    ("bit", "flag", "quality"),
    [
        # table 3.4
        (0, None, GOOD),
        (1, None, GOOD),
        (2, None, GOOD),
        (3, None, GOOD),
        (4, None, GOOD),
        (6, Flag.EARLY_ESTIMATE, QUESTIONABLE),
        (7, None, GOOD),  # validated data
        (8, None, GOOD),  # fully qualified data
        (10, Flag.FOR_DEMONSTRATION, UNUSABLE),
        (11, Flag.FOR_TESTING, UNUSABLE),
        (12, Flag.CALIBRATION_ONGOING, UNUSABLE),
        (13, Flag.MEASUREMENT_UNAVAILABLE, UNUSABLE),
        (14, Flag.QUESTIONABLE_MEASUREMENT, QUESTIONABLE),
        (15, Flag.INVALID_MEASUREMENT, UNUSABLE),
    ],
)
@pytest.mark.parametrize("payload_with", [spot_check, continuous])
def test_each_bit_of_the_measurement_status_has_its_flag_and_its_quality(
    payload_with: Callable[[int], Decoded], bit: int, flag: Flag | None, quality: Quality
) -> None:
    decoded = payload_with(1 << bit)
    assert decoded.flags == ({flag} if flag else set())
    assert qualities(decoded) == (quality, quality)
    assert [measurement.value for measurement in decoded.measurements] == [96.0, 72.0]


@pytest.mark.parametrize(
    ("bit", "flag", "quality", "pulse_quality"),
    [
        # table 3.5
        (0, Flag.EXTENDED_DISPLAY_UPDATE, QUESTIONABLE, QUESTIONABLE),
        (1, Flag.EQUIPMENT_MALFUNCTION, UNUSABLE, UNUSABLE),
        (2, Flag.SIGNAL_PROCESSING_IRREGULARITY, QUESTIONABLE, QUESTIONABLE),
        (3, Flag.INADEQUATE_SIGNAL, UNUSABLE, UNUSABLE),
        (4, Flag.POOR_SIGNAL, QUESTIONABLE, QUESTIONABLE),
        (5, Flag.LOW_PERFUSION, QUESTIONABLE, QUESTIONABLE),
        (6, Flag.ERRATIC_SIGNAL, UNUSABLE, UNUSABLE),
        (7, Flag.NONPULSATILE_SIGNAL, UNUSABLE, UNUSABLE),
        (8, Flag.QUESTIONABLE_PULSE, GOOD, QUESTIONABLE),
        (9, Flag.SIGNAL_ANALYSIS_ONGOING, QUESTIONABLE, QUESTIONABLE),
        (10, Flag.SENSOR_INTERFERENCE, QUESTIONABLE, QUESTIONABLE),
        (11, Flag.SENSOR_UNCONNECTED, UNUSABLE, UNUSABLE),  # from the user
        (12, Flag.UNKNOWN_SENSOR, UNUSABLE, UNUSABLE),
        (13, Flag.SENSOR_DISPLACED, UNUSABLE, UNUSABLE),
        (14, Flag.EQUIPMENT_MALFUNCTION, UNUSABLE, UNUSABLE),  # sensor malfunctioning
        (15, Flag.SENSOR_UNCONNECTED, UNUSABLE, UNUSABLE),  # sensor disconnected
        *[(bit, None, GOOD, GOOD) for bit in range(16, 24)],  # reserved
    ],
)
@pytest.mark.parametrize("payload_with", [spot_check, continuous])
def test_each_bit_of_the_device_and_sensor_status_has_its_flag_and_its_quality(
    payload_with: Callable[[int, int], Decoded],
    bit: int,
    flag: Flag | None,
    quality: Quality,
    pulse_quality: Quality,
) -> None:
    decoded = payload_with(0, 1 << bit)
    assert decoded.flags == ({flag} if flag else set())
    assert qualities(decoded) == (quality, pulse_quality)


def test_an_ongoing_measurement_is_normal_for_a_monitor_and_doubtful_for_a_spot_check() -> None:
    assert continuous(1 << 5).flags == spot_check(1 << 5).flags == {Flag.MEASUREMENT_ONGOING}
    assert qualities(continuous(1 << 5)) == (GOOD, GOOD)
    assert qualities(spot_check(1 << 5)) == (QUESTIONABLE, QUESTIONABLE)


def test_a_stored_value_with_its_time_is_good() -> None:
    decoded = spot_check(1 << 9)
    assert decoded.flags == {Flag.FROM_MEMORY}
    assert qualities(decoded) == (GOOD, GOOD)


@pytest.mark.parametrize(
    "payload",
    [
        # flags 02: measurement status alone, 0x0200 = bit 9, from memory: no time
        "02 6000 4800 0002",
        # flags 13: time stamp, measurement status, device clock is not set
        "13 6000 4800 e407 05 15 0a 1e 2d 0002",
        # flags 03 and month 13
        "03 6000 4800 e407 0d 15 0a 1e 2d 0002",
    ],
)
def test_a_stored_value_of_unknown_age_is_unusable(payload: str) -> None:
    decoded = decode_spot_check(bytes.fromhex(payload))
    assert Flag.FROM_MEMORY in decoded.flags
    assert qualities(decoded) == (UNUSABLE, UNUSABLE)


def test_a_stored_value_among_continuous_ones_has_no_time_and_is_unusable() -> None:
    assert qualities(continuous(1 << 9)) == (UNUSABLE, UNUSABLE)


def test_a_clock_that_is_not_set_is_marked_and_harms_no_fresh_value() -> None:
    # flags 11: time stamp, device clock is not set; 2017-01-01 01:34:19
    decoded = decode_spot_check(bytes.fromhex("11 6000 4800 e107 01 01 01 22 13"))
    assert decoded.flags == {Flag.CLOCK_NOT_SET}
    assert decoded.device_time == DeviceTime(2017, 1, 1, 1, 34, 19)
    assert qualities(decoded) == (GOOD, GOOD)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("00 7f00 ff00", (UNUSABLE, QUESTIONABLE)),  # 127 %, 255 /min: no finger, as some modules say it
        ("00 0000 0000", (UNUSABLE, UNUSABLE)),  # 0 %, 0 /min: no finger, as others say it
        ("00 0000 4800", (UNUSABLE, QUESTIONABLE)),
        ("00 e9f3 4800", (UNUSABLE, QUESTIONABLE)),  # 0xF3E9 = 100.1 %
        ("00 1300 4800", (UNUSABLE, QUESTIONABLE)),  # 19 %
        ("00 6000 0900", (QUESTIONABLE, UNUSABLE)),  # 9 /min
        ("00 6000 2d01", (QUESTIONABLE, UNUSABLE)),  # 301 /min
    ],
)
@pytest.mark.parametrize("decode", [decode_spot_check, decode_continuous])
def test_what_no_living_body_has_is_kept_but_unusable(
    decode: Callable[[bytes], Decoded], payload: str, expected: tuple[Quality, Quality]
) -> None:
    decoded = decode(bytes.fromhex(payload))
    assert decoded.flags == {Flag.IMPLAUSIBLE}
    assert qualities(decoded) == expected


@pytest.mark.parametrize("number", ["6400", "e8f3"])  # 100; 0xF3E8 = 100.0
def test_a_saturation_of_100_is_good(number: str) -> None:
    decoded = decode_spot_check(bytes.fromhex(f"00 {number} 4800"))
    assert decoded.measurements[0] == Measurement(SATURATION, 100.0)


@pytest.mark.parametrize("decode", [decode_spot_check, decode_continuous])
@given(
    mantissa=st.sampled_from(
        [
            (0x7FE, AbsentReason.POSITIVE_INFINITY),
            (0x7FF, AbsentReason.NOT_A_NUMBER),
            (0x800, AbsentReason.ERROR),
            (0x801, AbsentReason.ERROR),
            (0x802, AbsentReason.NEGATIVE_INFINITY),
        ]
    ),
    exponent=st.integers(0, 15),
)
def test_no_special_value_becomes_a_number(
    decode: Callable[[bytes], Decoded], mantissa: tuple[int, AbsentReason], exponent: int
) -> None:
    code, reason = mantissa
    field = (exponent << 12 | code).to_bytes(2, "little")
    assert decode(b"\x00" + field + field).measurements == (
        Measurement(SATURATION, None, reason),
        Measurement(PULSE, None, reason),
    )
    # and an absent saturation does not harm the pulse beside it
    assert decode(b"\x00" + field + b"\x48\x00").measurements[1] == Measurement(PULSE, 72.0)


def test_reserved_flags_are_tolerated_where_the_length_still_fits() -> None:
    for decode, payload in [(decode_spot_check, SPOT_CHECK), (decode_continuous, CONTINUOUS)]:
        assert decode(bytes([payload[0] | 0xE0]) + payload[1:]) == decode(payload)


# The optional fields in the order of tables 3.2 and 3.6, each with the flag that announces it.
# Written for this test from the specification; the status fields come last but one and last, so
# that a wrong offset shows in the flags.
SPOT_CHECK_FIELDS = [
    (0x01, bytes.fromhex("e407 05 15 0a 1e 2d")),  # time stamp
    (0x02, bytes.fromhex("4000")),  # measurement status: early estimate
    (0x04, bytes.fromhex("200000")),  # device and sensor status: low perfusion
    (0x08, bytes.fromhex("ffff")),  # pulse amplitude index
]
CONTINUOUS_FIELDS = [
    (0x01, bytes.fromhex("ffff ffff")),  # fast pair
    (0x02, bytes.fromhex("ffff ffff")),  # slow pair
    (0x04, bytes.fromhex("4000")),  # measurement status: early estimate
    (0x08, bytes.fromhex("200000")),  # device and sensor status: low perfusion
    (0x10, bytes.fromhex("ffff")),  # pulse amplitude index
]


@pytest.mark.parametrize(
    ("decode", "fields", "early_flag", "perfusion_flag"),
    [
        (decode_spot_check, SPOT_CHECK_FIELDS, 0x02, 0x04),
        (decode_continuous, CONTINUOUS_FIELDS, 0x04, 0x08),
    ],
)
@given(
    present=st.integers(0, 31),
    reserved=st.integers(5, 7),
    data=st.data(),
    extra=st.binary(min_size=1, max_size=4),
)
def test_the_flags_decide_where_each_field_is_and_where_the_payload_ends(
    decode: Callable[[bytes], Decoded],
    fields: list[tuple[int, bytes]],
    early_flag: int,
    perfusion_flag: int,
    present: int,
    reserved: int,
    data: st.DataObject,
    extra: bytes,
) -> None:
    payload = bytes([present | 1 << reserved]) + bytes.fromhex("6000 4800")
    payload += b"".join(content for flag, content in fields if present & flag)
    decoded = decode(payload)
    clock_not_set = decode is decode_spot_check and present & 0x10
    assert decoded.flags == (
        ({Flag.EARLY_ESTIMATE} if present & early_flag else set())
        | ({Flag.LOW_PERFUSION} if present & perfusion_flag else set())
        | ({Flag.CLOCK_NOT_SET} if clock_not_set else set())
    )
    has_time = decode is decode_spot_check and present & 0x01
    assert decoded.device_time == (DeviceTime(2020, 5, 21, 10, 30, 45) if has_time else None)
    assert [measurement.value for measurement in decoded.measurements] == [96.0, 72.0]
    with pytest.raises(DecodeError, match="too short"):
        decode(payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(DecodeError, match="too long"):
        decode(payload + extra)
