"""The two ends of the bench's wire: a subscriber that notes when, and the bare round trip to compare with."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


@contextlib.contextmanager
def subscribed(port: int, topic: str, heard: Callable[[float, MQTTMessage], None]) -> Iterator[Client]:
    """A paho client that calls `heard` with the monotonic time of each message on a topic."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    ready = threading.Event()
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: heard(monotonic(), message)
    client.connect("127.0.0.1", port)
    # Else Nagle's algorithm and delayed acknowledgements add 40 ms, and flatter the hub beside it.
    connected = client.socket()
    assert isinstance(connected, socket.socket)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.loop_start()
    client.subscribe(topic, qos=1)
    if not ready.wait(10):
        raise TimeoutError(f"the broker on port {port} took no subscription")
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def bare_round_trip(port: int, rate: float, count: int, size: int) -> list[float]:
    """Seconds from publish to subscriber through mosquitto alone: QoS 1, `size` bytes, evenly paced."""
    arrived: dict[int, float] = {}

    def heard(moment: float, message: MQTTMessage) -> None:
        arrived.setdefault(int(message.payload[:8]), moment)

    sent: dict[int, float] = {}
    with subscribed(port, "bench/bare", heard) as client:
        start = monotonic()
        for number in range(count):
            pause = start + number / rate - monotonic()
            if pause > 0:
                time.sleep(pause)
            sent[number] = monotonic()
            client.publish("bench/bare", f"{number:08}".encode().ljust(size, b"."), qos=1)
        _wait_until(lambda: len(arrived) == count)
    return [arrived[number] - sent[number] for number in sent]


class Ear:
    """What the subscriber heard of the hub: the first time of each reading and of each alert's reading."""

    def __init__(self) -> None:
        self.readings: dict[tuple[str, str], float] = {}
        self.alerts: dict[tuple[str, str], float] = {}
        self.largest = 0
        self._key_of: dict[str, tuple[str, str]] = {}
        self._early: dict[str, float] = {}

    def heard(self, moment: float, message: MQTTMessage) -> None:
        """Note a message."""
        channel = message.topic.rsplit("/", 1)[-1]
        if channel == "reading":
            data: dict[str, Any] = json.loads(message.payload)
            key = (data["device"], data["payload"])
            self.readings.setdefault(key, moment)
            self.largest = max(self.largest, len(message.payload))
            # paho makes the names of properties at run time, so its types do not know them.
            identifier = dict(getattr(message.properties, "UserProperty", ()))["id"]
            self._key_of[identifier] = key
            if identifier in self._early:
                self.alerts.setdefault(key, self._early.pop(identifier))
        elif channel == "alert":
            data = json.loads(message.payload)
            reading = data["reading"]
            if reading in self._key_of:
                self.alerts.setdefault(self._key_of[reading], moment)
            else:  # an alert overtakes the reading that raised it
                self._early[reading] = moment

    def wait_for(self, keys: Iterable[tuple[str, str]]) -> None:
        """Wait until every one of these readings was heard."""
        _wait_until(lambda: all(key in self.readings for key in keys))


def _wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = monotonic() + seconds
    while not condition():
        if monotonic() > end:
            raise TimeoutError("the subscriber did not hear everything in time")
        time.sleep(0.02)
