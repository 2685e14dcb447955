"""`carehub update`: hands over to the keeper, and says what it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.cli.update import command
from hub.requests import COMMITTED
from hub.updates import keeper_notes as updates
from tests.rigs.hub_process import HubProcess, carehub_here

STATE = {
    "in_force": "b",
    "slots": {"a": {"version": "1.0", "build": "one"}, "b": None},
    "trial": None,
    "last": {
        "from": {"version": "1.0", "build": "one"},
        "to": {"version": "1.1", "build": "two"},
        "outcome": "rolled back",
        "why": "the hub hung",
        "at": "2026-03-01T12:00:00+00:00",
    },
}


@pytest.fixture
def update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, on a machine whose keeper writes down how it was called and says a state."""
    keeper = tmp_path / "keeper"
    keeper.write_text(
        f"#!{sys.executable} -IS\n"
        "import sys, pathlib\n"
        f"pathlib.Path({str(tmp_path / 'called')!r}).write_text(' '.join(sys.argv[1:]))\n"
        f"print({json.dumps(STATE)!r})\n"
        "sys.exit(1 if 'roll-back' in sys.argv else 0)\n"
    )
    keeper.chmod(0o755)
    (tmp_path / "state.json").write_text(json.dumps(STATE))
    (tmp_path / "some.bundle").touch()
    monkeypatch.setattr(updates, "KEEPER", keeper)
    monkeypatch.setattr(updates, "STATE", tmp_path / "state.json")
    return lambda *arguments: CliRunner().invoke(command, [str(each) for each in arguments])


def test_a_bundle_is_handed_to_the_keeper_and_its_exit_code_is_ours(
    update: Callable[..., Result], tmp_path: Path
) -> None:
    bundle = tmp_path / "some.bundle"
    assert update(bundle).exit_code == 0
    assert (tmp_path / "called").read_text() == f"update {bundle}"
    assert update(bundle, "--older", "--on-probation", "--patience", "60", "--json").exit_code == 0
    called = f"update {bundle} --older --on-probation --patience 60.0 --json"
    assert (tmp_path / "called").read_text() == called
    assert update("--roll-back", "--no-compare").exit_code == 1
    assert (tmp_path / "called").read_text() == "roll-back --no-compare"


def test_the_state_is_said_in_words_and_for_machines(update: Callable[..., Result]) -> None:
    lines = update("--state").output.splitlines()
    assert lines[:2] == ["slot a: 1.0 (one)", "slot b: empty, in force"]
    assert lines[2].endswith("from 1.0 (one) to 1.1 (two), rolled back: the hub hung")
    assert json.loads(update("--state", "--json").output) == STATE


def test_what_the_centre_asked_is_said_also_where_it_was_refused(
    update: Callable[..., Result], tmp_path: Path
) -> None:
    assert "centre" not in update("--state").output
    said = {
        "id": "x",
        "version": "1.2",
        "build": "three",
        "outcome": "refused",
        "words": "a round is under way",
    }
    (tmp_path / "asked.json").write_text(json.dumps({"last": said}))
    assert "by the centre last: 1.2 (three), refused: a round is under way" in update("--state").output


def test_a_release_on_probation_is_said_so(
    update: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    probation = {"from": {"version": "0.9", "build": "old"}, "to": {"version": "1.0", "build": "one"}}
    keeper = tmp_path / "keeper"
    keeper.write_text(f"#!/bin/sh\necho '{json.dumps({**STATE, 'probation': probation})}'\n")
    assert "on probation: 1.0 (one) is taken back, to 0.9 (old), if it ends" in update("--state").output


@pytest.mark.parametrize("arguments", [(), ("--state", "--roll-back")])
def test_exactly_one_thing_is_asked_for(update: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    done = update(*arguments)
    assert done.exit_code == 2
    assert "one of these" in done.output


def test_a_machine_without_a_keeper_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updates, "KEEPER", tmp_path / "none")
    ended = carehub_here("update", "--state")
    assert ended.code == 1
    assert "carehub provision" in ended.errors


async def test_a_hub_commits_when_it_is_asked_to_prove_that_it_can(hub: HubProcess) -> None:
    said = await hub.ask("commit")
    assert (COMMITTED, said["committed"]) in hub.query("SELECT name, value FROM fact")
