"""What makes a mutated payload whole again where a checksum would refuse all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.viatom_pc60fw import NORDIC_UART_RECEIVED, crc8


def _with_its_crc(payload: bytes) -> bytes:
    return payload[:-1] + bytes([crc8(payload[:-1])])


REPAIRS: Mapping[tuple[str, str], Callable[[bytes], bytes]] = {
    ("viatom_pc60fw", NORDIC_UART_RECEIVED): _with_its_crc,
}
"""By driver and characteristic."""
