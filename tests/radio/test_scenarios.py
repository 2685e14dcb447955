"""The ward's scenarios in brief. In full size: `python -m tests.radio --full`."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.radio.__main__ import SCENARIOS
from tests.rigs.rung import Line, Run, percentile


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_promise_of_a_ward_is_kept(name: str, tmp_path: Path) -> None:
    lines: list[Line] = await SCENARIOS[name](Run(tmp_path, full=False, dice=Random(1)))
    assert lines
    missed = [line for line in lines if line.met is False and not line.of_time]
    assert not missed


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([1], 0.99) == 1
    assert percentile(range(1, 101), 0.99) == 100
