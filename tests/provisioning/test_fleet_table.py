"""What the fleet's table says of a machine that was set up just now."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.fleet_table import Row, remarks, row_of_report, summary
from provisioning.keeper.resources import Outcome
from provisioning.report import Finding, Report
from tests.provisioning.test_fleet import NOON, said


def set_up(*hub: Finding, change: str = "changed", dry_run: bool = False) -> Report:
    return Report(
        "pi@x", "rose-house.hub-1", "1.4.0 (abc)", dry_run, 1.0, (Outcome("file /a", change, "why"),), hub,
        ("test data",), (), ("its address is 192.168.1.20",),
    )  # fmt: skip


DISK, LINK = Finding("disk", "fail", "full"), "link to the ICS"


@pytest.mark.parametrize(
    ("report", "after", "failed", "words", "to_do"),
    [
        (set_up(Finding(LINK, "pass", "connected")), {}, False, "1 changed", ""),
        (set_up(DISK), {"doctor": None}, False, "1 changed", "disk: full"),
        (set_up(change="failed"), {}, True, "0 changed, 1 failed", "file /a: why"),
        (
            set_up(Finding(LINK, "pass", "connected")),
            {"doctor": None, "broker": {"connected": False, "words": "not connected: refused"}},
            True, "1 changed, link not well", f"{LINK}: not connected: refused",
        ),
        (
            set_up(DISK), {"doctor": None, "broker": None},
            True, "1 changed, link not well", f"{LINK}: the hub does not answer",
        ),
        # Connected, and its doctor says what is with it all the same.
        (
            set_up(), {"doctor": [{"part": LINK, "verdict": "fail", "words": "nobody listens"}]},
            True, "1 changed, link not well", f"{LINK}: connected",
        ),
        # It came about since the doctor was asked first.
        (set_up(Finding(LINK, "fail", "not connected yet")), {}, False, "1 changed", ""),
    ],
)  # fmt: skip
def test_a_hub_without_its_link_to_the_ics_is_not_counted_as_set_up(
    report: Report, after: dict[str, Any], failed: bool, words: str, to_do: str
) -> None:
    row = row_of_report("rose-house.hub-1", "pi@x", report, said(**after), NOON)
    assert (row.failed, row.outcome, row.to_do) == (failed, words, to_do)
    assert (LINK in (row.fails or ())) == ("link not well" in words)
    assert ("look after rose-house.hub-1" in summary([row], "are well")) == failed
    assert (row.notes, row.unsafe) == (report.notes, report.warnings)


def test_a_dry_run_asks_for_no_link() -> None:
    row = row_of_report("x", "x", set_up(change="would change", dry_run=True), None, NOON)
    assert (row.failed, row.outcome, row.connected) == (False, "1 would change", None)


def test_what_is_to_be_known_has_its_hub_before_it_and_what_is_the_same_of_many_is_told_once() -> None:
    both, one = ("no TLS", "test data"), ("no TLS",)
    rows = [Row(f"hub-{n}", "x", unsafe=both if n < 3 else one, notes=(f"called {n}",)) for n in range(5)]
    assert remarks(rows) == [
        "hub-0: note: called 0",
        "5 of 5 hubs: unsafe: no TLS",
        "hub-0, hub-1, hub-2: unsafe: test data",
        *(f"hub-{n}: note: called {n}" for n in range(1, 5)),
    ]
    assert remarks([Row("hub-0", "x")]) == []
