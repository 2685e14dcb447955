"""Holds events to the contract that the hub publishes of them, by an independent validator."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jsonschema_rs import Draft7Validator

from hub.contract.document import EVENTS, Told, document, headers, schema_documents
from hub.contract.forms import standalone
from hub.uplink.cloudevents import Event, to_json
from hub.uplink.fhir import codes

TOLD = {told.type: told for told in EVENTS}


@lru_cache(maxsize=64)
def data_validator(kind: str) -> Draft7Validator:
    """Of the data of an event's type."""
    return Draft7Validator(schema_documents()[TOLD[kind].schema], validate_formats=True)


@lru_cache(maxsize=64)
def event_validator(kind: str) -> Draft7Validator:
    """Of a whole event in structured mode."""
    known = document()["components"]["schemas"]
    return Draft7Validator(standalone(f"cloudevent.{TOLD[kind].schema}", known, ""), validate_formats=True)


@lru_cache(maxsize=64)
def header_validator(kind: str) -> Draft7Validator:
    """Of the user properties of a message in binary mode."""
    return Draft7Validator(headers(TOLD[kind]), validate_formats=True)


def in_words(validator: Draft7Validator, said: object) -> list[str]:
    """Each fault with its place."""
    return [
        f"{'.'.join(map(str, error.instance_path))}: {error.message[:200]}"
        for error in validator.iter_errors(said)
    ]


def event_faults(event: Event) -> list[str]:
    """What is wrong with an event, in its structured form, by the contract."""
    return in_words(event_validator(event.type), json.loads(to_json(event)))


def channels_of(topic: str) -> list[Told]:
    """The messages that the document has on a topic."""
    found = []
    for channel in document()["channels"].values():
        parts = [part if "{" not in part else r"[^/]+" for part in channel["address"].split("/")]
        if re.fullmatch("/".join(parts), topic):
            found += [told for told in EVENTS if told.schema in channel["messages"]]
    return found


def spoilt(data: Any) -> Iterator[tuple[str, Any]]:
    """The data, each time with one fault: a key that is none in an object, a code that is none in a coding.

    One of each kind of place: fifty places that differ by their number in a list are one.
    """
    seen = set()
    for path in _objects(data, ()):
        node = _at(data, path)
        place = (*(step for step in path if isinstance(step, str)), *sorted(node), str(node.get("system")))
        if place in seen:
            continue
        seen.add(place)
        yield f"{path}: a key that is none", _changed(data, path, "colour", "red")
        # Which models there are, the contract does not say.
        if "system" in node and "code" in node and node["system"] != codes.MODELS:
            yield f"{path}: a code that is none", _changed(data, path, "code", "nonsense")
    for key in _required(data):
        yield f"without {key}", {name: said for name, said in data.items() if name != key}


def _required(data: Any) -> set[str]:
    if "alert" in data and "by" in data:
        return {"alert", "by"}
    return (
        {"resourceType", "meta", "type", "entry"} if "resourceType" in data else {"site", "hub", "test_data"}
    )


def _objects(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict):
        # What retention removed is named by its kind: any key is one.
        if path != ("removed",):
            yield path
        for key, value in node.items():
            yield from _objects(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _objects(value, (*path, number))


def _at(node: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


def _changed(data: Any, path: tuple[Any, ...], key: str, value: object) -> Any:
    made = copy.deepcopy(data)
    _at(made, path)[key] = value
    return made
