"""A saturation and a pulse, as oximeters send them in protocols of their makers' own."""

from __future__ import annotations

from collections.abc import Collection

from drivers.driver import Decoded
from drivers.ieee11073 import Number
from drivers.quality import Verdict, measurements
from hub.readings import AbsentReason, Vital


def oximetry(
    saturation: int,
    pulse: int,
    said: Verdict,
    *,
    no_saturation: Collection[int],
    no_pulse: Collection[int],
) -> Decoded:
    """A saturation in % and a pulse per minute as sent, judged by what the status leaves of them.

    `no_saturation` and `no_pulse` are what is sent where there is no number: absent.
    """
    judged, flags = measurements(
        [
            (Vital.OXYGEN_SATURATION, _number(saturation, no_saturation), said.quality),
            (Vital.PULSE_RATE, _number(pulse, no_pulse), said.pulse_quality),
        ],
        said.flags,
    )
    return Decoded(judged, flags)


def _number(sent: int, none: Collection[int]) -> Number:
    return AbsentReason.NOT_A_NUMBER if sent in none else float(sent)
