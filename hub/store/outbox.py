"""What waits to be delivered, as the forwarder sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """An event that waits. `sequence` is never used twice; `event` is its CloudEvents 1.0 JSON text."""

    sequence: int
    channel: str
    event: str


class Outbox(Protocol):
    """The outbox as the forwarder needs it; `hub/store` implements it."""

    @property
    def changed(self) -> asyncio.Event:
        """Set whenever rows were committed; the forwarder clears it before it looks."""

    async def waiting(self, limit: int, besides: Collection[int]) -> Sequence[OutboxRow]:
        """The rows to send next, alerts first, then by age, leaving out the sequences in `besides`."""

    async def delivered(self, sequences: Collection[int]) -> None:
        """The broker acknowledged these: remove them, durably."""

    async def set_aside(self, sequence: int, reason: str) -> None:
        """The broker will never take this one: keep it apart with the reason; do not send it for now."""

    async def reclaim(self, channels: Collection[str]) -> int:
        """Put what was set aside of these channels back, ahead of every other channel; return how many.

        Each keeps its sequence, and so its place by age.
        """
