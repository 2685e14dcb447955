"""Heart Rate Service 1.0: payloads written by hand from the specification."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding
from drivers.heart_rate import DRIVER, decode_measurement
from hub.readings import AbsentReason, Flag, Measurement, Quality, RawPayload, Vital

PULSE = Vital.PULSE_RATE

FULL = bytes.fromhex(
    "1f"  # flags: rate in 16 bits, contact detected (bit 1) and told (bit 2), energy, RR intervals
    "4800"  # heart rate 0x0048 = 72
    "6400"  # energy expended 0x0064 = 100 kJ
    "0004"  # RR 0x0400 = 1024/1024 s
    "0003"  # RR 0x0300 = 768/1024 s
)


def decode(content: str) -> Decoded:
    return decode_measurement(bytes.fromhex(content))


def test_a_payload_with_every_field_is_read_field_by_field() -> None:
    assert decode_measurement(FULL) == Decoded((Measurement(PULSE, 72.0),), beat_intervals=(1.0, 0.75))


def test_a_payload_with_no_optional_field_is_a_pulse_rate() -> None:
    assert decode("00 48") == Decoded((Measurement(PULSE, 72.0),))


@pytest.mark.parametrize(
    ("content", "rate"),
    [
        ("00 ff", 255.0),
        ("01 ff00", 255.0),
        ("01 2c01", 300.0),  # 0x012C
    ],
)
def test_the_rate_is_one_byte_or_two(content: str, rate: float) -> None:
    assert decode(content).measurements == (Measurement(PULSE, rate),)


@pytest.mark.parametrize(
    ("flags", "in_contact"),
    [
        ("10", True),  # bits 2 and 1: 00, contact is not told
        ("12", True),  # 01, the same: bit 1 says nothing without bit 2
        ("14", False),  # 10, told, and there is none
        ("16", True),  # 11, told, and there is
    ],
)
def test_only_contact_that_is_told_and_lost_makes_the_rate_unusable(flags: str, in_contact: bool) -> None:
    decoded = decode(f"{flags} 48 0004")
    (measurement,) = decoded.measurements
    assert measurement.value == 72.0
    assert measurement.quality is (Quality.GOOD if in_contact else Quality.UNUSABLE)
    assert decoded.flags == (set() if in_contact else {Flag.NO_SKIN_CONTACT})
    assert decoded.beat_intervals == ((1.0,) if in_contact else ())


@pytest.mark.parametrize("content", ["00 00", "01 0000", "10 00 0004", "16 00 0004"])
def test_a_rate_of_0_is_no_number_and_has_no_beats(content: str) -> None:
    assert decode(content) == Decoded((Measurement(PULSE, None, AbsentReason.NOT_A_NUMBER),))


@pytest.mark.parametrize("content", ["10 09 0004", "11 2d01 0004", "11 ffff 0004"])
def test_a_rate_that_no_living_body_has_is_kept_but_unusable_and_has_no_beats(content: str) -> None:
    decoded = decode(content)
    assert decoded.flags == {Flag.IMPLAUSIBLE}
    assert decoded.measurements[0].quality is Quality.UNUSABLE
    assert decoded.beat_intervals == ()


@pytest.mark.parametrize("content", ["10 48 00", "10 48 0004 03", "1f 4800 6400 0004 00"])
def test_half_an_interval_is_refused_and_never_read_past(content: str) -> None:
    with pytest.raises(DecodeError, match="ends within a field"):
        decode(content)


def test_intervals_that_are_announced_and_missing_cost_no_pulse() -> None:
    assert decode("10 48") == Decoded((Measurement(PULSE, 72.0),))


def test_energy_is_read_over_and_not_taken_for_an_interval() -> None:
    assert decode("08 48 6400").beat_intervals == ()
    assert decode("18 48 6400 0004").beat_intervals == (1.0,)


@given(
    wide=st.booleans(),
    contact=st.integers(0, 3),
    energy=st.booleans(),
    ticks=st.lists(st.integers(0, 0xFFFF), max_size=120),  # more than an MTU of 247 carries
    reserved=st.integers(0, 7),
    rate=st.integers(10, 255),
)
def test_every_interval_that_was_sent_is_there_the_oldest_first(
    wide: bool, contact: int, energy: bool, ticks: list[int], reserved: int, rate: int
) -> None:
    flags = wide | contact << 1 | energy << 3 | 0x10 | reserved << 5
    payload = bytes([flags]) + rate.to_bytes(2 if wide else 1, "little") + b"\x64\x00" * energy
    decoded = decode_measurement(payload + b"".join(one.to_bytes(2, "little") for one in ticks))
    assert decoded.measurements[0].value == rate
    expected = () if contact == 2 else tuple(one / 1024 for one in ticks)
    assert decoded.beat_intervals == expected


@given(st.integers(0, 255), st.binary(max_size=6))
def test_without_the_flag_for_intervals_the_length_is_exact(flags: int, content: bytes) -> None:
    flags &= ~0x10
    length = 1 + (flags & 1) + (2 if flags & 8 else 0)
    try:
        decode_measurement(bytes([flags]) + content)
    except DecodeError:
        assert len(content) != length
    else:
        assert len(content) == length


def test_a_strap_streams_and_is_bonded_with_only_if_it_asks(noon: datetime) -> None:
    reading = DRIVER.read(RawPayload("C4:F2:17:00:00:04", DRIVER.name, FULL, noon))
    assert reading.streaming
    assert reading.beat_intervals == (1.0, 0.75)
    assert DRIVER.only_streams
    assert DRIVER.bonding is Bonding.WHEN_ASKED
