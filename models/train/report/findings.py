"""What the predictions of sepsis and of death come to: the page's numbers are measured here, not typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.train.measures.alerting import Alerting, compared, new_alerts, quantile
from models.train.measures.arrays import Booleans, Floats, Integers
from models.train.measures.bootstrap import Estimate, bootstrap, interval, person_weights
from models.train.measures.calibration import (
    Calibration,
    calibration,
    equal_bins,
    recalibrated_by_halves,
    recalibrated_crosswise,
)
from models.train.measures.decision import net_benefit
from models.train.measures.discrimination import TimeMatched
from models.train.report.predictions import Deaths, Onsets

SEED = 20190801
ROUNDS = 1000
HALVES = 40
URGENT, EMERGENCY = 5, 7
"""NEWS2 from which the chart asks for urgent assessment, and for an emergency one."""
AGE_BANDS: tuple[tuple[str, float, float], ...] = (
    ("under 50 years", 0, 50),
    ("50 to 64 years", 50, 65),
    ("65 to 79 years", 65, 80),
    ("80 years and over", 80, np.inf),
)
EVERYBODY = "everybody"
BENEFIT_AT = (0.01, 0.02, 0.03, 0.05, 0.1)
"""At these probabilities the net benefit is told in numbers."""
LEAD_AT_LEAST = (6, 12, 18)
"""Hours."""


@dataclass(frozen=True)
class Counts:
    """How many there are. A set is before an onset if that is at most twelve hours away."""

    people: int
    people_with_onset: int
    sets: int
    sets_before_onset: int


@dataclass(frozen=True)
class Group:
    """A score beside NEWS2 in one group of people."""

    name: str
    counts: Counts
    figures: Mapping[str, Estimate]


@dataclass(frozen=True)
class Reliability:
    """Sets in ten groups of equal size by rising risk: the mean risk of each, and what happened."""

    told: Floats
    happened: list[Estimate]


@dataclass(frozen=True)
class Findings:
    """Everything about the deterioration model. Figures are named in `_Measured`."""

    counts: Counts
    figures: Mapping[str, Estimate]
    groups: list[Group]
    threshold: float
    """Of the risk, that raises as many alerts as NEWS2 at or above 5."""
    calibration_before: Mapping[str, Estimate]
    calibration_after: Mapping[str, Estimate]
    recalibration: Mapping[str, Estimate]
    reliability_before: Reliability
    reliability_after: Reliability
    recalibrated: Floats
    lead_model: Floats
    lead_news2: Floats
    events: int
    deaths: list[Group]


def groups_of(age: Floats, sex: Integers) -> dict[str, Booleans]:
    """Who is in which group: everybody, by age, by sex. An age that is not known is in no band."""
    found: dict[str, Booleans] = {EVERYBODY: np.ones(len(age), dtype=np.bool_)}
    found |= {name: (age >= low) & (age < high) for name, low, high in AGE_BANDS}
    return found | {"women": sex == 0, "men": sex == 1}


def measured(onsets: Onsets, deaths: Deaths, rounds: int = ROUNDS) -> Findings:
    """Measure it all; intervals are of so many rounds."""
    parts = _Measured(onsets)
    figures = bootstrap(parts.figures, person_weights(onsets.person, rounds, SEED))
    groups = [
        Group(name, counts(onsets, rows), _of(figures, f"{name}: "))
        for name, rows in groups_of(onsets.age, onsets.sex).items()
        if rows.any()
    ]
    halves = recalibrated_by_halves(onsets.risk, onsets.label, onsets.person, HALVES, SEED)
    slopes = {"slope": [half.line.slope for half in halves]}
    slopes["intercept"] = [half.line.intercept for half in halves]
    return Findings(
        counts=groups[0].counts,
        figures=figures,
        groups=groups,
        threshold=parts.threshold,
        calibration_before=_before(onsets),
        calibration_after=_spread([half.after for half in halves]),
        recalibration={name: Estimate(_median(all_), *interval(all_)) for name, all_ in slopes.items()},
        reliability_before=_reliability(onsets, onsets.risk, rounds),
        reliability_after=_reliability(onsets, parts.recalibrated, rounds),
        recalibrated=parts.recalibrated,
        lead_model=parts.model.leads(parts.threshold)[0],
        lead_news2=parts.news2.leads(URGENT)[0],
        events=int(parts.news2.outcome(URGENT).events),
        deaths=_deaths(deaths, rounds),
    )


def document(findings: Findings) -> dict[str, Any]:
    """The figures as the card can hold them: rounded, null where they are not known."""
    return {
        "counts": dataclasses.asdict(findings.counts),
        "figures": _rounded(findings.figures),
        "threshold_at_the_alerts_of_news2_5": round(findings.threshold, 4),
        "calibration_before": _rounded(findings.calibration_before),
        "calibration_after_a_sites_recalibration": _rounded(findings.calibration_after),
        "in_hospital_death": {group.name: _rounded(group.figures) for group in findings.deaths},
    }


class _Measured:
    """What is told anew in each round of the bootstrap; the parts that do not change are made once."""

    def __init__(self, onsets: Onsets) -> None:
        self._onsets = onsets
        self.model = Alerting(onsets.risk, onsets.person, onsets.hours_to_onset)
        self.news2 = Alerting(onsets.news2, onsets.person, onsets.hours_to_onset)
        self.threshold = self.model.threshold_for_alerts(self.news2.outcome(URGENT).alerts)
        self.recalibrated = recalibrated_crosswise(onsets.risk, onsets.label, onsets.person, SEED)
        scores: dict[str, npt.NDArray[Any]] = {
            "model": onsets.risk,
            "NEWS2": onsets.news2,
            "NEWS2 without oxygen": onsets.news2_without_oxygen,
        }
        whole_stay = np.zeros_like(onsets.block)
        self._matched = {
            name: TimeMatched(score, onsets.label, onsets.block) for name, score in scores.items()
        }
        self._plain = {name: TimeMatched(score, onsets.label, whole_stay) for name, score in scores.items()}
        self._groups = {
            name: (
                rows,
                {
                    score: TimeMatched(scores[score][rows], onsets.label[rows], onsets.block[rows])
                    for score in ("model", "NEWS2")
                },
                Alerting(onsets.risk[rows], onsets.person[rows], onsets.hours_to_onset[rows]),
                Alerting(onsets.news2[rows], onsets.person[rows], onsets.hours_to_onset[rows]),
            )
            for name, rows in groups_of(onsets.age, onsets.sex).items()
            if rows.any()
        }
        self._label = onsets.label == 1
        self._alert = {"model": onsets.risk >= self.threshold, "NEWS2 5": onsets.news2 >= URGENT}
        self._new = {
            name: new_alerts(alert, onsets.person, onsets.hour) for name, alert in self._alert.items()
        }

    def figures(self, weight: Floats) -> dict[str, float]:
        told = {f"time-matched {name}": matched.auroc(weight) for name, matched in self._matched.items()}
        told |= {f"plain {name}": plain.auroc(weight) for name, plain in self._plain.items()}
        for other in ("NEWS2", "NEWS2 without oxygen"):
            for kind in ("time-matched", "plain"):
                told[f"{kind} gain over {other}"] = told[f"{kind} model"] - told[f"{kind} {other}"]
        told |= self._alerts(weight)
        told |= self._benefits(weight)
        for name, (rows, matched, model, news2) in self._groups.items():
            told |= {
                f"{name}: {key}": value
                for key, value in self._group(weight[rows], rows, matched, model, news2).items()
            }
        return told

    def _alerts(self, weight: Floats) -> dict[str, float]:
        found = compared(self.model, self.news2, URGENT, weight)
        emergency = self.news2.outcome(EMERGENCY, weight)
        told = {
            "found change percent": found.found_change_percent,
            "alerts change percent": found.alerts_change_percent,
        }
        for name, outcome in (
            ("NEWS2 5", found.rule),
            ("NEWS2 7", emergency),
            ("model", found.same_alerts),
            ("model, same found", found.same_found),
        ):
            told[f"{name} alerts"] = outcome.alerts_each_100_days
            told[f"{name} found"] = 100 * outcome.share_found
            told[f"{name} timely"] = 100 * outcome.share_timely
        for name, new in self._new.items():
            told[f"{name} new alerts"] = 100 * float(weight[new].sum()) / found.rule.days
        for name, alerting, threshold in (
            ("model", self.model, found.same_alerts.threshold),
            ("NEWS2 5", self.news2, float(URGENT)),
        ):
            hours, rows = alerting.leads(threshold)
            for key, share in (("median", 0.5), ("lower quartile", 0.25), ("upper quartile", 0.75)):
                told[f"{name} lead {key}"] = quantile(hours, share, weight[rows])
            for least in LEAD_AT_LEAST:
                early = float(weight[rows[hours >= least]].sum())
                told[f"{name} found {least} h before"] = (
                    100 * early / found.rule.events if found.rule.events else float("nan")
                )
        return told

    def _benefits(self, weight: Floats) -> dict[str, float]:
        told = {}
        for at in BENEFIT_AT:
            of_model = net_benefit(self._onsets.risk >= at, self._label, at, weight)
            after = net_benefit(self.recalibrated >= at, self._label, at, weight)
            of_news2 = net_benefit(self._alert["NEWS2 5"], self._label, at, weight)
            everybody = net_benefit(np.ones_like(self._label), self._label, at, weight)
            told[f"benefit at {at:g} model"] = 1000 * of_model
            told[f"benefit at {at:g} recalibrated"] = 1000 * after
            told[f"benefit at {at:g} NEWS2 5"] = 1000 * of_news2
            told[f"benefit at {at:g} all"] = 1000 * everybody
            told[f"benefit at {at:g} gain"] = 1000 * (after - max(of_news2, everybody, 0.0))
        return told

    def _group(
        self,
        weight: Floats,
        rows: Booleans,
        matched: Mapping[str, TimeMatched],
        model: Alerting,
        news2: Alerting,
    ) -> dict[str, float]:
        total = float(weight.sum())
        of_model, of_news2 = model.outcome(self.threshold, weight), news2.outcome(URGENT, weight)
        told = {name: one.auroc(weight) for name, one in matched.items()}
        return told | {
            "gain": told["model"] - told["NEWS2"],
            "told": 100 * float(weight @ self._onsets.risk[rows]) / total if total else float("nan"),
            "happened": 100 * float(weight @ self._label[rows]) / total if total else float("nan"),
            "model found": 100 * of_model.share_found,
            "NEWS2 found": 100 * of_news2.share_found,
            "found gain": 100 * (of_model.share_found - of_news2.share_found),
            "model alerts": of_model.alerts_each_100_days,
            "NEWS2 alerts": of_news2.alerts_each_100_days,
        }


def counts(onsets: Onsets, rows: Booleans) -> Counts:
    """How many of these rows."""
    return Counts(
        len(np.unique(onsets.person[rows])),
        len(np.unique(onsets.person[rows & np.isfinite(onsets.hours_to_onset)])),
        int(rows.sum()),
        int(onsets.label[rows].sum()),
    )


def _deaths(deaths: Deaths, rounds: int) -> list[Group]:
    everybody = np.zeros(len(deaths.died), dtype=np.int64)  # one block: nothing is time-matched here
    groups = {name: rows for name, rows in groups_of(deaths.age, deaths.sex).items() if rows.any()}
    scores = {"model": deaths.risk, "NEWS2": deaths.news2}
    measures = {
        (name, score): TimeMatched(values[rows], deaths.died[rows], everybody[rows])
        for name, rows in groups.items()
        for score, values in scores.items()
    }

    def figures(weight: Floats) -> dict[str, float]:
        told = {
            f"{name}: {score}": one.auroc(weight[groups[name]]) for (name, score), one in measures.items()
        }
        return told | {f"{name}: gain": told[f"{name}: model"] - told[f"{name}: NEWS2"] for name in groups}

    found = bootstrap(figures, person_weights(deaths.person, rounds, SEED))
    return [
        Group(
            name,
            Counts(
                int(rows.sum()), int(deaths.died[rows].sum()), int(rows.sum()), int(deaths.died[rows].sum())
            ),
            _of(found, f"{name}: "),
        )
        for name, rows in groups.items()
    ]


def _before(onsets: Onsets) -> dict[str, Estimate]:
    """The calibration as told, of people drawn again a few times: the fit is too slow for a thousand."""
    point = calibration(onsets.risk, onsets.label)
    drawn = []
    for weight in person_weights(onsets.person, HALVES, SEED):
        rows = np.repeat(np.arange(len(weight)), weight.astype(np.int64))
        drawn.append(calibration(onsets.risk[rows], onsets.label[rows]))
    spread = _spread(drawn)
    return {
        name: Estimate(getattr(point, name), estimate.low, estimate.high) for name, estimate in spread.items()
    }


def _spread(found: list[Calibration]) -> dict[str, Estimate]:
    """Median and middle 95 % over the repeats, of each figure."""
    columns = {
        field.name: [float(getattr(one, field.name)) for one in found]
        for field in dataclasses.fields(Calibration)
    }
    return {name: Estimate(_median(column), *interval(column)) for name, column in columns.items()}


def _median(column: list[float]) -> float:
    return float(np.median(column))


def _reliability(onsets: Onsets, risk: Floats, rounds: int) -> Reliability:
    order = np.argsort(risk, kind="stable")
    bins = equal_bins(risk, onsets.label)
    group = np.empty(len(risk), dtype=np.int64)
    group[order] = np.repeat(np.arange(len(bins.sets)), bins.sets)

    def happened(weight: Floats) -> dict[str, float]:
        sets = np.bincount(group, weight)
        shares = np.bincount(group, weight * onsets.label) / sets
        return {str(number): float(share) for number, share in enumerate(shares)}

    found = bootstrap(happened, person_weights(onsets.person, min(rounds, 300), SEED))
    return Reliability(bins.told, list(found.values()))


def _of(figures: Mapping[str, Estimate], prefix: str) -> dict[str, Estimate]:
    return {name.removeprefix(prefix): one for name, one in figures.items() if name.startswith(prefix)}


def _rounded(figures: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {
        name: {
            key: None if np.isnan(value) else round(float(value), 4)
            for key, value in dataclasses.asdict(estimate).items()
        }
        for name, estimate in figures.items()
    }
