"""What a stretch of a stream said beside its median, as an extension: lowest, highest, time below."""

from __future__ import annotations

from datetime import timedelta

from hub.readings import Vital
from hub.stretch import Stretch
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json

_SECOND = timedelta(seconds=1)


def stretch_said(vital: Vital, stretch: Stretch | None) -> list[Json]:
    """The extension of a vital's Observation or component; none where there was no usable value in it."""
    if stretch is None:
        return []
    for said in stretch.vitals:
        if said.vital is vital:
            parts: list[Json] = [
                {"url": "duration", "valueDecimal": stretch.duration / _SECOND},
                {"url": "usable", "valueDecimal": said.usable / _SECOND},
                {"url": "lowest", "valueQuantity": quantity(vital, said.lowest)},
                {"url": "highest", "valueQuantity": quantity(vital, said.highest)},
            ]
            if said.below is not None and said.threshold is not None:
                parts.append({"url": "below", "valueDecimal": said.below / _SECOND})
                parts.append({"url": "threshold", "valueQuantity": quantity(vital, said.threshold)})
            return [{"url": codes.STRETCH, "extension": parts}]
    return []


def quantity(vital: Vital, value: float) -> Json:
    """A number in its vital's unit, by its code alone."""
    return {"value": value, "system": codes.UCUM, "code": vital.unit}
