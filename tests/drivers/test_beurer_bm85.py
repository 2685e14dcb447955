"""The Beurer BM85's own layout. The captures are in `test_captures.py`; here is what they do not show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import blood_pressure
from drivers.beurer_bm85 import decode_measurement
from drivers.driver import Decoded, DecodeError
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, Vital

PAYLOAD = bytes.fromhex(
    "56"  # flags: time stamp, pulse rate, measurement status, and reserved bit 6
    "7100"  # systolic 0x0071 = 113, little-endian
    "4900"  # diastolic 0x0049 = 73, little-endian
    "0000"  # mean 0: not worked out
    "ea07 08 0b 14 38 00"  # 0x07EA = 2026, little-endian, August, 11th, 20:56:00
    "0041"  # pulse 0x0041 = 65, big-endian
    "01"  # user 1, though the flags do not announce it
    "0000"  # status, big-endian
)


def test_the_layout_is_read_field_by_field() -> None:
    assert decode_measurement(PAYLOAD) == Decoded(
        measurements=(
            Measurement(Vital.SYSTOLIC_PRESSURE, 113.0),
            Measurement(Vital.DIASTOLIC_PRESSURE, 73.0),
            Measurement(Vital.MEAN_ARTERIAL_PRESSURE, None, AbsentReason.UNSUPPORTED),
            Measurement(Vital.PULSE_RATE, 65.0),
        ),
        device_time=DeviceTime(2026, 8, 11, 20, 56, 0),
        user_id=1,
    )


def test_the_strict_decoder_refuses_it() -> None:
    with pytest.raises(DecodeError, match="too long: 19 bytes where its flags announce 18"):
        blood_pressure.decode_measurement(PAYLOAD)


@pytest.mark.parametrize(
    ("status", "flag", "quality"),
    [
        ("0001", Flag.BODY_MOVEMENT, Quality.UNUSABLE),
        ("0002", Flag.CUFF_TOO_LOOSE, Quality.UNUSABLE),
        ("0004", Flag.IRREGULAR_PULSE, Quality.QUESTIONABLE),
        ("0020", Flag.IMPROPER_POSITION, Quality.QUESTIONABLE),
    ],
)
def test_its_status_is_big_endian(status: str, flag: Flag, quality: Quality) -> None:
    decoded = decode_measurement(PAYLOAD[:-2] + bytes.fromhex(status))
    assert decoded.flags == {flag}
    assert {measurement.quality for measurement in decoded.measurements} == {quality}


def test_a_failed_pulse_is_absent_in_its_byte_order_too() -> None:
    decoded = decode_measurement(PAYLOAD[:14] + bytes.fromhex("07ff") + PAYLOAD[16:])
    assert decoded.measurements[3] == Measurement(Vital.PULSE_RATE, None, AbsentReason.NOT_A_NUMBER)


@given(announced=st.integers(0, 255).filter(lambda announced: announced != 0x56))
def test_flags_that_nobody_has_seen_are_refused(announced: int) -> None:
    with pytest.raises(DecodeError, match="where a BM85 sends 0x56"):
        decode_measurement(bytes([announced]) + PAYLOAD[1:])


@given(length=st.integers(0, len(PAYLOAD) - 1), extra=st.binary(min_size=1, max_size=4))
def test_a_payload_cut_anywhere_or_continued_is_refused(length: int, extra: bytes) -> None:
    with pytest.raises(DecodeError, match="too short"):
        decode_measurement(PAYLOAD[:length])
    with pytest.raises(DecodeError, match="too long"):
        decode_measurement(PAYLOAD + extra)
