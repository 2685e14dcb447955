"""Which single measurements belong together and are scored together: the observation set.

The rule: the set of a resident at a moment is made of, for each vital, the newest usable
measurement that is no older than that vital's recency limit (`observation_sets.recent` in the
configuration, 30 minutes unless set, or `recent_by_vital`). An older value is missing, never
carried forward; a value measured after the moment is not seen.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.readings import Quality, Value, Vital


@dataclass(frozen=True, slots=True)
class Observation:
    """A measurement with its time and where it came from. `measured_at` is aware."""

    value: Value
    measured_at: datetime
    reading_id: uuid.UUID
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True)
class ObservationSet:
    """What is known of a resident at the moment `at`; a vital that is not known is not in it."""

    at: datetime
    observations: Mapping[Vital, Observation]

    @property
    def values(self) -> dict[Vital, Value]:
        """The values alone, each in its vital's fixed unit."""
        return {vital: observation.value for vital, observation in self.observations.items()}
