"""A single reading as it came, as one small Observation: on the hot path, so no more than it needs.

It is "preliminary" and no vital sign by category: what a sensor said before anyone believed it. Vital signs
are on the observation channel. What is of the room is left out: it is no observation of a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hub.readings import Measurement, Origin, Quality, Vital
from hub.stretch import Stretch
from hub.timekeeping.placed import PlacedReading
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json
from hub.uplink.fhir.observations import absent, is_test, said
from hub.uplink.fhir.resources import LABELLED, Place, sensor_identifier, subject
from hub.uplink.fhir.stretches import stretch_said

_SECOND = timedelta(seconds=1)
_CODE_OF_A_READING = {"coding": codes.SENSOR_READING["coding"]}
# One code each, the first of LOINC, where `codes.VITALS` has all: bytes count here.
_CODE: dict[Vital, Json] = {
    vital: {"coding": known.code["coding"][:1]} for vital, known in codes.VITALS.items()
}
_UNIT = {vital: vital.unit for vital in Vital}
# For `bytes_at_most`; a letter outside ASCII, or a control character's escape, is up to six bytes.
_LEAST_BYTES = 1500
_BYTES_OF_A_LETTER = 6
_BYTES_OF_A_FLAG = 90
_BYTES_OF_A_MEASUREMENT = 420
_BYTES_OF_A_RANGE = 800
BODY_SITE = f"{codes.BASE}/StructureDefinition/body-site"
_REQUEST = "identifier=urn:ietf:rfc:3986|"


def reading_entry(place: Place, placed: PlacedReading) -> Json:
    """The entry of one reading. Its parts that never change are shared: never change one."""
    reading, stamp = placed.reading, placed.stamp
    raw = reading.raw
    known = f"urn:uuid:{reading.id}"
    received = raw.received_at.isoformat()
    about: list[Json] = [
        {"url": "driver", "valueString": raw.driver},
        {"url": "time", "valueCode": placed.time_quality.value},
        {"url": "boot", "valueString": str(stamp.boot)},
        {"url": "sinceBoot", "valueDecimal": stamp.since_boot / _SECOND},
        {"url": "clock", "valueCode": stamp.quality.value},
    ]
    if raw.characteristic:
        about.append({"url": "characteristic", "valueString": raw.characteristic})
    if raw.origin is not Origin.MANUAL and raw.payload:  # a person's entry says who made it
        about.append({"url": "payload", "valueString": raw.payload.hex()})
    if (stretch := reading.stretch) is not None:  # the payload is many, packed: `drivers/stretch.py`
        about.append({"url": "samples", "valueUnsignedInt": stretch.samples})
        about.append({"url": "duration", "valueDecimal": stretch.duration / _SECOND})
    if reading.device_time is not None:
        about.append({"url": "deviceTime", "valueString": str(reading.device_time)})
    if reading.flags:
        about.extend({"url": "flag", "valueString": flag.value} for flag in sorted(reading.flags))
    made: Json = {
        "resourceType": "Observation",
        "extension": [{"url": codes.READING, "extension": about}],
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": known}],
        "status": "preliminary",
        "code": _CODE_OF_A_READING,
        "effectiveDateTime": placed.measured_at.isoformat(),
        "issued": received,
    }
    if is_test(placed, place):
        made["meta"] = LABELLED
    if placed.resident is not None:
        made["subject"] = subject(place.site, placed.resident)
    if raw.origin is not Origin.MANUAL:
        made["device"] = {"identifier": sensor_identifier(place.site, place.hub, raw.device)}
    if reading.problem is not None:
        made |= absent("error")
        made["dataAbsentReason"]["text"] = reading.problem or "cannot be decoded"
    elif components := _components(reading.measurements, stretch):
        made["component"] = components
    else:
        made |= absent("unknown")
    return {
        "resource": made,
        "request": {"method": "POST", "url": "Observation", "ifNoneExist": _REQUEST + known},
    }


def bytes_at_most(placed: PlacedReading) -> int:
    """An upper bound of what a reading's entry takes as JSON, so that a batch can be kept within 64 KiB."""
    reading = placed.reading
    raw = reading.raw
    words = [raw.driver, raw.characteristic, raw.device, placed.resident or "", reading.problem or ""]
    words += [each.site or "" for each in reading.measurements]
    return (
        _LEAST_BYTES
        + sum(map(len, words)) * _BYTES_OF_A_LETTER
        + 2 * len(raw.payload)
        + _BYTES_OF_A_FLAG * len(reading.flags)
        + _BYTES_OF_A_MEASUREMENT * len(reading.measurements)
        + (0 if reading.stretch is None else _BYTES_OF_A_RANGE * len(reading.stretch.vitals))
    )


def _components(measurements: Sequence[Measurement], stretch: Stretch | None) -> list[Json]:
    made = []
    for each in measurements:
        if each.vital not in _CODE:
            continue
        value, quality = each.value, each.quality
        # The usual case, by itself because it is cheap; `value - value` is 0 for what is finite.
        if type(value) is float and value - value == 0 and quality is Quality.GOOD:
            component: Json = {
                "code": _CODE[each.vital],
                "valueQuantity": {"value": value, "system": codes.UCUM, "code": _UNIT[each.vital]},
            }
        else:
            component = {"code": _CODE[each.vital], **said(each.vital, value, each.absent, quality)}
        if each.site:
            component.setdefault("extension", []).append({"url": BODY_SITE, "valueString": each.site})
        if stretch is not None and (said_beside := stretch_said(each.vital, stretch)):
            component["extension"] = [*component.get("extension", ()), *said_beside]
        made.append(component)
    return made
