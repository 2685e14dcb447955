"""What a person saw and entered: consciousness, oxygen, respiration rate.

A manual observation is a reading like any other; its raw payload is what was entered, as JSON.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime

from hub.errors import CareportError
from hub.readings import (
    Breathing,
    Consciousness,
    Measurement,
    Origin,
    RawPayload,
    Reading,
    Vital,
    reading_id,
)

DRIVER = "manual"
RESPIRATION_RATES = range(1, 81)
"""Breaths a minute that a person can have counted; anything else is a slip of the finger."""


class ObservationError(CareportError):
    """A manual observation that cannot be; says what is allowed."""


def observation(
    by: str,
    at: datetime,
    *,
    consciousness: Consciousness | None = None,
    breathing: Breathing | None = None,
    respiration_rate: int | None = None,
) -> Reading:
    """A reading from what a person entered.

    Args:
        by: who observed, as the home calls them; it stays on the hub.
        at: when, aware.
        respiration_rate: breaths a minute.

    Raises:
        ObservationError: nothing was entered, or the respiration rate is impossible.
    """
    if respiration_rate is not None and respiration_rate not in RESPIRATION_RATES:
        raise ObservationError(
            f"respiration rate: {respiration_rate} is not possible; "
            f"allowed are {RESPIRATION_RATES[0]} to {RESPIRATION_RATES[-1]} a minute"
        )
    values = {
        Vital.CONSCIOUSNESS: consciousness,
        Vital.SUPPLEMENTAL_OXYGEN: breathing,
        Vital.RESPIRATION_RATE: float(respiration_rate) if respiration_rate is not None else None,
    }
    entered = {vital: value for vital, value in values.items() if value is not None}
    if not entered:
        raise ObservationError(
            "nothing was entered: give consciousness, oxygen or air, or a respiration rate"
        )
    # Two people may enter the same at the same moment: the entry's own id keeps them two readings.
    payload = json.dumps({"entry": str(uuid.uuid4()), "by": by, **{v.value: x for v, x in entered.items()}})
    raw = RawPayload(
        device="manual", driver=DRIVER, payload=payload.encode(), received_at=at, origin=Origin.MANUAL
    )
    measurements = tuple(Measurement(vital, value) for vital, value in entered.items())
    return Reading(id=reading_id(raw, None), raw=raw, measurements=measurements)
