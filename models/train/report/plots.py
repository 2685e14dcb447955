"""The plots of the deterioration model."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.train.measures.alerting import Alerting
from models.train.measures.arrays import Floats
from models.train.measures.decision import decision_curve, rule_curve
from models.train.measures.discrimination import Curve, curve, time_matched_curve
from models.train.report.findings import EMERGENCY, URGENT, Findings, Group, Reliability
from models.train.report.predictions import Deaths, Onsets
from models.train.report.svg import (
    MODEL,
    NEWS2,
    NEWS2_BARE,
    NEWS2_EMERGENCY,
    REFERENCE,
    SECOND_MODEL,
    SECOND_REFERENCE,
    Axis,
    Chart,
    Style,
    even_axis,
)

OF_MODEL = "the model"
OF_NEWS2 = "NEWS2 with oxygen"
OF_NEWS2_BARE = "NEWS2 without oxygen"
COIN = "a coin"
_SCORES = "the model in a solid line, NEWS2 in dashed ones"
LEAD_BINS = (("over 18 h", 18, 24), ("12 to 18 h", 12, 18), ("6 to 12 h", 6, 12), ("up to 6 h", 0, 6))
"""How long before the onset, above the first number and up to the second."""
DECISION_AT = np.linspace(0.002, 0.1, 99)
_PERCENT = 100


def _of_hundred(label: str) -> Axis:
    return even_axis(label, 0, 100, 20, sign=" %")


def roc(
    name: str, title: str, seen: str, curves: list[tuple[str, Curve, Style]], most_false: float = 1
) -> Chart:
    """Curves of sensitivity against false positives, up to a share of these."""
    across = (
        _of_hundred("of those without: flagged falsely")
        if most_false == 1
        else even_axis(
            "of those without: flagged falsely", 0, 100 * most_false, 100 * most_false / 5, sign=" %"
        )
    )
    chart = Chart(name, title, seen, across, _of_hundred("of those with: flagged"))
    rates = np.linspace(0, most_false, 201)
    for label, one, style in curves:
        heights = np.append(0.0, one.at(rates))
        chart.line(label, 100 * np.append(0.0, rates), 100 * heights, style)
    chart.line(COIN, [0, 100], [0, 100], REFERENCE)
    return chart


def time_matched(onsets: Onsets) -> Chart:
    scores: list[tuple[str, npt.NDArray[np.generic], Style]] = [
        (OF_MODEL, onsets.risk, MODEL),
        (OF_NEWS2, onsets.news2, NEWS2),
        (OF_NEWS2_BARE, onsets.news2_without_oxygen, NEWS2_BARE),
    ]
    curves = [
        (label, time_matched_curve(score, onsets.label, onsets.block), style)
        for label, score, style in scores
    ]
    return roc(
        "roc-matched",
        "Receiver operating characteristic, compared at the same time of stay",
        f"Sensitivity against false positives: {_SCORES}; the higher, the better.",
        curves,
    )


def plain(onsets: Onsets) -> Chart:
    curves = [
        (OF_MODEL, curve(onsets.risk, onsets.label), MODEL),
        (OF_NEWS2, curve(onsets.news2, onsets.label), NEWS2),
        (OF_NEWS2_BARE, curve(onsets.news2_without_oxygen, onsets.label), NEWS2_BARE),
    ]
    return roc(
        "roc-plain",
        "Receiver operating characteristic, all sets together",
        f"Sensitivity against false positives, whenever in the stay: {_SCORES}.",
        curves,
    )


def deaths(people: Deaths) -> Chart:
    curves = [
        (OF_MODEL, curve(people.risk, people.died), MODEL),
        (OF_NEWS2, curve(people.news2, people.died), NEWS2),
    ]
    return roc(
        "roc-deaths",
        "Receiver operating characteristic for death in hospital",
        f"Sensitivity against false positives: {_SCORES}.",
        curves,
    )


def calibration(findings: Findings) -> Chart:
    before, after = findings.reliability_before, findings.reliability_after
    most = max(_highest(before), _highest(after))
    step = _step(most)
    high = step * np.ceil(most / step)
    chart = Chart(
        "calibration",
        "Calibration, before and after a site's recalibration",
        "Ten groups of sets by rising risk: what was predicted against what was observed, with 95 % "
        "intervals. On the dashed diagonal both are the same.",
        even_axis("predicted: mean risk of the group", 0, high, step, sign=" %"),
        even_axis("observed: onset within 12 hours", 0, high, step, sign=" %"),
    )
    chart.line("predicted = observed", [0, high], [0, high], REFERENCE)
    for label, one, style in (("as it is", before, MODEL), ("after recalibration", after, SECOND_MODEL)):
        told = _PERCENT * one.told
        chart.upright(
            told,
            [_PERCENT * share.low for share in one.happened],
            [_PERCENT * share.high for share in one.happened],
            style,
        )
        chart.points(label, told, [_PERCENT * share.value for share in one.happened], style)
    return chart


def _highest(one: Reliability) -> float:
    return _PERCENT * max(
        float(one.told.max()), *(float(np.nan_to_num(share.high)) for share in one.happened)
    )


def _step(most: float) -> float:
    steps = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    return next((step for step in steps if most / step <= 8), 20.0)


def decision(onsets: Onsets, findings: Findings) -> Chart:
    label = onsets.label == 1
    share = 1000 * float(label.mean())
    step = _step(share)
    chart = Chart(
        "decision",
        "Decision curve: net benefit against the risk at which one would act",
        "Net benefit of acting by the model, by NEWS2 at or above 5 or 7, on everybody and on nobody; the "
        "highest line at a threshold is the best there.",
        even_axis("one would act at a risk of", 0, 10, 1, sign=" %"),
        even_axis("net benefit in 1,000 sets", -0.4 * share, 1.05 * share, step),
    )
    across = _PERCENT * DECISION_AT
    chart.line("nobody", [0, 10], [0, 0], SECOND_REFERENCE)
    everybody = rule_curve(np.ones_like(label), label, DECISION_AT)
    chart.line("everybody", across, 1000 * everybody, REFERENCE)
    emergency = rule_curve(onsets.news2 >= EMERGENCY, label, DECISION_AT)
    chart.line(f"NEWS2 at or above {EMERGENCY}", across, 1000 * emergency, NEWS2_EMERGENCY)
    urgent = rule_curve(onsets.news2 >= URGENT, label, DECISION_AT)
    chart.line(f"NEWS2 at or above {URGENT}", across, 1000 * urgent, NEWS2)
    after = decision_curve(findings.recalibrated, label, DECISION_AT)
    chart.line("the model, recalibrated", across, 1000 * after, SECOND_MODEL)
    as_told = decision_curve(onsets.risk, label, DECISION_AT)
    chart.line("the model, as it is", across, 1000 * as_told, MODEL)
    return chart


def alerts(onsets: Onsets) -> Chart:
    model = Alerting(onsets.risk, onsets.person, onsets.hours_to_onset)
    news2 = Alerting(onsets.news2, onsets.person, onsets.hours_to_onset)
    urgent, emergency = news2.outcome(URGENT), news2.outcome(EMERGENCY)
    step = next(s for s in (5, 10, 20, 50, 100) if s == 100 or 2 * urgent.alerts_each_100_days / s <= 8)
    most = min(400.0, step * np.ceil(2 * urgent.alerts_each_100_days / step))
    chart = Chart(
        "alerts",
        "Onsets found against alerts raised",
        "The share of the people with an onset who are found in the 24 hours before it, against alerts per "
        "100 patient-days, for each threshold of the model and of NEWS2. NEWS2 at or above 5 and 7 are "
        "marked.",
        even_axis("alerts per 100 patient-days", 0, most, step),
        _of_hundred("onsets found in the 24 h before"),
    )
    rates = np.linspace(0, most, 121)
    chart.line(OF_MODEL, rates, [100 * one.share_found for one in model.curve(rates)], MODEL)
    for label, score, style in (
        (OF_NEWS2, onsets.news2, NEWS2),
        (OF_NEWS2_BARE, onsets.news2_without_oxygen, NEWS2_BARE),
    ):
        one = Alerting(score, onsets.person, onsets.hours_to_onset)
        steps = [one.outcome(float(at)) for at in range(int(score.max()) + 1, -1, -1)]
        told = [outcome.alerts_each_100_days for outcome in steps]
        chart.line(label, told, [100 * outcome.share_found for outcome in steps], style)
    for at, outcome in ((URGENT, urgent), (EMERGENCY, emergency)):
        across, up = outcome.alerts_each_100_days, 100 * outcome.share_found
        chart.points("", [across], [up], NEWS2)
        chart.note(across, up, f"NEWS2 ≥ {at}", right=10, down=20)
    return chart


def lead(findings: Findings) -> Chart:
    most = max(
        lead_shares(findings.lead_model, findings.events) + lead_shares(findings.lead_news2, findings.events)
    )
    step = _step(most)
    places = (*(words for words, _, _ in LEAD_BINS), "not found")
    ticks = tuple((float(number), words) for number, words in enumerate(places))
    chart = Chart(
        "lead",
        "How long before the onset the first alert came",
        "Of all people with an onset: the share with a first alert so long before it, the model beside "
        "NEWS2 at or above 5, at the same number of alerts.",
        Axis("first alert before the onset", -0.6, len(places) - 0.4, ticks),
        even_axis("of the onsets", 0, step * np.ceil(most / step), step, sign=" %"),
    )
    for label, hours, style, moved in (
        (OF_MODEL, findings.lead_model, MODEL, -0.2),
        ("NEWS2 at or above 5", findings.lead_news2, NEWS2, 0.2),
    ):
        heights = lead_shares(hours, findings.events)
        chart.bars(label, [number + moved for number in range(len(heights))], heights, 0.34, style)
    return chart


def lead_shares(hours: Floats, events: int) -> list[float]:
    """Of all onsets the share in %, for each of `LEAD_BINS` and for not found."""
    found = [100 * float(((hours > low) & (hours <= high)).sum()) / events for _, low, high in LEAD_BINS]
    return [*found, 100 - 100 * len(hours) / events]


def groups(name: str, title: str, of: list[Group]) -> Chart:
    """AUROC with its interval for each group of people, one above the other."""
    known = [group for group in of if group.figures["model"].known and group.figures["NEWS2"].known]
    ticks = tuple((float(len(known) - number), group.name) for number, group in enumerate(known))
    lows = [group.figures[score].low for group in known for score in ("model", "NEWS2")]
    chart = Chart(
        name,
        title,
        "A point for the model and a square for NEWS2 in each group, with 95 % intervals; further right is "
        "better. 0.5 is a coin.",
        even_axis("AUROC", min(0.45, *lows), 1, 0.1, ".1f"),
        Axis("", 0.4, len(known) + 0.6, ticks),
        height=80 + 44 * len(known),
        left=150,
    )
    chart.line(COIN, [0.5, 0.5], [0, len(known) + 1], REFERENCE)
    for score, label, style, moved in (("model", OF_MODEL, MODEL, 0.16), ("NEWS2", OF_NEWS2, NEWS2, -0.16)):
        rows = [height + moved for height, _ in ticks]
        figures = [group.figures[score] for group in known]
        chart.lying([one.low for one in figures], [one.high for one in figures], rows, style)
        chart.points(label, [one.value for one in figures], rows, style)
    return chart
