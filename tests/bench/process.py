"""A process measured from outside: its memory and its processor time, by Linux's own accounting."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running(arguments: Sequence[str], log: Path) -> Iterator[int]:
    """A Python process, by its number; its standard error goes to `log`."""
    with log.open("ab") as errors:
        process = subprocess.Popen([sys.executable, *arguments], stdout=errors, stderr=errors)
    try:
        yield process.pid
        if process.poll() is not None:
            raise RuntimeError(f"the process ended by itself: {log.read_text()[-2000:]}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def resident_megabytes(pid: int, peak: bool = False) -> float:
    """Resident memory now, or at its highest, in MB of 10^6 bytes."""
    name = "VmHWM" if peak else "VmRSS"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/{pid}/status has no {name}")


def processor_seconds(pid: int) -> float:
    """User and system time since the process began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
