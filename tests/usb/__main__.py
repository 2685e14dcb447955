"""`python -m tests.usb`: prints what was measured beside the aims. Ends with 0 if all are met
that are not of time: a machine may be busy."""

from __future__ import annotations

import sys

from tests.rigs.rung import Scenario, play
from tests.usb.card import card
from tests.usb.cycles import cycles
from tests.usb.streams import streams

SCENARIOS: dict[str, Scenario] = {"streams": streams, "cycles": cycles, "card": card}

if __name__ == "__main__":
    sys.exit(play("tests.usb", __doc__, SCENARIOS))
