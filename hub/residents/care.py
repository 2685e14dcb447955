"""What is known of a resident beside who they are: consent, where they are, what is normal for them, what was
agreed on for the day they get worse. Pure."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hub.readings import Vital


class Whereabouts(StrEnum):
    """Where a resident is. Only who is here is observed, scored and alerted of."""

    HERE = "here"
    IN_HOSPITAL = "in hospital"
    MOVED = "moved"
    DECEASED = "deceased"


class Consent(StrEnum):
    """Whether they, or who speaks for them, agree to be watched by the hub."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class Normal(BaseModel):
    """What is usual for this person of one vital, in its unit: from the lowest to the highest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lowest: Annotated[float, Field(allow_inf_nan=False)]
    highest: Annotated[float, Field(allow_inf_nan=False)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lowest > self.highest:
            raise ValueError("the lowest that is normal is above the highest")
        return self


class Care(BaseModel):
    """What is known of a resident. A field that is not given is as for somebody of whom nothing was said.

    `normals` never change a score: they are shown beside it. `escalation_plan` is what was agreed on in words
    (ReSPECT, DNACPR, "not to hospital"), None where nothing is known; `reviewed` when it was last looked at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    whereabouts: Whereabouts = Whereabouts.HERE
    consent: Consent = Consent.GIVEN
    escalation_plan: Annotated[str, Field(max_length=500)] | None = None
    reviewed: date | None = None
    normals: dict[Vital, Normal] = Field(default_factory=dict)

    @property
    def watched(self) -> bool:
        """Whether readings may be theirs, be scored and raise alerts."""
        return self.whereabouts is Whereabouts.HERE and self.consent is Consent.GIVEN
