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
    """Tell each gateway that asks: no limits of rate, and a window of 100 messages.

    The broker may be away: it is connected to as soon as it is there, and keeps what was asked meanwhile.
    """

    def ask_for_questions(client: Client, *_: object) -> None:
        client.subscribe(_REQUEST + "+", qos=1)

    def answer(client: Client, _data: object, message: MQTTMessage) -> None:
        client.publish(_RESPONSE + message.topic.removeprefix(_REQUEST), json.dumps(_NO_LIMITS), qos=1)

    client = Client(
        CallbackAPIVersion.VERSION2, "thingsboard", clean_session=False, protocol=MQTTProtocolVersion.MQTTv311
    )
    client.on_connect = ask_for_questions
    client.on_message = answer
    client.reconnect_delay_set(1, 1)
    client.connect_async("127.0.0.1", port)
    client.loop_start()
    try:
        yield
    finally:
        client.disconnect()
        client.loop_stop()
