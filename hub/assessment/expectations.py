"""What a model's card says of how the model may be expected to behave: its alert budget and its histograms.

Both are optional. A card of before has neither, or what it has cannot be read: then the hub does without that
part and says so, since neither is needed to compute a risk. In the card:

    "budget": [{"alerts_per_100_days": 2.0, "threshold": 0.31}, ...]
    "drift": {"respiration_rate": {"edges": [...], "shares": [...], "missing": 0.1}, ..., "risk": {...}}

The budget's thresholds are of the model's own probability, as measured on people it was not trained with. In
a histogram there is one share more than edges: below the first, between each two, from the last on. Coded
inputs are numbers in the order of their enumeration; "risk" is the model's own probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from hub.assessment.budget import BudgetRow
from hub.assessment.drift import Histogram
from hub.small_file import read_whole


class _Row(BaseModel):
    alerts_per_100_days: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    threshold: Annotated[float, Field(ge=0, le=1)]


class _Histogram(BaseModel):
    edges: Annotated[tuple[Annotated[float, Field(allow_inf_nan=False)], ...], Field(min_length=1)]
    shares: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]
    missing: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _is_one(self) -> _Histogram:
        self.histogram()
        return self

    def histogram(self) -> Histogram:
        return Histogram(self.edges, self.shares, self.missing)


_BUDGET = TypeAdapter(tuple[_Row, ...])
_DRIFT = TypeAdapter(dict[str, _Histogram])


@dataclass(frozen=True, slots=True)
class Expectations:
    """What a card says; empty where it says nothing. `lacking` says what it lacks, and what follows."""

    budget: tuple[BudgetRow, ...]
    histograms: Mapping[str, Histogram]
    lacking: tuple[str, ...]

    @classmethod
    def of(cls, card: Mapping[str, object]) -> Expectations:
        """From a card as JSON has it."""
        lacking: list[str] = []
        rows: tuple[_Row, ...] = ()
        histograms: dict[str, _Histogram] = {}
        try:
            rows = _BUDGET.validate_python(card.get("budget") or ())
        except ValidationError as error:
            lacking.append(f"its alert budget cannot be read ({_first(error)})")
        else:
            if not rows:
                lacking.append("it has no alert budget: no threshold until this home's own history is enough")
        try:
            histograms = _DRIFT.validate_python(card.get("drift") or {})
        except ValidationError as error:
            lacking.append(f"its training histograms cannot be read ({_first(error)})")
        else:
            if not histograms:
                lacking.append("it has no training histograms: that inputs differ is not found out")
        return cls(
            tuple(BudgetRow(row.alerts_per_100_days, row.threshold) for row in rows),
            {name: each.histogram() for name, each in histograms.items()},
            tuple(lacking),
        )

    @classmethod
    def read(cls, path: Path) -> Expectations:
        """From a card's file; of one that cannot be read nothing is known."""
        try:
            return cls.of(TypeAdapter(dict[str, object]).validate_json(read_whole(path)))
        except OSError as error:
            return cls((), {}, (f"it cannot be read ({error.strerror})",))
        except ValidationError:
            return cls((), {}, ("it is no JSON object",))


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}".lstrip(": ")
