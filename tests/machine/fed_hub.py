"""The hub on a machine, fed through its replay socket; `tests.faults` counts what it confirmed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Sequence

from paho.mqtt.client import MQTTMessage

from tests.faults.hub import heard
from tests.faults.system import AwayError, Heard
from tests.faults.ward import Payload
from tests.machine.machine import Machine

_ANSWER_SECONDS = 120.0
_SOCKET = "/run/carehub/replay.sock"


class FedHub:
    """Implements `tests.faults.system.System` for the feeder; others start and stop the machine."""

    name = "hub"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def feed(self, payloads: Sequence[Payload]) -> bool:
        """As `System` has it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            try:
                connection.connect(str(self._machine.path(_SOCKET)))
            except OSError as error:
                raise AwayError(str(error)) from error
            try:
                connection.sendall(b"".join(payload.line for payload in payloads))
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile("rb") as answers:
                    lines = answers.readlines()
            except (ConnectionError, TimeoutError):
                return False
        if not lines or not lines[-1].endswith(b"\n"):
            return False
        answer = json.loads(lines[-1])
        return bool(answer == {"accepted": len(payloads), "refused": 0})

    def heard(self, message: MQTTMessage) -> Iterable[Heard]:
        """As `System` has it."""
        return heard(message)

    def start(self) -> None:
        """Nothing: systemd does."""

    def stop(self) -> None:
        """Nothing: systemd does."""

    def kill(self) -> None:
        """As `System` has it."""
        if self._machine.is_up:
            self._machine.as_root("systemctl kill --signal=KILL carehub")

    @property
    def alive(self) -> bool:
        """As `System` has it."""
        return self._machine.is_up
