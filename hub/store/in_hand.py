"""What the card has in hand: a transaction that was begun, and has not come back.

A card that tidies itself up may keep whoever asks it for anything, for a minute or two, without an error:
the writer's thread waits in the kernel, and with it all that it was asked for. Mostly it is a commit that is
kept, and whether that is stored is not known until it comes back, so what is in it cannot be tried again. It
may be a page that is read, too: then the writer is caught in the midst of its work, and what it remembers is
not to be touched. What was told by then is known, and what waits behind it has not begun.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import clock_gettime, monotonic, pthread_getcpuclockid

STALLED_AFTER = 5.0
"""Seconds: a good card takes a hundredth, a poor one that is busy a second or two."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A transaction, by when it was begun; the seconds that its thread had computed by then, and the clock
    that tells them; its urgent events."""

    since: float
    computed: float
    clock: int
    told: Sequence[str]


class InHand:
    """Shared by the writer's thread and those that look at it."""

    def __init__(self) -> None:
        """Nothing is in the card's hand."""
        self.mine = threading.Lock()
        """Held by whoever uses what the writer remembers: by its thread, but while a commit is in hand."""
        self.came_back = 0
        """How many transactions have, stored or not."""
        self._held: _Held | None = None

    @contextmanager
    def transaction(self, told: Sequence[str] = ()) -> Iterator[None]:
        """Around one, on the writer's thread, from its beginning; `told` are its urgent events, as it tells
        them."""
        clock = pthread_getcpuclockid(threading.get_ident())
        self._held = _Held(monotonic(), clock_gettime(clock), clock, told)
        try:
            yield
        finally:
            self._held = None
            self.came_back += 1

    @contextmanager
    def waiting_for_company(self) -> Iterator[None]:
        """Around what the writer waits for within a transaction, but not for the card."""
        held, self._held, begun = self._held, None, monotonic()
        try:
            yield
        finally:
            if held is not None:
                self._held = replace(held, since=held.since + monotonic() - begun)

    @contextmanager
    def over_to_the_card(self) -> Iterator[None]:
        """Around a commit: what the writer remembers is whole, and it needs none of it."""
        self.mine.release()
        try:
            yield
        finally:
            self.mine.acquire()

    @property
    def stalled(self) -> Sequence[str] | None:
        """The urgent events so far of a transaction that does not come back; None where the card gets on, or
        the work itself computes: for what never ends it is the hub that is at fault."""
        if (held := self._held) is None or (passed := monotonic() - held.since) <= STALLED_AFTER:
            return None
        computed = clock_gettime(held.clock) - held.computed
        return held.told if computed < passed / 2 else None
