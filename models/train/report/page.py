"""The whole page: in plain words first, then the aims, then the plots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.train.report import page_card
from models.train.report import page_deterioration as parts
from models.train.report.aims import Verdict, judged, of_card
from models.train.report.findings import Findings
from models.train.report.markup import (
    NOT_KNOWN,
    Cell,
    Html,
    change,
    element,
    estimate,
    listed,
    number,
    paragraph,
    section,
    table,
    text,
    whole,
)
from models.train.report.page_rhythm import rhythm
from models.train.report.predictions import Deaths, Onsets
from models.train.report.rhythm_findings import FIBRILLATION, SINUS, RhythmFindings
from models.train.report.style import STYLE

Cards = Mapping[str, Mapping[str, Any]]
TITLE = "How good are the models of the CarePort Hub?"

_CONTENTS = (
    ("what", "What these models are"),
    ("must-not", "What they must not be used for"),
    ("not-known", "What is not known"),
    ("aims", "What was aimed at, and what was reached"),
    ("discrimination", "Does it tell the ill from the well?"),
    ("alerts", "How many alerts, how many onsets found?"),
    ("lead-time", "How long before the onset?"),
    ("calibration", "Does a risk of 5 % mean 5 in 100?"),
    ("decision", "Would acting on it be worth while?"),
    ("subgroups", "Is it as good for everybody?"),
    ("missing", "When something is not measured"),
    ("death", "A second task: death in hospital"),
    ("rhythm", "Rhythm: is the pulse irregular?"),
    ("tried", "What was tried, and did not work"),
    ("measured", "How it was measured"),
)


def page(
    onsets: Onsets, deaths: Deaths, findings: Findings, rhythm_findings: RhythmFindings | None, cards: Cards
) -> str:
    """The page, HTML and well-formed XML. `cards` has "deterioration", and "rhythm" if there is one."""
    body = element(
        "body",
        element(
            "header",
            element("h1", text(TITLE)),
            paragraph(
                "For clinicians, and for whoever decides whether a home should use them. Nothing on this "
                "page was measured in a care home."
            ),
        ),
        element(
            "nav",
            element(
                "ul",
                *(element("li", element("a", text(words), href=f"#{name}")) for name, words in _CONTENTS),
            ),
            aria_label="Contents",
        ),
        element(
            "main",
            _what(findings, rhythm_findings, cards),
            _must_not(cards),
            _not_known(cards),
            _aims(findings, rhythm_findings, cards),
            parts.discrimination(onsets, findings, page_card.as_charted(cards["deterioration"])),
            parts.alerts(onsets, findings),
            parts.lead(findings),
            parts.calibration(findings),
            parts.decision(onsets, findings),
            parts.subgroups(findings),
            page_card.missing(cards["deterioration"]),
            parts.in_hospital_death(deaths, findings),
            rhythm(rhythm_findings, cards.get("rhythm", {})),
            page_card.tried(cards),
            _measured(cards),
        ),
    )
    head = element(
        "head",
        Html('<meta charset="utf-8" />\n'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1" />\n'),
        element("title", text(TITLE)),
        element("style", Html(STYLE)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en-GB')}"


def _what(findings: Findings, of_rhythm: RhythmFindings | None, cards: Cards) -> Html:
    figures = findings.figures
    model, news2 = figures["time-matched model"], figures["time-matched NEWS2"]
    more, fewer = figures["found change percent"], figures["alerts change percent"]
    found = [
        "Compared at the same time of stay, the deterioration model gives the higher score to the set "
        f"before an onset in {number(100 * model.value, 0)} of 100 pairs, NEWS2 with oxygen in "
        f"{number(100 * news2.value, 0)}. A coin would in 50, so it is often wrong.",
        "With as many alerts as NEWS2 at or above 5 raises, it finds "
        f"{number(figures['model found'].value, 0)} of 100 onsets, NEWS2 "
        f"{number(figures['NEWS2 5 found'].value, 0)}: {change(more)}. Where it finds as many as NEWS2, its "
        f"alerts: {change(fewer)}. Brackets: 95 % intervals, what chance may do.",
        f"Most alerts come to nothing: in intensive care, {number(figures['model timely'].value, 0)} of 100 "
        f"of the model's are in the day before an onset, {number(figures['NEWS2 5 timely'].value, 0)} of "
        "NEWS2's. Where onsets are rarer, as in a care home, it is fewer still.",
        *parts.not_for_everybody(findings),
    ]
    if of_rhythm is not None:
        sinus, fibrillation = of_rhythm.labels[SINUS], of_rhythm.labels[FIBRILLATION]
        found.append(
            f"The rhythm model takes {estimate(sinus.share_irregular, 2, ' %')} of the windows in sinus "
            f"rhythm for irregular, and finds {estimate(fibrillation.share_irregular, 0, ' %')} of those in "
            "atrial fibrillation."
        )
    return section(
        "what",
        "What these models are",
        paragraph(
            "The hub is a small computer in a care home. It scores each set of observations with NEWS2, "
            "and NEWS2 alone raises alerts. Beside it the hub computes two small models, which were "
            "trained on records of real people, none of them in a care home:"
        ),
        listed(
            [
                "Deterioration: how likely it is that a person's state turns to sepsis within 12 hours, "
                "from respiration rate, oxygen saturation, oxygen, blood pressure, pulse, temperature, "
                "consciousness, age, and how these were in the sets before.",
                "Rhythm: whether the intervals between beats look like atrial fibrillation. Its finding is "
                "“irregular pulse: consider an ECG”, and no diagnosis.",
            ]
        ),
        paragraph(
            "Both run in shadow: they are computed, kept and reported, and raise no alert. They can never "
            "lower, delay or suppress an alert of NEWS2."
        ),
        element("h3", text("In short")),
        listed(found),
        table(
            "The models of this page.",
            ["model", "name", "version", "state", "SHA-256 of the file begins"],
            [
                [
                    name,
                    *(_told(card, key) for key in ("name", "version", "status")),
                    str(of_card(card, "file", "sha256") or NOT_KNOWN)[:16],
                ]
                for name, card in cards.items()
            ],
        ),
    )


def _told(card: Mapping[str, Any], *keys: str) -> str:
    found = of_card(card, *keys)
    return str(found) if isinstance(found, str | int | float) else NOT_KNOWN


def _points(card: Mapping[str, Any], key: str) -> list[str]:
    found = of_card(card, key)
    return [str(one) for one in found] if isinstance(found, list) else []


def _must_not(cards: Cards) -> Html:
    inside: list[Html] = []
    for name, card in cards.items():
        inside += [
            element("h3", text(f"The {name} model must not be used")),
            listed(_points(card, "must_not_be_used") or ["Its card says nothing: do not use it at all."]),
        ]
    return section("must-not", "What they must not be used for", element("div", *inside, class_="warning"))


def _not_known(cards: Cards) -> Html:
    inside: list[Html] = []
    for name, card in cards.items():
        limits = _points(card, "limits")
        if limits:
            inside += [element("h3", text(f"Limits of the {name} model")), listed(limits)]
    return section(
        "not-known",
        "What is not known",
        listed(
            [
                "How good either model is in a care home: nobody has measured it. Residents are older, "
                "frailer and less ill than those in intensive care, of whom deterioration was learned, and "
                "are observed far less often; rhythm was learned from people who held a small ECG device "
                "in their hands.",
                "Whether anybody is better off when staff see these numbers. That needs a trial.",
                "How good they are for people of different ethnicity, frailty or long-term illness: the "
                "data does not say who is who.",
                "How good deterioration is in another hospital than the one it was trained on, and rhythm on "
                "recordings of a whole day. Data of both is kept aside, so that others can judge a release "
                "by it.",
            ]
        ),
        *inside,
    )


def _data(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What it was trained on: one entry, or several."""
    found = of_card(card, "training", "data")
    entries = found if isinstance(found, list) else [found]
    return [entry for entry in entries if isinstance(entry, Mapping)]


_LOOKS = {Verdict.REACHED: "reached", Verdict.MISSED: "missed", Verdict.NOT_HERE: "open"}


def _aims(findings: Findings, of_rhythm: RhythmFindings | None, cards: Cards) -> Html:
    every = judged(findings, of_rhythm, cards)
    counted = {verdict: sum(aim.verdict is verdict for aim in every) for verdict in Verdict}
    return section(
        "aims",
        "What was aimed at, and what was reached",
        paragraph(
            f"The aims were set before the work. {counted[Verdict.REACHED]} were reached, "
            f"{counted[Verdict.MISSED]} missed, and {counted[Verdict.NOT_HERE]} cannot be measured here. An "
            "aim counts as reached by its value; where its interval says that this may be chance, it is "
            "remarked."
        ),
        table(
            "The aims. Brackets: 95 % intervals.",
            ["what", "aim", "measured", "verdict", "remark"],
            [
                [
                    aim.what,
                    aim.wanted,
                    aim.measured,
                    Cell(aim.verdict.value, f"verdict {_LOOKS[aim.verdict]}"),
                    aim.remark,
                ]
                for aim in every
            ],
        ),
    )


def _measured(cards: Cards) -> Html:
    inside: list[Html] = []
    for name, card in cards.items():
        told = [
            ("Protocol", _told(card, "evaluation", "protocol")),
            ("Method", _told(card, "training", "method")),
        ]
        for data in _data(card):
            of = f" ({data['of']})" if "of" in data else ""
            told += [
                (f"Data{of}", _told(data, "name")),
                ("Its population", _told(data, "population")),
                ("Its licence", _told(data, "licence")),
                ("Its source", _told(data, "attribution")),
            ]
        size = of_card(card, "file", "bytes")
        told.append(("Bytes of the file", whole(size) if isinstance(size, int) else NOT_KNOWN))
        rows = [[what, words] for what, words in told]
        inside.append(table(f"The {name} model, as its card says.", ["what", "as the card says"], rows))
    return section(
        "measured",
        "How it was measured",
        listed(
            [
                "Every person, and every recording of a rhythm, was judged by a model that was trained "
                "without them. What is shipped was trained in the same way.",
                "An interval of 95 % is of a bootstrap: people are drawn again a thousand times, each with "
                "all their sets, and the middle 95 % of the results is told. It says how far chance alone "
                "may have moved a number, and not what changes in another place.",
                "NEWS2 is computed as the hub does, on the same sets: what was not measured adds nothing. "
                "The hospital data of sepsis has no level of consciousness, so NEWS2 knows more of a real "
                "resident than it did here.",
                "Onset of sepsis is as the data's authors defined it afterwards from the records (sepsis-3).",
            ]
        ),
        *inside,
    )
