"""The format of recorded payloads."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.recording import RecordingError, line_of, parse
from hub.readings import Origin, RawPayload

DAY = timedelta(hours=23)


def whole_minutes(offset: timedelta) -> timedelta:
    return timedelta(minutes=offset // timedelta(minutes=1))


GOOD = {
    "device": "C4:F2:17:00:00:01",
    "driver": "blood_pressure",
    "payload": "0480005000600048",
    "received_at": "2026-03-01T12:00:00Z",
}


def test_a_line_is_read_as_the_payload_it_records() -> None:
    raw = parse(json.dumps(GOOD))
    assert raw == RawPayload(
        "C4:F2:17:00:00:01",
        "blood_pressure",
        bytes.fromhex("0480005000600048"),
        datetime(2026, 3, 1, 12, tzinfo=UTC),
        origin=Origin.REPLAY,
    )


@given(
    payload=st.binary(min_size=1, max_size=64),
    received_at=st.datetimes(timezones=st.builds(timezone, st.timedeltas(-DAY, DAY).map(whole_minutes))),
    characteristic=st.sampled_from(["", "2a5f"]),
)
def test_what_was_recorded_is_read_back(payload: bytes, received_at: datetime, characteristic: str) -> None:
    raw = RawPayload("C4:F2:17:00:00:01", "x", payload, received_at, characteristic, Origin.REPLAY)
    again = parse(line_of(raw))
    assert again == raw
    assert again.received_at.utcoffset() is not None


def test_a_line_without_a_time_counts_as_received_now() -> None:
    line = {key: value for key, value in GOOD.items() if key != "received_at"}
    assert abs((parse(json.dumps(line)).received_at - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"payload": "xyz"}, "payload: 'xyz' is not hexadecimal"),
        ({"payload": 12}, "needs 'payload' as a text"),
        ({"device": ""}, "needs 'device' as a text"),
        ({"received_at": "yesterday"}, "received_at: 'yesterday' is no RFC 3339 time"),
        ({"received_at": "2026-03-01T12:00:00"}, "has no zone"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_a_wrong_key_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(RecordingError, match=words):
        parse(json.dumps(GOOD | change))


@given(st.text() | st.binary(max_size=200))
def test_any_line_is_a_payload_or_a_recording_error(line: str | bytes) -> None:
    with pytest.raises(RecordingError):
        parse(line)
