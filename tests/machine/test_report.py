"""A run is good only where every promise held."""

from __future__ import annotations

import argparse

import pytest

from tests.machine.__main__ import _arguments, _told
from tests.machine.errors import RigError
from tests.machine.report import Row, Verdict, broken, promised, timed


def test_a_promise_is_kept_where_nothing_was_found_against_it() -> None:
    assert promised("power", "nothing lost", [""], "4 cuts").verdict is Verdict.KEPT
    row = promised("power", "nothing lost", ["2 readings lost", ""], "4 cuts")
    assert (row.verdict, row.measured) == (Verdict.BROKEN, "2 readings lost; 4 cuts")


def test_an_aim_of_speed_is_met_where_every_time_is_within_it() -> None:
    assert timed("updates", "back", [3.0, 30.0], 30).verdict is Verdict.MET
    assert timed("updates", "back", [3.0, 30.1], 30).verdict is Verdict.MISSED
    assert timed("updates", "back", [], 30).verdict is Verdict.MISSED


def test_a_missed_aim_fails_nothing_and_a_broken_promise_does() -> None:
    missed, kept = timed("updates", "back", [31], 30), promised("updates", "back", [])
    assert broken([missed, kept]) == 0
    assert broken([missed, kept, promised("updates", "back", ["it is not"])]) == 1


def test_a_run_that_shows_nothing_has_kept_nothing() -> None:
    assert broken([])


def test_a_part_that_could_not_be_played_is_broken() -> None:
    def played() -> object:
        yield promised("power", "first", [])
        raise RigError("hub-1 cannot be reached")

    first, last = _told("power", played())  # type: ignore[arg-type]
    assert first.verdict is Verdict.KEPT
    assert (last.verdict, "hub-1 cannot be reached" in last.measured) == (Verdict.BROKEN, True)


def test_without_parts_all_are_asked_for() -> None:
    asked: argparse.Namespace = _arguments([])
    assert {"provision", "updates", "power", "hangs", "trouble", "fleet", "readme", "centre"} == set(
        asked.parts
    )
    with pytest.raises(SystemExit):
        _arguments(["provisoin"])


def test_a_line_is_what_it_says() -> None:
    row = Row("fleet", "20 at once", "2.1", "3", Verdict.MET)
    assert row.cells() == ("fleet", "20 at once", "2.1", "3", "aim met")
