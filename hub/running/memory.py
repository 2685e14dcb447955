"""What C library and interpreter are told about memory: a Pi has little, and a daemon runs for months."""

from __future__ import annotations

import ctypes
import gc

_M_ARENA_MAX = -8  # malloc.h


def share_memory() -> None:
    """One heap for all threads: of its own heap each would keep what it once needed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; musl has none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Hand back what only the start needed: a tenth of the whole, which glibc would keep for ever.

    What the start has made stays as long as the hub runs, so the garbage collector no longer looks through
    it: in a flood that held everything up once a second, for 25 to 40 ms of a fast machine.
    """
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; musl has none
    if trim is not None:
        trim(0)
