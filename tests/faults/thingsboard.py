"""The ThingsBoard gateway as a system under test, in its own environment, with the bench's connector."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence

from paho.mqtt.client import MQTTMessage

from tests.bench.peers_environment import peers_python
from tests.bench.platform import answering_as_thingsboard
from tests.bench.systems import THINGSBOARD, THINGSBOARD_LOGS, thingsboard_configuration
from tests.faults.patience import wait
from tests.faults.system import READING, AwayError, Heard, Place
from tests.faults.ward import Payload, address

_TELEMETRY = "v1/gateway/telemetry"
_PATIENCE_SECONDS = 60.0
_ANSWER_SECONDS = 10.0


class ThingsBoard:
    """Implements `tests.faults.system.System`. Accepted is what its event storage's `put` returned True for.

    That is the latest moment at which it says anything. Earlier, and to every connector, it says SUCCESS:
    `promised` are the readings that it said that of. With sqlite even `put` is before the commit: it fills
    a queue in memory that a thread of its own writes.

    Raises:
        PeersMissingError: its environment cannot be made here.
    """

    def __init__(self, place: Place, *, storage: Mapping[str, object]) -> None:
        self.name = f"ThingsBoard, {storage['type']}"
        self.promised: list[Payload] = []
        self._python = peers_python()
        self._directory = place.directory
        self._port = place.port
        self._lines = place.directory / "lines.sock"
        self._log = place.directory / "gateway.log"
        self._config = thingsboard_configuration(
            place.directory,
            place.port,
            self._lines,
            storage,
            devices=[address(resident) for resident in range(place.ward.residents)],
            answers=True,
        )
        self._platform = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        self._platform.enter_context(answering_as_thingsboard(self._port))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._python, THINGSBOARD, self._config],
                stdout=log,
                stderr=log,
                cwd=self._directory,
                env={**os.environ, THINGSBOARD_LOGS: str(self._directory)},
            )
        if not wait(lambda: self._serves() or not self.alive, _PATIENCE_SECONDS) or not self.alive:
            raise RuntimeError(f"the gateway did not start:\n{self._log.read_text(errors='replace')[-3000:]}")

    def _serves(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._lines)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._platform.close()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(_PATIENCE_SECONDS)
        self._platform.close()

    def feed(self, payloads: Sequence[Payload]) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            try:
                connection.connect(str(self._lines))
            except OSError as error:
                raise AwayError(str(error)) from error
            try:
                connection.sendall(b"".join(payload.line for payload in payloads))
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile("rb") as answers:
                    if _said(answers.readline()) != {"success": len(payloads)}:
                        return False
                    self.promised.extend(payloads)
                    return _said(answers.readline()) == {"stored": len(payloads)}
            except (ConnectionError, TimeoutError):
                return False

    def heard(self, message: MQTTMessage) -> Iterable[Heard]:
        """An entry has no id; the platform keeps one for each device and time, so that is its identity."""
        if message.topic == _TELEMETRY:
            for device, entries in json.loads(message.payload).items():
                for entry in entries:
                    yield Heard((device, str(entry["ts"])), READING, f"{device}/{entry['values']['payload']}")

    def broken_promises(self, arrived: Callable[[Payload], bool]) -> str:
        """What became of what it said SUCCESS to, in words."""
        lost = sum(not arrived(payload) for payload in self.promised)
        return f"of {len(self.promised):,} that send_to_storage called a SUCCESS {lost:,} never arrived"


def _said(answer: bytes) -> object:
    """An answer of the connector; None where it was killed amid it."""
    return json.loads(answer) if answer.endswith(b"\n") else None
