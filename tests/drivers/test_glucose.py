"""Glucose Service 1.0.1: payloads written by hand from the specification."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import glucose, glucose_and_ketone
from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding, GattDriver
from drivers.glucose import DRIVER, decode_context
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, Vital

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE
GLUCOSE = Vital.GLUCOSE
TIME = "e407 05 15 0a 1e 2d"  # 0x07E4 = 2020, May, 21st, 10:30:45

FULL = bytes.fromhex(
    "1b"  # flags: time offset, concentration, kg/L, status, context follows
    "2900"  # sequence number 0x0029 = 41
    f"{TIME}"
    "3c00"  # time offset 0x003C = 60 minutes
    "6fb0"  # 0xB06F: exponent -5, mantissa 0x06F = 111: 0.00111 kg/L = 111 mg/dL
    "11"  # type 1, capillary whole blood; location 1, finger
    "0000"  # status
)

decode_measurement = DRIVER.characteristics["2a18"]
decode_of_a_meter_for_ketones = glucose_and_ketone.DRIVER.characteristics["2a18"]
both_decoders = pytest.mark.parametrize("decode", [decode_measurement, decode_of_a_meter_for_ketones])


def milligrams(number: int, sample: int = 0x11) -> bytes:
    """A measurement of so many mg/dL."""
    # flags 02: concentration, kg/L; exponent -5 of 12 bits of mantissa
    content = (0xB000 | number).to_bytes(2, "little") + bytes([sample])
    return bytes.fromhex(f"02 2900 {TIME}") + content


def with_status(status: int) -> Decoded:
    # flags 0a: concentration, kg/L, status
    content = bytes.fromhex(f"0a 2900 {TIME} 6fb0 11")
    return decode_measurement(content + status.to_bytes(2, "little"))


def with_concentration(code: str, flags: str = "02") -> Decoded:
    return decode_measurement(bytes.fromhex(f"{flags} 2900 {TIME} {code} 11"))


@both_decoders
def test_a_payload_with_every_field_is_read_field_by_field(decode: Callable[[bytes], Decoded]) -> None:
    assert decode(FULL) == Decoded(
        measurements=(Measurement(GLUCOSE, 6.2, site="finger"),),
        device_time=DeviceTime(2020, 5, 21, 11, 30, 45),  # the offset is added
        sequence_number=41,
    )


@pytest.mark.parametrize(
    ("flags", "code", "millimoles"),
    [
        ("02", "6fb0", 6.2),  # 111 mg/dL = 6.161: a meter shows 6.2
        ("02", "70b0", 6.2),  # 112 mg/dL = 6.217
        ("02", "68b0", 5.8),  # 104 mg/dL = 5.773
        ("02", "46b0", 3.9),  # 70 mg/dL = 3.886: where hypoglycaemia begins
        ("02", "58b2", 33.3),  # 0x258 = 600 mg/dL = 33.304: the end of most meters' range
        ("02", "6fc0", 61.6),  # 111e-4 kg/L: implausible, and not rescued
        ("06", "3ec0", 6.2),  # mol/L: exponent -4, 62: 0.0062 mol/L
        ("06", "06d0", 6.0),  # exponent -3, 6
        ("06", "6cb2", 6.2),  # exponent -5, 0x26C = 620
    ],
)
def test_both_units_become_millimoles_per_litre(flags: str, code: str, millimoles: float) -> None:
    assert with_concentration(code, flags).measurements[0].value == millimoles


@given(number=st.integers(20, 600))
def test_every_step_of_a_meter_converts_to_the_nearest_tenth(number: int) -> None:
    exact = (Decimal(number) / Decimal("18.0156")).quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    assert decode_measurement(milligrams(number)).measurements[0] == Measurement(
        GLUCOSE, float(exact), site="finger"
    )


@pytest.mark.parametrize(
    ("sample", "site", "flag"),
    [
        (0x11, "finger", None),
        (0x21, "alternate site", None),
        (0x32, "earlobe", None),
        (0xF8, None, None),  # location not available; plasma, not told of what
        (0xF7, None, None),
        (0x00, None, None),
        (0x13, "finger, venous whole blood", None),
        (0xF4, "venous plasma", None),
        (0xF5, "arterial whole blood", None),
        (0xF6, "arterial plasma", None),
        (0x29, "alternate site, interstitial fluid", None),
        (0x4A, "control solution", Flag.CONTROL_SOLUTION),
        (0x41, "control solution", Flag.CONTROL_SOLUTION),
        (0x1A, "finger, control solution", Flag.CONTROL_SOLUTION),
        (0x1B, "finger", Flag.PERHAPS_KETONE),  # a reserved type: nobody knows what was measured
        (0x1F, "finger", Flag.PERHAPS_KETONE),
    ],
)
@both_decoders
def test_the_site_is_told_and_what_is_no_persons_glucose_is_unusable(
    decode: Callable[[bytes], Decoded], sample: int, site: str | None, flag: Flag | None
) -> None:
    decoded = decode(milligrams(111, sample))
    assert decoded.measurements == (Measurement(GLUCOSE, 6.2, None, UNUSABLE if flag else GOOD, site),)
    assert decoded.flags == ({flag} if flag else set())


@pytest.mark.parametrize(
    ("bit", "flag", "quality"),
    [
        (0, Flag.BATTERY_LOW, GOOD),
        (1, Flag.EQUIPMENT_MALFUNCTION, UNUSABLE),
        (2, Flag.SAMPLE_INSUFFICIENT, UNUSABLE),
        (3, Flag.STRIP_PROBLEM, UNUSABLE),
        (4, Flag.STRIP_PROBLEM, UNUSABLE),
        (7, Flag.TEMPERATURE_OUT_OF_RANGE, UNUSABLE),
        (8, Flag.TEMPERATURE_OUT_OF_RANGE, UNUSABLE),
        (9, Flag.READ_INTERRUPTED, UNUSABLE),
        (10, Flag.EQUIPMENT_MALFUNCTION, UNUSABLE),
        (11, Flag.CLOCK_NOT_SET, QUESTIONABLE),
        *[(bit, None, GOOD) for bit in range(12, 16)],  # reserved
    ],
)
def test_each_bit_of_the_status_has_its_flag_and_its_quality(
    bit: int, flag: Flag | None, quality: Quality
) -> None:
    decoded = with_status(1 << bit)
    assert decoded.flags == ({flag} if flag else set())
    assert decoded.measurements == (Measurement(GLUCOSE, 6.2, None, quality, "finger"),)


@pytest.mark.parametrize(
    ("status", "flags", "reason"),
    [
        (1 << 5, {Flag.RESULT_TOO_HIGH}, AbsentReason.POSITIVE_INFINITY),
        (1 << 6, {Flag.RESULT_TOO_LOW}, AbsentReason.NEGATIVE_INFINITY),
        (3 << 5, {Flag.RESULT_TOO_HIGH, Flag.RESULT_TOO_LOW}, AbsentReason.ERROR),
        (1 << 6 | 1, {Flag.RESULT_TOO_LOW, Flag.BATTERY_LOW}, AbsentReason.NEGATIVE_INFINITY),
    ],
)
def test_hi_and_lo_are_no_numbers_and_are_not_lost(
    status: int, flags: set[Flag], reason: AbsentReason
) -> None:
    decoded = with_status(status)
    assert decoded.flags == flags
    assert decoded.measurements == (Measurement(GLUCOSE, None, reason, GOOD, "finger"),)


def test_lo_is_not_lost_where_no_concentration_is_sent() -> None:
    # flags 08: status alone, 0x0040 = bit 6
    decoded = decode_measurement(bytes.fromhex(f"08 2900 {TIME} 4000"))
    assert decoded.measurements == (Measurement(GLUCOSE, None, AbsentReason.NEGATIVE_INFINITY),)
    assert decoded.flags == {Flag.RESULT_TOO_LOW}


@pytest.mark.parametrize(
    ("code", "reason", "flags"),
    [
        ("fe07", AbsentReason.POSITIVE_INFINITY, {Flag.RESULT_TOO_HIGH}),
        ("0208", AbsentReason.NEGATIVE_INFINITY, {Flag.RESULT_TOO_LOW}),
        ("ff07", AbsentReason.NOT_A_NUMBER, set()),
        ("0008", AbsentReason.ERROR, set()),  # NRes
        ("0108", AbsentReason.ERROR, set()),  # reserved
        ("ffff", AbsentReason.ERROR, set()),  # what a meter fills with: exponent -1, mantissa -1
        ("ffbf", AbsentReason.ERROR, set()),  # -1 mg/dL
    ],
)
@given(exponent=st.integers(0, 15), moles=st.booleans())
def test_no_special_value_becomes_a_number(
    code: str, reason: AbsentReason, flags: set[Flag], exponent: int, moles: bool
) -> None:
    content = bytes.fromhex(code)
    content = bytes([content[0], content[1] & 0x0F | exponent << 4])
    decoded = with_concentration(content.hex(), "06" if moles else "02")
    assert decoded.measurements == (Measurement(GLUCOSE, None, reason, site="finger"),)
    assert decoded.flags == flags


def test_a_record_without_a_result_is_absent() -> None:
    # flags 00: sequence number and base time alone
    decoded = decode_measurement(bytes.fromhex(f"00 2900 {TIME}"))
    assert decoded.measurements == (Measurement(GLUCOSE, None, AbsentReason.ERROR),)


@pytest.mark.parametrize(("number", "value"), [(1, 0.1), (13, 0.7), (18, 1.0)])
@both_decoders
def test_a_number_too_low_for_meters_is_kept_and_may_be_lo_or_a_ketone(
    decode: Callable[[bytes], Decoded], number: int, value: float
) -> None:
    decoded = decode(milligrams(number))
    assert decoded.measurements == (Measurement(GLUCOSE, value, None, UNUSABLE, "finger"),)
    assert decoded.flags == {Flag.RESULT_TOO_LOW, Flag.PERHAPS_KETONE, Flag.IMPLAUSIBLE}


@both_decoders
def test_a_concentration_of_0_is_no_number_and_may_be_lo_or_a_ketone(
    decode: Callable[[bytes], Decoded],
) -> None:
    decoded = decode(milligrams(0))
    assert decoded.measurements == (Measurement(GLUCOSE, None, AbsentReason.ERROR, UNUSABLE, "finger"),)
    assert decoded.flags == {Flag.RESULT_TOO_LOW, Flag.PERHAPS_KETONE}


@given(tenths=st.integers(0, 81))
def test_a_meter_for_ketones_never_has_a_ketone_scored_as_glucose(tenths: int) -> None:
    # 0.0 to 8.0 mmol/L, and 8.1 for "HI", are sent as ten times as many mg/dL
    decoded = decode_of_a_meter_for_ketones(milligrams(tenths))
    assert Flag.PERHAPS_KETONE in decoded.flags
    assert not decoded.measurements[0].usable


def test_a_meter_for_ketones_has_what_is_above_every_ketone_scored() -> None:
    assert decode_of_a_meter_for_ketones(milligrams(83)).measurements == (
        Measurement(GLUCOSE, 4.6, site="finger"),
    )


def test_a_meter_for_glucose_alone_loses_no_hypoglycaemia() -> None:
    assert decode_measurement(milligrams(45)) == Decoded(
        (Measurement(GLUCOSE, 2.5, site="finger"),),
        device_time=DeviceTime(2020, 5, 21, 10, 30, 45),
        sequence_number=41,
    )


@pytest.mark.parametrize(
    ("base", "offset", "time", "clock_not_set"),
    [
        ("e407 05 15 0a 1e 2d", "0000", DeviceTime(2020, 5, 21, 10, 30, 45), False),
        ("e407 05 15 0a 1e 2d", "c4ff", DeviceTime(2020, 5, 21, 9, 30, 45), False),  # -60 minutes
        ("e407 0c 1f 17 1e 2d", "3c00", DeviceTime(2021, 1, 1, 0, 30, 45), False),  # over New Year
        ("e407 02 1c 17 1e 2d", "3c00", DeviceTime(2020, 2, 29, 0, 30, 45), False),  # a leap day
        ("e407 05 15 0a 1e 2d", "ff7f", None, True),  # overrun
        ("e407 05 15 0a 1e 2d", "0080", None, True),  # underrun
        ("0f27 0c 1f 17 3b 3b", "0100", None, True),  # after 9999
        ("e407 0d 15 0a 1e 2d", "3c00", None, True),  # month 13
        ("0000 05 15 0a 1e 2d", "3c00", DeviceTime(0, 5, 21, 10, 30, 45), True),  # the year is not known
    ],
)
def test_the_offset_is_added_to_the_base_time(
    base: str, offset: str, time: DeviceTime | None, clock_not_set: bool
) -> None:
    # flags 03: time offset, concentration
    decoded = decode_measurement(bytes.fromhex(f"03 2900 {base} {offset} 6fb0 11"))
    assert decoded.device_time == time
    assert decoded.flags == ({Flag.CLOCK_NOT_SET} if clock_not_set else set())
    quality = QUESTIONABLE if clock_not_set else GOOD
    assert decoded.measurements == (Measurement(GLUCOSE, 6.2, None, quality, "finger"),)


@given(offset=st.integers(-0x8000, 0x7FFF), base=st.binary(min_size=7, max_size=7))
def test_no_offset_breaks_the_clock(offset: int, base: bytes) -> None:
    payload = b"\x03\x29\x00" + base + offset.to_bytes(2, "little", signed=True) + b"\x6f\xb0\x11"
    decoded = decode_measurement(payload)
    assert decoded.device_time is not None or Flag.CLOCK_NOT_SET in decoded.flags


# The optional fields in their order, each with the flag that announces it. Written from the specification.
FIELDS = [
    (0x01, bytes.fromhex("3c00")),
    (0x02, bytes.fromhex("6fb0 11")),
    (0x08, bytes.fromhex("0100")),  # battery low
]


@given(present=st.integers(0, 255), data=st.data(), extra=st.binary(min_size=1, max_size=4))
def test_the_flags_decide_where_each_field_is_and_where_the_payload_ends(
    present: int, data: st.DataObject, extra: bytes
) -> None:
    present &= ~0x04  # kg/L
    payload = bytes([present]) + bytes.fromhex(f"2900 {TIME}")
    payload += b"".join(content for flag, content in FIELDS if present & flag)
    decoded = decode_measurement(payload)
    assert decoded.measurements[0].value == (6.2 if present & 2 else None)
    assert decoded.device_time == DeviceTime(2020, 5, 21, 11 if present & 1 else 10, 30, 45)
    assert decoded.flags == ({Flag.BATTERY_LOW} if present & 8 else set())
    assert decoded.sequence_number == 41
    with pytest.raises(DecodeError, match="too short"):
        decode_measurement(payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(DecodeError, match="too long"):
        decode_measurement(payload + extra)


@pytest.mark.parametrize(
    ("meal", "flags"),
    [
        ("00", set()),  # reserved
        ("01", {Flag.BEFORE_MEAL}),
        ("02", {Flag.AFTER_MEAL}),
        ("03", {Flag.FASTING}),
        ("04", {Flag.CASUAL}),
        ("05", {Flag.BEDTIME}),
        ("06", {Flag.KETONE}),  # reserved, and used by meters for ketones
        ("07", set()),
        ("ff", set()),
    ],
)
def test_a_context_tells_the_meal_of_the_measurement_with_its_number(meal: str, flags: set[Flag]) -> None:
    # flags 02: meal; sequence number 41
    assert decode_context(bytes.fromhex(f"02 2900 {meal}")) == Decoded(
        (), frozenset(flags), sequence_number=41
    )


# All but the meal, which shows whether a length before it is wrong.
CONTEXT_FIELDS = [
    (0x80, bytes.fromhex("ff")),  # extended flags
    (0x01, bytes.fromhex("01 1ed0")),  # breakfast, 30 g
    (0x02, bytes.fromhex("03")),  # meal: fasting
    (0x04, bytes.fromhex("11")),  # tester and health
    (0x08, bytes.fromhex("0807 32")),  # exercise
    (0x10, bytes.fromhex("01 05d0")),  # medication
    (0x40, bytes.fromhex("41f0")),  # HbA1c
]


@given(present=st.integers(0, 255), data=st.data(), extra=st.binary(min_size=1, max_size=4))
def test_the_flags_decide_where_each_field_of_a_context_is_and_where_it_ends(
    present: int, data: st.DataObject, extra: bytes
) -> None:
    payload = bytes([present]) + b"\x29\x00"
    payload += b"".join(content for flag, content in CONTEXT_FIELDS if present & flag)
    assert decode_context(payload) == Decoded(
        (), frozenset({Flag.FASTING} if present & 2 else ()), sequence_number=41
    )
    with pytest.raises(DecodeError, match="too short"):
        decode_context(payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(DecodeError, match="too long"):
        decode_context(payload + extra)


@pytest.mark.parametrize("driver", [glucose.DRIVER, glucose_and_ketone.DRIVER])
def test_a_meter_is_bonded_with_first_and_asked_for_its_records(driver: GattDriver) -> None:
    assert driver.bonding is Bonding.FIRST
    assert driver.records == "2a52"
    assert driver.subscribed == ("2a18", "2a34")
