"""What the hub came to know of a resident, and when: what `hub/alerts/life.py` decides on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hub.assessment.deterioration import Risk
from hub.assessment.news2 import News2
from hub.assessment.observation_set import ObservationSet
from hub.readings import Vital
from hub.timekeeping.placed import PlacedReading


@dataclass(frozen=True, slots=True)
class Assessed:
    """A resident's observation set and its score, as the hub came to know it at `received_at`.

    `considered_at` is the hub's clock when it is considered; unless given, it is just received.
    """

    resident: str
    observations: ObservationSet
    news2: News2
    received_at: datetime
    considered_at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.news2.sub_scores.keys() <= self.observations.observations.keys():
            raise ValueError("news2: scores a vital that the observation set does not have")

    @property
    def at(self) -> datetime:
        """The moment assessed; never after the hub knew of it, whatever a sensor's clock says."""
        return min(self.observations.at, self.received_at)

    @property
    def clock(self) -> datetime:
        """The hub's clock: what is later than this was said by a clock that was ahead.

        What waited for a full disk is not considered in the order in which it was received, so the
        time of receipt alone would not tell.
        """
        return max(self.received_at, self.considered_at or self.received_at)

    @property
    def surely_measured(self) -> frozenset[Vital]:
        """The vitals that are scored and of which it is known when they were measured."""
        of = self.observations.observations
        timed = (vital for vital in self.news2.sub_scores if not of[vital].doubtful_time)
        return frozenset(vital for vital in timed if of[vital].measured_at <= self.clock)


@dataclass(frozen=True, slots=True)
class Assessment:
    """A resident's observation set, what it says, and the readings that it was formed of.

    `id` is the same however often it is told. `reading` is the one that completed the set; `sources` has
    each reading that gave the set an observation, by its id.
    """

    id: UUID
    resident: str
    observations: ObservationSet
    news2: News2
    risk: Risk | None
    reading: UUID
    sources: Mapping[UUID, PlacedReading]

    @property
    def words(self) -> str:
        """The score as people read it."""
        return self.news2.describe(self.observations.questionable)
