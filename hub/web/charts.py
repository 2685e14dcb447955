"""Charts, drawn here as SVG: a vital over a period, and NEWS2 over a period. Pure.

Behind the values lie the areas of NEWS2's chart 1 (Royal College of Physicians 2017), each with the points
that a value in it scores, found by asking `news2.score` itself. What is usual for the person is a dashed
frame. A value in doubt is a ring and not a dot. Where nobody measured for long nothing is drawn: a line would
say that it was known. With each picture go its values as a table, for who cannot see it or wants the numbers.

Across, places are percentages of the picture's width, so that letters keep their size on a telephone; up and
down they are pixels. There is no style in the SVG, only classes: the page's policy forbids more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from statistics import median_low
from zoneinfo import ZoneInfo

from markupsafe import Markup

from hub.assessment.news2 import OxygenScale, score
from hub.overview.glance import PastScore
from hub.readings import Breathing, Value, Vital
from hub.residents.care import Normal
from hub.web.chart_table import table_of
from hub.web.points import Point, inside, point_of
from hub.web.words import moment_words, number_words, unit_words, value_words, vital_words

__all__ = ["HEIGHT", "Area", "Point", "areas", "chart", "point_of", "score_chart"]

HEIGHT = 200
"""How high the drawn area is, in pixels."""

_TOP, _BELOW = 10, 26
_BESIDE = "100.8%"  # the right margin, where nothing is drawn
_ACROSS = 1000  # of the inner picture, which is stretched to the width that there is
_MOST_DRAWN = 96  # more points than that are drawn as columns, each its median and its range
_JOINED_WITHIN, _SCORES_JOINED_WITHIN = 1 / 12, 1 / 6  # of the period: what is further apart is not joined
_USUAL: Mapping[Vital, tuple[float, float]] = {
    Vital.RESPIRATION_RATE: (6, 30),
    Vital.OXYGEN_SATURATION: (82, 100),
    Vital.SYSTOLIC_PRESSURE: (80, 190),
    Vital.DIASTOLIC_PRESSURE: (40, 110),
    Vital.MEAN_ARTERIAL_PRESSURE: (50, 140),
    Vital.PULSE_RATE: (36, 136),
    Vital.TEMPERATURE: (34.5, 39.5),
    Vital.GLUCOSE: (3, 15),
}
"""From where to where each chart goes at the least, in the vital's unit: so charts can be compared."""
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class Area:
    """Values that score the same: from `low` up to `high`, in the vital's unit, `points` each."""

    low: float
    high: float
    points: int


@dataclass(frozen=True, slots=True)
class _Axis:
    """Which values are drawn where."""

    low: float
    high: float

    def y(self, value: float) -> float:
        """How far down, in pixels."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(_TOP + HEIGHT * (1 - share), 1)


@dataclass(frozen=True, slots=True)
class _Times:
    since: datetime
    until: datetime

    def share(self, at: datetime) -> float:
        """How far across, from 0 to 1."""
        return (at - self.since) / (self.until - self.since)


def areas(
    vital: Vital, low: float, high: float, scale: OxygenScale, breathing: Breathing | None = None
) -> tuple[Area, ...]:
    """What values from `low` to `high` score, lowest first; what cannot be scored is in none.

    Of oxygen saturation on scale 2 it depends from 93 % on on whether oxygen is given (`breathing`).
    """
    step = 0.1 if vital is Vital.TEMPERATURE else 1.0
    first, last = round(low / step), round(high / step)
    known: dict[Vital, Value] = {} if breathing is None else {Vital.SUPPLEMENTAL_OXYGEN: breathing}
    scored = [
        (number * step, score({**known, vital: round(number * step, 1)}, scale).sub_scores.get(vital))
        for number in range(first, last + 1)
    ]
    found = []
    for points, group in groupby(scored, key=lambda each: each[1]):
        values = [value for value, _ in group]
        if points is not None:
            # A column of the chart reaches half a step beyond the values that it names.
            found.append(Area(max(low, values[0] - step / 2), min(high, values[-1] + step / 2), points))
    return tuple(found)


def chart(
    vital: Vital,
    points: Iterable[Point],
    since: datetime,
    until: datetime,
    zone: ZoneInfo,
    *,
    scale: OxygenScale = OxygenScale.SCALE_1,
    breathing: Breathing | None = None,
    normal: Normal | None = None,
    beyond: tuple[datetime, float] | None = None,
) -> Markup:
    """A vital from `since` to `until`, as a figure with its table.

    Args:
        vital: a vital with numbers.
        points: in any order; those outside the period are left out.
        since: the first moment drawn; aware, before `until`.
        until: the last, aware.
        zone: the home's time zone.
        scale: the person's SpO2 scale.
        breathing: whether they are given oxygen now, if that is known.
        normal: what is usual for them.
        beyond: when it last lay beyond what its sensor can say, and infinity or minus infinity: no point, but
            an older number must not stand as the last.
    """
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    shown = inside(points, since, until)
    axis = _axis(vital, shown, normal)
    scored = areas(vital, axis.low, axis.high, scale, breathing) if vital in _SCORED else ()
    title = vital_words(vital)
    unit = unit_words(vital)
    last = (
        f"{value_words(shown[-1].value, vital)}, {moment_words(shown[-1].at, until, zone)}"
        if shown
        else "no values"
    )
    if shown and shown[-1].doubtful:
        last += ", in doubt"
    if beyond is not None and since <= beyond[0] <= until and (not shown or beyond[0] > shown[-1].at):
        last = f"{value_words(beyond[1], vital)}, {moment_words(beyond[0], until, zone)}"
    body = Markup("").join(
        [
            *(_shade(each.low, each.high, f"chart-{each.points}", axis) for each in scored),
            _grid(vital, axis),
            *(_points_of_area(each, axis) for each in scored),
            _usual(normal, axis),
            _days(since, until, zone),
            _values(_columns(shown, since, until), axis, _Times(since, until), _JOINED_WITHIN),
        ]
    )
    extra = f" Usual for this person: {_from_to(normal, vital)}." if normal else ""
    spoken = f"{title}: {_in_short(shown, vital)}{extra} The values are in the table below."
    return _figure(title, unit, last, spoken, body, table_of(vital, shown, since, until, zone))


def score_chart(scores: Iterable[PastScore], since: datetime, until: datetime, zone: ZoneInfo) -> Markup:
    """NEWS2 from `since` to `until` (both aware), as a figure with its table. A partial score is a ring."""
    points = [Point(each.at, float(each.total), doubtful=not each.complete) for each in scores]
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    shown = inside(points, since, until)
    axis = _Axis(-0.5, max(9.5, *(each.value + 0.5 for each in shown)) if shown else 9.5)
    bands = (
        (-0.5, 0.5, "0", "zero"),
        (0.5, 4.5, "1", "low"),
        (4.5, 6.5, "2", "medium"),
        (6.5, axis.high, "3", "high"),
    )
    body = Markup("").join(
        [
            *(_shade(low, high, f"chart-{number}", axis) for low, high, number, _ in bands),
            _lines([0, 5, 7], axis, lambda value: f"{value:.0f}"),
            *(_text(words, axis.y((low + high) / 2) + 4, "", _BESIDE) for low, high, _, words in bands),
            _days(since, until, zone),
            _values(_columns(shown, since, until), axis, _Times(since, until), _SCORES_JOINED_WITHIN),
        ]
    )
    newest = shown[-1] if shown else None
    least = "at least " if newest is not None and newest.doubtful else ""
    last = f"{least}{newest.value:.0f}, {moment_words(newest.at, until, zone)}" if newest else "no scores"
    spoken = f"NEWS2: {_scores_in_short(shown)} The scores are in the table below."
    table = table_of(None, shown, since, until, zone)
    return _figure("NEWS2", "", last, spoken, body, table, " page-chart--scores")


_SCORED = frozenset(
    {
        Vital.RESPIRATION_RATE,
        Vital.OXYGEN_SATURATION,
        Vital.SYSTOLIC_PRESSURE,
        Vital.PULSE_RATE,
        Vital.TEMPERATURE,
    }
)


def _axis(vital: Vital, points: Sequence[Point], normal: Normal | None) -> _Axis:
    """What is usual for the vital, and whatever lies beyond it."""
    lows, highs = [each.low for each in points], [each.high for each in points]
    if normal is not None:
        lows.append(normal.lowest)
        highs.append(normal.highest)
    usual = _USUAL.get(vital)
    if usual is None:
        usual = (min(lows, default=0.0) - 2, max(highs, default=10.0) + 2)
    room = 0.3 if vital is Vital.TEMPERATURE else 2.0
    lowest = min(usual[0], min(lows, default=usual[0]) - room)
    highest = max(usual[1], max(highs, default=usual[1]) + room)
    if vital is Vital.OXYGEN_SATURATION:
        highest = 100.5
    return _Axis(max(0.0, lowest), highest)


def _columns(points: Sequence[Point], since: datetime, until: datetime) -> list[Point]:
    """The points, or, where they are too many to be told apart, one for each narrow column of the picture."""
    if len(points) <= _MOST_DRAWN:
        return list(points)
    times = _Times(since, until)
    columns = []
    for _, group in groupby(points, key=lambda each: int(times.share(each.at) * _MOST_DRAWN)):
        held = list(group)
        columns.append(
            Point(
                held[len(held) // 2].at,
                median_low(each.value for each in held),
                all(each.doubtful for each in held),
                min(each.low for each in held),
                max(each.high for each in held),
            )
        )
    return columns


def _figure(
    title: str, unit: str, last: str, spoken: str, body: Markup, table: Markup, style: str = ""
) -> Markup:
    height = _TOP + HEIGHT + _BELOW
    in_unit = Markup(' <span class="page-chart__unit">{}</span>').format(unit) if unit else ""
    return Markup(
        '<figure class="page-chart{}"><figcaption class="page-chart__head">'
        '<span class="page-chart__title">{}{}</span><span class="page-chart__last">{}</span></figcaption>'
        '<svg class="page-chart__picture" role="img" aria-label="{}" width="100%" height="{}">{}</svg>'
        "{}</figure>"
    ).format(style, title, in_unit, last, spoken, height, body, table)


def _shade(low: float, high: float, style: str, axis: _Axis) -> Markup:
    top = axis.y(high)
    return Markup('<rect class="{}" x="0" width="100%" y="{}" height="{}"/>').format(
        style, top, round(axis.y(low) - top, 1)
    )


def _points_of_area(area: Area, axis: _Axis) -> Markup:
    """What a value here scores, at the right edge: nothing hangs on the colour alone."""
    middle = axis.y((area.low + area.high) / 2)
    if not area.points or axis.y(area.low) - axis.y(area.high) < 13:
        return Markup("")
    return _text(f"+{area.points}", middle + 4, "", _BESIDE)


def _text(words: str, y: float, style: str, x: str) -> Markup:
    return Markup('<text class="chart-words {}" x="{}" y="{}">{}</text>').format(style, x, round(y, 1), words)


def _usual(normal: Normal | None, axis: _Axis) -> Markup:
    if normal is None:
        return Markup("")
    top = axis.y(normal.highest)
    frame = Markup('<rect class="chart-normal" x="1" width="99.6%" y="{}" height="{}"/>').format(
        top, max(2.0, round(axis.y(normal.lowest) - top, 1))
    )
    return frame + _text("usual", top + 14, "chart-words--normal", "0.8%")


def _grid(vital: Vital, axis: _Axis) -> Markup:
    span = axis.high - axis.low
    step = next((each for each in _STEPS if span / each <= _MOST_LINES), _STEPS[-1])
    first = math.ceil(axis.low / step)
    values = [number * step for number in range(first, math.floor(axis.high / step) + 1)]
    return _lines(values, axis, lambda value: number_words(value, vital) if step < 1 else f"{value:.0f}")


def _lines(values: Iterable[float], axis: _Axis, words: Callable[[float], str]) -> Markup:
    drawn = []
    for value in values:
        y = axis.y(value)
        drawn.append(Markup('<line class="chart-grid" x1="0" x2="100%" y1="{}" y2="{}"/>').format(y, y))
        drawn.append(_text(words(value), y + 4.5, "chart-words--end", "-6"))
    return Markup("").join(drawn)


def _days(since: datetime, until: datetime, zone: ZoneInfo) -> Markup:
    """Lines at midnights, or at every sixth hour of a day; each with its words below."""
    times = _Times(since, until)
    drawn = []
    for at, words in _marks(since, until, zone):
        share = times.share(at)
        x = f"{100 * share:.2f}%"
        drawn.append(
            Markup('<line class="chart-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                x, x, _TOP, _TOP + HEIGHT
            )
        )
        if 0.03 <= share <= 0.97:
            drawn.append(_text(words, _TOP + HEIGHT + 18, "chart-words--middle", x))
    return Markup("").join(drawn)


def _marks(since: datetime, until: datetime, zone: ZoneInfo) -> list[tuple[datetime, str]]:
    local = since.astimezone(zone)
    days = (until - since) / timedelta(days=1)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    marks: list[tuple[datetime, str]] = []
    if days <= 2:
        # Wall clock arithmetic, so that 06:00 stays 06:00 over a change of the clocks.
        hours = (midnight + timedelta(hours=6 * number) for number in range(13))
        marks = [(each, f"{each:%H:%M}") for each in hours]
    else:
        every = math.ceil(days / 7)
        dates = (midnight + timedelta(days=every * number) for number in range(math.ceil(days / every) + 1))
        marks = [(each, f"{each:%a} {each.day}" if days <= 9 else f"{each.day}") for each in dates]
    shown = [(at, words) for at, words in marks if since <= at <= until]
    if days <= 9:
        return shown
    # The month where it begins only: on a telephone there is no room for more.
    months = [None, *(at.month for at, _ in shown)]
    return [
        (at, words if at.month == before else f"{words} {at:%b}")
        for before, (at, words) in zip(months, shown, strict=False)
    ]


def _values(points: Sequence[Point], axis: _Axis, times: _Times, joined_within: float) -> Markup:
    """The line, and a dot or ring for each value, as few paths: a page of charts must stay small."""
    gap = (times.until - times.since) * joined_within
    placed = [(round(times.share(each.at) * _ACROSS, 1), axis.y(each.value), each) for each in points]
    line, ranges = [], []
    for number, (x, y, each) in enumerate(placed):
        joined = number > 0 and each.at - placed[number - 1][2].at <= gap
        line.append(f"{'L' if joined else 'M'}{x:g} {y:g}")
        if each.lowest is not None and each.highest is not None and each.highest > each.lowest:
            ranges.append(f"M{x:g} {axis.y(each.lowest):g}V{axis.y(each.highest):g}")
    dots = "".join(f"M{x:g} {y:g}h0" for x, y, each in placed if not each.doubtful)
    rings = "".join(f"M{x:g} {y:g}h0" for x, y, each in placed if each.doubtful)
    crowded = " chart-dots--many" if len(points) > 60 else ""
    paths = [
        Markup('<path class="{}" d="{}"/>').format(style, drawn)
        for style, drawn in (
            ("chart-range", "".join(ranges)),
            ("chart-line", "".join(line)),
            (f"chart-dots{crowded}", dots),
            (f"chart-rings{crowded}", rings),
            (f"chart-rings-inside{crowded}", rings),
        )
        if drawn
    ]
    return Markup(
        '<svg class="chart-inside" x="0" y="0" width="100%" height="{0}" viewBox="0 0 {1} {0}"'
        ' preserveAspectRatio="none">{2}</svg>'
    ).format(_TOP + HEIGHT, _ACROSS, Markup("").join(paths))


def _from_to(normal: Normal, vital: Vital) -> str:
    return f"{number_words(normal.lowest, vital)} to {value_words(normal.highest, vital)}"


def _in_short(points: Sequence[Point], vital: Vital) -> str:
    if not points:
        return "no values."
    lowest, highest = min(each.value for each in points), max(each.value for each in points)
    return (
        f"{len(points)} values from {number_words(lowest, vital)} to {value_words(highest, vital)},"
        f" the last {value_words(points[-1].value, vital)}."
    )


def _scores_in_short(points: Sequence[Point]) -> str:
    if not points:
        return "no scores."
    least = "at least " if points[-1].doubtful else ""
    highest = max(each.value for each in points)
    return f"from {points[0].value:.0f} to {least}{points[-1].value:.0f}, the highest {highest:.0f}."
