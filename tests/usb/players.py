"""Plays oximeters at 75 frames a second on pseudo-terminals, in a process of its own: what they cost must not
count as the hub's.

`python -m tests.usb.players COUNT` prints the paths of their terminals, begins with the first line that it is
given, stops with the second, and prints how many frames each has sent.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import tty

from drivers.virtual.nonin import VirtualNonin

_EVERY = 0.01  # seconds


FRAMES_A_SECOND = 75
_FRAME = 5  # bytes, of Nonin's data format 2
_PACKET = 25 * _FRAME  # read whole, and known to be so with the first frame of the next


class _Player:
    """One oximeter on its terminal."""

    def __init__(self, saturation: int) -> None:
        self._oximeter = VirtualNonin(2, saturation=saturation)
        self._ours, theirs = os.openpty()
        tty.setraw(theirs)
        os.set_blocking(self._ours, False)
        self.node = os.ttyname(theirs)
        self._theirs = theirs
        self.sent = 0

    def play(self, at: float) -> None:
        """Say what is due."""
        try:
            heard = os.read(self._ours, 4096)
        except BlockingIOError:
            heard = b""
        said = self._oximeter.hear(heard, at) if heard else b""
        said += self._oximeter.due(at)
        if said:
            self.sent += os.write(self._ours, said)

    @property
    def frames(self) -> int:
        """How many it has sent, in whole packets."""
        return self.sent // _PACKET * _PACKET // _FRAME


def main(count: int) -> None:
    """Play so many until the input ends."""
    players = [_Player(90 + number) for number in range(count)]
    print(json.dumps([player.node for player in players]), flush=True)
    sys.stdin.readline()  # the hub has opened them
    asyncio.run(_play(players))
    print(json.dumps([player.frames for player in players]), flush=True)
    sys.stdin.read()  # what was said last is read while the terminals are still there


async def _play(players: list[_Player]) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    while not (ended.is_set() and all(player.sent % _PACKET == _FRAME for player in players)):
        at = time.monotonic()
        for player in players:
            if not (ended.is_set() and player.sent % _PACKET == _FRAME):
                player.play(at)
        await asyncio.sleep(_EVERY)


if __name__ == "__main__":
    main(int(sys.argv[1]))
