"""What an open tab can be told that has changed: the names that `static/live.js` knows."""

from __future__ import annotations

HOME = "home"
ALERTS = "alerts"
TRAY = "tray"
ROUNDS = "rounds"
SENSORS = "sensors"
HUB = "hub"


def of_resident(pseudonym: str) -> str:
    """Something of a resident is other than it was."""
    return f"resident/{pseudonym}"
