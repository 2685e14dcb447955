"""A model's card as a page: what a person reads, within a terminal's width, and nothing that drives it."""

from __future__ import annotations

import json

from hub.assessment.deterioration import SHIPPED_CARD
from hub.shadow.card_page import WIDTH, page

CARD = {
    "name": "made-up",
    "version": "1",
    "training": {
        "data": [{"name": "one", "licence": "CC0"}, {"name": "two"}],
        "people": 3,
        "terms": {"a": [1]},
    },
    "evaluation": {
        "model": {"auroc": 0.71234, "low": 0.6},
        "protocol": "long",
        "shown": True,
        "unknown": None,
        "bins": list(range(20)),
    },
    "limits": ["word " * 40, "\x1b]0;title\x07"],
}


def test_a_page_tells_what_the_card_has() -> None:
    assert page(CARD).splitlines()[:12] == [
        "made-up 1",
        "",
        "Trained on",
        "  data:",
        "    - name: one",
        "      licence: CC0",
        "    - name: two",
        "  people: 3",
        "",
        "How good it is, where it was measured",
        "  model: auroc 0.71234, low 0.6",
        "  shown: yes",
    ]
    assert "  unknown: not known" in page(CARD)
    assert "  bins: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ..." in page(CARD)


def test_what_is_for_machines_is_left_out_and_what_drives_a_terminal() -> None:
    told = page(CARD)
    assert "terms" not in told
    assert "protocol" not in told
    assert all(letter.isprintable() or letter == "\n" for letter in told)


def test_no_line_is_too_long_and_no_limit_is_missing_of_the_card_that_comes_with_the_hub() -> None:
    card = json.loads(SHIPPED_CARD.read_bytes())
    for told in (page(CARD), page(card)):
        assert all(len(line) <= WIDTH for line in told.splitlines())
    words = " ".join(page(card).split())
    for said in (*card["limits"], *card["must_not_be_used"]):
        assert " ".join(said.split()) in words


def test_a_card_that_has_next_to_nothing_is_a_page_too() -> None:
    assert page({}) == "a model without a name"
