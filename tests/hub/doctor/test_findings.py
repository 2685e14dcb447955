"""Findings, and what is to be done first."""

from __future__ import annotations

from hub.doctor.findings import Finding, Verdict, summed_up

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
WELL, OLD = Finding("clock", PASS, "is right"), Finding("card", WARN, "is worn", "replace it")
FULL = Finding("disk", FAIL, "is full", "make room")


def test_the_first_failure_comes_before_any_warning() -> None:
    assert summed_up([OLD, WELL, FULL, Finding("link", FAIL, "is down")]) == (
        "2 fail, 1 warn: first disk: make room"
    )


def test_where_nothing_fails_the_first_warning_is_named_and_what_has_no_advice_says_what_it_is() -> None:
    assert summed_up([WELL, OLD]) == "1 warn: first card: replace it"
    assert summed_up([Finding("link", FAIL, "is down")]) == "1 fail: first link: is down"


def test_that_all_is_well_is_said() -> None:
    assert summed_up([WELL]) == "all 1 parts are well"


def test_machines_and_people_are_told_the_same() -> None:
    assert FULL.told == "is full: make room"
    assert FULL.data() == {"part": "disk", "verdict": "fail", "words": "is full", "todo": "make room"}
