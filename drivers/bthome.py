"""Sensors of the room by BTHome v2: doors, motion, buttons, temperature, in advertisements.

Source: bthome.io/format (2026: up to object 65, and F0 to F2). Service data of FCD2 is the device information
(1 byte: bit 0 encrypted, bit 2 sends only when something happens, bits 5-7 version) and then objects: an id
(1), and a value whose length and meaning the id fixes; little-endian. Ids rise, so that a receiver may stop
at one that it does not know: what is behind it, it does not know either. Where bit 1 is set, which is
reserved today, the sensor's address (6) stands before the objects, as the authors' `bthome-ble` has it.

Kept are a temperature (02, 45, 57, 58), door, window, garage door and opening (1A, 2D, 1B, 11), motion (21),
button (3A); the packet id (00) is the sequence number, and a battery that calls itself low (15) is a flag.
All else is read over. Several of a kind in one packet are told apart by `Measurement.site`, "1" the first:
sensors keep to an order. Of several buttons, those that say "none" (00) were not pressed, and are left out.

Why not by PyPI `bthome-ble`: read through it, a packet cut short loses its last objects without a word, and
so does a button whose event it does not know (FE, "hold" of Shelly's firmware before 1.0.20). It keeps
15 MB in memory (habluetooth, cryptography), where a hub has 4 to spare. It is the oracle of the tests, which
hold this table and every value to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding, GattDriver
from drivers.quality import PLAUSIBLE
from hub.readings import Button, Door, Flag, Measurement, Motion, Quality, Value, Vital

SERVICE_DATA = "fcd2"

_ENCRYPTED = 0x01
_WITH_ADDRESS = 0x02
_ADDRESS_LENGTH = 6
_VERSION_2 = 2

_PACKET_ID, _BATTERY, _BATTERY_LOW = 0x00, 0x01, 0x15
_DOORS = frozenset({0x11, 0x1A, 0x1B, 0x2D})
_MOTION = 0x21
_BUTTON = 0x3A

_LENGTHS: Mapping[int, int] = {
    **dict.fromkeys((0x00, 0x01, 0x09, *range(0x0F, 0x12), *range(0x15, 0x30), 0x3A, 0x46), 1),
    **dict.fromkeys((0x57, 0x58, 0x59, 0x60, 0x64, 0x65), 1),
    **dict.fromkeys((0x02, 0x03, *range(0x06, 0x09), *range(0x0C, 0x0F), *range(0x12, 0x15)), 2),
    **dict.fromkeys((0x3C, 0x3D, *range(0x3F, 0x42), *range(0x43, 0x46), *range(0x47, 0x4B)), 2),
    **dict.fromkeys((0x51, 0x52, 0x56, 0x5A, *range(0x5D, 0x60), 0x61, 0xF0), 2),
    **dict.fromkeys((0x04, 0x05, 0x0A, 0x0B, 0x42, 0x4B, 0xF2), 3),
    **dict.fromkeys((0x3E, *range(0x4C, 0x51), 0x55, 0x5B, 0x5C, 0x62, 0x63, 0xF1), 4),
}
"""How many bytes a value has, by its object's id."""

_LENGTH_FIRST: Mapping[int, Callable[[int], int]] = {
    0x3B: lambda sent: 1 + (sent & 0x1F),  # a command and its arguments
    0x53: int,  # text
    0x54: int,  # raw data
}
"""How many bytes follow the first one of a value that begins with its length."""

_DEGREES: Mapping[int, Callable[[int], float]] = {
    0x02: lambda sent: sent / 100,
    0x45: lambda sent: sent / 10,
    0x57: float,
    0x58: lambda sent: round(sent * 0.35, 2),
}

_PRESSES: Mapping[int, Button | None] = {
    0x00: None,
    0x01: Button.PRESS,
    0x02: Button.DOUBLE_PRESS,
    0x03: Button.TRIPLE_PRESS,
    0x04: Button.LONG_PRESS,
    0x05: Button.LONG_PRESS,  # long double press; Shelly: longer still
    0x06: Button.LONG_PRESS,  # long triple press; Shelly: longest
    0x80: Button.HELD,
    0x81: None,  # it is let go
    0xFE: Button.HELD,  # Shelly's firmware before 1.0.20 (shelly-api-docs, docs-ble/Devices)
}


def decode(payload: bytes) -> Decoded:
    """Decode the service data of one packet. Raises `DecodeError`."""
    said: list[tuple[Vital, Value | None]] = []
    flags: set[Flag] = set()
    packet_id = None
    for id_, value in _objects(payload):
        if id_ in _DEGREES:
            degrees = _DEGREES[id_](int.from_bytes(value, "little", signed=True))
            said.append((Vital.ROOM_TEMPERATURE, degrees))
        elif id_ in _DOORS:
            said.append((Vital.DOOR, Door.OPEN if _is_on(id_, value, payload) else Door.CLOSED))
        elif id_ == _MOTION:
            said.append((Vital.MOTION, Motion.DETECTED if _is_on(id_, value, payload) else Motion.CLEAR))
        elif id_ == _BUTTON:
            said.append((Vital.BUTTON, _press(value[0], payload)))
        elif id_ == _PACKET_ID:
            packet_id = value[0]
        elif id_ == _BATTERY_LOW and _is_on(id_, value, payload):
            flags.add(Flag.BATTERY_LOW)
    if not all(_is_plausible(value) for _, value in said):
        flags.add(Flag.IMPLAUSIBLE)
    return Decoded(
        tuple(_measurements(said, beside_impossible=Flag.IMPLAUSIBLE in flags)),
        frozenset(flags),
        sequence_number=packet_id,
    )


def battery(payload: bytes) -> int | None:
    """How full the battery is, in percent; None where the packet does not say. Raises `DecodeError`."""
    told = (value[0] for id_, value in _objects(payload) if id_ == _BATTERY)
    return next((percent for percent in told if percent <= 100), None)


def _objects(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """The objects of a packet, each its id and its value, up to the first whose id is not known.

    Raises:
        DecodeError: it is no BTHome v2, it is encrypted, or it ends within an object.
    """
    if not payload:
        raise DecodeError("payload too short: empty", payload)
    if payload[0] >> 5 != _VERSION_2:
        raise DecodeError(f"BTHome version {payload[0] >> 5}, where only version 2 is read", payload)
    if payload[0] & _ENCRYPTED:
        raise DecodeError(
            "it is encrypted, which is not supported: switch encryption off in the sensor (its maker's app)",
            payload,
        )
    at = 1 + (_ADDRESS_LENGTH if payload[0] & _WITH_ADDRESS else 0)
    if at > len(payload):
        raise DecodeError(f"payload too short: {len(payload)} bytes where its address ends at {at}", payload)
    while at < len(payload):
        id_ = payload[at]
        at += 1
        if id_ in _LENGTHS:
            length = _LENGTHS[id_]
        elif id_ in _LENGTH_FIRST:
            length = 1 + (_LENGTH_FIRST[id_](payload[at]) if at < len(payload) else 0)
        else:
            return
        if at + length > len(payload):
            raise DecodeError(
                f"payload too short: {len(payload)} bytes where object 0x{id_:02x} ends at {at + length}",
                payload,
            )
        yield id_, payload[at : at + length]
        at += length


def _is_on(id_: int, value: bytes, payload: bytes) -> bool:
    if value[0] > 1:
        raise DecodeError(f"object 0x{id_:02x} is 0x{value[0]:02x}, which is neither on nor off", payload)
    return value[0] == 1


def _press(event: int, payload: bytes) -> Button | None:
    """How a button was pressed, None where it was not. A press that nobody has defined is not passed over."""
    try:
        return _PRESSES[event]
    except KeyError:
        raise DecodeError(f"button event 0x{event:02x} is not known", payload) from None


def _is_plausible(value: Value | None) -> bool:
    lowest, highest = PLAUSIBLE[Vital.ROOM_TEMPERATURE]
    return not isinstance(value, float) or lowest <= value <= highest


def _measurements(
    said: list[tuple[Vital, Value | None]], *, beside_impossible: bool
) -> Iterator[Measurement]:
    """What was said of each sensor, numbered where there are several of a kind. None is nothing to tell."""
    of_a_kind = Counter(vital for vital, _ in said)
    number: Counter[Vital] = Counter()
    for vital, value in said:
        number[vital] += 1
        if value is None:
            continue
        quality = Quality.QUESTIONABLE if beside_impossible else Quality.GOOD
        if not _is_plausible(value):
            quality = Quality.UNUSABLE
        site = str(number[vital]) if of_a_kind[vital] > 1 else None
        yield Measurement(vital, value, quality=quality, site=site)


DRIVER = GattDriver(
    name="bthome",
    title="Sensor of the room (BTHome v2)",
    service=SERVICE_DATA,
    characteristics={SERVICE_DATA: decode},
    advertised=frozenset({SERVICE_DATA}),
    battery=battery,
    bonding=Bonding.NEVER,
)
