"""The bare limit: paho alone sends so many messages at QoS 1 with a window. `bare PORT COUNT BYTES`."""

from __future__ import annotations

import sys
import threading

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

WINDOW = 100
"""Messages in flight, as the hub has by default."""


def main(port: int, count: int, size: int) -> None:
    """Send, and return when each is acknowledged."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    done = threading.Event()
    answered = 0

    def on_publish(*_: object) -> None:
        nonlocal answered
        answered += 1
        if answered == count:
            done.set()

    client.on_publish = on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    payload = b"." * size
    for _ in range(count):
        client.publish("bare", payload, qos=1)
    done.wait()
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
