"""The breath timer's rate, by the very script that a browser runs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import playwright
import pytest

SCRIPT = Path("hub/web/static/breaths.js")


def _node() -> str:
    """The one that playwright brings, or the machine's."""
    brought = Path(playwright.__file__).parent / "driver" / "node"
    return str(brought) if brought.exists() else shutil.which("node") or pytest.fail("there is no node")


@pytest.fixture(scope="module")
def rates() -> Any:
    """Asks for the rates of many rows of taps at once: a process takes longer than all of them."""

    def ask(rows: Sequence[tuple[Sequence[float], int]]) -> list[dict[str, Any]]:
        script = (
            f"const {{breaths}} = require({json.dumps(str(SCRIPT.resolve()))});"
            "const rows = JSON.parse(require('fs').readFileSync(0));"
            "console.log(JSON.stringify(rows.map(([taps, time]) => breaths.rate(taps, time))))"
        )
        ran = subprocess.run(
            [_node(), "-e", script], input=json.dumps(rows), capture_output=True, text=True, check=True
        )
        found: list[dict[str, Any]] = json.loads(ran.stdout)
        return found

    return ask


def taps(a_minute: float, seconds: float, first: float = 1_000.0) -> list[float]:
    """Regular breaths, in milliseconds."""
    gap = 60_000 / a_minute
    return [first + gap * place for place in range(int(seconds * 1000 / gap) + 1)]


def test_regular_breaths_give_their_rate_in_half_a_minute_and_in_a_whole_one(rates: Any) -> None:
    asked = [(taps(rate, seconds), seconds * 1000) for rate in range(6, 61) for seconds in (30, 60)]
    found = [each["rate"] for each in rates(asked)]
    assert found == [rate for rate in range(6, 61) for _ in (30, 60)]


def test_breaths_that_stop_are_not_counted_as_if_they_went_on(rates: Any) -> None:
    (found,) = rates([(taps(20, 9), 30_000)])
    assert found["rate"] == 7  # 3 breaths; a longest gap of 3 s may still be running at the end: in 27 s


def test_a_breath_more_at_the_very_end_changes_the_rate_by_little(rates: Any) -> None:
    regular = taps(12, 29)
    found = [each["rate"] for each in rates([(regular, 30_000), ([*regular, 1_000 + 29_990], 30_000)])]
    assert found == [12, 12]


def test_too_few_breaths_tell_no_rate(rates: Any) -> None:
    assert [each["rate"] for each in rates([([], 30_000), ([0], 30_000), ([0, 5_000], 30_000)])] == [None] * 3


def test_a_finger_that_bounces_is_one_breath(rates: Any) -> None:
    bounced = [at + more for at in taps(15, 30) for more in (0, 120)]
    (found,) = rates([(bounced, 30_000)])
    assert found["rate"] == 15


def test_taps_after_the_time_are_not_counted(rates: Any) -> None:
    (found,) = rates([([*taps(15, 30), 32_500, 33_000, 33_500], 30_000)])
    assert found["rate"] == 15


def test_uneven_breaths_are_said_to_be_so(rates: Any) -> None:
    even, uneven = rates(
        [(taps(15, 30), 30_000), ([0, 3_000, 6_000, 14_000, 17_000, 20_000, 28_000], 30_000)]
    )
    assert (even["uneven"], uneven["uneven"]) == (False, True)
