"""One second of a stream of frames as one payload: each different thing that they said, and how often.

A sensor that sends 60 or 75 frames a second says a new number once or thrice. A driver masks out of each
frame what is of the moment alone (the waveform, the beat's mark) and gives what is left to `Seconds`: what
comes out once a second has all that was said of the person, and how many frames said it, in a few bytes.

| byte | field |
|---|---|
| 0 | how many frames said it, at the most 255 |
| 1- | what they said, as long as the driver says |
| ... | the next thing, in the order in which they were first said |
"""

from __future__ import annotations

from collections.abc import Iterator

_MOST_COUNTED = 255
_MOST_DIFFERENT = 64


class Seconds:
    """Gathers frames into seconds. Memory is bounded: beyond 64 different things in a second, those that are
    said then are left out, as no sensor says so many."""

    def __init__(self) -> None:
        self._said: dict[bytes, int] = {}
        self._until: float | None = None

    def add(self, said: bytes, at: float) -> bytes | None:
        """A frame said this at `at` (monotonic seconds). The second that ended before, if one did."""
        ended = self.ended(at)
        if self._until is None:
            self._until = at + 1.0
        if said in self._said:
            self._said[said] = min(_MOST_COUNTED, self._said[said] + 1)
        elif len(self._said) < _MOST_DIFFERENT:
            self._said[said] = 1
        return ended

    def ended(self, at: float) -> bytes | None:
        """The second that has ended by now and was not given yet, if any."""
        if self._until is None or at < self._until:
            return None
        payload = b"".join(bytes((count,)) + said for said, count in self._said.items())
        # The next begins where this one ended, so that a stream without a gap loses nothing to rounding.
        self._said, self._until = {}, self._until + 1.0 if at < self._until + 1.0 else None
        return payload or None


def things(payload: bytes, length: int) -> Iterator[tuple[bytes, int]]:
    """What was said in a second, each `length` bytes long, and how many frames said it.

    Raises:
        ValueError: the payload is no such second.
    """
    size = 1 + length
    if not payload or len(payload) % size:
        raise ValueError(f"a second is {size} bytes or a multiple, and this is {len(payload)}")
    for at in range(0, len(payload), size):
        if payload[at] == 0:
            raise ValueError("a thing that no frame said")
        yield payload[at + 1 : at + size], payload[at]
