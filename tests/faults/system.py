"""What the suite needs of a system under test, so that peers can be tried beside the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from paho.mqtt.client import MQTTMessage

from tests.faults.ward import Payload, Ward

RAISED = "raised"
READING = "reading"


class AwayError(Exception):
    """The system takes nothing at the moment; nothing of the batch was handed over."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One thing that a message told the subscriber.

    `identity` is what a receiver tells duplicates by (CloudEvents source and id; of a batch's members
    whatever names each of them for good). `kind` is READING, or what happened to an alert (RAISED first).
    `reading` is one of the `Payload.names` of the reading told of, or of the one that raised the alert.
    """

    identity: tuple[str, ...]
    kind: str
    reading: str
    alert: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a system lives: its own directory, its data (perhaps on a card of its own), and its broker."""

    directory: Path
    data: Path
    ward: Ward
    port: int
    host: str = "127.0.0.1"
    environment: Mapping[str, str] = field(default_factory=dict)
    observations: bool = True


class System(Protocol):
    """A store-and-forward in a process of its own."""

    name: str

    def start(self) -> None:
        """Start it; return when it takes readings. Raises `RuntimeError` with its log if it ends at once."""

    def feed(self, payloads: Sequence[Payload]) -> bool:
        """Hand a batch over; True once all of it is accepted: from then on the system answers for it.

        Raises:
            AwayError: it could not even be handed over.
        """

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""

    def stop(self) -> None:
        """Stop it as a service manager would."""

    @property
    def alive(self) -> bool:
        """Whether its process still runs."""

    def heard(self, message: MQTTMessage) -> Iterable[Heard]:
        """What one of its messages says; nothing for messages that are neither readings nor alerts."""


Make = Callable[[Place], System]
"""Makes a system at a place; it is not started yet."""
