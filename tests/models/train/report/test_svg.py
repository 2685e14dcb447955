"""Plots are where their numbers say, and their words are words."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from models.train.report.svg import BOTTOM, LEFT, MODEL, NEWS2, RIGHT, TOP, Axis, Chart, even_axis, minus

SVG = "{http://www.w3.org/2000/svg}"


def chart() -> Chart:
    axis = even_axis("a & b", 0, 10, 5)
    return Chart("plot", "A <plot>", "Of nothing", axis, axis, width=400, height=300)


def test_corners_of_the_axes_are_corners_of_the_plot() -> None:
    one = chart()
    one.line("line", [0, 10], [0, 10], MODEL)
    drawn = ElementTree.fromstring(one.svg())
    points = next(drawn.iter(f"{SVG}polyline")).attrib["points"]
    assert points == f"{LEFT:.1f},{300 - BOTTOM:.1f} {400 - RIGHT:.1f},{TOP:.1f}"


def test_words_are_escaped_and_every_line_is_in_the_legend() -> None:
    one = chart()
    one.line("model < news", [0, 1], [0, 1], MODEL)
    one.line("", [0, 1], [1, 0], NEWS2)
    one.note(5, 5, "here & now")
    drawn = ElementTree.fromstring(one.svg())
    told = [element.text for element in drawn.iter(f"{SVG}text")]
    assert {"a & b", "model < news", "here & now"} <= set(told)
    assert told.count("") == 0
    assert drawn[0].text == "A <plot>"


def test_a_bar_stands_on_zero() -> None:
    one = Chart("bars", "Bars", "", even_axis("", 0, 4, 1), even_axis("", -10, 10, 10))
    one.bars("bar", [1], [5], 0.5, MODEL)
    drawn = ElementTree.fromstring(one.svg())
    (bar,) = [
        rect for rect in drawn.iter(f"{SVG}rect") if rect.get("fill-opacity") and float(rect.attrib["x"]) > 50
    ]
    foot = float(bar.attrib["y"]) + float(bar.attrib["height"])
    inside = 400 - BOTTOM - TOP
    assert foot == pytest.approx(TOP + inside / 2, abs=0.1)
    assert float(bar.attrib["height"]) == pytest.approx(inside / 4, abs=0.1)


def test_ticks_are_the_multiples_within_the_axis() -> None:
    ticks = even_axis("x", 0.45, 1, 0.1, ".1f").ticks
    assert [words for _, words in ticks] == ["0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]
    assert [value for value, _ in ticks] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1])
    assert even_axis("x", -12, 10, 10, sign=" %") == Axis(
        "x", -12, 10, ((-10, "\N{MINUS SIGN}10 %"), (0, "0 %"), (10, "10 %"))
    )


def test_a_minus_is_a_minus_and_nothing_has_none() -> None:
    assert minus("-1.20") == "\N{MINUS SIGN}1.20"
    assert minus("-0.00") == "0.00"
    assert minus("3") == "3"
