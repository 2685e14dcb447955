"""The catalogue: every driver is found by its name, and is what the contract says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import DRIVERS, UnknownDriverError, driver
from drivers.driver import Decoded, DecodeError
from hub.errors import CareportError
from hub.readings import AbsentReason, Flag, Quality

DECODERS = [
    pytest.param(decode, id=f"{name}-{characteristic}")
    for name, entry in DRIVERS.items()
    for characteristic, decode in entry.characteristics.items()
]


def test_the_drivers_that_there_are() -> None:
    assert set(DRIVERS) == {"blood_pressure", "pulse_oximeter", "thermometer", "beurer_bm85"}
    for name, entry in DRIVERS.items():
        assert entry.name == name
        assert driver(name) is entry


@pytest.mark.parametrize(
    ("name", "service", "first"),
    [
        ("blood_pressure", "1810", "2a35"),
        ("beurer_bm85", "1810", "2a35"),
        ("pulse_oximeter", "1822", "2a5e"),
        ("thermometer", "1809", "2a1c"),
    ],
)
def test_a_driver_names_its_service_and_the_characteristic_meant_by_default(
    name: str, service: str, first: str
) -> None:
    assert driver(name).service == service
    assert next(iter(driver(name).characteristics)) == first


def test_only_a_continuous_measurement_streams_and_every_one_named_can_be_decoded() -> None:
    streaming = {(name, each) for name, entry in DRIVERS.items() for each in entry.streaming}
    assert streaming == {("pulse_oximeter", "2a5f")}
    for entry in DRIVERS.values():
        assert entry.streaming | entry.intermediate <= entry.characteristics.keys()


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(
        UnknownDriverError, match=r"'spirometer'.*beurer_bm85, blood_pressure, pulse"
    ) as error:
        driver("spirometer")
    assert isinstance(error.value, CareportError)
    assert error.value.name == "spirometer"


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        DRIVERS["other"] = DRIVERS["thermometer"]  # type: ignore[index]  # that it fails is the point


@pytest.mark.parametrize("decode", DECODERS)
@given(payload=st.binary(max_size=32))
def test_any_bytes_are_decoded_or_refused_and_nothing_else(
    decode: Callable[[bytes], Decoded], payload: bytes
) -> None:
    try:
        decoded = decode(payload)
    except DecodeError:
        return
    assert isinstance(decoded, Decoded)
    for measurement in decoded.measurements:
        assert isinstance(measurement.value, float) or isinstance(measurement.absent, AbsentReason)
        if Flag.IMPLAUSIBLE in decoded.flags:
            assert measurement.quality is not Quality.GOOD
