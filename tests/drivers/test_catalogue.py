"""The catalogue: every driver is found by its name, and is what the contract says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.catalogue import DRIVERS, GATT_DRIVERS, UnknownDriverError, driver
from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding
from hub.errors import CareportError
from hub.readings import AbsentReason, Code, Flag, Quality

_NORDIC_UART = "6e40000{}-b5a3-f393-e0a9-e50e24dcca9e"

DECODERS = [
    pytest.param(decode, id=f"{name}-{characteristic}")
    for name, entry in DRIVERS.items()
    for characteristic, decode in entry.characteristics.items()
]


def test_the_drivers_that_there_are() -> None:
    assert set(DRIVERS) == {
        "blood_pressure",
        "pulse_oximeter",
        "thermometer",
        "heart_rate",
        "glucose",
        "glucose_and_ketone",
        "weight_scale",
        "and_ua651ble",
        "and_ut201ble",
        "beurer_bm85",
        "nonin_3230",
        "viatom_pc60fw",
        "bthome",
        "nonin_serial",
        "nonin_df8",
        "contec_cms50",
        "contec_cms50_classic",
        "onetouch_ultra_easy",
        "wristband_reader",
    }
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
        ("heart_rate", "180d", "2a37"),
        ("glucose", "1808", "2a18"),
        ("glucose_and_ketone", "1808", "2a18"),
        ("weight_scale", "181d", "2a9d"),
        ("and_ua651ble", "1810", "2a35"),
        ("and_ut201ble", "1809", "2a1c"),
        ("nonin_3230", "46a970e0-0d5f-11e2-8b5e-0002a5d5c51b", "2a5e"),
        ("viatom_pc60fw", _NORDIC_UART.format(1), _NORDIC_UART.format(3)),
        ("bthome", "fcd2", "fcd2"),
    ],
)
def test_a_driver_names_its_service_and_the_characteristic_meant_by_default(
    name: str, service: str, first: str
) -> None:
    assert GATT_DRIVERS[name].service == service
    assert next(iter(driver(name).characteristics)) == first


def test_what_is_worn_streams_and_every_characteristic_named_can_be_decoded() -> None:
    streaming = {(name, each) for name, entry in DRIVERS.items() for each in entry.streaming}
    assert streaming == {
        ("pulse_oximeter", "2a5f"),
        ("nonin_3230", "2a5f"),
        ("nonin_3230", "0aad7ea0-0d60-11e2-8e3c-0002a5d5c51b"),
        ("viatom_pc60fw", _NORDIC_UART.format(3)),
        ("heart_rate", "2a37"),
        ("nonin_serial", "live"),
        ("nonin_df8", "live"),
        ("contec_cms50", "live"),
        ("contec_cms50_classic", "live"),
    }
    for entry in GATT_DRIVERS.values():
        named = (
            entry.streaming | entry.intermediate | entry.advertised | frozenset().union(*entry.alternatives)
        )
        assert named <= entry.characteristics.keys()


def test_sensors_of_the_medical_profiles_are_bonded_with_first_and_those_that_store_are_asked() -> None:
    profiles = {"blood_pressure", "thermometer", "pulse_oximeter", "glucose", "glucose_and_ketone"}
    for name in (*profiles, "weight_scale", "beurer_bm85"):
        assert GATT_DRIVERS[name].bonding is Bonding.FIRST
    assert GATT_DRIVERS["heart_rate"].bonding is Bonding.WHEN_ASKED
    assert {name for name in profiles if GATT_DRIVERS[name].records} == {
        "pulse_oximeter",
        "glucose",
        "glucose_and_ketone",
    }


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(
        UnknownDriverError, match=r"'spirometer'.*beurer_bm85, blood_pressure, bthome"
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
        assert isinstance(measurement.value, float | Code) or isinstance(measurement.absent, AbsentReason)
        if Flag.IMPLAUSIBLE in decoded.flags:
            assert measurement.quality is not Quality.GOOD
