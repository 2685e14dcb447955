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

from collections.abc import Callable, Iterator
from dataclasses import replace

from drivers.driver import Decoded, DecodeError
from hub.readings import Flag, Quality, Vital

_MOST_COUNTED = 255
_MOST_DIFFERENT = 64
_LEAST_SHARE = 4  # one frame in so many must say a value


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


def said_by_most(
    payload: bytes, length: int, decode: Callable[[bytes], Decoded], *, fewest: int = 1
) -> Decoded:
    """What a second says: what most of its frames say, `decode` telling what each thing of `length` bytes is.

    They are asked in turn whether anything is usable, which saturation it is, which pulse, and how that is
    judged; those that said otherwise are asked no more. As many on either side: what is usable, the lower
    value, what was said first. So one damaged frame among sixty is no value, nor is it a finger taken out.

    A saturation that fewer than `fewest` frames say, or less than a quarter of the second's, is none that is
    believed (UNUSABLE, erratic signal): so does noise look that happens to have the form of frames.

    Raises:
        DecodeError: the payload is no second, or one of its things cannot be decoded.
    """
    try:
        said = [(count, decode(thing)) for thing, count in things(payload, length)]
    except ValueError as error:
        raise DecodeError(str(error), payload) from error
    frames = agreed = sum(count for count, _ in said)
    for asked in (_usable, _saturation, _pulse):
        votes: dict[tuple[bool, float], int] = {}
        for count, decoded in said:
            answer = asked(decoded)
            votes[answer] = votes.get(answer, 0) + count
        most = min(votes, key=lambda answer: (-votes[answer], answer))
        said = [each for each in said if asked(each[1]) == most]
        if asked is _saturation:
            agreed = votes[most]
    _, decoded = max(said, key=lambda each: each[0])
    if agreed < fewest or agreed * _LEAST_SHARE < frames:
        return decoded._replace(
            measurements=tuple(replace(each, quality=Quality.UNUSABLE) for each in decoded.measurements),
            flags=decoded.flags | {Flag.ERRATIC_SIGNAL},
        )
    return decoded


def _usable(decoded: Decoded) -> tuple[bool, float]:
    return not any(each.usable for each in decoded.measurements), 0.0


def _saturation(decoded: Decoded) -> tuple[bool, float]:
    return _number(decoded, Vital.OXYGEN_SATURATION)


def _pulse(decoded: Decoded) -> tuple[bool, float]:
    return _number(decoded, Vital.PULSE_RATE)


def _number(decoded: Decoded, vital: Vital) -> tuple[bool, float]:
    """Orders what has a number before what has none, and the lower before the higher."""
    for each in decoded.measurements:
        if each.vital is vital and isinstance(each.value, float):
            return False, each.value
    return True, 0.0
