"""Weight Scale Service 1.0: payloads written by hand from the specification."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding
from drivers.weight_scale import DRIVER, decode_measurement
from hub.readings import AbsentReason, DeviceTime, Flag, Measurement, Quality, Vital

WEIGHT = Vital.BODY_WEIGHT
TIME = DeviceTime(2020, 5, 21, 10, 30, 45)

FULL = bytes.fromhex(
    "0e"  # flags: kg, time stamp, user id, body mass index and height
    "b036"  # weight 0x36B0 = 14000 steps of 0.005 kg: 70 kg
    "e407 05 15 0a 1e 2d"  # 0x07E4 = 2020, May, 21st, 10:30:45
    "02"  # user 2
    "e700"  # body mass index 0x00E7 = 23.1
    "cc06"  # height 0x06CC = 1.740 m
)


def decode(content: str) -> Decoded:
    return decode_measurement(bytes.fromhex(content))


def test_a_payload_with_every_field_is_read_field_by_field() -> None:
    assert decode_measurement(FULL) == Decoded((Measurement(WEIGHT, 70.0),), device_time=TIME, user_id=2)


@pytest.mark.parametrize(
    ("content", "kilograms"),
    [
        ("00 b136", 70.005),  # 14001 steps
        ("00 a00f", 20.0),  # 0x0FA0 = 4000 steps
        ("00 60ea", 300.0),  # 0xEA60 = 60000 steps
        ("01 983a", 68.04),  # 0x3A98 = 15000: 150.00 lb = 68.0388555 kg
        ("01 feff", 297.26),  # 655.34 lb, the most that can be sent
    ],
)
def test_both_units_become_kilograms(content: str, kilograms: float) -> None:
    assert decode(content) == Decoded((Measurement(WEIGHT, kilograms),))


@given(steps=st.integers(0, 0xFFFE), pounds=st.booleans())
def test_every_step_is_the_decimal_that_it_stands_for(steps: int, pounds: bool) -> None:
    (measurement,) = decode_measurement(bytes([pounds]) + steps.to_bytes(2, "little")).measurements
    exact = Decimal(steps) / 100 * Decimal("0.45359237") if pounds else Decimal(steps) / 200
    assert measurement.value == float(exact.quantize(Decimal("0.01")) if pounds else exact)
    assert measurement.quality is (Quality.GOOD if 20 <= measurement.value <= 300 else Quality.UNUSABLE)


@pytest.mark.parametrize("units", [0, 1])
def test_an_unsuccessful_measurement_is_never_327_kg(units: int) -> None:
    decoded = decode_measurement(bytes([FULL[0] | units]) + b"\xff\xff" + FULL[3:])
    assert decoded == Decoded(
        (Measurement(WEIGHT, None, AbsentReason.ERROR),),
        frozenset({Flag.MEASUREMENT_UNSUCCESSFUL}),
        TIME,
        user_id=2,
    )


@pytest.mark.parametrize(
    "content",
    [
        "00 0000",  # nobody on it
        "00 9f0f",  # 19.995 kg: a bag
        "00 61ea",  # 300.005 kg
    ],
)
def test_what_is_no_person_is_kept_but_unusable(content: str) -> None:
    decoded = decode(content)
    assert decoded.flags == {Flag.IMPLAUSIBLE}
    assert decoded.measurements[0].quality is Quality.UNUSABLE


@pytest.mark.parametrize(("user", "user_id"), [("00", 0), ("01", 1), ("fe", 254), ("ff", None)])
def test_the_user_255_is_unknown(user: str, user_id: int | None) -> None:
    assert decode(f"04 b036 {user}").user_id == user_id


def test_a_clock_that_is_not_set_costs_no_weight() -> None:
    decoded = decode("02 b036 0000 00 00 00 00 00")
    assert decoded.flags == {Flag.CLOCK_NOT_SET}
    assert decoded.measurements == (Measurement(WEIGHT, 70.0),)


# The optional fields in their order, each with the flag that announces it. Written from the specification.
FIELDS = [
    (0x02, bytes.fromhex("e407 05 15 0a 1e 2d")),
    (0x04, b"\x02"),
    (0x08, bytes.fromhex("ffff ffff")),  # body mass index and height
]


@given(present=st.integers(0, 15), reserved=st.integers(0, 15), data=st.data(), extra=st.binary(min_size=1))
def test_the_flags_decide_where_each_field_is_and_where_the_payload_ends(
    present: int, reserved: int, data: st.DataObject, extra: bytes
) -> None:
    payload = bytes([present | reserved << 4, 0x98, 0x3A])
    payload += b"".join(content for flag, content in FIELDS if present & flag)
    decoded = decode_measurement(payload)
    assert decoded.measurements[0].value == (68.04 if present & 1 else 75.0)
    assert decoded.device_time == (TIME if present & 2 else None)
    assert decoded.user_id == (2 if present & 4 else None)
    with pytest.raises(DecodeError, match="too short"):
        decode_measurement(payload[: data.draw(st.integers(0, len(payload) - 1))])
    with pytest.raises(DecodeError, match="too long"):
        decode_measurement(payload + extra)


def test_a_scale_is_bonded_with_first() -> None:
    assert DRIVER.bonding is Bonding.FIRST
    assert DRIVER.records is None
