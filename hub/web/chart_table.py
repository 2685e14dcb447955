"""The values of a chart as a table, for who cannot see the picture or wants the numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from statistics import median_low
from zoneinfo import ZoneInfo

from markupsafe import Markup

from hub.readings import Vital
from hub.web.points import Point
from hub.web.words import duration_words, moment_words, number_words

MOST_ROWS = 24
"""More values than that are told by stretches of time."""


def table_of(
    vital: Vital | None, points: Sequence[Point], since: datetime, until: datetime, zone: ZoneInfo
) -> Markup:
    """A chart's values, newest first, folded up; `vital` None for scores.

    Args:
        vital: whose unit the values have, or None.
        points: of the period, oldest first.
        since: the period's begin, aware.
        until: its end, aware: what "yesterday" is reckoned from.
        zone: the home's time zone.
    """
    if not points:
        return Markup("")
    if len(points) <= MOST_ROWS:
        headings: tuple[str, ...] = ("When", "Value", "To know")
        rows = [_row(vital, each, until, zone) for each in reversed(points)]
    else:
        headings = ("From", "Values", "Lowest", "Middle", "Highest")
        rows = _stretches(vital, points, since, until, zone)
    return Markup(
        '<details class="nhsuk-details page-chart__values"><summary class="nhsuk-details__summary">'
        '<span class="nhsuk-details__summary-text">{}</span></summary>'
        '<div class="nhsuk-details__text"><table class="nhsuk-table page-values"><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div></details>"
    ).format(
        f"{'The scores' if vital is None else 'The values'} as a table",
        Markup("").join(Markup('<th scope="col">{}</th>').format(words) for words in headings),
        Markup("").join(rows),
    )


def _row(vital: Vital | None, point: Point, until: datetime, zone: ZoneInfo) -> Markup:
    words = []
    if point.doubtful:
        words.append("at least: not all was measured" if vital is None else "in doubt")
    if point.lowest is not None and point.highest is not None and point.highest > point.lowest:
        words.append(f"from {_number(point.lowest, vital)} to {_number(point.highest, vital)}")
    cells = (moment_words(point.at, until, zone), _number(point.value, vital), ", ".join(words))
    return _cells(cells)


def _stretches(
    vital: Vital | None, points: Sequence[Point], since: datetime, until: datetime, zone: ZoneInfo
) -> list[Markup]:
    """The period in equal stretches; those without a value are said to be so."""
    width = (until - since) / MOST_ROWS
    by_number = {
        number: list(group)
        for number, group in groupby(
            points, key=lambda each: min(int((each.at - since) / width), MOST_ROWS - 1)
        )
    }
    rows = []
    for number in reversed(range(MOST_ROWS)):
        begin = moment_words(since + number * width, until, zone)
        held = by_number.get(number)
        if held is None:
            rows.append(_cells((begin, "none", "", "", "")))
            continue
        doubtful = sum(each.doubtful for each in held)
        what = "partial" if vital is None else "in doubt"
        count = f"{len(held)}, {doubtful} {what}" if doubtful else f"{len(held)}"
        middle = median_low(each.value for each in held)
        numbers = (min(each.low for each in held), middle, max(each.high for each in held))
        rows.append(_cells((begin, count, *(_number(each, vital) for each in numbers))))
    words = f"Each line is {duration_words(max(width, timedelta(minutes=1)))}."
    return [*rows, Markup('<tr><td colspan="5">{}</td></tr>').format(words)]


def _cells(cells: Sequence[str]) -> Markup:
    first, *others = cells
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(
        first, Markup("").join(Markup("<td>{}</td>").format(each) for each in others)
    )


def _number(value: float, vital: Vital | None) -> str:
    return f"{value:.0f}" if vital is None else number_words(value, vital)
