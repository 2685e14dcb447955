"""What all of Nonin's serial data formats have in common: the line, and what is no number."""

from __future__ import annotations

from drivers.driver import Decoded
from drivers.ieee11073 import Number
from drivers.quality import Verdict, measurements
from drivers.serial_line import LineSettings
from hub.readings import AbsentReason, Vital

LIVE = "live"
"""A second of a stream."""

SETTINGS = LineSettings(9600)

NO_SATURATION, NO_PULSE = 127, 511


def oximetry(saturation: int, pulse: int, said: Verdict) -> Decoded:
    """A saturation in % and a pulse per minute as sent, judged by what the status leaves of them."""
    judged, flags = measurements(
        [
            (Vital.OXYGEN_SATURATION, _number(saturation, NO_SATURATION), said.quality),
            (Vital.PULSE_RATE, _number(pulse, NO_PULSE), said.pulse_quality),
        ],
        said.flags,
    )
    return Decoded(judged, flags)


def _number(sent: int, none: int) -> Number:
    return AbsentReason.NOT_A_NUMBER if sent == none else float(sent)
