"""The one thing of the ThingsBoard platform that its gateway waits for before it sends: the limits."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_REQUEST, _RESPONSE = "v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"
_NO_LIMITS = {
    "maxPayloadSize": 65536,
    "maxInflightMessages": 125,  # the gateway uses 80 % of it: a window of 100, as the others have
    "rateLimits": {},
    "gatewayRateLimits": {},
}


@contextlib.contextmanager
def answering_as_thingsboard(port: int) -> Iterator[None]:
    """Tell each gateway that asks: no limits of rate, and a window of 100 messages."""

    def answer(client: Client, _data: object, message: MQTTMessage) -> None:
        client.publish(_RESPONSE + message.topic.removeprefix(_REQUEST), json.dumps(_NO_LIMITS), qos=1)

    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = answer
    client.connect("127.0.0.1", port)
    client.subscribe(_REQUEST + "+", qos=1)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()
