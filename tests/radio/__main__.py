"""`python -m tests.radio`: prints what was measured beside the aims. Ends with 0 if all are met
that are not of time: a machine may be busy."""

from __future__ import annotations

import sys

from tests.radio import scenarios
from tests.radio.adapter import adapter
from tests.radio.cycles import cycles
from tests.radio.estate import estate
from tests.radio.faults import faults
from tests.rigs.rung import Scenario, play

SCENARIOS: dict[str, Scenario] = {
    "ward": scenarios.ward,
    "latency": scenarios.latency,
    "cycles": cycles,
    "records": scenarios.records,
    "pairing": scenarios.pairing,
    "flood": scenarios.flood,
    "faults": faults,
    "estate": estate,
    "adapter": adapter,
}


if __name__ == "__main__":
    sys.exit(play("tests.radio", __doc__, SCENARIOS))
