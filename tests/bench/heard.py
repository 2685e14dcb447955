"""Which of the bench's readings a message carries: the one place that knows how each system writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hub.uplink.cloudevents import Event, Message, from_message
from hub.uplink.contract import AlertChange
from hub.uplink.heard import alert_heard, readings_heard
from tests.bench.ear import Heard
from tests.bench.ward import Key


def _event(message: Heard) -> Event:
    return from_message(Message(message.payload, message.content_type, message.properties))


def readings_of_hub(message: Heard) -> Iterator[Key]:
    """The readings in a message of the hub's `reading` channel."""
    if message.topic.endswith("/reading"):
        for reading in readings_heard(_event(message)):
            assert reading.device is not None
            assert reading.payload is not None
            yield reading.device, reading.payload


def resident_of_alert(message: Heard) -> str | None:
    """The resident of whom the hub has raised an alert, if that is what the message says."""
    if message.topic.endswith("/alert"):
        alert = alert_heard(_event(message))
        if alert.change is AlertChange.RAISED:
            return alert.resident
    return None


def readings_of_thingsboard(message: Heard) -> Iterator[Key]:
    """The readings in a message of the gateway's telemetry."""
    if message.topic.endswith("/telemetry"):
        for device, entries in json.loads(message.payload).items():
            for entry in entries:
                yield device, entry["values"]["payload"]


def readings_of_lines(message: Heard) -> Iterator[Key]:
    """The readings in a message of recorded lines."""
    for line in message.payload.splitlines():
        data = json.loads(line)
        yield data["device"], data["payload"]
