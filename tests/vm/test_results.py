"""What the runner says of scenarios that failed, were not played, or ended in no restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.vm.image import Image, MachineError
from tests.vm.machine import Machine, decoded
from tests.vm.results import Result, read_results, write_junit

_PASSED = {"outcome": "passed", "seconds": 1.5, "properties": {"took": 2}, "problem": "", "log": ""}


class _Played(Machine):
    """A machine that tells what it is given, and boots nothing."""

    said: Sequence[dict[str, Any]] = ()
    problem: str | None = None

    def play(self, file: str, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Tell it."""
        yield from self.said
        if self.problem is not None:
            raise MachineError(self.problem)


def _results(out: Path, *said: dict[str, Any], problem: str | None = None) -> list[Result]:
    told, went_wrong = said, problem

    class Told(_Played):
        said = told
        problem = went_wrong

    nowhere = Image("trixie", out, out, out)
    return list(read_results("healing", Told(nowhere, out, trace=False, seconds=1), []))


def test_a_scenario_that_passed_is_told_with_what_it_measured(tmp_path: Path) -> None:
    (result,) = _results(tmp_path, {"collected": ["test_it"]}, {"ended": "test_it", **_PASSED})
    assert result == Result("healing", "test_it", passed=True, seconds=1.5, measured={"took": 2})
    assert str(result) == "passed  healing: it: took 2 (2 s)"


@pytest.mark.parametrize("problem", [None, "the machine had not ended after 1 s: switched off"])
def test_a_scenario_that_was_not_played_has_failed(tmp_path: Path, problem: str | None) -> None:
    said = {"collected": ["test_it", "test_that"]}, {"ended": "test_it", **_PASSED}
    played, missing = _results(tmp_path, *said, problem=problem)
    assert played.passed
    assert (missing.name, missing.passed) == ("test_that", False)
    assert (problem or "ended before") in missing.problem


@pytest.mark.parametrize("problem", [None, "QEMU cannot be started"])
def test_a_machine_that_told_nothing_has_failed(tmp_path: Path, problem: str | None) -> None:
    (result,) = _results(tmp_path, problem=problem)
    assert not result.passed


def test_a_reboot_that_was_asked_for_and_is_no_restart_has_failed(tmp_path: Path) -> None:
    said: tuple[dict[str, Any], ...] = {"collected": []}, {"ended": "test_reboot_is_asked_for", **_PASSED}
    (tmp_path / "console.log").write_text("reboot: Power down")
    assert [each.passed for each in _results(tmp_path, *said)] == [True, False]
    (tmp_path / "console.log").write_text("reboot: Restarting system")
    assert [each.passed for each in _results(tmp_path, *said)] == [True]


def test_a_serial_line_that_is_garbled_is_a_failure(tmp_path: Path) -> None:
    assert decoded(b'{"begun": "test_it"}') == {"begun": "test_it"}
    (result,) = _results(tmp_path, {"collected": []}, decoded(b"Kernel panic"))
    assert not result.passed
    assert result.problem == "Kernel panic"


def test_junit_counts_what_failed(tmp_path: Path) -> None:
    write_junit(
        tmp_path / "junit.xml",
        [Result("healing", "test_it", True, 1), Result("healing", "test_that", False, 1, problem="why")],
    )
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert (tmp_path / "junit.json").exists()
