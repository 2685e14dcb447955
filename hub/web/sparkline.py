"""How somebody's scores went, as a picture small enough for a line of a list. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup

from hub.overview.glance import PastScore
from hub.web.words import band_class, duration_words

_WIDTH, _HEIGHT, _EDGE = 120.0, 36.0, 5.0
_HIGHEST = 10  # points: a trend looks the same for everybody; what is higher is drawn at the top
_GAP = 6  # what is further apart than a sixth of the time is not joined


def sparkline(scores: Sequence[PastScore], since: datetime, until: datetime) -> Markup:
    """NEWS2 from `since` to `until` (both aware): a dot a score in the colour of its band, a ring if partial.

    Who cannot see it is told where it began, where it ended, and how high it was.
    """
    shown = [each for each in scores if since <= each.at <= until]
    if not shown:
        return Markup('<span class="page-muted">no scores in {}</span>').format(duration_words(until - since))
    placed = [
        (
            _EDGE + (_WIDTH - 2 * _EDGE) * ((each.at - since) / (until - since)),
            _HEIGHT - _EDGE - (_HEIGHT - 2 * _EDGE) * min(each.total, _HIGHEST) / _HIGHEST,
            each,
        )
        for each in shown
    ]
    gap = (until - since) / _GAP
    line = "".join(
        f"{'L' if number and each.at - placed[number - 1][2].at <= gap else 'M'}{x:.1f} {y:.1f}"
        for number, (x, y, each) in enumerate(placed)
    )
    dots = Markup("").join(
        Markup('<circle class="spark-{}{}" cx="{}" cy="{}" r="{}"/>').format(
            band_class(each.band),
            "" if each.complete else " spark-partial",
            f"{x:.1f}",
            f"{y:.1f}",
            "4.5" if each is placed[-1][2] else "2.8",
        )
        for x, y, each in placed
    )
    base = _HEIGHT - _EDGE
    return Markup(
        '<svg class="spark" role="img" aria-label="{}" viewBox="0 0 120 36">'
        '<path class="spark-base" d="M0 {}H120"/><path class="spark-line" d="{}"/>{}</svg>'
    ).format(_spoken(shown, since, until), f"{base:g}", line, dots)


def _spoken(scores: Sequence[PastScore], since: datetime, until: datetime) -> str:
    highest = max(each.total for each in scores)
    return (
        f"NEWS2 over {duration_words(until - since)}: from {_total(scores[0])} to {_total(scores[-1])},"
        f" the highest {highest}"
    )


def _total(score: PastScore) -> str:
    return f"{'' if score.complete else 'at least '}{score.total}"
