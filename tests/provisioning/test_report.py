"""The report of setting a hub up."""

from __future__ import annotations

import json

import pytest

from provisioning.errors import ProvisioningError
from provisioning.keeper.resources import Outcome
from provisioning.report import Finding, Report, findings_of, merged, outcome_of


def report(*outcomes: Outcome, dry_run: bool = False, hub: tuple[Finding, ...] = ()) -> Report:
    to_do = ("have it signed",)
    return Report(
        "pi@hub",
        "rose-house.hub-1",
        "1.2.0 (abc)",
        dry_run,
        2.345,
        outcomes,
        hub,
        ("no TLS",),
        to_do,
        ("called rose-house",),
    )


def test_it_says_what_changed_what_failed_what_is_unsafe_and_what_to_do() -> None:
    said = report(
        Outcome("file /a", "changed"), Outcome("file /b", "none"), Outcome("unit c", "failed", "why")
    )
    assert not said.ok
    assert said.lines() == [
        "rose-house.hub-1 on pi@hub, release 1.2.0 (abc): 1 changed, 1 as they were, 1 failed, in 2.3 s",
        "  failed: unit c: why",
        "  unsafe: no TLS",
        "  to do: have it signed",
        "  note: called rose-house",
    ]
    assert report(Outcome("file /b", "none")).ok


def test_a_dry_run_says_what_would() -> None:
    assert ": 1 would change, 0 as they were" in report(Outcome("a", "would change"), dry_run=True).lines()[0]


def test_of_the_hub_it_says_what_is_not_well_and_how_it_is_connected() -> None:
    hub = (
        Finding("daemon", "pass", "runs"),
        Finding("link to the ICS", "pass", "connected to the broker"),
        Finding("clock", "warn", "not set", "give it a time server"),
    )
    assert report(hub=hub).lines()[-3:] == [
        "The hub says: 2 of 3 parts are well; connected to the broker",
        "  warn  clock: not set",
        "        give it a time server",
    ]


def test_the_json_has_all_of_it_but_requests() -> None:
    found = json.loads(report(Outcome("a", "changed", diff="-old", request="-----BEGIN")).to_json())
    assert (found["ok"], found["site"], found["outcomes"][0]["change"]) == (
        True,
        "rose-house.hub-1",
        "changed",
    )
    assert "BEGIN" not in json.dumps(found)
    assert "-old" not in json.dumps(found), "what a file says is for a dry run on a screen"


def test_two_runs_are_told_as_one() -> None:
    first = [Outcome("a", "changed"), Outcome("b", "failed"), Outcome("c", "none"), Outcome("d", "changed")]
    second = [
        Outcome("a", "none"),
        Outcome("b", "changed"),
        Outcome("c", "none"),
        Outcome("d", "failed"),
        Outcome("e", "changed"),
    ]
    told = {each.title: each.change for each in merged(first, second)}
    assert told == {"a": "changed", "b": "changed", "c": "none", "d": "failed", "e": "changed"}


def test_what_a_machine_tells_is_safe_to_show_or_refused() -> None:
    """It may be another machine than it was."""
    line = json.dumps(
        {"title": "file \x1b[2J/a", "change": "changed", "detail": "a\nb", "diff": "-a\n+\x1bb\n"}
    )
    assert outcome_of(line) == Outcome("file  [2J/a", "changed", "a b", "-a\n+ b\n")
    for wrong in (
        "{",
        "[]",
        '{"title": "a"}',
        '{"title": "a", "change": []}',
        '{"title": 1, "change": "none"}',
    ):
        with pytest.raises(ProvisioningError, match="cannot be read"):
            outcome_of(wrong)
    rows = [{"part": "\x1b[2Jdisk", "verdict": "fail", "words": "x" * 9999}, 1]
    (found,) = findings_of(json.dumps({"findings": rows}))
    assert found.part == " [2Jdisk"
    assert len(found.words) == 1000
