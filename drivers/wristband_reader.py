"""Readers of wristbands, by barcode or RFID, that are keyboards: they type the code, and Enter.

What is read says whose readings come next (`hub/attribution/rounds.py`), and is itself no reading of anybody:
there is nothing to decode, and what pretends to be one is refused. `drivers/usb/wedge.py` makes codes of
keys.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.driver import Decoded, DecodeError, Driver


def _no_reading(payload: bytes) -> Decoded:
    raise DecodeError("a wristband's code is nobody's reading", payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyboardDriver(Driver):
    """A class of device that types."""


DRIVER = KeyboardDriver(
    name="wristband_reader",
    title="reader of wristbands (barcode or RFID, as a keyboard)",
    characteristics={"scan": _no_reading},
)
