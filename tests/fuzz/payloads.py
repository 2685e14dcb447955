"""Payloads without end: random ones, and mutations of a corpus. The same seed gives the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

LONGEST = 40
"""Twice what a notification carries where no longer MTU was agreed."""

_TELLING = bytes((0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF))
_TELLING_PAIRS = tuple(
    code.to_bytes(2, "little")
    for code in (
        *(0x07FE, 0x07FF, 0x0800, 0x0801, 0x0802),  # SFLOAT's special values
        *(0xF7FE, 0xF7FF, 0xF800, 0xF801, 0xF802),  # the same with an exponent of -1
        *(0x07FD, 0x0803),  # the numbers next to them
        *(0x0000, 0x7FFF, 0x8000, 0xFFFF),
    )
)


def random_payloads(random: Random) -> Iterator[bytes]:
    """Any bytes, up to `LONGEST`."""
    while True:
        yield random.randbytes(random.randrange(LONGEST + 1))


def mutated_payloads(random: Random, corpus: Sequence[bytes]) -> Iterator[bytes]:
    """Payloads of the corpus, each changed in one to four ways."""
    while True:
        payload = bytearray(random.choice(corpus))
        for _ in range(random.randrange(1, 5)):
            random.choice(_WAYS)(random, payload, corpus)
        yield bytes(payload)


def _flip_a_bit(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    if payload:
        payload[random.randrange(len(payload))] ^= 1 << random.randrange(8)


def _set_a_byte(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    if payload:
        payload[random.randrange(len(payload))] = random.choice(_TELLING)


def _set_two_bytes(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    if len(payload) > 1:
        at = random.randrange(len(payload) - 1)
        payload[at : at + 2] = random.choice(_TELLING_PAIRS)


def _set_the_flags(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    payload[:1] = random.randbytes(1)


def _keep_only_the_flags(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    payload[1:] = random.randbytes(len(payload[1:]))


def _cut(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    del payload[random.randrange(len(payload) + 1) :]


def _lengthen(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    payload += random.randbytes(random.randrange(1, 9))


def _drop_a_byte(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    if payload:
        del payload[random.randrange(len(payload))]


def _add_a_byte(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    payload.insert(random.randrange(len(payload) + 1), random.getrandbits(8))


def _go_on_as_another(random: Random, payload: bytearray, corpus: Sequence[bytes]) -> None:
    at = random.randrange(len(payload) + 1)
    payload[at:] = random.choice(corpus)[at:]


_WAYS: tuple[Callable[[Random, bytearray, Sequence[bytes]], None], ...] = (
    _flip_a_bit,
    _flip_a_bit,
    _set_a_byte,
    _set_two_bytes,
    _set_two_bytes,
    _set_the_flags,
    _keep_only_the_flags,
    _cut,
    _lengthen,
    _drop_a_byte,
    _add_a_byte,
    _go_on_as_another,
)
