"""Does a risk of 5 % mean that it happens to 5 in 100?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hub.assessment.recalibration import likeliest_line, log_odds
from models.train.measures.arrays import Floats, Integers

BINS = 10


def probability(logit: Floats) -> Floats:
    """The probability of log-odds; far from 0 too without a warning."""
    small = np.exp(-np.abs(logit))
    return np.asarray(np.where(logit >= 0, 1 / (1 + small), small / (1 + small)))


@dataclass(frozen=True)
class Line:
    """log-odds of what happens = slope * log-odds told + intercept. Slope 1 and intercept 0 are perfect."""

    slope: float
    intercept: float

    def applied(self, risk: Floats) -> Floats:
        """The risk, put right by this line."""
        return probability(self.slope * log_odds(risk) + self.intercept)


def fitted_line(risk: Floats, label: Integers) -> Line:
    """The line of greatest likelihood (Cox 1958, Biometrika 45:562; logistic recalibration).

    Raises ValueError where there is none: all the same label, all the same risk, or the risk
    parts the labels without a mistake.
    """
    if label.min() == label.max():
        raise ValueError("a calibration line needs both: sets with an onset and sets without")
    logit = log_odds(risk)
    if logit.min() == logit.max():
        raise ValueError("a calibration line needs more than one risk")
    found = likeliest_line(logit, label.astype(np.float64))
    if found is None:
        raise ValueError("no calibration line: the risk parts the labels without a mistake")
    return Line(*found)


@dataclass(frozen=True)
class Bins:
    """Sets in groups of equal size by rising risk: what was told and what happened, in each."""

    told: Floats  # mean risk
    happened: Floats  # share with the label
    sets: Integers

    def expected_calibration_error(self) -> float:
        """The mean distance between the two, weighted by the sets in the group."""
        return float(np.abs(self.told - self.happened) @ self.sets / self.sets.sum())


def equal_bins(risk: Floats, label: Integers, bins: int = BINS) -> Bins:
    """The groups, as nearly equal in size as can be; equal risks stay in the order they came in."""
    groups = [rows for rows in np.array_split(np.argsort(risk, kind="stable"), bins) if len(rows)]
    return Bins(
        np.array([float(risk[rows].mean()) for rows in groups]),
        np.array([float(label[rows].mean()) for rows in groups]),
        np.array([len(rows) for rows in groups], dtype=np.int64),
    )


def brier(risk: Floats, label: Integers) -> float:
    """The mean squared distance between risk and outcome (Brier 1950); 0 is perfect."""
    return float(np.mean((risk - label) ** 2))


@dataclass(frozen=True)
class Calibration:
    """All of it. `in_the_large` is mean risk minus share that happened."""

    slope: float
    intercept: float
    expected_calibration_error: float
    brier: float
    in_the_large: float


def calibration(risk: Floats, label: Integers) -> Calibration:
    """How well the risk is calibrated. Raises ValueError where it cannot be told (see `fitted_line`)."""
    line = fitted_line(risk, label)
    return Calibration(
        line.slope,
        line.intercept,
        equal_bins(risk, label).expected_calibration_error(),
        brier(risk, label),
        float(risk.mean() - label.mean()),
    )


@dataclass(frozen=True)
class Recalibrated:
    """One half of the people as the site that the line was fitted on, the other judged."""

    line: Line
    before: Calibration
    after: Calibration


def recalibrated_by_halves(
    risk: Floats, label: Integers, person: Integers, repeats: int, seed: int
) -> list[Recalibrated]:
    """A site's recalibration, tried: people dealt into halves anew each time, nobody in both."""
    people, index = np.unique(person, return_inverse=True)
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(repeats):
        site = (generator.permutation(len(people)) < len(people) // 2)[index]
        line = fitted_line(risk[site], label[site])
        other = ~site
        found.append(
            Recalibrated(
                line,
                calibration(risk[other], label[other]),
                calibration(line.applied(risk[other]), label[other]),
            )
        )
    return found


def recalibrated_crosswise(risk: Floats, label: Integers, person: Integers, seed: int) -> Floats:
    """Everybody's risk after a site's recalibration, each half of the people by the other half's line."""
    people, index = np.unique(person, return_inverse=True)
    half = (np.random.default_rng(seed).permutation(len(people)) < len(people) // 2)[index]
    result = np.empty(len(risk))
    for judged in (half, ~half):
        result[judged] = fitted_line(risk[~judged], label[~judged]).applied(risk[judged])
    return result
