"""What makes a mutated payload whole again where a checksum would refuse all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.viatom_pc60fw import NORDIC_UART_RECEIVED, crc8


def _with_its_crc(payload: bytes) -> bytes:
    return payload[:-1] + bytes([crc8(payload[:-1])])


def _with_its_sum(payload: bytes) -> bytes:
    """A packet of Nonin's format 13: its length, the sum of its data, its end."""
    data = payload[6:-2]
    return payload[:4] + len(data).to_bytes(2, "big") + data + bytes((sum(data) & 0xFF, 0x03))


REPAIRS: Mapping[tuple[str, str], Callable[[bytes], bytes]] = {
    ("viatom_pc60fw", NORDIC_UART_RECEIVED): _with_its_crc,
    ("nonin_serial", "spot"): _with_its_sum,
}
"""By driver and characteristic."""
