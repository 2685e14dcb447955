"""Health Thermometer Service: payloads written by hand from the specification."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.thermometer import decode_intermediate_temperature, decode_measurement
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, Vital

FULL = bytes.fromhex(
    "06"  # flags: degC, time stamp, temperature type
    "6c0100 ff"  # mantissa 0x00016C = 364, exponent 0xFF = -1: 36.4
    "e407 05 15 0a 1e 2d"  # 0x07E4 = 2020, May, 21st, 10:30:45
    "09"  # tympanum
)


def temperature(payload: str | bytes) -> Measurement:
    content = bytes.fromhex(payload) if isinstance(payload, str) else payload
    (measurement,) = decode_measurement(content).measurements
    return measurement


def test_a_payload_with_every_field_is_read_field_by_field() -> None:
    assert decode_measurement(FULL) == Decoded(
        measurements=(Measurement(Vital.TEMPERATURE, 36.4, site="tympanum"),),
        device_time=DeviceTime(2020, 5, 21, 10, 30, 45),
    )


def test_a_payload_with_no_optional_field_is_a_temperature() -> None:
    # mantissa 0x000E71 = 3697, exponent 0xFE = -2
    assert decode_measurement(bytes.fromhex("00 710e00fe")) == Decoded(
        measurements=(Measurement(Vital.TEMPERATURE, 36.97),)
    )


@pytest.mark.parametrize(
    ("payload", "celsius"),
    [
        ("01 da0300ff", 37.0),  # 0x3DA = 986: 98.6 degF
        ("01 ec0300ff", 38.0),  # 0x3EC = 1004: 100.4 degF
        ("01 a60300ff", 34.11),  # 0x3A6 = 934: 93.4 degF = 34.111...
        ("01 640000 00", 37.78),  # 100 degF = 37.777...
    ],
)
def test_fahrenheit_becomes_celsius(payload: str, celsius: float) -> None:
    assert temperature(payload).value == celsius


@given(tenths=st.integers(700, 1140))
def test_every_fahrenheit_step_of_a_thermometer_converts_to_a_clean_hundredth(tenths: int) -> None:
    payload = b"\x01" + tenths.to_bytes(3, "little") + b"\xff"
    exact = (Decimal(tenths) / 10 - 32) * 5 / 9
    assert temperature(payload).value == float(exact.quantize(Decimal("0.01")))


@pytest.mark.parametrize(
    ("code", "site"),
    [
        ("00", None),  # reserved
        ("01", "armpit"),
        ("02", "body"),
        ("03", "ear"),
        ("04", "finger"),
        ("05", "gastro-intestinal tract"),
        ("06", "mouth"),
        ("07", "rectum"),
        ("08", "toe"),
        ("09", "tympanum"),
        ("0a", None),  # reserved
        ("ff", None),
    ],
)
def test_the_temperature_type_is_the_site(code: str, site: str | None) -> None:
    assert temperature(f"04 6c0100ff {code}") == Measurement(Vital.TEMPERATURE, 36.4, site=site)


@pytest.mark.parametrize(
    ("mantissa", "reason"),
    [
        ("ffff7f", AbsentReason.NOT_A_NUMBER),
        ("000080", AbsentReason.ERROR),  # NRes
        ("feff7f", AbsentReason.POSITIVE_INFINITY),
        ("020080", AbsentReason.NEGATIVE_INFINITY),
        ("010080", AbsentReason.ERROR),  # reserved
    ],
)
@given(fahrenheit=st.booleans(), exponent=st.integers(0, 255))
def test_no_special_value_becomes_a_number(
    mantissa: str, reason: AbsentReason, fahrenheit: bool, exponent: int
) -> None:
    payload = bytes([fahrenheit]) + bytes.fromhex(mantissa) + bytes([exponent])
    assert temperature(payload) == Measurement(Vital.TEMPERATURE, None, reason)


@pytest.mark.parametrize(
    "payload",
    [
        "00 c70000ff",  # 0xC7 = 199: 19.9 degC
        "00 cd0100ff",  # 0x1CD = 461: 46.1 degC
        "00 da0300ff",  # 0x3DA = 986: degF sent as degC
        "01 6c0100ff",  # 36.4 degF: degC sent as degF
        "00 fdff7f7f",  # the largest FLOAT
        "01 fdff7f7f",
        "00 ffffff00",  # -1 degC
    ],
)
def test_what_no_living_body_has_is_kept_but_unusable(payload: str) -> None:
    decoded = decode_measurement(bytes.fromhex(payload))
    assert decoded.flags == {Flag.IMPLAUSIBLE}
    assert decoded.measurements[0].value is not None
    assert decoded.measurements[0].quality is Quality.UNUSABLE


def test_reserved_flags_are_tolerated_where_the_length_still_fits() -> None:
    assert decode_measurement(bytes([FULL[0] | 0xF8]) + FULL[1:]) == decode_measurement(FULL)


def test_an_intermediate_temperature_is_never_a_measurement() -> None:
    assert decode_intermediate_temperature(FULL) == Decoded(
        measurements=(),
        flags=frozenset({Flag.MEASUREMENT_ONGOING}),
        device_time=DeviceTime(2020, 5, 21, 10, 30, 45),
    )


# Written for this test from the GATT Specification Supplement.
OPTIONAL_FIELDS = [("time", 0x02, bytes.fromhex("e407 05 15 0a 1e 2d")), ("type", 0x04, b"\x06")]


@pytest.mark.parametrize("decode", [decode_measurement, decode_intermediate_temperature])
@given(
    present=st.sets(st.sampled_from(["time", "type"])),
    reserved=st.integers(0, 31),
    data=st.data(),
    extra=st.binary(min_size=1, max_size=4),
)
def test_the_flags_decide_where_each_field_is_and_where_the_payload_ends(
    decode: Callable[[bytes], Decoded],
    present: set[str],
    reserved: int,
    data: st.DataObject,
    extra: bytes,
) -> None:
    flags, content = reserved << 3, bytes.fromhex("6c0100ff")
    for name, flag, field in OPTIONAL_FIELDS:
        if name in present:
            flags, content = flags | flag, content + field
    payload = bytes([flags]) + content
    decoded = decode(payload)
    assert decoded.device_time == (DeviceTime(2020, 5, 21, 10, 30, 45) if "time" in present else None)
    for measurement in decoded.measurements:
        assert measurement.value == 36.4
        assert measurement.site == ("mouth" if "type" in present else None)
    with pytest.raises(DecodeError, match="too short"):
        decode(payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(DecodeError, match="too long"):
        decode(payload + extra)
