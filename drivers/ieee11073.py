"""The medical numbers of ISO/IEEE 11073-20601: SFLOAT (16 bits) and FLOAT (32 bits).

Both are decimal: a signed exponent to base 10 and a signed mantissa (annexes F.7 and F.8; in the
Bluetooth SIG's words medfloat16 and medfloat32). Five mantissas are no numbers but say why there is
none, and never become one here.

The standard writes these five with exponent 0. With any other exponent they are taken for the same
special values, as Antidote, the open IEEE 11073-20601 stack, takes them: the largest mantissa of a
number is 2**11 - 3 (2**23 - 3), so no conforming sensor means 204.7 by 0xF7FF, while one that
failed and kept its usual exponent means NaN.
"""

from __future__ import annotations

from hub.readings import AbsentReason

Number = float | AbsentReason
"""What a numeric field says: a number, or why there is none."""

_SPECIAL_SFLOATS = {
    0x7FE: AbsentReason.POSITIVE_INFINITY,
    0x7FF: AbsentReason.NOT_A_NUMBER,
    0x800: AbsentReason.ERROR,  # NRes: not at this resolution
    0x801: AbsentReason.ERROR,  # reserved for future use
    0x802: AbsentReason.NEGATIVE_INFINITY,
}

_SPECIAL_FLOATS = {
    0x7FFFFE: AbsentReason.POSITIVE_INFINITY,
    0x7FFFFF: AbsentReason.NOT_A_NUMBER,
    0x800000: AbsentReason.ERROR,  # NRes: not at this resolution
    0x800001: AbsentReason.ERROR,  # reserved for future use
    0x800002: AbsentReason.NEGATIVE_INFINITY,
}

_WHOLE_NUMBERS = 0x7FE
"""Below it an SFLOAT's code has exponent 0 and no sign: it is the number itself, as most sensors send it."""

_POWERS_OF_TEN: tuple[int, ...] = tuple(10**exponent for exponent in range(129))


def sfloat(code: int) -> Number:
    """The number of a 16-bit SFLOAT code: 4 bits of exponent, 12 bits of mantissa.

    It is the float nearest to the decimal that the sensor sent: 0xF16C is exactly 36.4.
    """
    if code < _WHOLE_NUMBERS:
        return float(code)
    mantissa = code & 0xFFF
    if 0x7FE <= mantissa <= 0x802:
        return _SPECIAL_SFLOATS[mantissa]
    if mantissa > 0x802:
        mantissa -= 0x1000
    exponent = code >> 12
    if exponent < 8:
        return float(mantissa * _POWERS_OF_TEN[exponent])
    return mantissa / _POWERS_OF_TEN[16 - exponent]


def float32(code: int) -> Number:
    """The number of a 32-bit FLOAT code: 8 bits of exponent, 24 bits of mantissa.

    Not to be confused with IEEE 754. Exact as `sfloat` is: integers are divided, and Python rounds
    the quotient of two integers correctly whatever their size.
    """
    mantissa = code & 0xFFFFFF
    if 0x7FFFFE <= mantissa <= 0x800002:
        return _SPECIAL_FLOATS[mantissa]
    if mantissa > 0x800002:
        mantissa -= 0x1000000
    exponent = code >> 24
    if exponent < 128:
        return float(mantissa * _POWERS_OF_TEN[exponent])
    return mantissa / _POWERS_OF_TEN[256 - exponent]
