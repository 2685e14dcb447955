"""Processes that are to end, though they are nobody's child here."""

from __future__ import annotations

import time
from pathlib import Path


def ends(process: int, seconds: float = 20) -> bool:
    """Whether it is gone, or dead and not yet reaped, within that time: what was killed takes a moment."""
    stat, until = Path(f"/proc/{process}/stat"), time.monotonic() + seconds
    while True:
        try:
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
