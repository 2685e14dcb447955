"""What waits to be delivered, as the forwarder sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hub.errors import CareportError

if TYPE_CHECKING:
    from hub.uplink.cloudevents import Event

MADE_AT_ONCE = 16
"""Rows whose events are made for sending: up to 64 KiB each, in memory until the broker has answered."""


class CannotBeToldError(CareportError):
    """What an outbox row refers to is not in the store any more, or cannot be read; says which."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event that waits. `sequence` is never used twice in the life of a process.

    `event` is the CloudEvents 1.0 JSON text in which it was kept; or the event that was made of what the row
    refers to; or why there is none: `CannotBeToldError`, or `StoreError` where the card could not be read.
    """

    sequence: int
    channel: str
    event: str | Event | CareportError


class Outbox(Protocol):
    """The outbox as the forwarder needs it; `hub/store` implements it."""

    @property
    def changed(self) -> asyncio.Event:
        """Set whenever rows were committed; the forwarder clears it before it looks."""

    async def waiting(
        self, limit: int, besides: Collection[int], made: int = MADE_AT_ONCE
    ) -> Sequence[OutboxRow]:
        """The rows to send next, alerts first, then by age, leaving out the sequences in `besides`.

        At most `made` of them are such as had to be made, and none that stands behind the last of these.
        """

    async def delivered(self, sequences: Collection[int]) -> None:
        """The broker acknowledged these: remove them, durably."""

    async def set_aside(self, sequence: int, reason: str) -> None:
        """The broker will never take this one: keep it apart with the reason; do not send it for now."""

    async def reclaim(self, channels: Collection[str]) -> int:
        """Put what was set aside of these channels back, each in its place; return how many."""
