"""The packets of Contec's newer serial protocol ("V7.0"): how they are told apart, and what is in them.

A packet is a byte with its kind, below 80; a byte whose bits 0 to 6 are the bits 7 of the bytes that follow;
then these. All but the first have bit 7 set. There is no checksum: what has not the length of its kind
belongs to none.

Source: Contec's "Communication protocol of pulse oximeter V7.0", sections 3.2 and 3.3.1; the kinds 02, 03,
06, 13 and 14, which it does not list, are in OSCAR's loader and in what headrotor captured.
"""

from __future__ import annotations

import re

LIVE, MODEL, MAKER, BEGAN_DATE, LENGTH, SAMPLES_WITH_INDEX = 0x01, 0x02, 0x03, 0x07, 0x08, 0x09
RECORDINGS, FEEDBACK, FREE, SAMPLES, BEGAN_TIME = 0x0A, 0x0B, 0x0C, 0x0F, 0x12
_BYTES = {
    **{LIVE: 9, MODEL: 9, MAKER: 9, 0x04: 9, 0x05: 9, 0x06: 4, BEGAN_DATE: 8, LENGTH: 8},
    **{SAMPLES_WITH_INDEX: 6, RECORDINGS: 4, FEEDBACK: 4, FREE: 2, 0x0D: 3, 0x0E: 3, SAMPLES: 8},
    **{0x10: 3, 0x11: 9, BEGAN_TIME: 8, 0x13: 9, 0x14: 9, 0x15: 9},
}
"""How long a packet of each kind is."""

_LIVE_BYTES = _BYTES[LIVE]
_LONGEST = max(_BYTES.values())
_NOT_THE_FIRST = 0x80
_RUN = re.compile(rb"[\x00-\x7f][\x80-\xff]*")
"""A byte that begins a packet, and all that may belong to it."""

_STALE = 0.5  # seconds: what was begun before is no part of what comes now


def content(packet: bytes) -> bytes:
    """What follows the first two bytes of a packet, each bit 7 put back in its place."""
    high = packet[1]
    return bytes(octet & 0x7F | (high >> n & 1) << 7 for n, octet in enumerate(packet[2:]))


def command(code: int, *information: int) -> bytes:
    """A packet with a command (A0 to BF), and what goes with it: up to six numbers below 80."""
    return bytes((0x7D, 0x81, code, *(_NOT_THE_FIRST | octet for octet in information))).ljust(9, b"\x80")


class Packets:
    """Cuts whole packets out of what comes. It holds one that is not yet whole, and no more.

    A live packet is whole when another one has begun after it: one with a byte too many would pass for whole
    else, its values in the wrong places. An answer is whole as soon as it is as long as its kind, as nothing
    may follow it.
    """

    def __init__(self) -> None:
        self.cut = 0
        """How many packets there were."""
        self.passed_over = 0
        """How many bytes belonged to none."""
        self._held = b""
        self._at = 0.0

    def feed(self, octets: bytes, at: float) -> list[bytes]:
        """The packets that are whole with these bytes, which came at `at` (monotonic seconds)."""
        if self._held and at - self._at > _STALE:
            self._forget()
        self._at = at
        held = self._held + octets
        runs: list[bytes] = _RUN.findall(held)
        if held and held[0] & _NOT_THE_FIRST:
            self.passed_over += len(held) - sum(map(len, runs))
        self._held = runs.pop() if runs else b""
        whole = []
        for run in runs:
            if run[0] == LIVE and len(run) == _LIVE_BYTES:
                whole.append(run)
            elif run[0] != LIVE and 0 < (size := _BYTES.get(run[0], 0)) <= len(run):
                whole.append(run[:size])
                self.passed_over += len(run) - size
            else:
                self.passed_over += len(run)
        held = self._held
        if held and held[0] != LIVE and 0 < (size := _BYTES.get(held[0], 0)) <= len(held):
            whole.append(held[:size])
            self.passed_over += len(held) - size
            self._held = b""
        elif len(held) > _LONGEST:
            self._forget()
        self.cut += len(whole)
        return whole

    def _forget(self) -> None:
        self.passed_over += len(self._held)
        self._held = b""
