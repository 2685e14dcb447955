"""What a receiver makes of bytes whose sender keeps another time."""

from __future__ import annotations

_BITS = 10  # a start bit, which is low, eight bits of data, the lowest first, and a stop bit, which is high


def misheard(octets: bytes, *, sent: int | None, heard: int | None) -> bytes:
    """The bytes that a receiver set to the baud rate `heard` makes of these, sent at `sent` without a pause;
    the same bytes where a rate is None.

    It waits for the line to go low, looks at the middle of each of its own bits, and minds no stop bit that
    is low, as the kernel's lines do unless they are told to.
    """
    if sent is None or heard is None or sent == heard:
        return octets
    levels = [level for octet in octets for level in (0, *(octet >> bit & 1 for bit in range(8)), 1)]
    of_its_own = sent / heard  # the sender's bits in one of the receiver's
    made = bytearray()
    at = 0.0
    while (start := _first_low(levels, at)) is not None:
        bits = (_level(levels, start + (1.5 + bit) * of_its_own) << bit for bit in range(8))
        made.append(sum(bits))
        at = start + _BITS * of_its_own
    return bytes(made)


def _first_low(levels: list[int], at: float) -> float | None:
    """When the line is low next, in the sender's bits."""
    if at < len(levels) and not levels[int(at)]:
        return at
    return next((float(later) for later in range(int(at) + 1, len(levels)) if not levels[later]), None)


def _level(levels: list[int], at: float) -> int:
    return levels[int(at)] if at < len(levels) else 1  # a line that is at rest is high
