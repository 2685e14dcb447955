"""A connector for the ThingsBoard gateway: what the hub's replay socket takes, in the gateway's own terms.

Loaded by the gateway's module loader in its own environment (so it imports nothing of the hub's). It does
the least that a connector can: a line of JSON becomes one telemetry entry that carries the payload as it
is. No decoding, no score, no alert.

With `"answers": true` (the fault suite; the benchmark has the gateway bare) it says at the end of a
connection what the gateway itself reported: first for how many lines `send_to_storage` returned SUCCESS,
which is all that a connector of theirs ever learns, then for how many its event storage's `put` returned
True.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any


class CareportConnector:
    """Implements `thingsboard_gateway.connectors.connector.Connector`."""

    def __init__(self, gateway: Any, config: dict[str, Any], connector_type: str) -> None:
        self.name: str = config["name"]
        self._gateway = gateway
        self._config = config
        self._type = connector_type
        self._stopped = threading.Event()
        self._stamp = 0
        self._stamping = threading.Lock()
        entities = "thingsboard_gateway.gateway.entities"
        self._converted = import_module(f"{entities}.converted_data").ConvertedData
        self._payload = import_module(f"{entities}.datapoint_key").DatapointKey("payload")
        self._success = import_module("thingsboard_gateway.gateway.constant_enums").Status.SUCCESS
        self._answers = bool(config.get("answers"))
        self._not_stored: dict[tuple[str, str], threading.Semaphore] = {}
        if self._answers:
            self._hear_what_is_stored(gateway._event_storage)

    def open(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._stopped.set()

    def _listen(self) -> None:
        path = Path(self._config["socket"])
        path.unlink(missing_ok=True)  # left by a gateway that was killed
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.listen(128)
        while not self._stopped.is_set():
            connection, _ = server.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        stored = threading.Semaphore(0)
        lines = successes = 0
        for line in connection.makefile("rb"):
            lines += 1
            successes += self._hand_over(json.loads(line), stored)
        if not self._answers:
            return
        with connection, contextlib.suppress(OSError):  # who asked may have lost patience
            connection.sendall(json.dumps({"success": successes}).encode() + b"\n")
            for _ in range(lines):
                stored.acquire()
            connection.sendall(json.dumps({"stored": lines}).encode() + b"\n")

    def _hand_over(self, reading: dict[str, str], stored: threading.Semaphore) -> bool:
        device, payload = reading["device"], reading["payload"]
        if self._answers:
            self._not_stored[device, payload] = stored
        converted = self._converted(device, "sensor")
        with self._stamping:  # of two entries of a device with the same millisecond the gateway keeps one
            self._stamp = stamp = max(self._stamp + 1, int(time.time() * 1000))
        converted.add_to_telemetry({"ts": stamp, self._payload: payload})
        said = self._gateway.send_to_storage(self.name, self.get_id(), converted)
        return bool(said == self._success)

    def _hear_what_is_stored(self, storage: Any) -> None:
        """Have each `put` of the gateway's storage that succeeds told to the connection that waits for it."""
        put = storage.put

        def heard(event: str) -> Any:
            succeeded = put(event)
            if succeeded:
                pack = json.loads(event)
                for entry in pack["telemetry"]:
                    key = pack["deviceName"], entry["values"]["payload"]
                    if (waiting := self._not_stored.pop(key, None)) is not None:
                        waiting.release()
            return succeeded

        storage.put = heard

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
