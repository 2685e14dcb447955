"""The virtual sensors' encoders, against bytes written by hand from the specifications."""

from __future__ import annotations

import math
from datetime import datetime

import pytest

from drivers.virtual import VirtualWardError
from drivers.virtual.clock import current_time, date_time, read_date_time
from drivers.virtual.encoding import (
    blood_pressure,
    continuous,
    float32,
    glucose,
    glucose_context,
    heart_rate,
    sfloat,
    spot_check,
    temperature,
    weight,
)
from drivers.virtual.makers import bthome, crc8_maxim, in_pieces, nonin, pc60fw

NOON = datetime(2026, 11, 22, 12, 5, 59)  # noqa: DTZ001 -- a sensor's clock knows no zone


def test_a_blood_pressure_has_its_flags_three_pressures_and_the_pulse() -> None:
    # 120 = 0x078, 80 = 0x050, 93 = 0x05d, 72 = 0x048; flag bit 2: a pulse rate follows
    assert blood_pressure(120, 80, 93, 72) == bytes.fromhex("04 7800 5000 5d00 4800")
    assert blood_pressure(120, 80, 93) == bytes.fromhex("00 7800 5000 5d00")
    assert blood_pressure(120, 81) == bytes.fromhex("00 7800 5100 5e00")  # a mean of 81 + 39 / 3


def test_an_oximetry_has_no_flags_and_two_numbers() -> None:
    assert spot_check(97, 78) == bytes.fromhex("00 6100 4e00")
    assert continuous(91, 128) == bytes.fromhex("00 5b00 8000")


def test_a_temperature_has_tenths() -> None:
    # 36.8 is 368 (0x000170) times ten to the power of -1 (0xff)
    assert temperature(36.8) == bytes.fromhex("00 700100ff")


def test_special_values_are_the_standards() -> None:
    assert (sfloat(math.nan), sfloat(math.inf), sfloat(-math.inf)) == (b"\xff\x07", b"\xfe\x07", b"\x02\x08")
    assert float32(math.nan) == bytes.fromhex("ffff7f00")
    assert float32(math.inf) == bytes.fromhex("feff7f00")
    assert float32(-math.inf) == bytes.fromhex("02008000")


def test_negative_numbers_and_exponents_are_twos_complements() -> None:
    assert sfloat(-1) == b"\xff\x0f"
    assert sfloat(36.5, -1) == b"\x6d\xf1"
    assert float32(-1.5) == bytes.fromhex("f1ffffff")


@pytest.mark.parametrize("value", [2046, -2046, 1e9])
def test_a_number_that_does_not_fit_is_refused(value: float) -> None:
    with pytest.raises(VirtualWardError, match="does not fit an SFLOAT"):
        sfloat(value)


def test_a_time_is_a_little_endian_year_and_a_byte_each() -> None:
    # 2026 = 0x07ea; November, 22nd, 12:05:59
    assert date_time(NOON) == bytes.fromhex("ea07 0b 16 0c 05 3b")
    # a Sunday (7), no fraction, no reason
    assert current_time(NOON) == bytes.fromhex("ea07 0b 16 0c 05 3b 07 00 00")
    assert read_date_time(date_time(NOON)) == read_date_time(current_time(NOON)) == NOON


@pytest.mark.parametrize(
    "written",
    ["", "ea070b160c05", "ea070d160c053b", "ea070b160c053b010000", "ea070b160c053b0700"],
    ids=["nothing", "too short", "month 13", "a Sunday called Monday", "between the two"],
)
def test_a_time_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(VirtualWardError):
        read_date_time(bytes.fromhex(written))


def test_a_cuffs_time_comes_before_its_pulse_and_user_and_status_after() -> None:
    # flags: time (02), pulse (04), user (08), status (10); status 0x0004: irregular pulse
    assert blood_pressure(120, 80, 93, 72, at=NOON, user=2, status=4) == bytes.fromhex(
        "1e 7800 5000 5d00 ea070b160c053b 4800 02 0400"
    )


def test_a_heart_rate_is_a_byte_or_two_and_beat_intervals_are_1024ths() -> None:
    assert heart_rate(72) == bytes.fromhex("00 48")
    assert heart_rate(256) == bytes.fromhex("01 0001")
    # contact is felt (02) and can be felt (04), energy (08) 300 kJ = 0x012c, intervals (10) 0.5 s = 0x0200
    assert heart_rate(72, contact=True, energy=300, beat_intervals=(0.5, 1)) == bytes.fromhex(
        "1e 48 2c01 0002 0004"
    )
    assert heart_rate(72, contact=False) == bytes.fromhex("04 48")


def test_a_weight_has_steps_of_5_grams() -> None:
    # 70.5 kg = 14100 = 0x3714; flags: time (02), user (04)
    assert weight(70.5) == bytes.fromhex("00 1437")
    assert weight(70.5, at=NOON, user=1) == bytes.fromhex("06 1437 ea070b160c053b 01")
    assert weight(math.nan) == bytes.fromhex("00 ffff")


def test_a_glucose_is_in_moles_per_litre() -> None:
    # flags: concentration (02), mol/L (04); 5.6 mmol/L = 56 (0x038) times ten to the power of -4 (0xc);
    # type 1 capillary whole blood, location 1 finger
    assert glucose(7, 5.6, at=NOON) == bytes.fromhex("06 0700 ea070b160c053b 38c0 11")
    # an hour earlier (01): -60 = 0xffc4; status (08) 0x0020 strip inserted wrongly; a context follows (10)
    assert glucose(7, 5.6, at=NOON, offset_minutes=-60, status=0x20, context_follows=True) == bytes.fromhex(
        "1f 0700 ea070b160c053b c4ff 38c0 11 2000"
    )
    assert glucose_context(7, 3) == bytes.fromhex("02 0700 03")


def test_a_spot_check_may_have_its_time_last() -> None:
    assert spot_check(97, 78, at=NOON) == bytes.fromhex("01 6100 4e00 ea070b160c053b")


def test_nonins_own_measurement_is_big_endian() -> None:
    # length, status, 3.0 V, 2.50 %, counter 5, SpO2 97, pulse 78
    assert nonin(97, 78, counter=5) == bytes.fromhex("0a 14 1e 00fa 0005 61 004e")
    assert nonin(None, None) == bytes.fromhex("0a 14 1e 00fa 0000 7f 01ff")


def test_a_pc60fw_frame_ends_with_its_checksum() -> None:
    assert crc8_maxim(b"123456789") == 0xA1  # the check value that catalogues of CRCs give
    frame = pc60fw(97, 78)
    assert frame[:-1] == bytes.fromhex("aa55 0f 08 01 61 4e00 22 00 c0")
    assert crc8_maxim(frame) == 0  # as with every CRC of this kind
    assert list(in_pieces(b"abcde", 2)) == [b"ab", b"cd", b"e"]


def test_bthome_objects_come_by_their_ids() -> None:
    # version 2 (40); packet 9, battery 97 %, 21.5 degC = 2150 = 0x0866
    assert bthome(packet=9, battery=97, temperature=21.5) == bytes.fromhex("40 0009 0161 026608")
    # irregular (04): a door is open, somebody moves, a button is pressed
    assert bthome(door=True, motion=False, button=1) == bytes.fromhex("44 1a01 2100 3a01")


@pytest.mark.parametrize("value", [-1, 700])
def test_a_weight_that_does_not_fit_is_refused(value: float) -> None:
    with pytest.raises(VirtualWardError, match="does not fit 2 bytes"):
        weight(value)
