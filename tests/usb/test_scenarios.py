"""The scenarios of USB in brief. In full size: `python -m tests.usb --full`."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.rigs.rung import Line, Run
from tests.usb.__main__ import SCENARIOS


@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_promise_of_what_is_plugged_in_is_kept(name: str, tmp_path: Path) -> None:
    lines: list[Line] = await SCENARIOS[name](Run(tmp_path, full=False, dice=Random(1)))
    assert lines
    assert not [line for line in lines if line.met is False and not line.of_time]
