"""Which vitals of a payload must be absent, since a special value stands in their place.

Written anew from the specifications, with offsets and no layout: what the drivers do is held to it. They are
asked of payloads that were decoded, so the length is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.nonin_3230 import OXIMETRY_MEASUREMENT
from drivers.viatom_pc60fw import NORDIC_UART_RECEIVED
from hub.readings import Vital

_NOT_NUMBERS = range(0x7FE, 0x803)  # +INF, NaN, NRes, reserved, -INF: the mantissas of an SFLOAT
_NOT_LONG_NUMBERS = range(0x7FFFFE, 0x800003)  # the same of a FLOAT


def _special_sfloat(payload: bytes, at: int) -> bool:
    return int.from_bytes(payload[at : at + 2], "little") & 0xFFF in _NOT_NUMBERS


def _blood_pressure(payload: bytes) -> set[Vital]:
    places = {
        Vital.SYSTOLIC_PRESSURE: 1,
        Vital.DIASTOLIC_PRESSURE: 3,
        Vital.MEAN_ARTERIAL_PRESSURE: 5,
    }
    if payload[0] & 0x04:
        places[Vital.PULSE_RATE] = 14 if payload[0] & 0x02 else 7
    return {vital for vital, at in places.items() if _special_sfloat(payload, at)}


def _bm85(payload: bytes) -> set[Vital]:
    big_endian_pulse = payload[:14] + payload[15:13:-1]
    absent = {vital for vital in _blood_pressure(payload) if vital is not Vital.PULSE_RATE}
    return absent | ({Vital.PULSE_RATE} if _special_sfloat(big_endian_pulse, 14) else set())


def _oximeter(payload: bytes) -> set[Vital]:
    places = {Vital.OXYGEN_SATURATION: 1, Vital.PULSE_RATE: 3}
    return {vital for vital, at in places.items() if _special_sfloat(payload, at)}


def _thermometer(payload: bytes) -> set[Vital]:
    mantissa = int.from_bytes(payload[1:4], "little")
    return {Vital.TEMPERATURE} if mantissa in _NOT_LONG_NUMBERS else set()


def _heart_rate(payload: bytes) -> set[Vital]:
    rate = payload[1:3] if payload[0] & 0x01 else payload[1:2]
    return set() if any(rate) else {Vital.PULSE_RATE}


def _weight(payload: bytes) -> set[Vital]:
    return {Vital.BODY_WEIGHT} if payload[1:3] == b"\xff\xff" else set()


def _glucose(payload: bytes) -> set[Vital]:
    flags = payload[0]
    at = 12 if flags & 0x01 else 10
    status = int.from_bytes(payload[-2:], "little") if flags & 0x08 else 0
    if not flags & 0x02 or status & 0x60 or _special_sfloat(payload, at):
        return {Vital.GLUCOSE}
    negative_or_zero = payload[at + 1] & 0x08 or not (payload[at] or payload[at + 1] & 0x0F)
    return {Vital.GLUCOSE} if negative_or_zero else set()


def _nonin(payload: bytes) -> set[Vital]:
    absent = {Vital.OXYGEN_SATURATION} if payload[7] == 127 else set()
    return absent | ({Vital.PULSE_RATE} if payload[8:10] == b"\x01\xff" else set())


def _viatom(payload: bytes) -> set[Vital]:
    absent = set() if payload[5] else {Vital.OXYGEN_SATURATION}
    return absent | (set() if any(payload[6:8]) else {Vital.PULSE_RATE})


def _contec_live(payload: bytes) -> set[Vital]:
    absent = {Vital.PULSE_RATE} if {0, 255}.issuperset(payload[2::4]) else set()
    return absent | ({Vital.OXYGEN_SATURATION} if {0, 127}.issuperset(payload[3::4]) else set())


def _contec_stored(payload: bytes) -> set[Vital]:
    samples = zip(payload[11::2], payload[12::2], strict=True)
    if any(saturation not in (0, 127) and pulse not in (0, 255) for saturation, pulse in samples):
        return set()
    return {Vital.OXYGEN_SATURATION, Vital.PULSE_RATE}


def _onetouch(payload: bytes) -> set[Vital]:
    milligrams = int.from_bytes(payload[6:10], "little")
    return set() if 20 <= milligrams <= 600 else {Vital.GLUCOSE}


def _nonin_live(payload: bytes) -> set[Vital]:
    absent = {Vital.OXYGEN_SATURATION} if {127, 255}.issuperset(payload[5::6]) else set()
    pulses = zip(payload[3::6], payload[4::6], strict=True)
    return absent | ({Vital.PULSE_RATE} if all(a & 3 == 3 and b & 127 == 127 for a, b in pulses) else set())


def _nonin_df8(payload: bytes) -> set[Vital]:
    absent = {Vital.OXYGEN_SATURATION} if {127}.issuperset(payload[3::5]) else set()
    pulses = zip(payload[1::5], payload[2::5], strict=True)
    return absent | ({Vital.PULSE_RATE} if all(a & 3 == 3 and b == 127 for a, b in pulses) else set())


def _nonin_spot(payload: bytes) -> set[Vital]:
    absent = {Vital.OXYGEN_SATURATION} if payload[19] & 127 == 127 else set()
    return absent | ({Vital.PULSE_RATE} if payload[16] & 1 and payload[17] == 255 else set())


SPECIAL_VALUES: Mapping[tuple[str, str], Callable[[bytes], set[Vital]]] = {
    ("blood_pressure", "2a35"): _blood_pressure,
    ("beurer_bm85", "2a35"): _bm85,
    ("pulse_oximeter", "2a5e"): _oximeter,
    ("pulse_oximeter", "2a5f"): _oximeter,
    ("thermometer", "2a1c"): _thermometer,
    ("heart_rate", "2a37"): _heart_rate,
    ("weight_scale", "2a9d"): _weight,
    ("glucose", "2a18"): _glucose,
    ("glucose_and_ketone", "2a18"): _glucose,
    ("nonin_3230", OXIMETRY_MEASUREMENT): _nonin,
    ("viatom_pc60fw", NORDIC_UART_RECEIVED): _viatom,
    ("nonin_serial", "live"): _nonin_live,
    ("nonin_serial", "spot"): _nonin_spot,
    ("nonin_df8", "live"): _nonin_df8,
    ("contec_cms50", "live"): _contec_live,
    ("contec_cms50", "stored"): _contec_stored,
    ("onetouch_ultra_easy", "record"): _onetouch,
}
"""By driver and characteristic; BTHome has no special values."""
