"""A site's recalibration: what a model's probability stands for among the people of this home.

A slope and an intercept on the log-odds (Cox 1958; "logistic recalibration", Steyerberg 2004), fitted on what
became of the sets that the model judged here. It keeps the order of the probabilities, since the slope is
above 0, so it finds no more events than the model alone: it says how often they happen. It is a file of its
own beside the model, which stays what was evaluated, and is refused where it is another model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import exp, log
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
import numpy.typing
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from hub.errors import CareportError
from hub.small_file import read_whole

FORMAT: Literal["careport-recalibration-1"] = "careport-recalibration-1"
LEAST_EVENTS = 10
"""Fewer events, or sets without one, fix no slope. Our own choice; 100 of each would be well (Vergouwe et
al., Journal of Clinical Epidemiology 58:475-483, 2005)."""

_ALMOST = 1e-7
"""A probability nearer to 0 or 1 has log-odds that mean nothing (float32 has no more digits)."""
_PRIOR = 1e-3
"""So weak that it only matters where those with the event and those without do not overlap at all."""
_STEPS = 50
_DONE = 1e-10
_BINS = 10

Numbers = numpy.typing.NDArray[numpy.float64]


class RecalibrationError(CareportError):
    """A recalibration that cannot be used, or cannot be fitted; the message says why, and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FittedOn(_Part):
    """What it was fitted on: how many sets, and after how many of them the event came."""

    sets: Annotated[int, Field(gt=0)]
    events: Annotated[int, Field(gt=0)]


class CalibrationError(_Part):
    """The expected calibration error on the sets that it was fitted on, 0 to 1."""

    before: Annotated[float, Field(ge=0, le=1)]
    after: Annotated[float, Field(ge=0, le=1)]


class Recalibration(_Part):
    """The content of the file.

    `slope` and `intercept` are of the log-odds; `model_sha256` is of the model's file. `at` and `by` are when
    and by whom it was fitted.
    """

    format: Literal["careport-recalibration-1"] = FORMAT
    model_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    slope: Annotated[float, Field(ge=0.05, le=20)]
    intercept: Annotated[float, Field(ge=-20, le=20)]
    fitted_on: FittedOn
    at: AwareDatetime
    by: Annotated[str, Field(min_length=1, max_length=200)]
    expected_calibration_error: CalibrationError

    @classmethod
    def load(cls, path: Path, model_sha256: str) -> Self:
        """Read the recalibration of a model from a file.

        Raises:
            RecalibrationError: it cannot be read, is none, or is another model's. What is in the file is not
                quoted.
        """
        try:
            read = cls.model_validate_json(read_whole(path))
        except OSError as error:
            raise RecalibrationError(
                f"{path}: the recalibration cannot be read: {error.strerror}. Put it there again, or remove "
                "model.recalibration from the configuration"
            ) from error
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            key = ".".join(str(part) for part in first["loc"]) or "the file"
            raise RecalibrationError(
                f"{path}: is no recalibration ({key}: {first['msg']}). Make it again, or remove it"
            ) from None
        if read.model_sha256 != model_sha256:
            raise RecalibrationError(
                f"{path}: is of another model: it was fitted for the one whose SHA-256 begins with "
                f"{read.model_sha256[:12]}, and this one's begins with {model_sha256[:12]}. Fit it anew for "
                "this model, or remove it"
            )
        return read

    def applied(self, probability: float) -> float:
        """The probability among the people of this home, above 0 and below 1, of the model's own.

        Not a number stays none: it is no probability.
        """
        held = min(max(probability, _ALMOST), 1 - _ALMOST) if probability == probability else probability
        return 1 / (1 + exp(-(self.slope * log(held / (1 - held)) + self.intercept)))


def fit(
    probabilities: Sequence[float],
    happened: Sequence[bool],
    *,
    model_sha256: str,
    at: datetime,
    by: str,
) -> Recalibration:
    """The recalibration of a model by what became of the sets that it judged, as many of both.

    `probabilities` are the model's own, not recalibrated ones. `at` is aware.

    Raises:
        ValueError: not as many of both, or a probability that is none.
        RecalibrationError: too few events, or sets without one; or here the higher risks are not the worse
            ones, so that no recalibration would help.
    """
    if len(probabilities) != len(happened):
        raise ValueError(f"{len(probabilities)} probabilities, and what became of {len(happened)}")
    own = numpy.asarray(probabilities, dtype=numpy.float64)
    label = numpy.asarray(happened, dtype=numpy.float64)
    if not numpy.all((own >= 0) & (own <= 1)):
        raise ValueError("probabilities: one is not from 0 to 1")
    events = int(label.sum())
    if min(events, len(label) - events) < LEAST_EVENTS:
        raise RecalibrationError(
            f"{events} events among {len(label)} sets: at least {LEAST_EVENTS} with an event and as many "
            "without are needed. Gather more before fitting"
        )
    line = likeliest_line(log_odds(own), label, _PRIOR)
    if line is None:
        raise RecalibrationError(
            "this model gave all of these sets the same risk, so that they say nothing of its slope. Gather "
            "more before fitting"
        )
    slope, intercept = line
    try:
        made = Recalibration(
            model_sha256=model_sha256,
            slope=slope,
            intercept=intercept,
            fitted_on=FittedOn(sets=len(label), events=events),
            at=at,
            by=by,
            expected_calibration_error=CalibrationError(
                before=expected_calibration_error(own, label), after=0
            ),
        )
    except ValidationError as error:
        if {each["loc"][0] for each in error.errors()} <= {"slope", "intercept"}:
            raise RecalibrationError(
                f"the slope would be {slope:.2f} and the intercept {intercept:.2f}: here this model's higher "
                "risks are not, or hardly, the worse ones. No recalibration helps; do not use it here"
            ) from None
        raise
    recalibrated = numpy.array([made.applied(each) for each in own])
    after = expected_calibration_error(recalibrated, label)
    errors = made.expected_calibration_error.model_copy(update={"after": after})
    return made.model_copy(update={"expected_calibration_error": errors})


def log_odds(probability: Numbers) -> Numbers:
    """ln(p / (1 - p)), kept finite at 0 and 1."""
    held = numpy.clip(numpy.asarray(probability, dtype=numpy.float64), _ALMOST, 1 - _ALMOST)
    return numpy.asarray(numpy.log(held / (1 - held)), dtype=numpy.float64)


def likeliest_line(logit: Numbers, label: Numbers, prior: float = 0.0) -> tuple[float, float] | None:
    """Slope and intercept on the log-odds that make the label (0 or 1) most likely; None if none do.

    None do where there is one label alone or one log-odds alone, and where the log-odds part the labels
    without a mistake: the steeper, the likelier. A weak `prior` (a penalty on the slope over one standard
    deviation, and on the intercept in their middle) holds that last one. By Newton's method, a step halved
    until it helps.
    """
    if logit.min() == logit.max() or label.min() == label.max():
        return None
    centre, spread = float(logit.mean()), float(logit.std())
    design = numpy.column_stack([(logit - centre) / spread, numpy.ones(len(logit))])
    share = float(label.mean())
    solution: Numbers = numpy.array([0.0, numpy.log(share / (1 - share))])

    def likelihood(at: Numbers) -> float:
        linear = design @ at
        return float(label @ linear - numpy.logaddexp(0, linear).sum() - prior * (at @ at) / 2)

    found = likelihood(solution)
    for _ in range(_STEPS):
        linear = design @ solution
        small = numpy.exp(-numpy.abs(linear))
        told = numpy.where(linear >= 0, 1 / (1 + small), small / (1 + small))
        gradient = design.T @ (label - told) - prior * solution
        curvature = (design * (told * (1 - told))[:, None]).T @ design + prior * numpy.eye(2)
        try:
            step = numpy.linalg.solve(curvature, gradient)
        except numpy.linalg.LinAlgError:
            return None
        # A step of Newton's may go too far; half of it, and so on, gets nearer.
        while (better := likelihood(solution + step)) < found - 1e-9:
            step = step / 2
        solution, found = solution + step, better
        if numpy.abs(step).max() < _DONE:
            slope = float(solution[0]) / spread
            return slope, float(solution[1]) - slope * centre
    return None


def expected_calibration_error(probabilities: Numbers, happened: Numbers) -> float:
    """By how much probability and share of events differ, on the average over tenths of the sets by rank."""
    order = numpy.argsort(probabilities, kind="stable")
    parts = (part for part in numpy.array_split(order, _BINS) if len(part))
    off = sum(len(part) * abs(float(probabilities[part].mean() - happened[part].mean())) for part in parts)
    return off / len(order) if len(order) else 0.0
