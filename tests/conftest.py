"""What every test may use."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings

from hub.readings import RawPayload

# Examples are new at each run on a desk, where somebody reads what was found; what lands is held to the same.
# How long one takes is asserted nowhere: a machine may be busy.
_at_leisure = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("new examples", _at_leisure)
settings.register_profile("the same examples", _at_leisure, derandomize=True)
settings.load_profile("the same examples" if os.environ.get("CI") else "new examples")


@pytest.fixture
def noon() -> datetime:
    """A moment to count from."""
    return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def raw_blood_pressure(noon: datetime) -> RawPayload:
    """128/80 mmHg, mean 96, pulse 72, as bytes written from the Blood Pressure Service's layout."""
    payload = bytes.fromhex("048000500060004800")
    return RawPayload("C4:F2:17:00:00:01", "blood_pressure", payload, noon, "2a35")
