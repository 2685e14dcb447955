"""What cuts notifications into payloads, under notifications of any bytes in any pieces."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from types import GeneratorType

from drivers.gatt import Framer
from tests.fuzz.corpus import corpus
from tests.fuzz.invariant import BrokenInvariantError, Check
from tests.fuzz.payloads import mutated_payloads, random_payloads

MOST_HELD = 8 * 1024
"""Bytes a framer may hold, with Python's own share: much more than any frame, much less than a leak."""

_LOOKED_AT_EVERY = 1_000


def fuzz_framer(
    make: Callable[[], Framer], check: Check, notifications: int, random: Random
) -> tuple[int, int]:
    """Feed one framer, over one endless link, so many notifications, and have what it gives decoded.

    Gives how many payloads that were, and how many of them were taken. Raises `BrokenInvariantError`.
    """
    framer, given, taken = make(), 0, 0
    for number, notification in enumerate(islice(_notifications(random), notifications), start=1):
        try:
            frames = [bytes(frame) for frame in framer.feed(notification)]
        except Exception as error:
            raise BrokenInvariantError(
                f"framer raises {type(error).__name__}: {error}", notification
            ) from error
        given += len(frames)
        taken += sum(map(check, frames))
        if number % _LOOKED_AT_EVERY == 0 or number == notifications:
            held = size_of(framer)
            if held > MOST_HELD:
                raise BrokenInvariantError(f"framer holds {held} bytes", notification)
    return given, taken


def _notifications(random: Random) -> Iterator[bytes]:
    """Whole frames cut anywhere, damaged ones, and any bytes: as a bad link has them."""
    anything, damaged = random_payloads(random), mutated_payloads(random, corpus())
    while True:
        kind = random.randrange(4)
        if kind == 0:
            yield next(anything)
            continue
        frame = random.choice(corpus()) if kind > 1 else next(damaged)
        cut = random.randrange(len(frame) + 1)
        yield frame[:cut]
        yield frame[cut:]


def size_of(thing: object) -> int:
    """The bytes of an object, and of all that it holds."""
    seen: set[int] = set()
    waiting, size = [thing], 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        size += sys.getsizeof(one)
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple, set, frozenset, deque)):
            waiting += one
        elif isinstance(one, GeneratorType):
            waiting += [] if one.gi_frame is None else one.gi_frame.f_locals.values()
            waiting += [one.gi_yieldfrom]
        else:
            waiting += vars(one).values() if hasattr(one, "__dict__") else []
            slots = (name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ()))
            waiting += [getattr(one, name) for name in slots if hasattr(one, name)]
    return size
