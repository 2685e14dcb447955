"""Blood Pressure Service 1.1.1: payloads written by hand from the specification."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.blood_pressure import decode_intermediate_cuff_pressure, decode_measurement
from drivers.driver import Decoded, DecodeError
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, Vital

GOOD, QUESTIONABLE, UNUSABLE = Quality.GOOD, Quality.QUESTIONABLE, Quality.UNUSABLE

SYSTOLIC = Vital.SYSTOLIC_PRESSURE
DIASTOLIC = Vital.DIASTOLIC_PRESSURE
MEAN = Vital.MEAN_ARTERIAL_PRESSURE
PULSE = Vital.PULSE_RATE

FULL = bytes.fromhex(
    "1e"  # flags: mmHg, time stamp, pulse rate, user id, measurement status
    "7c00"  # systolic 0x007C = 124
    "5600"  # diastolic 0x0056 = 86
    "6100"  # mean 0x0061 = 97
    "e807 06 0f 11 11 1b"  # 0x07E8 = 2024, June, 15th, 17:17:27
    "3300"  # pulse 0x0033 = 51
    "02"  # user 2
    "0000"  # status: nothing to say
)


def with_status(status: int) -> bytes:
    """The full payload with another measurement status, its last two bytes."""
    return FULL[:-2] + status.to_bytes(2, "little")


def values(decoded: Decoded) -> dict[Vital, float | AbsentReason]:
    found: dict[Vital, float | AbsentReason] = {}
    for measurement in decoded.measurements:
        value = measurement.value if measurement.absent is None else measurement.absent
        assert isinstance(value, float | AbsentReason)
        found[measurement.vital] = value
    return found


def qualities(decoded: Decoded) -> dict[Vital, Quality]:
    return {measurement.vital: measurement.quality for measurement in decoded.measurements}


def test_a_payload_with_every_field_is_read_field_by_field() -> None:
    assert decode_measurement(FULL) == Decoded(
        measurements=(
            Measurement(SYSTOLIC, 124.0),
            Measurement(DIASTOLIC, 86.0),
            Measurement(MEAN, 97.0),
            Measurement(PULSE, 51.0),
        ),
        flags=frozenset(),
        device_time=DeviceTime(2024, 6, 15, 17, 17, 27),
        user_id=2,
    )


def test_a_payload_with_no_optional_field_has_three_pressures() -> None:
    # flags 00: mmHg and nothing else; 0x0078 = 120, 0x0050 = 80, 0x005D = 93
    decoded = decode_measurement(bytes.fromhex("00 7800 5000 5d00"))
    assert values(decoded) == {SYSTOLIC: 120.0, DIASTOLIC: 80.0, MEAN: 93.0}
    assert decoded.device_time is None
    assert decoded.user_id is None


@pytest.mark.parametrize(
    ("payload", "pressures"),
    [
        # flags 01: kPa. SFLOATs with exponent -1 (0xF...): 0xF0A0 = 16.0, 0xF06B = 10.7, 0xF07C = 12.4.
        # 1 mmHg is 0.133322 kPa: 120.0099, 80.2566, 93.0077 mmHg.
        ("01 a0f0 6bf0 7cf0", (120.0, 80.3, 93.0)),
        # 0xF0B0 = 17.6 kPa = 132.0109 mmHg; 0xE3E8 = 10.00 kPa = 75.0062; 0x000C = 12 kPa = 90.0074
        ("01 b0f0 e8e3 0c00", (132.0, 75.0, 90.0)),
    ],
)
def test_kilopascals_become_millimetres_of_mercury(payload: str, pressures: tuple[float, ...]) -> None:
    assert tuple(values(decode_measurement(bytes.fromhex(payload))).values()) == pressures


@given(tenths=st.integers(50, 390))
def test_every_kilopascal_step_of_a_cuff_converts_to_a_clean_tenth(tenths: int) -> None:
    # systolic tenths * 0.1 kPa (exponent -1), diastolic and mean 4 kPa
    payload = b"\x01" + (0xF000 | tenths).to_bytes(2, "little") + bytes.fromhex("0400 0400")
    exact = Decimal(tenths) / 10 / Decimal("0.133322387415")
    assert values(decode_measurement(payload))[SYSTOLIC] == float(
        exact.quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    )


@pytest.mark.parametrize(
    ("status", "flags", "quality", "pulse_quality"),
    [
        # bit 0 body movement, 1 cuff too loose, 2 irregular pulse, 3-4 pulse range, 5 position
        (0x0000, set(), GOOD, GOOD),
        (0x0001, {Flag.BODY_MOVEMENT}, UNUSABLE, UNUSABLE),
        (0x0002, {Flag.CUFF_TOO_LOOSE}, UNUSABLE, UNUSABLE),
        (0x0004, {Flag.IRREGULAR_PULSE}, QUESTIONABLE, QUESTIONABLE),
        (0x0008, {Flag.PULSE_ABOVE_RANGE}, GOOD, QUESTIONABLE),  # 01 in the two bits
        (0x0010, {Flag.PULSE_BELOW_RANGE}, GOOD, QUESTIONABLE),  # 10
        (0x0018, {Flag.QUESTIONABLE_PULSE}, GOOD, QUESTIONABLE),  # 11 is reserved
        (0x0020, {Flag.IMPROPER_POSITION}, QUESTIONABLE, QUESTIONABLE),
        (0x0024, {Flag.IRREGULAR_PULSE, Flag.IMPROPER_POSITION}, QUESTIONABLE, QUESTIONABLE),
        (0x0011, {Flag.BODY_MOVEMENT, Flag.PULSE_BELOW_RANGE}, UNUSABLE, UNUSABLE),
        (0xFFC0, set(), GOOD, GOOD),  # bits 6 to 15 are reserved and say nothing
    ],
)
def test_each_status_bit_has_its_flag_and_its_quality(
    status: int, flags: set[Flag], quality: Quality, pulse_quality: Quality
) -> None:
    decoded = decode_measurement(with_status(status))
    assert decoded.flags == flags
    assert qualities(decoded) == {
        SYSTOLIC: quality,
        DIASTOLIC: quality,
        MEAN: quality,
        PULSE: pulse_quality,
    }
    assert values(decoded)[SYSTOLIC] == 124.0, "whatever its quality, the value is kept"


def test_a_cuff_that_failed_gives_no_number() -> None:
    # flags 16: time stamp, pulse, status; NaN four times; status 0: the cuff does not say why
    decoded = decode_measurement(bytes.fromhex("16 ff07 ff07 ff07 e807 06 17 0e 2f 3b ff07 0000"))
    assert values(decoded) == dict.fromkeys((SYSTOLIC, DIASTOLIC, MEAN, PULSE), AbsentReason.NOT_A_NUMBER)
    assert not any(measurement.usable for measurement in decoded.measurements)


@pytest.mark.parametrize(
    ("special", "reason"),
    [
        ("ff07", AbsentReason.NOT_A_NUMBER),
        ("0008", AbsentReason.ERROR),  # NRes
        ("fe07", AbsentReason.POSITIVE_INFINITY),
        ("0208", AbsentReason.NEGATIVE_INFINITY),
        ("0108", AbsentReason.ERROR),  # reserved
    ],
)
@pytest.mark.parametrize("unit", ["00", "01"])
def test_an_absent_mean_does_not_harm_the_pressures_beside_it(
    special: str, reason: AbsentReason, unit: str
) -> None:
    # 18 and 12 kPa; as mmHg that would be impossible, so there the exponent is 1: 180 and 120
    pressures = "1200 0c00" if unit == "01" else "1210 0c10"
    decoded = decode_measurement(bytes.fromhex(f"{unit} {pressures} {special}"))
    assert values(decoded)[MEAN] is reason
    assert qualities(decoded) == {SYSTOLIC: GOOD, DIASTOLIC: GOOD, MEAN: GOOD}
    assert not decoded.flags


@pytest.mark.parametrize("unit", ["00", "01"])
def test_a_mean_of_zero_is_a_cuff_that_does_not_work_it_out(unit: str) -> None:
    decoded = decode_measurement(bytes.fromhex(f"{unit} {'1200 0c00' if unit == '01' else '7800 5000'} 0000"))
    assert values(decoded)[MEAN] is AbsentReason.UNSUPPORTED
    assert not decoded.flags


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        # diastolic (120) above systolic (80): swapped or misread, neither is usable
        ("04 5000 7800 5d00 4600", (UNUSABLE, UNUSABLE, QUESTIONABLE, QUESTIONABLE)),
        # equal
        ("04 7800 7800 5d00 4600", (UNUSABLE, UNUSABLE, QUESTIONABLE, QUESTIONABLE)),
        # systolic 0x012D = 301
        ("04 2d01 5000 5d00 4600", (UNUSABLE, QUESTIONABLE, QUESTIONABLE, QUESTIONABLE)),
        # diastolic 9
        ("04 7800 0900 5d00 4600", (QUESTIONABLE, UNUSABLE, QUESTIONABLE, QUESTIONABLE)),
        # pulse 0
        ("04 7800 5000 5d00 0000", (QUESTIONABLE, QUESTIONABLE, QUESTIONABLE, UNUSABLE)),
        # mean 0x012D = 301
        ("04 7800 5000 2d01 4600", (QUESTIONABLE, QUESTIONABLE, UNUSABLE, QUESTIONABLE)),
        # all zero: the mean is absent
        ("04 0000 0000 0000 0000", (UNUSABLE, UNUSABLE, QUESTIONABLE, UNUSABLE)),
    ],
)
def test_what_no_living_body_has_is_kept_but_unusable(payload: str, expected: tuple[Quality, ...]) -> None:
    decoded = decode_measurement(bytes.fromhex(payload))
    assert tuple(qualities(decoded).values()) == expected
    assert decoded.flags == {Flag.IMPLAUSIBLE}


@pytest.mark.parametrize("mean", ["ff07", "0008", "0000"])  # NaN, NRes, not worked out
def test_a_systolic_pressure_alone_is_an_inflating_cuff_and_unusable(mean: str) -> None:
    # flags 04: pulse; 0x009C = 156, diastolic NaN, pulse 70
    decoded = decode_measurement(bytes.fromhex(f"04 9c00 ff07 {mean} 4600"))
    assert decoded.flags == {Flag.MEASUREMENT_ONGOING}
    assert not any(measurement.usable for measurement in decoded.measurements)


def test_a_systolic_pressure_with_a_mean_is_a_measurement() -> None:
    # 0x009C = 156, diastolic NaN, 0x0070 = 112
    decoded = decode_measurement(bytes.fromhex("00 9c00 ff07 7000"))
    assert [measurement.usable for measurement in decoded.measurements] == [True, False, True]
    assert not decoded.flags


def test_an_impossible_time_does_not_lose_the_measurement() -> None:
    # flags 02: time stamp; month 13
    decoded = decode_measurement(bytes.fromhex("02 7800 5000 5d00 e407 0d 15 0a 1e 2d"))
    assert qualities(decoded) == {SYSTOLIC: GOOD, DIASTOLIC: GOOD, MEAN: GOOD}
    assert decoded.device_time is None
    assert decoded.flags == {Flag.CLOCK_NOT_SET}


@pytest.mark.parametrize(("code", "user"), [("00", 0), ("01", 1), ("fe", 254), ("ff", None)])
def test_a_user_id_of_255_is_an_unknown_user(code: str, user: int | None) -> None:
    assert decode_measurement(bytes.fromhex(f"08 7800 5000 5d00 {code}")).user_id == user


def test_reserved_flags_are_tolerated_where_the_length_still_fits() -> None:
    # flags bits 5, 6 and 7 are reserved; a real cuff sets 6 and 7 (capture bp-so78168365)
    assert decode_measurement(bytes([FULL[0] | 0xE0]) + FULL[1:]) == decode_measurement(FULL)
    with pytest.raises(DecodeError, match="too long"):
        decode_measurement(bytes([FULL[0] | 0xE0]) + FULL[1:] + b"\x00")


def test_an_intermediate_cuff_pressure_is_never_a_measurement() -> None:
    # flags 1e as above; current cuff pressure 0x009C = 156, two unused NaN, 2019-08-09 13:24:53,
    # pulse NaN, user 0, status 0x0010
    decoded = decode_intermediate_cuff_pressure(
        bytes.fromhex("1e 9c00 ff07 ff07 e307 08 09 0d 18 35 ff07 00 1000")
    )
    assert decoded == Decoded(
        measurements=(),
        flags=frozenset({Flag.MEASUREMENT_ONGOING, Flag.PULSE_BELOW_RANGE}),
        device_time=DeviceTime(2019, 8, 9, 13, 24, 53),
        user_id=0,
    )


@given(payload=st.binary(max_size=20))
def test_no_bytes_make_a_measurement_of_an_intermediate_cuff_pressure(payload: bytes) -> None:
    try:
        decoded = decode_intermediate_cuff_pressure(payload)
    except DecodeError:
        return
    assert decoded.measurements == ()
    assert Flag.MEASUREMENT_ONGOING in decoded.flags


# The optional fields in the order of the GATT Specification Supplement, each with the flag that
# announces it and with bytes whose meaning is known. Written for this test from the specification.
OPTIONAL_FIELDS = [
    ("time", 0x02, bytes.fromhex("e407 05 15 0a 1e 2d")),  # 2020-05-21 10:30:45
    ("pulse", 0x04, bytes.fromhex("d5f2")),  # exponent -1, 0x2D5 = 725: 72.5
    ("user", 0x08, bytes.fromhex("07")),
    ("status", 0x10, bytes.fromhex("2000")),  # improper position
]


@given(present=st.sets(st.sampled_from(["time", "pulse", "user", "status"])), reserved=st.integers(0, 7))
def test_the_flags_decide_where_each_field_is(present: set[str], reserved: int) -> None:
    flags, content = reserved << 5, bytes.fromhex("7800 5000 5d00")
    for name, flag, field in OPTIONAL_FIELDS:
        if name in present:
            flags, content = flags | flag, content + field
    decoded = decode_measurement(bytes([flags]) + content)
    assert values(decoded)[SYSTOLIC] == 120.0
    assert values(decoded).get(PULSE) == (72.5 if "pulse" in present else None)
    assert decoded.device_time == (DeviceTime(2020, 5, 21, 10, 30, 45) if "time" in present else None)
    assert decoded.user_id == (7 if "user" in present else None)
    assert decoded.flags == ({Flag.IMPROPER_POSITION} if "status" in present else set())


@given(
    present=st.sets(st.sampled_from(OPTIONAL_FIELDS)),
    data=st.data(),
    extra=st.binary(min_size=1, max_size=4),
)
@pytest.mark.parametrize("decode", [decode_measurement, decode_intermediate_cuff_pressure])
def test_a_payload_cut_anywhere_or_continued_is_refused(
    decode: Callable[[bytes], Decoded],
    present: set[tuple[str, int, bytes]],
    data: st.DataObject,
    extra: bytes,
) -> None:
    fields = [field for field in OPTIONAL_FIELDS if field in present]
    payload = bytes([sum(flag for _, flag, _ in fields)]) + bytes.fromhex("7800 5000 5d00")
    payload += b"".join(content for _, _, content in fields)
    decode(payload)
    cut = data.draw(st.integers(0, len(payload) - 1))
    with pytest.raises(DecodeError, match="too short"):
        decode(payload[:cut])
    with pytest.raises(DecodeError, match="too long"):
        decode(payload + extra)


SPECIAL_MANTISSAS = st.sampled_from([0x7FE, 0x7FF, 0x800, 0x801, 0x802])


@given(
    unit=st.booleans(),
    mantissas=st.lists(SPECIAL_MANTISSAS, min_size=4, max_size=4),
    exponent=st.integers(0, 15),
)
def test_no_special_value_becomes_a_number(unit: bool, mantissas: list[int], exponent: int) -> None:
    fields = [(exponent << 12 | mantissa).to_bytes(2, "little") for mantissa in mantissas]
    decoded = decode_measurement(bytes([0x04 | unit]) + b"".join(fields))
    assert len(decoded.measurements) == 4
    for measurement in decoded.measurements:
        assert measurement.value is None
        assert not measurement.usable
