"""How far a value may be trusted: by the sensor's own status bits, and by what a living body allows.

The policy is in `drivers/README.md`. Nothing here throws a value away: it is kept with its quality,
and only `Quality.UNUSABLE` keeps it from being scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from drivers.ieee11073 import Number
from hub.readings import Flag, Measurement, Quality, Vital

_RANK = {Quality.GOOD: 0, Quality.QUESTIONABLE: 1, Quality.UNUSABLE: 2}


def worst(*qualities: Quality) -> Quality:
    """The worst of some qualities."""
    return max(qualities, key=_RANK.__getitem__)


@dataclass(frozen=True, slots=True)
class StatusBit:
    """What one bit of a status field means, and what it leaves of the quality.

    `quality` is for all that the payload measures, or for its pulse alone where `pulse_only`.
    """

    bit: int
    flag: Flag
    quality: Quality
    pulse_only: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a status field says: its flags, and the quality that they leave to the measurements."""

    flags: frozenset[Flag] = frozenset()
    quality: Quality = Quality.GOOD
    pulse_quality: Quality = Quality.GOOD


def verdict(bits: Iterable[StatusBit], status: int) -> Verdict:
    """Read a status field. Bits that the table does not know (reserved for future use) say nothing."""
    raised = [bit for bit in bits if status >> bit.bit & 1]
    quality = worst(Quality.GOOD, *(bit.quality for bit in raised if not bit.pulse_only))
    return Verdict(
        flags=frozenset(bit.flag for bit in raised),
        quality=quality,
        pulse_quality=worst(quality, *(bit.quality for bit in raised if bit.pulse_only)),
    )


PLAUSIBLE = {
    # A cuff for adults does not inflate beyond 300 mmHg; a person in shock whose pressure a cuff can
    # still find is above 30. A pressure sent in the wrong unit falls outside.
    Vital.SYSTOLIC_PRESSURE: (30.0, 300.0),
    Vital.DIASTOLIC_PRESSURE: (10.0, 250.0),
    Vital.MEAN_ARTERIAL_PRESSURE: (10.0, 300.0),
    # Saturation ends at 100; with no finger in them some oximeters send 0, others 127.
    Vital.OXYGEN_SATURATION: (20.0, 100.0),
    # Wider than the slowest heart block and the fastest arrhythmia of an adult; 0 is no pulse found.
    Vital.PULSE_RATE: (10.0, 300.0),
    # Wider than hypothermia and heat stroke that a person still alive in a home can have; degF sent as
    # degC, or the other way round, and a thermometer that lies on the table fall outside (care homes
    # are kept at 21 to 25 degC, in a heat wave above).
    Vital.TEMPERATURE: (28.0, 46.0),
    # A person and not a parcel, a bag or an empty platform: the lightest of frail adults to the most that
    # scales for persons bear. Scales that send ten times too little or too much fall outside for most people.
    Vital.BODY_WEIGHT: (20.0, 300.0),
    # 20 mg/dL: below that most meters show "LO", and what is sent there may be a ketone. The most severe
    # hyperglycaemia is below 60, and mg/dL taken for mmol/L, or a wrong power of ten, falls outside.
    Vital.GLUCOSE: (1.1, 60.0),
    # What the chips in such sensors can measure: a fridge, a roof in summer.
    Vital.ROOM_TEMPERATURE: (-40.0, 85.0),
}
"""The lowest and the highest value, both included, that a vital can have in its fixed unit."""


def measurements(
    numbers: Sequence[tuple[Vital, Number, Quality]],
    flags: frozenset[Flag],
    *,
    contradictory: frozenset[Vital] = frozenset(),
    site: str | None = None,
) -> tuple[tuple[Measurement, ...], frozenset[Flag]]:
    """The measurements of one payload, their qualities judged together, and its flags.

    An implausible number, or one of `contradictory` (it contradicts another), is UNUSABLE, and
    `Flag.IMPLAUSIBLE` is added to `flags`. What a sensor says beside something impossible is at
    best QUESTIONABLE: an oximeter with no finger in it sends 127 % and a pulse of 255. What is no
    number is not implausible: it is absent.
    """
    plausible = [
        measurement
        for vital, number, quality in numbers
        if (measurement := _plausible(vital, number, quality, site)) is not None
    ]
    if len(plausible) == len(numbers) and not contradictory:
        return tuple(plausible), flags
    unusable = contradictory.union(
        vital for vital, number, quality in numbers if _plausible(vital, number, quality, site) is None
    )
    judged = tuple(
        _measurement(
            vital,
            number,
            Quality.UNUSABLE if vital in unusable else worst(quality, Quality.QUESTIONABLE),
            site,
        )
        for vital, number, quality in numbers
    )
    return judged, flags | {Flag.IMPLAUSIBLE}


@lru_cache(maxsize=4096)
def _plausible(vital: Vital, number: Number, quality: Quality, site: str | None) -> Measurement | None:
    """The measurement; None where its number is not plausible.

    Most numbers that a home's sensors send they have sent before: then it is the same object again, which
    can be shared since nobody can change it. 4,096 of them are enough for cuffs that send tenths: 1 MB.
    """
    if isinstance(number, float):
        lowest, highest = PLAUSIBLE[vital]
        if not lowest <= number <= highest:
            return None
    return _measurement(vital, number, quality, site)


def _measurement(vital: Vital, number: Number, quality: Quality, site: str | None) -> Measurement:
    if isinstance(number, float):
        return Measurement(vital, number, None, quality, site)
    return Measurement(vital, None, number, quality, site)
