"""Waiting for something to become true."""

from __future__ import annotations

import time
from collections.abc import Callable
from time import monotonic


def wait(condition: Callable[[], object], seconds: float, pause: float = 0.02) -> bool:
    """Wait for something to become true, at most so long; whether it did."""
    end = monotonic() + seconds
    while not condition():
        if monotonic() > end:
            return False
        time.sleep(pause)
    return True
