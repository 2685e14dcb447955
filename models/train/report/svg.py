"""Small plots as SVG text, readable aloud and the same bytes for the same numbers.

Lines differ in their dashes and points in their shapes, never in colour alone; the colours are of Okabe and
Ito, who chose them for people who confuse some. Each plot has a title and a description, and a table stands
beside it on the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor

import numpy as np
import numpy.typing as npt

LEFT, RIGHT, TOP, BOTTOM = 66, 28, 14, 50
LEGEND_ROW = 22
INK, GRID, PAPER = "#1a1a1a", "#dcdcdc", "#ffffff"

Values = Sequence[float] | npt.NDArray[np.float64] | npt.NDArray[np.int64]


@dataclass(frozen=True)
class Style:
    """How one score looks in every plot. `shape` is of its points: circle, square or diamond."""

    colour: str
    dash: str = ""
    width: float = 2.5
    shape: str = "circle"


MODEL = Style("#0072b2", width=3)
SECOND_MODEL = Style("#56b4e9", dash="10 3 2 3", shape="diamond")
NEWS2 = Style("#b34700", dash="7 4", shape="square")
NEWS2_BARE = Style("#7a5195", dash="2 4", shape="diamond")
NEWS2_EMERGENCY = Style("#b34700", dash="2 4", shape="square")
REFERENCE = Style("#6b6b6b", dash="4 4", width=1.5)
SECOND_REFERENCE = Style("#6b6b6b", width=1.5)


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`; `ticks` are told by their words."""

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]


def even_axis(label: str, low: float, high: float, step: float, form: str = "g", sign: str = "") -> Axis:
    """An axis with a tick at each multiple of `step`, written in the format `form`, with `sign` after it."""
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    values = [number * step for number in range(first, last + 1)]
    return Axis(label, low, high, tuple((value, f"{minus(format(value, form))}{sign}") for value in values))


def minus(number: str) -> str:
    """With a minus sign instead of a hyphen, and none before nothing but zeros."""
    if number.startswith("-"):
        return f"\N{MINUS SIGN}{number[1:]}" if number.strip("-0.") else number[1:]
    return number


class Chart:
    """One plot. What is drawn outside of the axes is cut off.

    Args:
        name: unique on the page; letters and hyphens.
        title: what it shows; read aloud first.
        description: what is to be seen in it, for somebody who does not see it.
        left: room for the words at the vertical axis, in pixels.
    """

    def __init__(
        self,
        name: str,
        title: str,
        description: str,
        x: Axis,
        y: Axis,
        *,
        width: int = 560,
        height: int = 400,
        left: int = LEFT,
    ) -> None:
        self._name, self._title, self._description = name, title, description
        self._x, self._y, self._width, self._height, self._left = x, y, width, height, left
        self._drawn: list[str] = []
        self._over: list[str] = []
        self._legend: list[tuple[str, str]] = []

    def line(self, label: str, x: Values, y: Values, style: Style) -> None:
        """A line through these points, in the legend unless the label is empty."""
        points = " ".join(f"{self._across(a)},{self._up(b)}" for a, b in zip(x, y, strict=True))
        self._drawn.append(f'<polyline points="{points}" {_stroke(style)}/>')
        if label:
            self._legend.append((label, f'<line x1="0" y1="-5" x2="34" y2="-5" {_stroke(style)}/>'))

    def points(self, label: str, x: Values, y: Values, style: Style) -> None:
        """A mark at each of these points."""
        for a, b in zip(x, y, strict=True):
            self._drawn.append(_mark(self._across(a), self._up(b), style))
        if label:
            self._legend.append((label, _mark("17", "-5", style)))

    def upright(self, x: Values, low: Values, high: Values, style: Style) -> None:
        """From low to high at each x: how far a value may be off."""
        for a, b, c in zip(x, low, high, strict=True):
            self._bar_of_error(self._across(a), self._up(b), self._across(a), self._up(c), style)

    def lying(self, low: Values, high: Values, y: Values, style: Style) -> None:
        """From low to high at each y."""
        for a, b, c in zip(low, high, y, strict=True):
            self._bar_of_error(self._across(a), self._up(c), self._across(b), self._up(c), style)

    def bars(self, label: str, x: Values, heights: Values, width: float, style: Style) -> None:
        """A bar from 0 at each x, so wide (in the axis's unit), hatched by its edge's dashes."""
        for a, height in zip(x, heights, strict=True):
            left, right = float(self._across(a - width / 2)), float(self._across(a + width / 2))
            top, foot = float(self._up(height)), float(self._up(0))
            self._drawn.append(
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}" height="{foot - top:.1f}" '
                f'fill="{style.colour}" fill-opacity="0.55" stroke="{style.colour}" stroke-width="2" '
                f'stroke-dasharray="{style.dash}"/>'
            )
        swatch = (
            f'<rect x="6" y="-12" width="22" height="13" fill="{style.colour}" fill-opacity="0.55" '
            f'stroke="{style.colour}" stroke-width="2" stroke-dasharray="{style.dash}"/>'
        )
        self._legend.append((label, swatch))

    def note(self, x: float, y: float, words: str, *, right: float = 10, down: float = 5) -> None:
        """Words beside a point, moved so many pixels."""
        across, up = float(self._across(x)) + right, float(self._up(y)) + down
        anchor = "end" if right < 0 else "start"
        self._over.append(
            f'<text x="{across:.1f}" y="{up:.1f}" text-anchor="{anchor}" class="note">{escape(words)}</text>'
        )

    def svg(self) -> str:
        """The whole plot."""
        name, clip = self._name, f"{self._name}-inside"
        height = self._height + LEGEND_ROW * len(self._legend)
        inside = f'x="{self._left}" y="{TOP}" width="{self._right - self._left}" height="{self._foot - TOP}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width} {height}" role="img" '
            f'aria-labelledby="{name}-title {name}-words">',
            f'<title id="{name}-title">{escape(self._title)}</title>',
            f'<desc id="{name}-words">{escape(self._description)}</desc>',
            f'<clipPath id="{clip}"><rect {inside}/></clipPath>',
            f'<rect {inside} fill="{PAPER}" stroke="none"/>',
            *self._axes(),
            f'<g clip-path="url(#{clip})">',
            *self._drawn,
            "</g>",
            *self._over,
            *self._legend_rows(),
            "</svg>",
        ]
        return "\n".join(parts)

    @property
    def _right(self) -> int:
        return self._width - RIGHT

    @property
    def _foot(self) -> int:
        return self._height - BOTTOM

    def _across(self, value: float) -> str:
        share = (value - self._x.low) / (self._x.high - self._x.low)
        return f"{self._left + share * (self._right - self._left):.1f}"

    def _up(self, value: float) -> str:
        share = (value - self._y.low) / (self._y.high - self._y.low)
        return f"{self._foot - share * (self._foot - TOP):.1f}"

    def _bar_of_error(self, x1: str, y1: str, x2: str, y2: str, style: Style) -> None:
        self._drawn.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{style.colour}" stroke-width="1.5"/>'
        )

    def _axes(self) -> Iterable[str]:
        for value, words in self._x.ticks:
            x = self._across(value)
            yield f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{self._foot}" stroke="{GRID}"/>'
            yield f'<text x="{x}" y="{self._foot + 20}" text-anchor="middle">{escape(words)}</text>'
        for value, words in self._y.ticks:
            y = self._up(value)
            yield f'<line x1="{self._left}" y1="{y}" x2="{self._right}" y2="{y}" stroke="{GRID}"/>'
            beside = f'x="{self._left - 8}" y="{float(y) + 5:.1f}" text-anchor="end"'
            yield f"<text {beside}>{escape(words)}</text>"
        yield (
            f'<path d="M{self._left} {TOP}V{self._foot}H{self._right}" fill="none" stroke="{INK}" '
            f'stroke-width="1.5"/>'
        )
        middle = (self._left + self._right) / 2
        yield (
            f'<text x="{middle:.1f}" y="{self._foot + 42}" text-anchor="middle" class="axis">'
            f"{escape(self._x.label)}</text>"
        )
        if self._y.label:
            across, up = 16, (TOP + self._foot) / 2
            yield (
                f'<text x="{across}" y="{up:.1f}" text-anchor="middle" class="axis" '
                f'transform="rotate(-90 {across} {up:.1f})">{escape(self._y.label)}</text>'
            )

    def _legend_rows(self) -> Iterable[str]:
        for number, (label, sample) in enumerate(self._legend):
            y = self._height + LEGEND_ROW * number + 12
            words = f'<text x="44" y="0">{escape(label)}</text>'
            yield f'<g transform="translate({self._left} {y})">{sample}{words}</g>'


def _stroke(style: Style) -> str:
    dash = f' stroke-dasharray="{style.dash}"' if style.dash else ""
    return f'fill="none" stroke="{style.colour}" stroke-width="{style.width:g}"{dash}'


def _mark(x: str, y: str, style: Style) -> str:
    colours = f'fill="{style.colour}" stroke="{PAPER}" stroke-width="1"'
    if style.shape == "circle":
        return f'<circle cx="{x}" cy="{y}" r="5.5" {colours}/>'
    across, up = float(x), float(y)
    turned = f' transform="rotate(45 {x} {y})"' if style.shape == "diamond" else ""
    return f'<rect x="{across - 5:.1f}" y="{up - 5:.1f}" width="10" height="10" {colours}{turned}/>'
