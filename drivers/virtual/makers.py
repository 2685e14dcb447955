"""What sensors say that keep to no profile of the Bluetooth SIG, as bytes, from public descriptions.

Nothing here is shared with the decoders in `drivers`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_NO_SATURATION, _NO_PULSE = 0x7F, 0x1FF


def nonin(saturation: int | None, pulse: int | None, *, counter: int = 0, status: int = 0x14) -> bytes:
    """A Nonin Oximetry Measurement, in % and /min (Nonin 3230): ten bytes, the first says so, big-endian.

    Of the status, bit 2 says that the value passed SmartPoint, bit 4 that a finger is in.
    """
    return (
        bytes([10, status, 30])  # 3.0 V
        + (250).to_bytes(2, "big")  # pulse amplitude index 2.5 %
        + (counter & 0xFFFF).to_bytes(2, "big")
        + bytes([_NO_SATURATION if saturation is None else saturation])
        + (_NO_PULSE if pulse is None else pulse).to_bytes(2, "big")
    )


def pc60fw(saturation: int, pulse: int, *, status: int = 0) -> bytes:
    """A numeric frame of a PC-60FW, in % and /min: AA 55, 0F, the length, 01, the values, a CRC-8."""
    content = bytes([0x01, saturation]) + pulse.to_bytes(2, "little") + bytes([34, status, 0xC0])
    frame = b"\xaa\x55\x0f" + bytes([len(content) + 1]) + content
    return frame + bytes([crc8_maxim(frame)])


def pc60fw_waveform(samples: Sequence[int] = (50, 60, 70, 60, 50)) -> bytes:
    """A frame with the shape of the pulse, of which ten come for one with values."""
    content = bytes([0x02, *samples])
    frame = b"\xaa\x55\x0f" + bytes([len(content) + 1]) + content
    return frame + bytes([crc8_maxim(frame)])


def in_pieces(stream: bytes, size: int) -> Iterator[bytes]:
    """A stream of frames as a serial line cuts it: wherever a notification is full."""
    for at in range(0, len(stream), size):
        yield stream[at : at + size]


def crc8_maxim(data: bytes) -> int:
    """CRC-8 of Dallas Semiconductor (application note 27): x^8 + x^5 + x^4 + 1, the lowest bit first."""
    crc = 0
    for byte in data:
        for bit in range(8):
            differs = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0x8C if differs else 0)
    return crc


def bthome(
    *,
    packet: int | None = None,
    battery: int | None = None,
    temperature: float | None = None,
    door: bool | None = None,
    motion: bool | None = None,
    button: int | None = None,
) -> bytes:
    """Service data of BTHome v2 (FCD2), not encrypted (bthome.io/format): the objects by their ids, rising.

    Temperature in degrees Celsius; `door` is whether it is open; `button` is the number of the event.
    """
    objects = [
        (0x00, None if packet is None else bytes([packet & 0xFF])),
        (0x01, None if battery is None else bytes([battery])),
        (0x02, None if temperature is None else round(temperature * 100).to_bytes(2, "little", signed=True)),
        (0x1A, None if door is None else bytes([door])),
        (0x21, None if motion is None else bytes([motion])),
        (0x3A, None if button is None else bytes([button])),
    ]
    triggered = door is not None or motion is not None or button is not None
    start = bytes([0x40 | triggered << 2])
    return start + b"".join(bytes([number]) + value for number, value in objects if value is not None)
