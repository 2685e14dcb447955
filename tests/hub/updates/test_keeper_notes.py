"""What the hub reads of the keeper's notes: never an error, whatever is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hub
from hub.updates import keeper_notes as updates
from hub.updates.keeper_notes import LastUpdate, Release

LAST: dict[str, Any] = {
    "from": {"version": "1.0", "build": "one"},
    "to": {"version": "1.1", "build": "two"},
    "outcome": "rolled back",
    "why": "the hub ended with exit code 1",
    "at": "2026-03-01T12:00:00+00:00",
}


def noted(directory: Path, text: str) -> LastUpdate | None:
    path = directory / "state.json"
    path.write_text(text)
    return updates.last(path)


def test_the_last_update_is_read_as_it_was_noted(tmp_path: Path) -> None:
    assert noted(tmp_path, json.dumps({"trial": None, "last": LAST})) == LastUpdate(
        "rolled back",
        Release("1.0", "one"),
        Release("1.1", "two"),
        "the hub ended with exit code 1",
        datetime(2026, 3, 1, 12, tzinfo=UTC),
    )


def test_where_there_was_none_there_is_none(tmp_path: Path) -> None:
    assert updates.last(tmp_path / "state.json") is None
    assert noted(tmp_path, json.dumps({"trial": None, "last": None})) is None


@pytest.mark.parametrize(
    "spoilt",
    [
        {"outcome": "praised"},
        {"at": "yesterday"},
        {"at": "2026-03-01T12:00:00"},
        {"from": None},
        {"to": {"version": "", "build": ""}},
        {"why": None, "from": 3},
    ],
)
def test_a_spoilt_note_is_none(tmp_path: Path, spoilt: dict[str, object]) -> None:
    assert noted(tmp_path, json.dumps({"last": {**LAST, **spoilt}})) is None


@given(st.binary(max_size=200))
def test_whatever_is_in_the_file_nothing_is_raised(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-state.json"
    path.write_bytes(raw)
    assert updates.last(path) is None


def test_words_of_any_length_are_told_bounded(tmp_path: Path) -> None:
    found = noted(tmp_path, json.dumps({"last": {**LAST, "why": "x" * 9999}}))
    assert found is not None
    assert len(found.why) == 300


def test_a_checkout_is_no_release_and_a_slot_is(tmp_path: Path) -> None:
    assert updates.release() is None
    assert updates.release(tmp_path) is None
    (tmp_path / "manifest.json").write_text(json.dumps({"version": "1.1", "build": "two", "schema": 10}))
    assert updates.release(tmp_path) == Release("1.1", "two")
    (tmp_path / "manifest.json").write_text("[]")
    assert updates.release(tmp_path) is None


def test_what_the_keeper_writes_is_what_the_hub_reads(tmp_path: Path) -> None:
    from provisioning.keeper.atomic import Disk
    from provisioning.keeper.places import Places
    from provisioning.keeper.state import Named, Notes, Trial, judged

    places = Places(tmp_path)
    trial = Trial(Named("1.0", "one"), "a", Named("1.1", "two"), "b", datetime.now(UTC))
    Notes(places, Disk()).write(judged(trial, "interrupted", "a power cut"))
    found = updates.last(places.state / "state.json")
    assert found is not None
    assert (found.outcome, found.from_, found.why) == ("interrupted", Release("1.0", "one"), "a power cut")
    assert Places().state / "state.json" == updates.STATE
    assert Places().keeper / "keeper" == updates.KEEPER


def _slot(directory: Path, version: str, build: str) -> Path:
    (directory / "lib/hub").mkdir(parents=True)
    (directory / "manifest.json").write_text(json.dumps({"version": version, "build": build}))
    return directory / "lib/hub/__init__.py"


def test_a_release_is_on_trial_while_the_keeper_says_so_of_it_and_of_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state.json"
    assert not updates.on_trial(state), "a checkout never is"
    monkeypatch.setattr(hub, "__file__", str(_slot(tmp_path / "b", "1.1", "two")))
    assert not updates.on_trial(state)
    for noted, tried in (
        ({"trial": {"from": LAST["from"], "to": LAST["to"]}, "last": None}, True),
        ({"trial": {"from": LAST["to"], "to": LAST["from"]}, "last": None}, False),
        ({"trial": None, "last": LAST}, False),
        ({"trial": "?"}, False),
    ):
        state.write_text(json.dumps(noted))
        assert updates.on_trial(state) is tried


def test_what_was_kept_and_lost_is_known_by_its_name_also_where_the_clock_went_back_meanwhile(
    tmp_path: Path,
) -> None:
    keepers, asked_at = updates.Keepers(tmp_path), datetime(2026, 3, 1, 12, 10, tzinfo=UTC)
    for said, why in (
        ({"asked": "its name"}, LAST["why"]),
        ({"asked": "its name", "outcome": "kept"}, None),
        ({"asked": "another"}, None),
        ({}, None),  # ten minutes before it was asked for
        ({"at": "2026-03-01T12:20:00+00:00"}, LAST["why"]),  # of a keeper that does not note it yet
        ({"at": "2026-03-01T12:20:00+00:00", "to": LAST["from"]}, None),
    ):
        assert noted(tmp_path, json.dumps({"last": {**LAST, **said}})) is not None
        assert keepers.lost("its name", "1.1", "two", asked_at) == why
