"""What the resources of every event share: identifiers, references, devices, the Bundle."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha1
from urllib.parse import quote

from hub.uplink.cloudevents import json_text
from hub.uplink.fhir import codes
from hub.uplink.fhir.codes import Json

_DEVICES = uuid.UUID("0d2f0b8e-53a5-5c1e-9d53-3f0c1f3b7a10")
_PLAIN = "/:"  # need no escape in a query (RFC 3986, section 3.4)
_MEANS_SOMETHING = re.compile(r"[\\$,|]")  # in a search (FHIR R4, search.html#escaping): "," is "or"
_BLUETOOTH_ADDRESS = re.compile(r"([0-9A-F]{2}:){5}[0-9A-F]{2}")


@dataclass(frozen=True, slots=True)
class Place:
    """Which hub speaks, and whether all that it says is test data."""

    site: str
    hub: str
    test_data: bool


def moment(time: datetime) -> str:
    """An aware time as a FHIR dateTime or instant, in UTC."""
    return time.astimezone(UTC).isoformat()


def urn(name: uuid.UUID) -> str:
    """A UUID as a URI: an identifier's value and an entry's `fullUrl`."""
    return f"urn:uuid:{name}"


def urn_within(namespace: uuid.UUID, name: str) -> str:
    """`urn(uuid.uuid5(namespace, name))` in a third of the time (RFC 9562, section 5.5)."""
    digest = sha1(namespace.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = "89ab"[int(digest[16], 16) & 3]
    return f"urn:uuid:{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def identifier(name: str) -> Json:
    """The identifier of something that has a URN."""
    return {"system": codes.UUID, "value": name}


def reference(name: str) -> Json:
    """A reference to another entry of the same Bundle."""
    return {"reference": name}


def logical(kind: str, name: str) -> Json:
    """A reference by identifier to a resource that need not be in the Bundle."""
    return {"type": kind, "identifier": identifier(name)}


@lru_cache(maxsize=4096)
def subject(site: str, resident: str) -> Json:
    """The resident, by pseudonym and nothing else. Shared: never change it."""
    return {"type": "Patient", "identifier": {"system": codes.RESIDENT, "value": f"{site}/{resident}"}}


@lru_cache(maxsize=16)
def hub_identifier(site: str, hub: str) -> Json:
    """This hub. Shared: never change it."""
    return {"system": codes.HUB, "value": f"{site}/{hub}"}


@lru_cache(maxsize=4096)
def sensor_identifier(site: str, hub: str, device: str) -> Json:
    """A sensor: by its Bluetooth address as HL7 writes it; else, as one on USB, by the hub's own name for it.
    Shared."""
    if _BLUETOOTH_ADDRESS.fullmatch(device):
        return {"system": codes.BLUETOOTH, "value": device.replace(":", "-")}
    return {"system": codes.SENSOR, "value": f"{site}/{hub}/{device}"}


@lru_cache(maxsize=4096)
def device_name(system: str, value: str) -> str:
    """The `fullUrl` of a device's entry; a device itself is known by its identifier."""
    return urn_within(_DEVICES, f"{system}|{value}")


def hub_name(place: Place) -> str:
    """The `fullUrl` of this hub's entry."""
    return device_name(codes.HUB, f"{place.site}/{place.hub}")


def sensor_name(place: Place, device: str) -> str:
    """The `fullUrl` of a sensor's entry."""
    known = sensor_identifier(place.site, place.hub, device)
    return device_name(known["system"], known["value"])


def gateway(place: Place) -> Json:
    """The extension that says through which hub an observation came (HL7 core extension)."""
    return {"url": codes.GATEWAY, "valueReference": reference(hub_name(place))}


LABELLED: Json = {"security": [codes.TEST_DATA]}
"""The `meta` of a resource of test data. Shared: never change it."""


def resource(kind: str, place: Place, *, test_data: bool = False) -> Json:
    """The beginning of a resource. Test data is labelled in each, since a server takes them apart."""
    if test_data or place.test_data:
        return {"resourceType": kind, "meta": LABELLED}
    return {"resourceType": kind}


@lru_cache(maxsize=16)
def hub_device(place: Place) -> Json:
    """The hub's own Device entry, created where the server has none. Shared."""
    made = resource("Device", place)
    known = hub_identifier(place.site, place.hub)
    made |= {"identifier": [known], "type": codes.HUB_TYPE}
    return create(hub_name(place), made, known)


@lru_cache(maxsize=1024)
def sensor_device(place: Place, device: str, driver: str) -> Json:
    """A sensor's Device entry, created where the server has none. Shared."""
    made = resource("Device", place)
    known = sensor_identifier(place.site, place.hub, device)
    made |= {"identifier": [known], "type": codes.SENSOR_TYPE}
    special = codes.SPECIALIZATIONS.get(driver)
    if special is not None:
        made["specialization"] = [{"systemType": codes.concept((codes.MDC, special))}]
    return create(sensor_name(place, device), made, known)


def create(name: str, made: Json, known: Json | None = None) -> Json:
    """An entry that a server creates unless it has one of this identifier: sent again, it changes nothing."""
    if known is None:
        found_by = f"{codes.UUID}|{name}"
    else:
        found_by = f"{known['system']}|{quote(_searched(known['value']), safe=_PLAIN)}"
    request = {"method": "POST", "url": made["resourceType"], "ifNoneExist": f"identifier={found_by}"}
    return {"fullUrl": name, "resource": made, "request": request}


def _searched(value: str) -> str:
    """A value as a search has it: what its maker wrote into a device's serial number may be any sign."""
    return _MEANS_SOMETHING.sub(r"\\\g<0>", value)


def update(name: str, made: Json) -> Json:
    """An entry that a server puts in the place of the one of this identifier, or creates."""
    request = {"method": "PUT", "url": f"{made['resourceType']}?identifier={codes.UUID}|{name}"}
    return {"fullUrl": name, "resource": made, "request": request}


def amended(entry: Json) -> Json:
    """An entry for a server that may have it with times that were wrong: it takes the place of that one.

    What was "final" is "corrected"; what was never more than "preliminary" stays so, as it is not complete
    by its times being right. Devices have no times.
    """
    made = entry["resource"]
    if made["resourceType"] == "Device":
        return entry
    if made["resourceType"] == "Observation" and made["status"] == "final":
        made = {**made, "status": "corrected"}
    return update(entry["fullUrl"], made)


def withdrawn(entry: Json) -> Json:
    """An entry for a server that has something of a person that was not theirs: it is in error, and stays
    there under its name only to say so."""
    made = entry["resource"]
    return update(entry["fullUrl"], {**made, "status": "entered-in-error"})


def once(entries: Iterable[Json]) -> list[Json]:
    """The entries, each `fullUrl` once, the first of them kept."""
    kept: dict[str, Json] = {}
    for entry in entries:
        kept.setdefault(entry["fullUrl"], entry)
    return list(kept.values())


def bundle(entries: Sequence[Json], place: Place) -> Json:
    """The transaction: a FHIR server takes all of it or nothing. Its source is the hub that speaks."""
    made: Json = {"source": f"{codes.HUB}/{place.site}/{place.hub}"}
    if place.test_data:
        made |= LABELLED
    return {"resourceType": "Bundle", "meta": made, "type": "transaction", "entry": list(entries)}


def bundle_text(entries: Iterable[str], place: Place) -> str:
    """`bundle` as JSON, of entries that are JSON already."""
    return json_text(bundle([], place)).removesuffix("]}") + ",".join(entries) + "]}"
