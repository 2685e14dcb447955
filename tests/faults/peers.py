"""Peers beside the hub, under the same kills: what they accepted and lost is told, and fails nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from hub.demo.mosquitto import Mosquitto
from tests.faults.patience import wait
from tests.faults.system import READING, AwayError, Heard, Make, Place
from tests.faults.thingsboard import ThingsBoard
from tests.faults.ward import Payload

_TOPIC = "faults/bridge"
_ANSWER_SECONDS = 10.0


class Bridge:
    """A mosquitto at the site that is bridged to the broker; accepted is what it has acknowledged (PUBACK).

    As mosquitto ships, it saves what waits every 30 minutes; `saving` has it save after each change.
    """

    def __init__(self, place: Place, *, saving: bool) -> None:
        self.name = "mosquitto bridge, saving" if saving else "mosquitto bridge"
        self._alive = False
        saves = ["autosave_interval 1", "autosave_on_changes true"] if saving else []
        self._broker = Mosquitto(
            place.directory / "bridge",
            [
                *saves,
                "connection central",
                f"address {place.host}:{place.port}",
                f"topic {_TOPIC} out 1",
                "bridge_protocol_version mqttv50",
                "cleansession false",
                "notifications false",
                "restart_timeout 1",
            ],
        )

    @property
    def alive(self) -> bool:
        return self._alive

    def start(self) -> None:
        self._broker.start()
        self._alive = True

    def kill(self) -> None:
        self._alive = False
        self._broker.kill()

    def stop(self) -> None:
        self._alive = False
        self._broker.stop()

    def feed(self, payloads: Sequence[Payload]) -> bool:
        client = Client(CallbackAPIVersion.VERSION2)
        try:
            client.connect(self._broker.host, self._broker.port)
        except OSError as error:
            raise AwayError(str(error)) from error
        client.loop_start()
        try:
            if not wait(client.is_connected, _ANSWER_SECONDS, pause=0.001):
                raise AwayError("no answer")
            sent = [client.publish(_TOPIC, payload.line.strip(), qos=1) for payload in payloads]
            if any(each.rc != MQTTErrorCode.MQTT_ERR_SUCCESS for each in sent):
                return False
            return wait(lambda: all(each.is_published() for each in sent), _ANSWER_SECONDS, pause=0.001)
        finally:
            client.disconnect()
            client.loop_stop()

    def heard(self, message: MQTTMessage) -> Iterable[Heard]:
        """A bridged message carries nothing that would tell it from the same one sent again."""
        if message.topic == _TOPIC:
            said = json.loads(message.payload)
            yield Heard((), READING, f"{said['device']}/{said['payload']}")


PEERS: dict[str, Make] = {
    "mosquitto bridge": partial(Bridge, saving=False),
    "ThingsBoard, sqlite": partial(ThingsBoard, storage={"type": "sqlite"}),
    "ThingsBoard, file": partial(ThingsBoard, storage={"type": "file"}),
    "mosquitto bridge, saving": partial(Bridge, saving=True),
}
