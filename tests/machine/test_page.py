"""What is to be typed is taken out of a page word for word."""

from __future__ import annotations

import pytest

from tests.machine.errors import RigError
from tests.machine.page import commands, hosts

_PAGE = r"""
# Setting up
    not this

## A hub in a minute
On your laptop, once:

    carehub ca begin authority     # keep it safe
    # a remark alone
    carehub bundle --sign-with release \
        --out hub.bundle

Then, for each hub; `this` is no command:

    carehub provision pi@10.0.0.7 --site rose-house.toml --bundle hub.bundle
    ssh pi@10.0.0.7 sudo carehub doctor

### Of the same section
    carehub fleet status fleet.toml

## By hand
    nor this
"""


def test_each_line_of_the_blocks_of_a_section_is_a_command() -> None:
    assert commands(_PAGE, "## A hub in a minute") == [
        "carehub ca begin authority     # keep it safe",
        "carehub bundle --sign-with release --out hub.bundle",
        "carehub provision pi@10.0.0.7 --site rose-house.toml --bundle hub.bundle",
        "ssh pi@10.0.0.7 sudo carehub doctor",
        "carehub fleet status fleet.toml",
    ]


def test_the_machines_are_those_that_somebody_logs_in_to() -> None:
    assert hosts(commands(_PAGE, "## A hub in a minute")) == ["10.0.0.7"]
    assert hosts(["ssh pi@hub-1.local true", "ssh root@hub-2 true", "carehub ca begin authority"]) == [
        "hub-1.local",
        "hub-2",
    ]


def test_a_page_without_the_section_or_without_commands_is_refused() -> None:
    with pytest.raises(RigError, match="no section"):
        commands(_PAGE, "## A hub in an hour")
    with pytest.raises(RigError, match="nothing is to be typed"):
        commands("## A hub in a minute\nLater.\n", "## A hub in a minute")
