"""What all of Nonin's serial data formats have in common: the line, and what is no number."""

from __future__ import annotations

from drivers.driver import Decoded
from drivers.oximetry import oximetry as oximetry_of
from drivers.quality import Verdict
from drivers.serial_line import LineSettings

LIVE = "live"
"""A second of a stream."""

SETTINGS = LineSettings(9600)

NO_SATURATION, NO_PULSE = 127, 511


def oximetry(saturation: int, pulse: int, said: Verdict) -> Decoded:
    """As `drivers.oximetry`, with Nonin's numbers for what is none."""
    return oximetry_of(saturation, pulse, said, no_saturation=(NO_SATURATION,), no_pulse=(NO_PULSE,))
