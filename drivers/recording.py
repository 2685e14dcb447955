"""The format of recorded payloads: one JSON object a line, as `carehub record` writes and `replay` reads.

    {"device": "C4:F2:17:00:00:01", "driver": "blood_pressure", "payload": "<hex>",
     "received_at": "<RFC 3339>", "characteristic": "2a35"}

`characteristic` may be left out (the driver's first is meant), and so may `received_at` where the
line is to count as received now.
"""

from __future__ import annotations

import json
from datetime import datetime

from hub.clock import now
from hub.errors import CareportError
from hub.readings import Origin, RawPayload

_KEYS = {"device", "driver", "payload", "received_at", "characteristic"}
LONGEST_LINE = 64 * 1024
"""Bytes. No sensor's payload comes near it; a longer line is no recording."""


class RecordingError(CareportError):
    """A line that is no recorded payload; says which key is wrong and what is allowed."""


def parse(line: str | bytes) -> RawPayload:
    """The payload that a line records.

    Raises:
        RecordingError: the line is not JSON, or a key is missing, unknown or wrong.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordingError(f"is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise RecordingError("is not a JSON object")
    if not record.keys() <= _KEYS:
        unknown = min(record.keys() - _KEYS)
        raise RecordingError(f"has an unknown key {unknown!r}; allowed are {', '.join(sorted(_KEYS))}")
    for key in ("device", "driver", "payload"):
        if not isinstance(record.get(key), str) or not record[key]:
            raise RecordingError(f"needs {key!r} as a text")
    try:
        payload = bytes.fromhex(record["payload"])
    except ValueError as error:
        raise RecordingError(f"payload: {record['payload']!r} is not hexadecimal") from error
    return RawPayload(
        device=record["device"].upper(),
        driver=record["driver"],
        payload=payload,
        received_at=_received_at(record),
        characteristic=str(record.get("characteristic") or "").lower(),
        origin=Origin.REPLAY,
    )


def _received_at(record: dict[str, object]) -> datetime:
    text = record.get("received_at")
    if text is None:
        return now()
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise RecordingError(f"received_at: {text!r} is no RFC 3339 time") from error
    if moment.tzinfo is None:
        raise RecordingError(f"received_at: {text!r} has no zone; write Z or an offset behind it")
    return moment


def line_of(raw: RawPayload) -> str:
    """The line that records this payload, without the line's end."""
    record = {
        "device": raw.device,
        "driver": raw.driver,
        "payload": raw.payload.hex(),
        "received_at": raw.received_at.isoformat(),
    }
    if raw.characteristic:
        record["characteristic"] = raw.characteristic
    return json.dumps(record)
