"""What the doctor finds of releases: in a machine's slots, and in what the keeper has noted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.configuration.file import load
from hub.doctor import versions
from hub.doctor.findings import Verdict
from hub.doctor.looking import Subject
from tests.rigs.house import write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
NEW, OLD = {"version": "1.3.0", "build": "abc123"}, {"version": "1.2.0", "build": "def456"}


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A machine with two slots, of which b is in force."""
    slots = tmp_path / "root/opt/carehub/slots"
    for name, said in (("a", OLD), ("b", NEW)):
        (slots / name).mkdir(parents=True)
        (slots / name / "manifest.json").write_text(json.dumps({"format": 1, **said}))
    (slots.parent / "current").symlink_to("slots/b")
    return Subject(load(write_configuration(tmp_path)), root=tmp_path / "root")


def noted(subject: Subject, **state: object) -> None:
    """What the keeper has noted."""
    path = subject.root / "var/lib/carehub-keeper/state.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"trial": None, "last": None, **state}))


def of(outcome: str, why: str = "") -> dict[str, object]:
    return {"from": OLD, "to": NEW, "outcome": outcome, "why": why, "at": "2026-11-23T01:00:00+00:00"}


def test_the_release_in_force_and_what_it_could_go_back_to_are_told(subject: Subject) -> None:
    (finding,) = versions.slots(subject)
    assert finding.told == "b is in force, 1.3.0 (abc123); a has 1.2.0 (def456)"
    assert versions.version(subject)[0].words.startswith("carehub ")


def test_a_slot_that_is_in_force_and_empty_is_a_failure(subject: Subject) -> None:
    (subject.root / "opt/carehub/slots/b/manifest.json").unlink()
    assert versions.slots(subject)[0].verdict is FAIL


def test_a_machine_without_slots_has_no_such_part(tmp_path: Path) -> None:
    subject = Subject(load(write_configuration(tmp_path)), root=tmp_path)
    assert versions.slots(subject) == versions.last_update(subject) == []


def test_what_became_of_the_last_update_is_told(subject: Subject) -> None:
    noted(subject, last=of("kept"))
    (finding,) = versions.last_update(subject)
    assert finding.verdict is PASS
    assert finding.words == "1.2.0 (def456) to 1.3.0 (abc123) was kept on 2026-11-23 01:00 UTC"


def test_an_update_that_was_taken_back_is_a_warning_that_says_why(subject: Subject) -> None:
    noted(subject, last=of("rolled back", "it did not reach the broker"))
    (finding,) = versions.last_update(subject)
    assert finding.verdict is WARN
    assert finding.words.endswith("it did not reach the broker")


def test_a_release_on_trial_is_told(subject: Subject) -> None:
    noted(subject, trial={"from": {**OLD, "slot": "a"}, "to": {**NEW, "slot": "b"}, "at": "x"})
    (finding,) = versions.last_update(subject)
    assert finding.told.startswith("a new release is on trial, 1.3.0 (abc123): wait a minute")


def test_a_release_that_was_kept_and_is_watched_over_still_is_told(subject: Subject) -> None:
    trial = {"from": {**OLD, "slot": "a"}, "to": {**NEW, "slot": "b"}, "at": "x"}
    noted(subject, last=of("kept"), probation=trial)
    (finding,) = versions.last_update(subject)
    assert finding.verdict is PASS
    assert "was kept on 2026-11-23 01:00 UTC, and is watched over" in finding.words
