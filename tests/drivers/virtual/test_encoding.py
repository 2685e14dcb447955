"""The virtual sensors' encoders, against bytes written by hand from the specifications."""

from __future__ import annotations

import math

import pytest

from drivers.virtual import VirtualWardError
from drivers.virtual.encoding import blood_pressure, continuous, float32, sfloat, spot_check, temperature


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
