"""What every test may use."""

from __future__ import annotations

import gc
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from hub.readings import RawPayload

# Examples are new at each run on a desk, where somebody reads what was found; what lands is held to the same.
# How long one takes is asserted nowhere: a machine may be busy.
_at_leisure = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("new examples", _at_leisure)
settings.register_profile("the same examples", _at_leisure, derandomize=True)
settings.load_profile("the same examples" if os.environ.get("CI") else "new examples")


# What is collected stays to the end. Looking through it for garbage takes a third of the collecting, and then
# half a second of whatever test is at work; of some of what they try, the hub measures the processor's time.
gc.disable()


def pytest_collection_finish() -> None:
    """From here on only what tests themselves make is looked through."""
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_runtest_setup() -> None:
    """Each begins as from a login: a hub that ran in this process before it writes for itself alone."""
    os.umask(0o022)


def memory_for_what_tests_write() -> Path | None:
    """A file system in memory for `tmp_path`; None where there is none with room enough, that runs programs.

    A test's database lives for seconds, and on a disk it waits for most of them to be synced. What a card
    makes of a sync, and what a cut of power leaves, `tests/faults` tries on ext4.
    """
    shared, room_bytes = Path("/dev/shm"), 4 * 10**9
    try:
        runs_programs = not os.statvfs(shared).f_flag & os.ST_NOEXEC
        return shared if runs_programs and shutil.disk_usage(shared).free >= room_bytes else None
    except OSError:
        return None


if (_in_memory := memory_for_what_tests_write()) is not None:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_in_memory))  # where pytest makes every tmp_path


@pytest.fixture
def noon() -> datetime:
    """A moment to count from."""
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def raw_blood_pressure(noon: datetime) -> RawPayload:
    """128/80 mmHg, mean 96, pulse 72, as bytes written from the Blood Pressure Service's layout."""
    payload = bytes.fromhex("048000500060004800")
    return RawPayload("C4:F2:17:00:00:01", "blood_pressure", payload, noon, "2a35")
