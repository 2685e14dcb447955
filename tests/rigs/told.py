"""What a reception told of its card, and of alerts that the card did not take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


class Told:
    """The listener's side: `trouble.append` and `uncommitted` are given to the reception."""

    def __init__(self) -> None:
        self.trouble: list[str | None] = []
        self.events: list[dict[str, Any]] = []

    def uncommitted(self, events: Sequence[str]) -> None:
        """Alerts that were told from memory."""
        self.events += [json.loads(event) for event in events]
