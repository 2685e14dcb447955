"""How many alerts a score raises, how many onsets it finds, and how long before.

An alert is an observation set whose score is at or above a threshold; each counts. A person with an
onset is found when at least one alert falls into the `WINDOW_HOURS` before the onset. Earlier alerts
of that person, and all of everybody else's, are false. Only people with an onset who have a set in
that window can be found; the others are no part of the count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.train.measures.arrays import Booleans, Floats, Integers

WINDOW_HOURS = 24.0
SETS_EACH_DAY = 4
"""The sets are six hours apart, so that four of them are a patient-day."""


@dataclass(frozen=True)
class Outcome:
    """What a threshold comes to. Counts are weighted, and so need not be whole."""

    threshold: float
    alerts: float
    days: float
    events: float
    found: float
    timely: float
    """Of the alerts those in the window before an onset."""

    @property
    def share_timely(self) -> float:
        return self.timely / self.alerts if self.alerts else float("nan")

    @property
    def alerts_each_100_days(self) -> float:
        return 100 * self.alerts / self.days if self.days else float("nan")

    @property
    def share_found(self) -> float:
        return self.found / self.events if self.events else float("nan")


class Alerting:
    """One score's alerts and the onsets that they find, at any threshold and any weights of the sets.

    Args:
        score: of each set; a greater one is worse.
        person: whose each set is. Weights must be the same for all sets of one person.
        hours_to_onset: from each set to the person's onset; inf where there is none.
    """

    def __init__(self, score: npt.NDArray[np.generic], person: Integers, hours_to_onset: Floats) -> None:
        self._score: Floats = np.asarray(score, dtype=np.float64)
        rows = np.argsort(self._score, kind="stable")[::-1]
        ordered = self._score[rows]
        self._rows = rows
        self._last = np.append(ordered[1:] != ordered[:-1], True)  # of each run of equal scores
        self._thresholds = ordered[self._last]  # falling
        self._person = person
        self._hours = hours_to_onset
        window = (hours_to_onset > 0) & (hours_to_onset <= WINDOW_HOURS)
        self._window = np.flatnonzero(window)
        # One set for each person who can be found: the one with the highest score in the window.
        inside = rows[window[rows]]
        _, first = np.unique(person[inside], return_index=True)
        self._highest = inside[np.sort(first)]

    def outcome(self, threshold: float, weight: Floats | None = None) -> Outcome:
        """What this threshold comes to."""
        weights = np.ones(len(self._score)) if weight is None else weight
        of_events = weights[self._highest]
        of_window = weights[self._window]
        return Outcome(
            threshold,
            float(weights[self._score >= threshold].sum()),
            float(weights.sum()) / SETS_EACH_DAY,
            float(of_events.sum()),
            float(of_events[self._score[self._highest] >= threshold].sum()),
            float(of_window[self._score[self._window] >= threshold].sum()),
        )

    def threshold_for_alerts(self, alerts: float, weight: Floats | None = None) -> float:
        """The lowest threshold that raises no more than so many alerts; inf where every one raises more."""
        weights = np.ones(len(self._score)) if weight is None else weight
        raised = np.cumsum(weights[self._rows])[self._last]
        enough = int(np.searchsorted(raised, alerts + 1e-9, side="right"))
        return float(self._thresholds[enough - 1]) if enough else float("inf")

    def threshold_at_alert_rate(self, alerts_each_100_days: float, weight: Floats | None = None) -> float:
        """The lowest threshold whose alerts per 100 patient-days are no more than so many."""
        sets = len(self._score) if weight is None else float(weight.sum())
        return self.threshold_for_alerts(alerts_each_100_days / 100 * sets / SETS_EACH_DAY, weight)

    def threshold_for_found(self, found: float, weight: Floats | None = None) -> float:
        """The highest threshold that finds at least so many of the onsets; inf where none is to be found.

        Raises ValueError if there are not so many.
        """
        if found <= 0:
            return float("inf")
        weights = np.ones(len(self._score)) if weight is None else weight
        reached = np.cumsum(weights[self._highest])
        enough = int(np.searchsorted(reached, found - 1e-9))
        if enough == len(reached):
            raise ValueError(f"{found:g} onsets cannot be found: there are {reached[-1] if enough else 0:g}")
        return float(self._score[self._highest[enough]])

    def leads(self, threshold: float) -> tuple[Floats, Integers]:
        """Of each person who is found: the hours from their first alert in the window to the onset, and a
        row of theirs (to know their weight by), in the order of the people."""
        alert = self._window[self._score[self._window] >= threshold]
        earliest = alert[np.lexsort((-self._hours[alert], self._person[alert]))]
        _, first = np.unique(self._person[earliest], return_index=True)
        rows = earliest[first]
        return self._hours[rows], rows

    def curve(self, rates: Floats) -> list[Outcome]:
        """What each of these rates (alerts per 100 patient-days) comes to."""
        return [self.outcome(self.threshold_at_alert_rate(float(rate))) for rate in rates]


@dataclass(frozen=True)
class Comparison:
    """A score beside a rule (NEWS2 at or above 5), once with its alerts and once with its onsets found."""

    rule: Outcome
    same_alerts: Outcome
    same_found: Outcome

    @property
    def found_change_percent(self) -> float:
        """By how many % more (or, below 0, fewer) onsets are found with no more alerts than the rule's."""
        return _change(self.same_alerts.found, self.rule.found)

    @property
    def alerts_change_percent(self) -> float:
        """By how many % more (or, below 0, fewer) alerts as many of the onsets are found as by the rule."""
        return _change(self.same_found.alerts, self.rule.alerts)


def compared(
    score: Alerting, rule: Alerting, rule_threshold: float, weight: Floats | None = None
) -> Comparison:
    """The score beside the rule, over the same sets."""
    of_rule = rule.outcome(rule_threshold, weight)
    return Comparison(
        of_rule,
        score.outcome(score.threshold_for_alerts(of_rule.alerts, weight), weight),
        score.outcome(score.threshold_for_found(of_rule.found, weight), weight),
    )


def new_alerts(alert: Booleans, person: Integers, hour: Integers) -> Booleans:
    """Which alerts are news: those whose person's set before was none (a run of alerts calls once)."""
    order = np.lexsort((hour, person))
    ordered = alert[order]
    same_person = np.append(False, person[order][1:] == person[order][:-1])
    before = np.append(False, ordered[:-1]) & same_person
    result = np.zeros(len(alert), dtype=np.bool_)
    result[order] = ordered & ~before
    return result


def _change(value: float, of: float) -> float:
    return 100 * (value - of) / of if of else float("nan")


def quantile(values: Floats, share: float, weight: Floats) -> float:
    """The least of the values that so large a share of the weight is at or below; NaN of nothing."""
    if not weight.sum() > 0:
        return float("nan")
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, share * reached[-1] - 1e-9)])
