"""SFLOAT and FLOAT against hand-made codes, and against arithmetic that shares nothing with the code."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.ieee11073 import float32, sfloat
from hub.readings import AbsentReason

SPECIAL = {
    # IEEE 11073-20601 annexes F.7 and F.8: mantissa as an offset from 2**(bits - 1)
    -2: AbsentReason.POSITIVE_INFINITY,
    -1: AbsentReason.NOT_A_NUMBER,
    0: AbsentReason.ERROR,  # NRes
    +1: AbsentReason.ERROR,  # reserved
    +2: AbsentReason.NEGATIVE_INFINITY,
}


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (0x0072, 114.0),  # exponent 0, mantissa 0x072 = 114: the white paper's 114 mmHg
        (0xF16C, 36.4),  # exponent -1, mantissa 0x16C = 364
        (0xB076, 0.00118),  # exponent -5, mantissa 0x076 = 118: the white paper's 0.00118 kg/l
        (0xF0B0, 17.6),  # exponent -1, mantissa 0x0B0 = 176
        (0x0FFF, -1.0),  # exponent 0, mantissa 0xFFF = -1
        (0xF803, -204.5),  # exponent -1, the most negative mantissa of a number, -2045
        (0xF7FD, 204.5),  # exponent -1, the largest mantissa of a number, 2045
        (0x2003, 300.0),  # exponent +2, mantissa 3
        (0x77FD, 20450000000.0),  # the largest number
        (0x8001, 0.00000001),  # exponent -8, the smallest step
        (0x0000, 0.0),
    ],
)
def test_an_sfloat_is_the_decimal_that_was_sent(code: int, number: float) -> None:
    assert sfloat(code) == number


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (0xFF00016C, 36.4),  # exponent 0xFF = -1, mantissa 0x00016C = 364
        (0xFE000E71, 36.97),  # exponent -2, mantissa 0xE71 = 3697
        (0xFBFFFFFF, -0.00001),  # exponent -5, mantissa -1
        (0x00000025, 37.0),
        (0x7F7FFFFD, 8388605e127),  # the largest number
        (0x80000001, 1e-128),  # the smallest step
    ],
)
def test_a_float_is_the_decimal_that_was_sent(code: int, number: float) -> None:
    assert float32(code) == number


@pytest.mark.parametrize(
    ("sfloat_code", "float_code", "reason"),
    [
        (0x07FF, 0x007FFFFF, AbsentReason.NOT_A_NUMBER),
        (0x0800, 0x00800000, AbsentReason.ERROR),  # NRes
        (0x07FE, 0x007FFFFE, AbsentReason.POSITIVE_INFINITY),
        (0x0802, 0x00800002, AbsentReason.NEGATIVE_INFINITY),
        (0x0801, 0x00800001, AbsentReason.ERROR),  # reserved
    ],
)
def test_a_special_value_says_why_there_is_no_number(
    sfloat_code: int, float_code: int, reason: AbsentReason
) -> None:
    assert sfloat(sfloat_code) is reason
    assert float32(float_code) is reason


def test_every_sfloat_is_the_float_nearest_to_its_decimal_or_a_special_value() -> None:
    for code in range(0x10000):
        exponent, mantissa = divmod(code, 4096)
        reason = SPECIAL.get(mantissa - 2048)
        if reason:
            assert sfloat(code) is reason, hex(code)
            continue
        if exponent >= 8:
            exponent -= 16
        if mantissa >= 2048:
            mantissa -= 4096
        number = sfloat(code)
        assert isinstance(number, float), hex(code)
        # twice: by decimal text, and by the exact fraction
        assert number == float(f"{mantissa}e{exponent}"), hex(code)
        assert number == float(Fraction(mantissa) * Fraction(10) ** exponent), hex(code)


@given(
    mantissa=st.integers(-(2**23 - 3), 2**23 - 3),
    exponent=st.integers(-128, 127),
)
def test_every_float_is_the_float_nearest_to_its_decimal(mantissa: int, exponent: int) -> None:
    code = int.from_bytes(
        mantissa.to_bytes(3, "little", signed=True) + exponent.to_bytes(1, signed=True), "little"
    )
    assert float32(code) == float(Decimal(mantissa).scaleb(exponent))


@given(offset=st.sampled_from(sorted(SPECIAL)), exponent=st.integers(0, 255))
def test_no_special_mantissa_becomes_a_number_whatever_its_exponent(offset: int, exponent: int) -> None:
    assert float32(exponent << 24 | 2**23 + offset) is SPECIAL[offset]
    assert sfloat((exponent & 0xF) << 12 | 2**11 + offset) is SPECIAL[offset]


def test_a_decimal_survives_without_a_tail_of_digits() -> None:
    assert 363 * 10**-1 != 36.3, "multiplying by a power of ten is not good enough: the test can fail"
    assert repr(sfloat(0xF16B)) == "36.3"
