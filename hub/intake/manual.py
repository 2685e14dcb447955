"""What a person saw and entered: consciousness, oxygen, respiration rate; and what they read off a display,
where a sensor is broken, or the hub does not know it.

A manual observation is a reading like any other; its raw payload is what was entered, as JSON. A value that
cannot be is refused, and not marked: whoever entered it still stands before it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from drivers.quality import PLAUSIBLE
from hub.errors import CareportError
from hub.readings import (
    Breathing,
    Consciousness,
    Measurement,
    Origin,
    RawPayload,
    Reading,
    Value,
    Vital,
    reading_id,
)

DRIVER = "manual"
RESPIRATION_RATES = range(1, 81)
"""Breaths a minute that a person can have counted; anything else is a slip of the finger."""


@dataclass(frozen=True, slots=True)
class Possible:
    """What a person can have read of one vital, in its unit: anything else is a slip of the finger.

    As wide as what a sensor is believed (`drivers/quality.py`): a slip is refused, and the worst never is.
    """

    lowest: float
    highest: float
    decimals: int
    unit: str  # as people write it

    def __contains__(self, value: float) -> bool:
        return self.lowest <= value <= self.highest and value == round(value, self.decimals)

    @property
    def words(self) -> str:
        """What is allowed, for whoever entered something else."""
        kind = "whole numbers" if not self.decimals else "with one decimal at the most"
        return f"allowed are {self.lowest:g} to {self.highest:g} {self.unit}, {kind}"


POSSIBLE: Mapping[Vital, Possible] = {
    Vital.RESPIRATION_RATE: Possible(RESPIRATION_RATES[0], RESPIRATION_RATES[-1], 0, "a minute"),
    Vital.OXYGEN_SATURATION: Possible(*PLAUSIBLE[Vital.OXYGEN_SATURATION], 1, "%"),
    Vital.TEMPERATURE: Possible(*PLAUSIBLE[Vital.TEMPERATURE], 1, "degrees Celsius"),
    Vital.SYSTOLIC_PRESSURE: Possible(*PLAUSIBLE[Vital.SYSTOLIC_PRESSURE], 0, "mmHg"),
    Vital.DIASTOLIC_PRESSURE: Possible(*PLAUSIBLE[Vital.DIASTOLIC_PRESSURE], 0, "mmHg"),
    Vital.PULSE_RATE: Possible(*PLAUSIBLE[Vital.PULSE_RATE], 0, "a minute"),
}
"""The vitals whose numbers can be entered, in the order of a round."""


class ObservationError(CareportError):
    """A manual observation that cannot be; says what is allowed."""


def observation(
    by: str,
    at: datetime,
    *,
    consciousness: Consciousness | None = None,
    breathing: Breathing | None = None,
    respiration_rate: float | None = None,
    temperature: float | None = None,
    oxygen_saturation: float | None = None,
    systolic_pressure: float | None = None,
    diastolic_pressure: float | None = None,
    pulse_rate: float | None = None,
) -> Reading:
    """A reading from what a person entered.

    Args:
        by: who observed, as the home calls them; it stays on the hub.
        at: when, aware.
        respiration_rate: breaths a minute.
        temperature: degrees Celsius.
        oxygen_saturation: per cent.
        systolic_pressure, diastolic_pressure: mmHg.
        pulse_rate: beats a minute.

    Raises:
        ObservationError: nothing was entered, or something that cannot be.
    """
    numbers = {
        Vital.RESPIRATION_RATE: respiration_rate,
        Vital.OXYGEN_SATURATION: oxygen_saturation,
        Vital.TEMPERATURE: temperature,
        Vital.SYSTOLIC_PRESSURE: systolic_pressure,
        Vital.DIASTOLIC_PRESSURE: diastolic_pressure,
        Vital.PULSE_RATE: pulse_rate,
    }
    for vital, number in numbers.items():
        if number is not None and number not in POSSIBLE[vital]:
            raise ObservationError(f"{_in_words(vital)}: {number:g} is not possible; {POSSIBLE[vital].words}")
    if diastolic_pressure is not None and systolic_pressure is None:
        raise ObservationError("diastolic pressure: give the systolic pressure too, which the score is of")
    if systolic_pressure is not None and diastolic_pressure is not None:
        _check_order(systolic_pressure, diastolic_pressure)
    values: dict[Vital, Value | None] = {
        Vital.CONSCIOUSNESS: consciousness,
        Vital.SUPPLEMENTAL_OXYGEN: breathing,
        **{vital: float(number) if number is not None else None for vital, number in numbers.items()},
    }
    entered = {vital: value for vital, value in values.items() if value is not None}
    if not entered:
        raise ObservationError(
            "nothing was entered: give consciousness, oxygen or air, a respiration rate, or what was read off"
            " a sensor"
        )
    # Two people may enter the same at the same moment: the entry's own id keeps them two readings.
    payload = json.dumps({"entry": str(uuid.uuid4()), "by": by, **{v.value: x for v, x in entered.items()}})
    raw = RawPayload(
        device="manual", driver=DRIVER, payload=payload.encode(), received_at=at, origin=Origin.MANUAL
    )
    measurements = tuple(Measurement(vital, value) for vital, value in entered.items())
    return Reading(id=reading_id(raw, None), raw=raw, measurements=measurements)


def _check_order(systolic: float, diastolic: float) -> None:
    if systolic <= diastolic:
        raise ObservationError(
            f"blood pressure: {systolic:g} over {diastolic:g} is not possible; the systolic pressure is the"
            " higher one"
        )


def number_of(vital: Vital, text: str) -> float:
    """A number as a person typed it: "37.2", "37,2".

    Raises:
        ObservationError: it is no number.
    """
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        raise ObservationError(
            f"{_in_words(vital)}: what was entered is not a number; {POSSIBLE[vital].words}"
        ) from None


def _in_words(vital: Vital) -> str:
    return vital.value.replace("_", " ")
