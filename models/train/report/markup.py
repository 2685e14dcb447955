"""The few pieces that the page is built of. What comes as `str` is escaped; what is `Html` already is not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import NewType

from models.train.measures.bootstrap import Estimate
from models.train.report.svg import Chart, minus

Html = NewType("Html", str)
NOT_KNOWN = "not known"


def text(words: str) -> Html:
    """Words, escaped."""
    return Html(escape(words))


def element(tag: str, *inside: Html, **attributes: str) -> Html:
    """An element around what is inside. `class_` is the attribute class, `aria_label` is aria-label."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"' for name, value in attributes.items()
    )
    return Html(f"<{tag}{told}>{''.join(inside)}</{tag}>\n")


def paragraph(*sentences: str) -> Html:
    """One paragraph of these sentences."""
    return element("p", text(" ".join(sentences)))


def listed(items: Iterable[str]) -> Html:
    """A list with a point for each."""
    return element("ul", *(element("li", text(item)) for item in items))


def section(name: str, heading: str, *inside: Html) -> Html:
    """A part of the page that can be linked to by its name."""
    title = element("h2", text(heading), id=f"{name}-heading")
    return element("section", title, *inside, id=name, aria_labelledby=f"{name}-heading")


@dataclass(frozen=True)
class Cell:
    """What is in one place of a table, and a class that says how it looks."""

    words: str
    kind: str


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str | Cell]]) -> Html:
    """A table whose first column names its rows."""
    top = element("tr", *(element("th", text(one), scope="col") for one in head))
    body = [
        element("tr", element("th", text(str(row[0])), scope="row"), *(_cell(one) for one in row[1:]))
        for row in rows
    ]
    told = element("table", element("caption", text(caption)), element("thead", top), element("tbody", *body))
    # A wide table is scrolled by itself, and so must be reached by keyboard.
    return element("div", told, class_="table", tabindex="0", role="region", aria_label=caption)


def _cell(content: str | Cell) -> Html:
    if isinstance(content, Cell):
        return element("td", text(content.words), class_=content.kind)
    return element("td", text(content))


def figure(chart: Chart, caption: str, beside: Html, *, wide: bool = False) -> Html:
    """A plot with what is to be seen in it, and its table beside it; below it where the table is wide."""
    plot = element("figure", Html(chart.svg()), element("figcaption", text(caption)))
    return element("div", plot, beside, class_="below" if wide else "beside")


def number(value: float, digits: int = 3, unit: str = "") -> str:
    """So many digits after the point; words where it is not known."""
    return minus(f"{value:.{digits}f}") + unit if math.isfinite(value) else NOT_KNOWN


def whole(value: int) -> str:
    """With a comma at the thousands."""
    return f"{value:,}"


def change(one: Estimate, digits: int = 0, unit: str = " %") -> str:
    """What becomes more or less, with its sign and its interval: +18 % (+9 to +26)."""
    if not one.known:
        return NOT_KNOWN
    value, low, high = (_signed(part, digits) for part in (one.value, one.low, one.high))
    return f"{value}{unit} ({low} to {high})"


def _signed(value: float, digits: int) -> str:
    told = f"{value:+.{digits}f}"
    return minus(told) if told.strip("+-0.") else told[1:]


def estimate(one: Estimate, digits: int = 3, unit: str = "") -> str:
    """A value with its interval: 0.662 (0.641 to 0.684)."""
    told = number(one.value, digits)
    if told == NOT_KNOWN:
        return told
    if not one.known:
        return f"{told}{unit} (too few for an interval)"
    return f"{told}{unit} ({number(one.low, digits)} to {number(one.high, digits)})"
