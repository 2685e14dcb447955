"""What the card has in hand: a commit that was handed over, and has not come back.

A card that tidies itself up may keep a commit for a minute or two, without an error: the writer's thread
waits in the kernel, and with it all that it was asked for. Whether that commit is kept is not known until it
comes back, so what is in it cannot be tried again; but what it tells is known, and what waits behind it has
not begun.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

STALLED_AFTER = 5.0
"""Seconds: a good card takes a hundredth, a poor one that is busy a second or two."""


class InHand:
    """Shared by the writer's thread and those that look at it."""

    def __init__(self) -> None:
        """Nothing is in the card's hand."""
        self.mine = threading.Lock()
        """Held by whoever uses what the writer remembers: by its thread, but while a commit is in hand."""
        self.commits = 0
        self._held: tuple[float, Sequence[str]] | None = None

    @contextmanager
    def over_to_the_card(self, told: Sequence[str]) -> Iterator[None]:
        """Around a commit, on the writer's thread; `told` are its urgent events."""
        self._held = monotonic(), told
        self.mine.release()
        try:
            yield
        finally:
            self.mine.acquire()
            self._held = None
            self.commits += 1

    @property
    def stalled(self) -> Sequence[str] | None:
        """The urgent events of a commit that does not come back; None where the card gets on."""
        held = self._held
        return held[1] if held is not None and monotonic() - held[0] > STALLED_AFTER else None
