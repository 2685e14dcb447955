"""What the configuration says of the learned models: both are shadows, and neither raises an alert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hub.configuration.values import Section


class Model(Section):
    """The deterioration model. "shadow" computes and reports a risk and raises no alert of its own.

    `recalibration` is this site's (`hub/assessment/recalibration.py`); without it the one beside the model.
    The budget says how many alerts it would be let raise (`hub/assessment/budget.py`). **The default is to be
    confirmed by a clinician.** For comparison: NEWS2 raised 1.9 to 5.5 alerts per 100 patient-days in eleven
    Australian hospitals, by its thresholds (doi:10.1177/20552076251404509); of routine NEWS in 46 care homes
    7 % were 5 or more (Barker 2019). 3 is in a home of 30 about one a day, beside those of NEWS2.
    """

    mode: Literal["off", "shadow"] = "shadow"
    file: Path | None = None
    recalibration: Path | None = None
    alerts_per_100_resident_days: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = 3.0


class Rhythm(Section):
    """The rhythm model: whether a pulse is irregular, from the times between beats that a strap tells.

    "shadow" keeps what it says of each window and reports it in summaries; it raises no alert.
    """

    mode: Literal["off", "shadow"] = "shadow"
    file: Path | None = None
