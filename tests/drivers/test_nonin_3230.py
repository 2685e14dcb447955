"""The Nonin 3230's two ways; the profile's own decoders are tested in `test_pulse_oximeter.py`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import pulse_oximeter
from drivers.driver import Decoded, DecodeError
from drivers.nonin_3230 import DRIVER, OXIMETRY_MEASUREMENT, OXIMETRY_SERVICE, decode_oximetry
from hub.readings import AbsentReason, Flag, Measurement, Quality, Vital

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE
SATURATION, PULSE = Vital.OXYGEN_SATURATION, Vital.PULSE_RATE

ON_THE_FINGER = 0x14  # bit 4, on the finger, and bit 2, passed SmartPoint

PAYLOAD = bytes.fromhex(
    "0a"  # length 10
    "14"  # status: on the finger, passed SmartPoint
    "1c"  # battery 28: 2.8 V
    "01f4"  # pulse amplitude index 0x01F4 = 500: 5.00 %
    "000f"  # counter 15 s
    "61"  # SpO2 97 %
    "0048"  # pulse 0x0048 = 72, big-endian
)


def with_status(status: int) -> bytes:
    return PAYLOAD[:1] + bytes([status]) + PAYLOAD[2:]


def test_the_layout_is_read_field_by_field() -> None:
    assert decode_oximetry(PAYLOAD) == Decoded((Measurement(SATURATION, 97.0), Measurement(PULSE, 72.0)))


def test_the_pulse_is_big_endian_beyond_a_byte() -> None:
    assert decode_oximetry(PAYLOAD[:-2] + bytes.fromhex("0104")).measurements[1].value == 260.0


@pytest.mark.parametrize(
    ("status", "flags", "quality"),
    [
        (ON_THE_FINGER, set(), GOOD),
        (ON_THE_FINGER | 0x02, {Flag.POOR_SIGNAL}, QUESTIONABLE),
        (ON_THE_FINGER & ~0x04, {Flag.EARLY_ESTIMATE}, QUESTIONABLE),
        (ON_THE_FINGER | 0x08, {Flag.INADEQUATE_SIGNAL}, UNUSABLE),
        (ON_THE_FINGER & ~0x10, {Flag.SENSOR_DISPLACED}, UNUSABLE),
        (ON_THE_FINGER | 0x20, {Flag.BATTERY_LOW}, GOOD),
        (ON_THE_FINGER | 0x40, set(), GOOD),  # the link is encrypted
        (ON_THE_FINGER | 0x81, set(), GOOD),  # reserved, and the display's beat
        (0x00, {Flag.EARLY_ESTIMATE, Flag.SENSOR_DISPLACED}, UNUSABLE),
    ],
)
def test_each_bit_of_the_status_leaves_its_quality(status: int, flags: set[Flag], quality: Quality) -> None:
    decoded = decode_oximetry(with_status(status))
    assert decoded.flags == flags
    assert [each.quality for each in decoded.measurements] == [quality, quality]


def test_127_and_511_are_no_numbers() -> None:
    decoded = decode_oximetry(with_status(0x08)[:7] + bytes.fromhex("7f 01ff"))
    assert [each.absent for each in decoded.measurements] == [AbsentReason.NOT_A_NUMBER] * 2
    assert decoded.measurements[0].value is None


def test_a_pulse_alone_that_is_missing_does_not_harm_the_saturation() -> None:
    saturation, pulse = decode_oximetry(PAYLOAD[:8] + bytes.fromhex("01ff")).measurements
    assert saturation == Measurement(SATURATION, 97.0)
    assert pulse.absent is AbsentReason.NOT_A_NUMBER


def test_a_saturation_of_more_than_100_is_not_usable() -> None:
    decoded = decode_oximetry(PAYLOAD[:7] + b"\x65" + PAYLOAD[8:])
    assert Flag.IMPLAUSIBLE in decoded.flags
    assert decoded.measurements[0].quality is UNUSABLE


def test_bytes_of_a_later_revision_are_read_over_if_the_length_announces_them() -> None:
    assert decode_oximetry(b"\x0c" + PAYLOAD[1:] + b"\x01\x02") == decode_oximetry(PAYLOAD)


@pytest.mark.parametrize("length", range(10))
def test_what_is_cut_is_refused(length: int) -> None:
    with pytest.raises(DecodeError, match="too short"):
        decode_oximetry(PAYLOAD[:length])


def test_a_length_that_is_not_the_payload_s_is_refused() -> None:
    with pytest.raises(DecodeError, match="too long: 11 bytes where it says 10"):
        decode_oximetry(PAYLOAD + b"\x00")
    with pytest.raises(DecodeError, match="too short: 10 bytes where it says 11"):
        decode_oximetry(b"\x0b" + PAYLOAD[1:])


@given(status=st.integers(0, 255), saturation=st.integers(0, 255), pulse=st.integers(0, 0xFFFF))
def test_nothing_is_usable_off_the_finger_or_without_a_pulse(
    status: int, saturation: int, pulse: int
) -> None:
    decoded = decode_oximetry(
        with_status(status)[:7] + bytes([saturation]) + pulse.to_bytes(2, "big"),
    )
    for measurement in decoded.measurements:
        if not status & 0x10 or status & 0x08:
            assert not measurement.usable
        assert (measurement.vital, measurement.value) not in {(SATURATION, 127.0), (PULSE, 511.0)}


@pytest.mark.parametrize(
    ("offered", "subscribed"),
    [
        ({"2a5e", "2a5f", "2a60", OXIMETRY_MEASUREMENT}, ("2a5e", "2a5f")),
        ({"2a5f", OXIMETRY_MEASUREMENT}, ("2a5f",)),
        ({OXIMETRY_MEASUREMENT, "2a19"}, (OXIMETRY_MEASUREMENT,)),
        ({"2a5e"}, ("2a5e",)),
        ({"2a19"}, ()),
    ],
)
def test_of_its_two_ways_a_link_subscribes_to_one(offered: set[str], subscribed: tuple[str, ...]) -> None:
    assert DRIVER.subscribed_of(offered) == subscribed


def test_a_driver_without_alternatives_is_subscribed_to_all_that_the_sensor_has() -> None:
    assert pulse_oximeter.DRIVER.subscribed_of(["2a5f", "2a5e", "2a19"]) == ("2a5e", "2a5f")


def test_the_profile_is_read_as_any_oximeter_reads_it() -> None:
    for name, decode in pulse_oximeter.DRIVER.characteristics.items():
        assert DRIVER.characteristics[name] is decode
    assert DRIVER.streaming == {"2a5f", OXIMETRY_MEASUREMENT}
    assert DRIVER.service == OXIMETRY_SERVICE
