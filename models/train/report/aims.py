"""The aims, and whether what was measured reaches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.train.measures.bootstrap import Estimate
from models.train.report.findings import EVERYBODY, Findings
from models.train.report.markup import NOT_KNOWN, change, estimate, number, whole
from models.train.report.rhythm_findings import FIBRILLATION, MOST_FALSE, SINUS, RhythmFindings

AUROC_INSIDE = 0.72
AUROC_DEATH = 0.84
MORE_FOUND_PERCENT = 15
FEWER_ALERTS_PERCENT = 25
SLOPE_LOW, SLOPE_HIGH = 0.9, 1.1
CALIBRATION_ERROR = 0.02
FILE_BYTES = 64 * 1024
MICROSECONDS = 200
FILE_AUROC_DIFFERENCE = 0.002
AUROC_RHYTHM = 0.97


class Verdict(StrEnum):
    """In words, so that it is read without its colour."""

    REACHED = "reached"
    MISSED = "missed"
    NOT_HERE = "not measured here"


@dataclass(frozen=True)
class Aim:
    """One aim: what was wanted, what was measured with its 95 % interval, and what that means."""

    what: str
    wanted: str
    measured: str
    verdict: Verdict
    remark: str = ""


def judged(findings: Findings, rhythm: RhythmFindings | None, cards: Mapping[str, Any]) -> list[Aim]:
    """Every aim in turn. `cards` has the cards that there are, under "deterioration" and "rhythm"."""
    card = cards["deterioration"]
    return [
        _inside(findings),
        Aim(
            "The same in a hospital that was kept aside",
            "at least 0.735, and surely better than NEWS2 with oxygen",
            NOT_KNOWN,
            Verdict.NOT_HERE,
            "Its data is kept aside, for others to judge a release by.",
        ),
        _death(findings),
        _alerts(findings),
        _calibration(findings),
        *(_file(name, one) for name, one in cards.items()),
        *(_inference(name, one) for name, one in cards.items()),
        _file_as_good(card),
        *_rhythm(rhythm),
        _missing(card),
    ]


def _verdict(reached: bool) -> Verdict:
    return Verdict.REACHED if reached else Verdict.MISSED


def below_or_above(one: Estimate, aim: float) -> str:
    """Of what must be at least the aim: whether chance alone may have decided."""
    if one.value >= aim > one.low:
        return "The interval reaches below the aim: it may be chance."
    return "The interval reaches the aim: to miss it may be chance." if one.value < aim <= one.high else ""


def _inside(findings: Findings) -> Aim:
    model = findings.figures["time-matched model"]
    gain = findings.figures["time-matched gain over NEWS2"]
    return Aim(
        "Sepsis within 12 hours, inside one hospital, people apart: time-matched AUROC",
        f"at least {AUROC_INSIDE}, and surely better than NEWS2 with oxygen",
        f"{estimate(model)}; {estimate(gain)} more than NEWS2",
        _verdict(model.value >= AUROC_INSIDE and gain.low > 0),
        " ".join(
            each
            for each in (
                "Better than NEWS2: the whole interval of the gain is above 0." if gain.low > 0 else "",
                below_or_above(model, AUROC_INSIDE),
            )
            if each
        ),
    )


def _death(findings: Findings) -> Aim:
    model = next(group for group in findings.deaths if group.name == EVERYBODY).figures["model"]
    return Aim(
        "Death in hospital (2012 data), people apart, with consciousness: AUROC",
        f"at least {AUROC_DEATH}",
        estimate(model),
        _verdict(model.value >= AUROC_DEATH),
        below_or_above(model, AUROC_DEATH),
    )


def _alerts(findings: Findings) -> Aim:
    found, alerts = findings.figures["found change percent"], findings.figures["alerts change percent"]
    lead = findings.figures["model lead median"]
    reached = found.value >= MORE_FOUND_PERCENT or alerts.value <= -FEWER_ALERTS_PERCENT
    surely = found.low >= MORE_FOUND_PERCENT or alerts.high <= -FEWER_ALERTS_PERCENT
    return Aim(
        "Beside NEWS2 of 5 or more",
        f"with as many alerts at least {MORE_FOUND_PERCENT} % more onsets found, or as many "
        f"found with at least {FEWER_ALERTS_PERCENT} % fewer alerts; the lead time in hours",
        f"onsets found {change(found, 1)}; alerts {change(alerts, 1)}; median lead {estimate(lead, 0, ' h')}",
        _verdict(reached),
        "The interval reaches below the aim: it may be chance." if reached and not surely else "",
    )


def _calibration(findings: Findings) -> Aim:
    slope = findings.calibration_after["slope"]
    error = findings.calibration_after["expected_calibration_error"]
    return Aim(
        "Calibration after a site's recalibration",
        f"slope {SLOPE_LOW} to {SLOPE_HIGH}, expected calibration error at most {CALIBRATION_ERROR}",
        f"slope {estimate(slope, 2)}; error {estimate(error, 4)}",
        _verdict(SLOPE_LOW <= slope.value <= SLOPE_HIGH and error.value <= CALIBRATION_ERROR),
        (
            "The interval of the slope reaches beyond the aim: with another half it may be missed. "
            if slope.low < SLOPE_LOW or slope.high > SLOPE_HIGH
            else ""
        )
        + "Tried with two halves of the same hospital, which is easier than a site of another kind.",
    )


def _file(name: str, card: Mapping[str, Any]) -> Aim:
    size = of_card(card, "file", "bytes")
    known = isinstance(size, int)
    return Aim(
        f"Size of the file, {name}",
        f"at most {whole(FILE_BYTES)} bytes",
        f"{whole(size)} bytes" if known else NOT_KNOWN,
        _verdict(size <= FILE_BYTES) if known else Verdict.NOT_HERE,
    )


def _inference(name: str, card: Mapping[str, Any]) -> Aim:
    slowest = of_card(card, "evaluation", "inference", "p99_microseconds")
    known = isinstance(slowest, int | float)
    return Aim(
        f"One inference with its features, on one core, {name}",
        f"99 of 100 within {MICROSECONDS} microseconds",
        f"{number(slowest, 0)} microseconds" if known else NOT_KNOWN,
        _verdict(slowest <= MICROSECONDS) if known else Verdict.NOT_HERE,
        "On the machine that trained the model, not on a Raspberry Pi." if known else "",
    )


def _file_as_good(card: Mapping[str, Any]) -> Aim:
    difference = of_card(card, "evaluation", "float_and_file", "difference")
    known = isinstance(difference, int | float)
    return Aim(
        "The file beside the same network in full precision: difference of AUROC",
        f"at most {FILE_AUROC_DIFFERENCE}",
        number(abs(difference), 4) if known else NOT_KNOWN,
        _verdict(abs(difference) <= FILE_AUROC_DIFFERENCE) if known else Verdict.NOT_HERE,
    )


def _rhythm(rhythm: RhythmFindings | None) -> list[Aim]:
    by_recording = "Atrial fibrillation against everything else, by recording (2017 data): AUROC"
    of_windows = "Windows in sinus rhythm that are taken for fibrillation"
    wanted_windows = f"at most 1 in {round(1 / MOST_FALSE)} ({100 * MOST_FALSE:g} %)"
    holters = Aim(
        "The same on 24-hour recordings that were kept aside",
        "at least 0.995",
        NOT_KNOWN,
        Verdict.NOT_HERE,
        "Their data is kept aside, for others to judge a release by.",
    )
    if rhythm is None:
        return [
            Aim(by_recording, f"at least {AUROC_RHYTHM}", NOT_KNOWN, Verdict.NOT_HERE),
            holters,
            Aim(of_windows, wanted_windows, NOT_KNOWN, Verdict.NOT_HERE),
        ]
    all_ = rhythm.figures["network, against all"]
    false, found = rhythm.labels[SINUS].share_irregular, rhythm.labels[FIBRILLATION].share_irregular
    return [
        Aim(
            by_recording,
            f"at least {AUROC_RHYTHM}",
            estimate(all_),
            _verdict(all_.value >= AUROC_RHYTHM),
            " ".join(
                (
                    f"{whole(rhythm.untold)} recordings had too few beats for an answer and count as nothing "
                    f"found; of the others {estimate(rhythm.figures['network, against all, told'])}.",
                    below_or_above(all_, AUROC_RHYTHM),
                )
            ).strip(),
        ),
        holters,
        Aim(
            of_windows,
            wanted_windows,
            f"{estimate(false, 2, ' %')}; of the windows in fibrillation {estimate(found, 1, ' %')} are "
            "found",
            _verdict(false.value <= 100 * MOST_FALSE),
            "The interval reaches above the aim: it may be chance."
            if false.value <= 100 * MOST_FALSE < false.high
            else "",
        ),
    ]


def _missing(card: Mapping[str, Any]) -> Aim:
    pairs = missing_pairs(card)
    worse = [pair for pair in pairs if pair["model"] < pair["news2"]]
    told = f"{len(pairs) - len(worse)} of {len(pairs)} pairs" if pairs else NOT_KNOWN
    return Aim(
        "With any two inputs missing",
        "never worse than NEWS2 of the same inputs",
        told,
        _verdict(not worse) if pairs else Verdict.NOT_HERE,
        f"Worse without: {'; '.join(named(pair['missing']) for pair in worse)}." if worse else "",
    )


def missing_pairs(card: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What the card has on two inputs missing: `missing` (names), `model` and `news2` (AUROCs)."""
    found = of_card(card, "evaluation", "missing_pairs")
    return found if isinstance(found, list) else []


def named(inputs: Sequence[str]) -> str:
    """Names of inputs as words."""
    return " and ".join(name.replace("_", " ") for name in inputs)


def of_card(card: Mapping[str, Any], *keys: str) -> Any:
    """What the card has under these keys, one inside the other; None where it has nothing."""
    found: Any = card
    for key in keys:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found
