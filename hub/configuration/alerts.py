"""The configuration of what is scored together, when somebody is to be observed, and who is told of
alerts."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from hub.assessment.news2 import DUE_WITHIN, Band
from hub.configuration.values import Duration, Section
from hub.readings import Vital

Recency = Annotated[Duration, Field(ge=timedelta(minutes=1))]
"""Less, and a cuff and an oximeter that are used one after the other would never be scored together."""


DueWithin = Annotated[Duration, Field(ge=timedelta(minutes=5), le=timedelta(days=31))]


def _whole_due(due: dict[Band, timedelta]) -> dict[Band, timedelta]:
    return {**DUE_WITHIN, **due}


class ObservationSets(Section):
    """How long a measurement stays part of the resident's current observation set.

    See `hub/assessment/observation_set.py` for the rule. `stream` is how much of a sensor's stream makes
    one observation (`hub/assessment/stream.py`): an alert comes that much later. For how long a saturation
    was below `low_saturation` (in %; for residents on scale 2 the other) is counted, and decides nothing.

    `due` is how long after a score of a band the next observation is due (`hub/overview/attention.py`); a
    band that the file leaves out keeps what chart 4 asks for. It decides who is shown as overdue, and no
    alert.
    """

    recent: Recency = timedelta(minutes=30)
    recent_by_vital: dict[Vital, Recency] = Field(default_factory=dict)
    late: Duration = timedelta(hours=24)
    stream: Annotated[Duration, Field(ge=timedelta(seconds=10), le=timedelta(minutes=5))] = timedelta(
        seconds=30
    )
    low_saturation: Annotated[float, Field(ge=50, le=100)] = 90.0
    low_saturation_on_scale_2: Annotated[float, Field(ge=50, le=100)] = 88.0
    due: Annotated[dict[Band, DueWithin], AfterValidator(_whole_due)] = Field(
        default_factory=lambda: dict(DUE_WITHIN)
    )

    @model_validator(mode="after")
    def _more_often_the_higher(self) -> Self:
        for lower, higher in itertools.pairwise(Band):
            if self.due[higher] > self.due[lower]:
                raise ValueError(
                    f"due.{higher.value}: is longer than due.{lower.value}, so that somebody would be"
                    " observed less often for being worse"
                )
        return self


class Rung(Section):
    """A step of the escalation ladder: after so long without acknowledgement, tell these people."""

    after: Duration
    tell: str


def _default_ladder() -> dict[Band, tuple[Rung, ...]]:
    minutes = timedelta(minutes=1)
    return {
        Band.SINGLE_RED: (Rung(after=30 * minutes, tell="senior carer"), Rung(after=60 * minutes, tell="GP")),
        Band.MEDIUM: (Rung(after=15 * minutes, tell="senior carer"), Rung(after=30 * minutes, tell="111")),
        Band.HIGH: (Rung(after=5 * minutes, tell="senior carer"), Rung(after=10 * minutes, tell="999")),
    }


def _whole_ladder(ladder: dict[Band, tuple[Rung, ...]]) -> dict[Band, tuple[Rung, ...]]:
    """A band that the file leaves out keeps its default: no alerting band is without a ladder."""
    return {**_default_ladder(), **ladder}


def _default_concern_ladder() -> tuple[Rung, ...]:
    minutes = timedelta(minutes=1)
    return (Rung(after=15 * minutes, tell="senior carer"), Rung(after=30 * minutes, tell="GP or 111"))


class Alerts(Section):
    """When an alert is raised, when it may be resolved, and who is told when nobody acknowledges.

    `concern_ladder` is for an alert that somebody's concern raised or joined, beside the ladder of its band.
    """

    from_band: Literal[Band.SINGLE_RED, Band.MEDIUM, Band.HIGH] = Band.SINGLE_RED
    resolve_after: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=30)
    ladder: Annotated[dict[Band, tuple[Rung, ...]], AfterValidator(_whole_ladder)] = Field(
        default_factory=_default_ladder
    )
    concern_ladder: tuple[Rung, ...] = Field(default_factory=_default_concern_ladder)

    @model_validator(mode="after")
    def _rungs_climb(self) -> Self:
        ladders = {f"ladder.{band.value}": rungs for band, rungs in self.ladder.items()}
        for name, rungs in {**ladders, "concern_ladder": self.concern_ladder}.items():
            if not rungs:
                raise ValueError(f"{name}: has no rung, so nobody would ever be told")
            if any(later.after <= earlier.after for earlier, later in itertools.pairwise(rungs)):
                raise ValueError(f'{name}: each "after" must be longer than the one before it')
        return self
