"""A connector for the ThingsBoard gateway: what the hub's replay socket takes, in the gateway's own terms.

Loaded by the gateway's module loader in its own environment (so it imports nothing of the hub's). It does
the least that a connector can: a line of JSON becomes one telemetry entry that carries the payload as it
is. No decoding, no score, no alert; the line counts as taken when it is in the gateway's queue in memory.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from importlib import import_module
from typing import Any


class CareportConnector:
    """Implements `thingsboard_gateway.connectors.connector.Connector`."""

    def __init__(self, gateway: Any, config: dict[str, Any], connector_type: str) -> None:
        self.name: str = config["name"]
        self._gateway = gateway
        self._config = config
        self._type = connector_type
        self._stopped = threading.Event()
        entities = "thingsboard_gateway.gateway.entities"
        self._converted = import_module(f"{entities}.converted_data").ConvertedData
        self._payload = import_module(f"{entities}.datapoint_key").DatapointKey("payload")

    def open(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._stopped.set()

    def _listen(self) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.bind(self._config["socket"])
        server.listen()
        stamp = 0
        while not self._stopped.is_set():
            connection, _ = server.accept()
            for line in connection.makefile("rb"):
                reading = json.loads(line)
                converted = self._converted(reading["device"], "sensor")
                # Of two entries of a device with the same millisecond the gateway keeps one.
                stamp = max(stamp + 1, int(time.time() * 1000))
                entry = {"ts": stamp, self._payload: reading["payload"]}
                converted.add_to_telemetry(entry)
                self._gateway.send_to_storage(self.name, self.get_id(), converted)

    def get_id(self) -> str:
        return str(self._config["id"])

    def get_name(self) -> str:
        return self.name

    def get_type(self) -> str:
        return self._type

    def get_config(self) -> dict[str, Any]:
        return self._config

    def is_connected(self) -> bool:
        return True

    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def on_attributes_update(self, content: object) -> None:
        """The platform's attributes are of no use here."""

    def server_side_rpc_handler(self, content: object) -> None:
        """The platform asks nothing here."""
