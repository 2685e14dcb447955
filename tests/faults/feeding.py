"""Feeding a system at load while things happen to it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Self

from tests.faults.account import Account
from tests.faults.system import AwayError, System
from tests.faults.ward import BATCH, Payload, Ward

_AWAY_SECONDS = 0.02


class Feeder:
    """Feeds batches until left, over several connections at once, at most `rate` readings a second.

    Many connections, since each waits for its commit, and commits wait a little for company. They feed all
    together, or, where it is to be `even`, each in its turn: a kill at any moment then meets readings that
    were just handed over.
    A batch that could not be handed over is kept for the next try; one that was handed over and not
    confirmed (the system was killed) is never fed again.
    """

    def __init__(
        self,
        system: System,
        ward: Ward,
        account: Account,
        *,
        rate: float = 1000.0,
        lanes: int = 12,
        even: bool = False,
    ) -> None:
        self._system = system
        self._account = account
        self._ward = ward
        self._pause = BATCH * lanes / rate
        self._began = monotonic()
        self._stop = threading.Event()
        turns = [self._pause * lane / lanes if even else 0.0 for lane in range(lanes)]
        self._threads = [threading.Thread(target=self._feed, args=(turn,)) for turn in turns]
        self._fault: BaseException | None = None

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if error is not None:
            self._system.kill()  # else a batch that waits for a full card would be waited for
        for thread in self._threads:
            thread.join()
        if self._fault is not None and error is None:
            raise self._fault

    def _feed(self, turn: float) -> None:
        due = self._began + turn
        try:
            while not self._stop.wait(max(0.0, due - monotonic())):
                batch = self._ward.batch()
                self._account.offer(batch)
                while not self._stop.is_set():
                    if hand_over(self._system, self._account, batch):
                        break
                    self._stop.wait(_AWAY_SECONDS)
                due += self._pause
                due += max(0.0, (monotonic() - due) // self._pause) * self._pause  # turns missed are missed
        except BaseException as fault:  # noqa: BLE001  # raised again where the feeder is left
            self._fault = fault


def hand_over(system: System, account: Account, batch: Sequence[Payload]) -> bool:
    """Feed an offered batch; False if it could not even be handed over."""
    began = monotonic()
    try:
        confirmed = system.feed(batch)
    except AwayError:
        return False
    if confirmed:
        account.confirm(batch, began)
    return True
