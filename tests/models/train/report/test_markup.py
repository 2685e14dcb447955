"""Numbers as people read them; what is not known is said in words."""

from __future__ import annotations

import math

from models.train.measures.bootstrap import Estimate
from models.train.report.markup import change, element, estimate, number, text


def test_an_estimate_has_its_interval() -> None:
    assert estimate(Estimate(0.66166, 0.6415, 0.6838)) == "0.662 (0.641 to 0.684)"
    assert estimate(Estimate(12, -1.04, 20), 1, " %") == "12.0 % (\N{MINUS SIGN}1.0 to 20.0)"


def test_a_change_has_its_sign_unless_it_is_none() -> None:
    assert change(Estimate(18.4, 9.1, 26)) == "+18 % (+9 to +26)"
    assert change(Estimate(0.04, -4.6, 5.2), 1) == "0.0 % (\N{MINUS SIGN}4.6 to +5.2)"
    assert change(Estimate(-0.04, -4.6, 5.2), 1) == "0.0 % (\N{MINUS SIGN}4.6 to +5.2)"


def test_what_is_not_known_is_said_in_words() -> None:
    nothing = Estimate(math.nan, math.nan, math.nan)
    assert number(math.nan) == number(math.inf) == estimate(nothing) == change(nothing) == "not known"
    assert estimate(Estimate(0.5, math.nan, math.nan)) == "0.500 (too few for an interval)"


def test_attributes_and_words_are_escaped() -> None:
    made = element("td", text("a < b & c"), class_="x", aria_label='"q"')
    assert made == '<td class="x" aria-label="&quot;q&quot;">a &lt; b &amp; c</td>\n'
