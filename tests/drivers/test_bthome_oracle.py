"""BTHome v2 against PyPI `bthome-ble`, written by the format's authors, which shares no code with ours.

Where it is laxer than ours is asserted too, so that a release that mends it is noticed.
"""

from __future__ import annotations

import pytest
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bthome_ble import BTHomeBluetoothDeviceData, SensorUpdate
from bthome_ble.const import MEAS_TYPES
from habluetooth import BluetoothServiceInfoBleak
from hypothesis import given
from hypothesis import strategies as st

from drivers import bthome
from drivers.driver import DecodeError
from hub.readings import Button, Door, Motion, Value, Vital

_FCD2 = "0000fcd2-0000-1000-8000-00805f9b34fb"
_BEGINS_WITH_LENGTH = {"string", "raw", "command"}
_KNOWN_LENGTHS = {
    id_: kind.data_length for id_, kind in MEAS_TYPES.items() if kind.data_format not in _BEGINS_WITH_LENGTH
}
_BINARY = frozenset({0x0F, 0x10, 0x11, *range(0x15, 0x2E)})
_BUTTON_EVENTS = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x80)
_EVENTS = {
    "press": Button.PRESS,
    "double_press": Button.DOUBLE_PRESS,
    "triple_press": Button.TRIPLE_PRESS,
    "long_press": Button.LONG_PRESS,
    "long_double_press": Button.LONG_PRESS,
    "long_triple_press": Button.LONG_PRESS,
    "hold_press": Button.HELD,
}
_STEPS_OF_0_35 = 0x58  # degC; it rounds them to 0.1, and ours does not
_DOORS = ("door", "garage_door", "opening", "window")


def oracle(payload: bytes) -> SensorUpdate:
    address = "C4:F2:17:00:00:01"
    heard = BluetoothServiceInfoBleak(
        name="sensor",
        address=address,
        rssi=-60,
        manufacturer_data={},
        service_data={_FCD2: payload},
        service_uuids=[_FCD2],
        source="local",
        device=BLEDevice(address, "sensor", None),
        advertisement=AdvertisementData("sensor", {}, {_FCD2: payload}, [], None, -60, ()),
        connectable=False,
        time=0.0,
        tx_power=None,
    )
    return BTHomeBluetoothDeviceData().update(heard)


def values_of(update: SensorUpdate) -> dict[Vital, list[Value]]:
    """What it says of the four vitals, each in the packet's order, but for doors, which are sorted."""
    numbers = {key.key: said.native_value for key, said in update.entity_values.items()}
    states = {key.key: bool(said.native_value) for key, said in update.binary_entity_values.items()}
    doors = [Door.OPEN if on else Door.CLOSED for key, on in states.items() if _kind(key) in _DOORS]
    return {
        Vital.ROOM_TEMPERATURE: [
            float(number)
            for key, number in numbers.items()
            if _kind(key) == "temperature" and isinstance(number, int | float)
        ],
        Vital.DOOR: [*sorted(doors)],
        Vital.MOTION: [
            Motion.DETECTED if on else Motion.CLEAR for key, on in states.items() if _kind(key) == "motion"
        ],
        Vital.BUTTON: [
            _EVENTS[str(event.event_type)]
            for key, event in update.events.items()
            if _kind(key.key) == "button"
        ],
    }


def _kind(key: str) -> str:
    return key.rstrip("0123456789").removesuffix("_")


def value(id_: int) -> st.SearchStrategy[bytes]:
    if id_ in _BINARY:
        return st.sampled_from([b"\x00", b"\x01"])
    if id_ == 0x3A:
        return st.sampled_from([bytes([event]) for event in _BUTTON_EVENTS])
    return st.binary(min_size=_KNOWN_LENGTHS[id_], max_size=_KNOWN_LENGTHS[id_])


OBJECTS = st.sampled_from(sorted(_KNOWN_LENGTHS)).flatmap(lambda id_: st.tuples(st.just(id_), value(id_)))
OF_OURS = st.sampled_from([0x02, 0x11, 0x1A, 0x1B, 0x21, 0x2D, 0x3A, 0x45, 0x57]).flatmap(
    lambda id_: st.tuples(st.just(id_), value(id_))
)


def test_the_length_of_every_object_is_the_one_that_it_knows() -> None:
    assert bthome._LENGTHS == _KNOWN_LENGTHS
    assert bthome._LENGTH_FIRST.keys() == MEAS_TYPES.keys() - _KNOWN_LENGTHS.keys()


@given(objects=st.lists(OBJECTS | OF_OURS, max_size=8))
def test_every_packet_says_the_same_to_both(objects: list[tuple[int, bytes]]) -> None:
    payload = b"\x40" + b"".join(bytes([id_]) + value for id_, value in sorted(objects))
    ours, theirs = bthome.decode(payload), oracle(payload)
    values = values_of(theirs)
    for vital, expected in values.items():
        said = [each.value for each in ours.measurements if each.vital is vital]
        if vital is Vital.DOOR:
            said = sorted(said, key=str)
        if vital is Vital.ROOM_TEMPERATURE:
            assert said == pytest.approx(expected, abs=0.051 if _STEPS_OF_0_35 in dict(objects) else 1e-9)
        else:
            assert said == expected
    ids = [key for key in theirs.entity_values if key.key == "packet_id"]
    if ids:
        assert ours.sequence_number == theirs.entity_values[ids[0]].native_value
    percents = [said for key, said in theirs.entity_values.items() if key.key == "battery"]
    if percents and isinstance(percents[0].native_value, int | float) and percents[0].native_value <= 100:
        assert bthome.battery(payload) == percents[0].native_value


def test_an_address_before_the_objects_is_no_object_to_either() -> None:
    payload = bytes.fromhex("42 010000 17f2c4 02c409 1a01")
    assert values_of(oracle(payload)) == {
        Vital.ROOM_TEMPERATURE: [25.0], Vital.DOOR: [Door.OPEN], Vital.MOTION: [], Vital.BUTTON: [],
    }  # fmt: skip
    assert [each.value for each in bthome.decode(payload).measurements] == [25.0, Door.OPEN]


def test_it_loses_what_was_cut_and_a_press_it_does_not_know_where_ours_refuses_or_tells() -> None:
    cut = bytes.fromhex("40 1a01 02ca")
    assert values_of(oracle(cut))[Vital.ROOM_TEMPERATURE] == []
    with pytest.raises(DecodeError, match="too short"):
        bthome.decode(cut)
    held = bytes.fromhex("40 3afe")
    assert values_of(oracle(held))[Vital.BUTTON] == []
    assert [each.value for each in bthome.decode(held).measurements] == [Button.HELD]
