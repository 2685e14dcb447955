"""The parts of the page about the deterioration model, each a plot with its table beside it."""

from __future__ import annotations

from collections.abc import Sequence

from models.train.measures.alerting import WINDOW_HOURS
from models.train.measures.bootstrap import Estimate
from models.train.report import plots
from models.train.report.findings import BENEFIT_AT, LEAD_AT_LEAST, Findings, Group
from models.train.report.markup import (
    Cell,
    Html,
    change,
    estimate,
    figure,
    number,
    paragraph,
    section,
    table,
    whole,
)
from models.train.report.predictions import Deaths, Onsets

_INTERVAL = "95 % interval in brackets, from drawing people again."


def discrimination(onsets: Onsets, findings: Findings, beside: Sequence[Html]) -> Html:
    figures = findings.figures

    def rows(kind: str) -> list[list[str | Cell]]:
        return [
            ["the model", estimate(figures[f"{kind} model"])],
            ["NEWS2 with oxygen", estimate(figures[f"{kind} NEWS2"])],
            ["NEWS2 without oxygen", estimate(figures[f"{kind} NEWS2 without oxygen"])],
            ["model minus NEWS2 with oxygen", estimate(figures[f"{kind} gain over NEWS2"])],
            [
                "model minus NEWS2 without oxygen",
                estimate(figures[f"{kind} gain over NEWS2 without oxygen"]),
            ],
        ]

    count = findings.counts
    return section(
        "discrimination",
        "Does it tell the ill from the well?",
        paragraph(
            f"{whole(count.sets)} observation sets of {whole(count.people)} people in intensive care, of "
            f"whom {whole(count.people_with_onset)} turned to sepsis; {whole(count.sets_before_onset)} sets "
            "were taken in the 12 hours before. Each person was judged by a model that had not seen them.",
            "AUROC: of a set before an onset and one that was not, how often the first has the higher score. "
            "1 is always, 0.5 is a coin.",
        ),
        figure(
            plots.time_matched(onsets),
            "Compared at the same time of stay: this is the fair comparison, and the one that the aim is "
            "about. How long a person has been in intensive care says much about sepsis there and nothing "
            "in a care home, so only sets of the same six hours of the stay are compared.",
            table(f"Time-matched AUROC. {_INTERVAL}", ["score", "AUROC"], rows("time-matched")),
        ),
        *beside,
        figure(
            plots.plain(onsets),
            "All sets together, whenever in the stay. Here the time of stay has a part in it, so this says "
            "less.",
            table(f"Plain AUROC. {_INTERVAL}", ["score", "AUROC"], rows("plain")),
        ),
    )


def calibration(findings: Findings) -> Html:
    before, after = findings.calibration_before, findings.calibration_after
    rows: list[list[str | Cell]] = [
        [words, estimate(before[name], digits), estimate(after[name], digits)]
        for words, name, digits in (
            ("slope (1 is perfect)", "slope", 2),
            ("intercept (0 is perfect)", "intercept", 2),
            ("expected calibration error (0 is perfect)", "expected_calibration_error", 4),
            ("Brier score (0 is perfect)", "brier", 4),
            ("mean prediction less what was observed", "in_the_large", 4),
        )
    ]
    count = findings.counts
    share = count.sets_before_onset / count.sets
    bins: list[list[str | Cell]] = [
        [
            str(place + 1),
            number(100 * told_before, 2),
            estimate(_percent(happened_before), 2),
            number(100 * told_after, 2),
            estimate(_percent(happened_after), 2),
        ]
        for place, (told_before, happened_before, told_after, happened_after) in enumerate(
            zip(
                findings.reliability_before.told,
                findings.reliability_before.happened,
                findings.reliability_after.told,
                findings.reliability_after.happened,
                strict=True,
            )
        )
    ]
    return section(
        "calibration",
        "Does a risk of 5 % mean 5 in 100?",
        paragraph(
            "A site can put the risk right by a slope and an intercept on its log-odds, once it knows what "
            "happened to its own residents. To try that, people were dealt into halves forty times: one half "
            "played the site that the line was fitted on, the other was judged.",
            "Both halves are of the same hospital, so this shows that the method works, not that a care "
            "home would be served as well. What stands under “as it is” is a little too good: the file's "
            "own line was fitted to predictions of these same people. Until a site has done it, the number "
            "is a rank and no probability.",
            f"Onsets are rare ({number(100 * share, 1)} % of the sets), so the calibration error and the "
            f"Brier score are small whatever one predicts: who always predicted {number(100 * share, 1)} % "
            f"would have an error of almost 0 and a Brier score of {number(share * (1 - share), 4)}. The "
            "slope says more.",
        ),
        figure(
            plots.calibration(findings),
            "Ten groups of equal size by rising risk. Upright lines: 95 % intervals of what was observed.",
            table(
                "Calibration. As it is: 95 % interval from drawing people again. After: median, and middle "
                "95 % of the forty halves.",
                ["figure", "as it is", "after a site's recalibration"],
                rows,
            ),
        ),
        table(
            "Predicted and observed in the ten groups, in %; 95 % interval in brackets.",
            ["group", "predicted", "observed", "recalibrated: predicted", "recalibrated: observed"],
            bins,
        ),
    )


def _percent(one: Estimate) -> Estimate:
    return Estimate(100 * one.value, 100 * one.low, 100 * one.high)


def decision(onsets: Onsets, findings: Findings) -> Html:
    columns = ("model", "recalibrated", "NEWS2 5", "all", "gain")
    rows: list[list[str | Cell]] = [
        [
            f"{100 * at:g} %",
            *(estimate(findings.figures[f"benefit at {at:g} {name}"], 1) for name in columns),
        ]
        for at in BENEFIT_AT
    ]
    return section(
        "decision",
        "Would acting on it be worth while?",
        paragraph(
            "Net benefit (Vickers and Elkin 2006) weighs onsets found against false alarms. Who would act "
            "at a risk of 5 % takes nineteen false alarms for one true one. A net benefit of 10 in 1,000 "
            "sets is worth as much as 10 onsets found without any false alarm.",
            "The best line at a threshold is the highest. Whoever would act at so low a risk that the dashed "
            "line of everybody is on top needs no score.",
        ),
        figure(
            plots.decision(onsets, findings),
            "Net benefit in 1,000 observation sets. A rule such as NEWS2 at or above 5 acts on the same "
            "people at every threshold; what changes is how much its false alarms count.",
            table(
                f"Net benefit in 1,000 sets. {_INTERVAL} The last column: the recalibrated model less the "
                "best of NEWS2 at or above 5, everybody and nobody.",
                ["act at", "model", "recalibrated", "NEWS2 ≥ 5", "everybody", "gain"],
                rows,
            ),
            wide=True,
        ),
    )


def alerts(onsets: Onsets, findings: Findings) -> Html:
    figures = findings.figures
    rows: list[list[str | Cell]] = [
        [
            words,
            estimate(figures[f"{name} alerts"], 1),
            estimate(figures[f"{name} found"], 1, " %"),
            estimate(figures[f"{name} timely"], 1, " %"),
        ]
        for words, name in (
            ("NEWS2 at or above 5", "NEWS2 5"),
            ("the model, as many alerts", "model"),
            ("the model, as many onsets", "model, same found"),
            ("NEWS2 at or above 7", "NEWS2 7"),
        )
    ]
    more, fewer = figures["found change percent"], figures["alerts change percent"]
    return section(
        "alerts",
        "How many alerts, how many onsets found?",
        paragraph(
            "Each set at or above a threshold counts as one alert. A person is found if at least one alert "
            f"falls into the {WINDOW_HOURS:g} hours before the onset; there were {whole(findings.events)} "
            "people with an onset and a set in that time. Four sets make a patient-day.",
            "Onsets found by the model instead of NEWS2 at or above 5, with as many alerts (a risk of "
            f"{number(100 * findings.threshold, 2)} % or more): {change(more, 1)}. Alerts of the model "
            f"instead of NEWS2's, where it finds as many onsets: {change(fewer, 1)}.",
            "Most alerts of either come to nothing: the last column says how many in 100 were in the "
            f"{WINDOW_HOURS:g} hours before an onset.",
            "These people are far sicker than residents of a care home: the rates of alerts there will be "
            "other ones, and are set by the site's own alert budget.",
        ),
        figure(
            plots.alerts(onsets),
            "Each point of a line is one threshold. Further left is fewer alerts, further up more onsets "
            "found.",
            table(
                "Alerts per 100 patient-days, onsets found, and of the alerts those in the "
                f"{WINDOW_HOURS:g} hours before an onset. {_INTERVAL}",
                ["rule", "alerts", "found", "before an onset"],
                rows,
            ),
            wide=True,
        ),
        paragraph(
            "The hub does not call again for a resident whose state stays the same. Counted so, a run of "
            f"alerts once, NEWS2 at or above 5 calls {estimate(figures['NEWS2 5 new alerts'], 1)} and the "
            f"model at the same number of sets {estimate(figures['model new alerts'], 1)} times in 100 "
            "patient-days.",
        ),
    )


def lead(findings: Findings) -> Html:
    figures = findings.figures
    shares = [
        plots.lead_shares(hours, findings.events) for hours in (findings.lead_model, findings.lead_news2)
    ]
    places = [*(f"first alert {words} before" for words, _, _ in plots.LEAD_BINS), "not found"]
    rows: list[list[str | Cell]] = [
        [place, number(model, 1, " %"), number(news2, 1, " %")]
        for place, model, news2 in zip(places, *shares, strict=True)
    ]
    rows += [
        [
            f"found at least {least} h before",
            estimate(figures[f"model found {least} h before"], 1, " %"),
            estimate(figures[f"NEWS2 5 found {least} h before"], 1, " %"),
        ]
        for least in LEAD_AT_LEAST
    ]
    rows += [
        [
            f"{key}, hours",
            estimate(figures[f"model lead {key}"], 0),
            estimate(figures[f"NEWS2 5 lead {key}"], 0),
        ]
        for key in ("lower quartile", "median", "upper quartile")
    ]
    return section(
        "lead-time",
        "How long before the onset?",
        paragraph(
            "From the first alert in the 24 hours before the onset to the onset, with as many alerts as "
            "NEWS2 at or above 5 raises. Sets are six hours apart, so that the hours are no finer than "
            "that; and what is earlier than 24 hours is not looked at, so that 24 is the most there can "
            "be. A rule that alerts on everybody would have the longest lead: read this beside the number "
            "of alerts.",
        ),
        figure(
            plots.lead(findings),
            "Of all people with an onset, those who were not found among them.",
            table(
                "Lead time. Shares are of all onsets; quartiles and median are of the people found.",
                ["first alert", "the model", "NEWS2 ≥ 5"],
                rows,
            ),
        ),
    )


def subgroups(findings: Findings) -> Html:
    rows: list[list[str | Cell]] = [_group_row(group) for group in findings.groups]
    more: list[list[str | Cell]] = [
        [
            group.name,
            number(group.figures["told"].value, 2),
            estimate(group.figures["happened"], 2),
            *(
                estimate(group.figures[name], 1)
                for name in ("model alerts", "NEWS2 alerts", "model found", "NEWS2 found", "found gain")
            ),
        ]
        for group in findings.groups
    ]
    return section(
        "subgroups",
        "Is it as good for everybody?",
        paragraph(
            "By age and by sex, which is all that the data tells of a person. Ethnicity, frailty and "
            "long-term illness are not in it, so nothing is known of them. The smaller a group, the wider "
            "the interval: groups whose intervals overlap may be alike.",
            *not_for_everybody(findings),
        ),
        figure(
            plots.groups("groups", "Time-matched AUROC by age and sex", findings.groups),
            "Time-matched AUROC in each group, people with and without an onset of the same group compared.",
            table(
                f"Time-matched AUROC by group. {_INTERVAL}",
                ["group", "people", "with onset", "model", "NEWS2", "gain"],
                rows,
            ),
            wide=True,
        ),
        table(
            "By group, at one threshold for all (that of as many alerts as NEWS2 at or above 5): mean risk "
            "predicted and share of sets before an onset, in %; alerts per 100 patient-days; onsets found, "
            "in %.",
            [
                "group",
                "predicted",
                "observed",
                "alerts, model",
                "alerts, NEWS2",
                "found, model",
                "found, NEWS2",
                "found, gain",
            ],
            more,
        ),
    )


def not_for_everybody(findings: Findings) -> list[str]:
    """In words: the groups in which that the model is better than NEWS2 was not shown."""
    found = []
    for name, digits, better in (
        ("gain", 3, "orders better (AUROC)"),
        ("found gain", 1, "finds more of 100 onsets, at one threshold for all,"),
    ):
        among = [
            f"{group.name} (gain {estimate(group.figures[name], digits)})"
            for group in findings.groups
            if not group.figures[name].low > 0
        ]
        if among:
            found.append(f"That the model {better} than NEWS2 was not shown among: {'; '.join(among)}.")
    return found or ["In each group by age and sex the whole interval of the gain over NEWS2 is above 0."]


def _group_row(group: Group) -> list[str | Cell]:
    figures = group.figures
    return [
        group.name,
        whole(group.counts.people),
        whole(group.counts.people_with_onset),
        *(estimate(figures[name]) for name in ("model", "NEWS2", "gain")),
    ]


def in_hospital_death(deaths: Deaths, findings: Findings) -> Html:
    rows: list[list[str | Cell]] = [_group_row(group) for group in findings.deaths]
    died = int(deaths.died.sum())
    return section(
        "death",
        "A second task: death in hospital",
        paragraph(
            f"{whole(len(deaths.died))} other people, of whom {whole(died)} died in hospital, judged by the "
            "last set of their first 48 hours in intensive care (2012 data). Here consciousness is known, "
            "the largest single sign of all. Each was judged by a model that had not seen them.",
            "Whoever dies in hospital was often the sickest from the start, so this is an easier question "
            "than when somebody turns, and a long way from a care home.",
        ),
        figure(
            plots.deaths(deaths),
            "All people compared with one another, whenever they died.",
            table(
                f"AUROC for death in hospital. {_INTERVAL}",
                ["group", "people", "died", "model", "NEWS2", "gain"],
                rows,
            ),
            wide=True,
        ),
    )
