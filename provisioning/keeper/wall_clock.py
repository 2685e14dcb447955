"""Whether this machine's clock is set: a Raspberry Pi has none that goes on without power."""

from __future__ import annotations

from pathlib import Path

_TIMESYNCD_HAS_SET_IT = Path("/run/systemd/timesync/synchronized")  # in /run: gone at the next boot


def is_set() -> bool:
    """Whether the clock was synchronised once in this boot, as far as is known."""
    return _TIMESYNCD_HAS_SET_IT.exists()
