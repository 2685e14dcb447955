"""A process measured from outside: its memory, processor time and disk writes, by Linux's own accounting."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class NotRunningError(Exception):
    """A process that is measured could not be started, or ended by itself; says what it last said."""


@contextlib.contextmanager
def running(
    arguments: Sequence[str],
    log: Path,
    *,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Iterator[int]:
    """A Python process, by its number; what it says goes to `log`.

    Raises:
        NotRunningError: at the end, if it has not run until then.
    """
    with log.open("ab") as said:
        process = subprocess.Popen(
            [python, *arguments],
            stdout=said,
            stderr=said,
            cwd=directory,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield process.pid
        if process.poll() is not None:
            raise NotRunningError(f"ended by itself. It said: {log.read_text()[-2000:]}")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since it began: seconds, and bytes sent towards the disk."""

    processor: float
    written: int


def usage(pid: int) -> Usage:
    """What a process has used until now.

    `written` is write_bytes of /proc/PID/io: pages of the page cache made dirty, 4096 bytes each. The same
    page counts again when it is written to after a sync, which is what wears a card.
    """
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        name, _, value = line.partition(": ")
        if name == "write_bytes":
            return Usage(processor_seconds(pid), int(value))
    raise RuntimeError(f"/proc/{pid}/io has no write_bytes")


def device_written(directory: Path) -> int:
    """Bytes written to the block device under a directory, by all processes, journal included."""
    device = directory.stat().st_dev
    counters = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()
    return int(counters[6]) * 512


def filesystem(directory: Path) -> str:
    """The file system that a directory is on, as "ext4 on /dev/vda"."""
    best, words = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, mounted, kind = line.split()[:3]
        if directory.resolve().is_relative_to(mounted) and len(mounted) >= len(best):
            best, words = mounted, f"{kind} on {device}"
    return words


def resident_megabytes(pid: int, peak: bool = False) -> float:
    """Resident memory now, or at its highest, in MB of 10^6 bytes."""
    name = "VmHWM" if peak else "VmRSS"
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/{pid}/status has no {name}")


def ended(pid: int) -> bool:
    """Whether a child has ended, though nobody has asked for its exit code yet."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"


def processor_seconds(pid: int) -> float:
    """User and system time since the process began."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
