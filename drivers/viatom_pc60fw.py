"""The Viatom (Wellue, Creative) PC-60FW and its family of finger oximeters, which stream over a serial line.

The line is the Nordic UART Service; the sensor sends frames as soon as it is subscribed to, about 1 numeric
and 10 waveform frames a second. Notifications are no frames: they hold parts of frames, or several.

| byte | field |
|---|---|
| 0-1 | AA 55 |
| 2 | 0F: the oximeter speaks; F0: the device |
| 3 | length: the bytes that follow this one |
| 4 | type |
| 5- | content |
| last | CRC-8 (Maxim: polynomial 31, reflected) of all before it, AA 55 included |

Type 01 of the oximeter, the numeric frame, is all that is kept: SpO2 in % (1 byte), pulse rate per minute (2,
little-endian), pulse amplitude index in 0.1 % (1), status (1: `STATUS_BITS`), battery (1). A SpO2 or a pulse
of 0 is none. Read over: waveform (02), working status (21), battery (F0 03), name and version (0F 03).

Sources: the maker's LepuDemo README (meaning and frequency of the values; 0 is invalid) and its SDK's names
for the bits; the notes and captures of sza2/viatom_pc60fw, of a Usenet thread (alt.os.linux, 2017-12-10, of a
PC-60NW) and of pedasmith/BluetoothDeviceController, whose frames all agree in the CRC.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache

from drivers.driver import Decoded, DecodeError
from drivers.gatt import Bonding, GattDriver
from drivers.oximetry import oximetry
from drivers.quality import StatusBit, Verdict, verdict
from hub.readings import Flag, Quality

NORDIC_UART_SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
NORDIC_UART_RECEIVED = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
"""The characteristic that notifies what the sensor sends."""

_SYNCHRONISATION = b"\xaa\x55"
_OXIMETER, _DEVICE = 0x0F, 0xF0
_NUMERIC = 0x01
_BEFORE_CONTENT = 4  # bytes: AA 55, who speaks, length
_LENGTHS = range(2, 65)  # type and CRC at the least; the longest frame that anybody has seen has 11

_LAYOUT = struct.Struct("<2sBBBBHBBBB")

STATUS_BITS = (
    StatusBit(1, Flag.SENSOR_DISPLACED, Quality.UNUSABLE),  # "probe off": no finger
    StatusBit(2, Flag.INADEQUATE_SIGNAL, Quality.UNUSABLE),  # searching for a pulse
)


@lru_cache(maxsize=256)
def _verdict(status: int) -> Verdict:
    return verdict(STATUS_BITS, status)


def decode_numeric(payload: bytes) -> Decoded:
    """Decode a numeric frame, whole as it was sent. Raises `DecodeError`."""
    if len(payload) != _LAYOUT.size:
        kind = "short" if len(payload) < _LAYOUT.size else "long"
        raise DecodeError(
            f"payload too {kind}: {len(payload)} bytes where a numeric frame has {_LAYOUT.size}", payload
        )
    start, speaker, length, type_, saturation, pulse, _, status, _, crc = _LAYOUT.unpack(payload)
    if (start, speaker, length, type_) != (
        _SYNCHRONISATION,
        _OXIMETER,
        _LAYOUT.size - _BEFORE_CONTENT,
        _NUMERIC,
    ):
        raise DecodeError("no numeric frame", payload)
    if crc != crc8(payload[:-1]):
        raise DecodeError(f"CRC 0x{crc:02x} where 0x{crc8(payload[:-1]):02x} is right", payload)
    return oximetry(saturation, pulse, _verdict(status), no_saturation=(0,), no_pulse=(0,))


def _table() -> Iterator[int]:
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0x8C if value & 1 else value >> 1
        yield value


_CRC_TABLE = bytes(_table())


def crc8(octets: bytes) -> int:
    """CRC-8/MAXIM: polynomial 0x31, reflected, beginning with 0 (its check value of b"123456789" is 0xA1)."""
    crc = 0
    for octet in octets:
        crc = _CRC_TABLE[crc ^ octet]
    return crc


class FrameCutter:
    """Cuts the numeric frames out of what the sensor sends on one link.

    What is no whole frame with a right CRC is passed over, byte by byte, so that a frame that follows a
    damaged one is found inside it. It holds one frame that is not yet whole, and no more.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, notification: bytes) -> list[bytes]:
        """Take the next bytes, and give the numeric frames that are whole now. Raises nothing."""
        held, self._held = self._held + notification, b""
        frames = []
        at = 0
        while (at := held.find(_SYNCHRONISATION[:1], at)) >= 0:
            end = self._end(held, at)
            if end is None:
                at += 1
            elif end > len(held):
                self._held = held[at:]
                break
            elif held[end - 1] != crc8(held[at : end - 1]):
                at += 1
            else:
                if held[at + 2] == _OXIMETER and held[at + 4] == _NUMERIC:
                    frames.append(held[at:end])
                at = end
        return frames

    @staticmethod
    def _end(held: bytes, at: int) -> int | None:
        """Where a frame that begins here ends, as far as can be seen; None where none can begin here."""
        begun = held[at : at + _BEFORE_CONTENT]
        if not _SYNCHRONISATION.startswith(begun[:2]):
            return None
        if len(begun) > 2 and begun[2] not in (_OXIMETER, _DEVICE):
            return None
        if len(begun) < _BEFORE_CONTENT:
            return at + _BEFORE_CONTENT
        return at + _BEFORE_CONTENT + begun[3] if begun[3] in _LENGTHS else None


DRIVER = GattDriver(
    name="viatom_pc60fw",
    title="Viatom PC-60FW pulse oximeter",
    service=NORDIC_UART_SERVICE,
    characteristics={NORDIC_UART_RECEIVED: decode_numeric},
    streaming=frozenset({NORDIC_UART_RECEIVED}),
    bonding=Bonding.WHEN_ASKED,
    framer=FrameCutter,
)
