"""How long a sensor is left alone after a link that failed. Pure."""

from __future__ import annotations

from drivers.bluetooth.patience import Patience

_FAILURES_IN_VAIN = 3
_MANY_FAILURES = 10


class Backoff:
    """How long to wait after a link that failed, in seconds. Pure.

    A sensor that leaves soon is tried again soon, while it is there; after many failures in a row it is in
    vain to hurry.
    """

    def __init__(self, patience: Patience, *, leaves_soon: bool) -> None:
        self._patience = patience
        self._most = min(patience.sensor_soon, patience.sensor_most) if leaves_soon else patience.sensor_most
        self.reset()

    def reset(self) -> None:
        """A link worked, or the sensor came anew."""
        self._failures = 0
        self._refusals = 0

    @property
    def is_in_vain(self) -> bool:
        """Whether it was tried again and again since it was last connected to, or came."""
        return self._failures >= _FAILURES_IN_VAIN

    def after_failure(self, *, slowly: bool) -> float:
        """The wait before the next try; a long one, where only a person can help."""
        patience = self._patience
        self._failures += 1
        if slowly:
            self._refusals += 1
            return min(patience.refused_least * 2.0 ** min(self._refusals - 1, 20), patience.refused_most)
        most = self._most if self._failures <= _MANY_FAILURES else patience.sensor_long
        return min(patience.sensor_least * 2.0 ** min(self._failures - 1, 20), most)
