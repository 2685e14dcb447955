"""CloudEvents 1.0.2: what travels between the hub and the ICS, and its two forms in MQTT.

Sources: CloudEvents 1.0.2 core, "JSON Event Format", and "MQTT Protocol Binding". In structured mode
the payload is the whole event as JSON (the only mode of MQTT 3.1.1); in binary mode (MQTT 5) the
attributes are user properties, `datacontenttype` is the content type, and the payload is the data.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.errors import CareportError

LARGEST_EVENT = 64 * 1024
"""Bytes. What every consumer should accept (CloudEvents 1.0.2, "Size Limits"); the hub takes no more."""

STRUCTURED = "application/cloudevents+json; charset=utf-8"
_LONGEST_ATTRIBUTE = 16_383  # characters of up to four bytes: what fits into a string of MQTT
_CORE = ("specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype")
_NAME = re.compile(r"[a-z0-9]+")
_URI_REFERENCE = re.compile(r'[^\s<>"{}|\\^`]+')
_JSON_TYPE = re.compile(r"[^/;\s]+/(?:[^/;\s]+\+)?json(?:\s*;.*)?", re.IGNORECASE)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NONCHARACTERS = "".join(
    ["\ufdd0-\ufdef", *(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))]
)
_FORBIDDEN = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_NONCHARACTERS}]")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class EventError(CareportError):
    """Something that is no CloudEvent as CarePort understands it.

    The text names the attribute and the rule, and never quotes the content: it is logged, and the
    content came from outside and may name a person.
    """


class Written(Mapping[str, Any]):
    """A JSON object as its `text`, which `json_text` has made or what it made was put together to. It is sent
    as it is, and parsed at each look into it."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __getitem__(self, name: str) -> Any:
        return json.loads(self.text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self.text))

    def __len__(self) -> int:
        return len(json.loads(self.text))


@dataclass(frozen=True, slots=True)
class Event:
    """One CloudEvent. `source` and `id` together are its identity, the same each time it is sent.

    `time` is given aware and kept in UTC. `data` is a JSON object, perhaps a `Written` one. `extensions` are
    further attributes, named by lower-case letters and digits.

    Raises:
        EventError: an attribute breaks a rule of the specification.
    """

    id: str
    source: str
    type: str
    time: datetime
    data: Mapping[str, Any]
    subject: str | None = None
    datacontenttype: str = "application/json"
    dataschema: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", _in_utc(self.time))
        for name, value in self.attributes().items():
            if not value:
                raise EventError(f"{name}: empty")
            if len(value) > _LONGEST_ATTRIBUTE:
                raise EventError(f"{name}: longer than {_LONGEST_ATTRIBUTE} characters")
            if _FORBIDDEN.search(value):
                raise EventError(f"{name}: has a control character or one that is no character")
        for name, reference in (("source", self.source), ("dataschema", self.dataschema)):
            if reference is not None and not _URI_REFERENCE.fullmatch(reference):
                raise EventError(f"{name}: not a URI reference (RFC 3986)")
        if not _JSON_TYPE.fullmatch(self.datacontenttype):
            raise EventError("datacontenttype: not a JSON media type, as application/json is")
        for name in self.extensions:
            if not _NAME.fullmatch(name) or name in _CORE or name in ("data", "database64"):
                raise EventError("an extension attribute's name is not of lower-case letters and digits")

    def attributes(self) -> dict[str, str]:
        """Every attribute in its canonical string form, `datacontenttype` included, unset ones left out."""
        core = (
            "1.0",
            self.id,
            self.source,
            self.type,
            self.time.isoformat().replace("+00:00", "Z"),
            self.subject,
            self.dataschema,
            self.datacontenttype,
        )
        present = {name: value for name, value in zip(_CORE, core, strict=True) if value is not None}
        return {**present, **self.extensions}


@dataclass(frozen=True, slots=True)
class Message:
    """An MQTT message's part that carries an event; 3.1.1 has neither content type nor properties."""

    payload: bytes
    content_type: str | None = None
    user_properties: tuple[tuple[str, str], ...] = ()


def to_json(event: Event) -> str:
    """The event in the JSON Event Format, on one line.

    Raises:
        EventError: the data cannot be JSON (NaN, a value of a foreign type, a lone surrogate).
    """
    return f'{json_text(event.attributes())[:-1]},"data":{_data_text(event)}}}'


def from_json(text: str | bytes) -> Event:
    """Read an event in the JSON Event Format.

    Raises:
        EventError: too large, not UTF-8, not JSON, or not an event that CarePort understands.
    """
    document = _load(text)
    if not isinstance(document, dict):
        raise EventError("the event is not a JSON object")
    data = document.pop("data", None)
    encoded = document.pop("data_base64", None)
    if encoded is not None:
        if data is not None or not isinstance(encoded, str):
            raise EventError("data_base64: not a string, or beside data")
        try:
            data = _load(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError) as error:
            raise EventError("data_base64: not Base64") from error
    return _event({name: _text(name, value) for name, value in document.items() if value is not None}, data)


def to_structured(event: Event) -> Message:
    """The event as one payload. Raises `EventError` where the data cannot be JSON."""
    return Message(to_json(event).encode(), STRUCTURED)


def to_binary(event: Event) -> Message:
    """The event as properties and payload, for MQTT 5. Raises `EventError` where the data cannot be JSON."""
    attributes = event.attributes()
    content_type = attributes.pop("datacontenttype")
    return Message(_data_text(event).encode(), content_type, tuple(attributes.items()))


def from_message(message: Message) -> Event:
    """Read an event from either mode.

    A message with no content type and no attributes was published with MQTT 3.1.1, where structured
    mode is implied. User properties that cannot be attributes (a bridge's "X-Trace") are left aside.

    Raises:
        EventError: too large, not UTF-8, not JSON, or not an event that CarePort understands.
    """
    if len(message.payload) > LARGEST_EVENT:
        raise EventError(f"larger than {LARGEST_EVENT} bytes")
    content_type = message.content_type or ""
    names = [name for name, _ in message.user_properties if _NAME.fullmatch(name)]
    if content_type.lower().startswith("application/cloudevents"):
        if content_type.partition(";")[0].strip().lower() != "application/cloudevents+json":
            raise EventError("an event format other than application/cloudevents+json")
        return from_json(message.payload)
    if not content_type and "specversion" not in names:
        return from_json(message.payload)
    if len(names) != len(set(names)):
        raise EventError("an attribute is given twice")
    attributes = {name: value for name, value in message.user_properties if _NAME.fullmatch(name)}
    if content_type:
        attributes["datacontenttype"] = content_type
    return _event(attributes, _load(message.payload))


def _event(attributes: dict[str, str], data: object) -> Event:
    if attributes.pop("specversion", None) != "1.0":
        raise EventError('specversion: missing or not "1.0"')
    if not isinstance(data, dict):
        raise EventError("data: missing or not a JSON object")
    for name in ("id", "source", "type", "time"):
        if name not in attributes:
            raise EventError(f"{name}: missing")
    core = {name: attributes.pop(name) for name in _CORE if name in attributes}
    return Event(
        id=core["id"],
        source=core["source"],
        type=core["type"],
        time=_time(core["time"]),
        data=data,
        subject=core.get("subject"),
        datacontenttype=core.get("datacontenttype", "application/json"),
        dataschema=core.get("dataschema"),
        extensions=attributes,
    )


def _text(name: str, value: object) -> str:
    """An attribute's canonical string form (JSON Event Format, section 2.2)."""
    if isinstance(value, str):
        return value
    if name not in _CORE and isinstance(value, bool):
        return str(value).lower()
    if name not in _CORE and isinstance(value, int) and -(2**31) <= value < 2**31:
        return str(value)
    raise EventError("an attribute's value is not of a type that CloudEvents has")


def _time(text: str) -> datetime:
    if not _RFC_3339.fullmatch(text):
        raise EventError("time: not an RFC 3339 time")
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise EventError("time: no such moment") from error


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise EventError("time: has no zone")
    try:
        return time.astimezone(UTC)
    except OverflowError as error:
        raise EventError("time: no such moment") from error


def _data_text(event: Event) -> str:
    return event.data.text if isinstance(event.data, Written) else json_text(event.data)


def json_text(document: object) -> str:
    """JSON on one line, in few bytes. Raises `EventError` where it cannot be written so, and in UTF-8."""
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError("data: cannot be written as JSON in UTF-8") from error
    return text


def _load(text: str | bytes) -> object:
    try:
        raw = text if isinstance(text, bytes) else text.encode()
        if len(raw) > LARGEST_EVENT:
            raise EventError(f"larger than {LARGEST_EVENT} bytes")
        decoded = raw.decode()
    except UnicodeError as error:
        raise EventError("not UTF-8") from error
    try:
        document = json.loads(decoded, object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise EventError("not JSON (RFC 8259)") from error
    if _SURROGATE_ESCAPE.search(decoded):
        json_text(document)  # a lone surrogate is valid in JSON, but no text: refused here, not at its use
    return document


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a name is given twice in one object")
    return document


def _constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")
