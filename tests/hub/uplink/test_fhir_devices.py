"""How a sensor is known to the ICS: by its Bluetooth address, or by what the hub calls it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hub.readings import Measurement, Vital
from hub.uplink.cloudevents import to_json
from hub.uplink.feed import observation_event
from hub.uplink.fhir import codes
from hub.uplink.fhir.resources import Place, sensor_device
from tests.rigs.contract import event_faults
from tests.rigs.fhir_bindings import reference_faults
from tests.rigs.fhir_samples import LIVE, assessment, placed, resources

SATURATION = Measurement(Vital.OXYGEN_SATURATION, 91.0)


@pytest.mark.parametrize(
    "address",
    [
        "USB:0403:6001:A9XK2P7Q",
        "USB:10C4:EA60@PLATFORM-XHCI-HCD.0-USB-0:1.4",
        "USB:0403:6010:FT3XYZ/1",
        "USB:0C2E:0204:A,B|C$D\\E",
        "USB:AA:BB",  # no address that there is, and no EUI-48 either
    ],
)
def test_what_is_on_usb_is_never_told_as_a_bluetooth_address(address: str) -> None:
    reading = placed(SATURATION)
    reading = replace(
        reading, reading=replace(reading.reading, raw=replace(reading.reading.raw, device=address))
    )
    told = observation_event(LIVE, assessment(reading))
    (sensor,) = (each for each in resources(told, "Device") if each["type"] == codes.SENSOR_TYPE)
    assert sensor["identifier"] == [{"system": codes.SENSOR, "value": f"rose-house/hub-1/{address}"}]
    assert event_faults(told) == []
    assert list(reference_faults(json.loads(to_json(told))["data"])) == []


def test_a_serial_number_with_a_comma_is_no_search_for_another_device() -> None:
    """In a search "," is "or", and a server that found another device would not create this one."""
    made = sensor_device(Place("s", "h", test_data=False), "USB:0C2E:0204:A,B|C$D\\E", "glucose")
    assert made["request"]["ifNoneExist"] == (
        f"identifier={codes.SENSOR}|s/h/USB:0C2E:0204:A%5C%2CB%5C%7CC%5C%24D%5C%5CE"
    )
