"""What the retained status says of the last update, and of the release that runs."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from hub.telling import status
from hub.telling.status import HubStatus
from hub.updates import keeper_notes as updates
from hub.updates.keeper_notes import Release
from hub.uplink.cloudevents import LARGEST_EVENT, Event, to_json
from hub.uplink.forwarder import Presence
from tests.hub.telling.test_status import home
from tests.hub.updates.test_keeper_notes import LAST
from tests.rigs.broker import until
from tests.rigs.contract import data_validator, event_faults, spoilt


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the keeper notes; nothing is there yet."""
    path = tmp_path / "state.json"
    monkeypatch.setattr(updates, "STATE", path)
    return path


def note(state: Path, **changes: object) -> None:
    state.write_text(json.dumps({"trial": None, "last": {**LAST, **changes}}))


async def told(directory: Path, presence: Presence = Presence.ONLINE) -> Event:
    async with home(directory) as enrolment:
        return HubStatus(enrolment.configuration, None, enrolment, None, lambda: None).event(presence)


async def test_a_hub_that_was_never_updated_and_runs_from_no_release_says_neither(
    tmp_path: Path, state: Path
) -> None:
    event = await told(tmp_path)
    assert event_faults(event) == []
    assert not {"update", "release"} & event.data.keys()


@pytest.mark.parametrize("outcome", updates.OUTCOMES)
async def test_what_became_of_an_update_is_told_as_the_contract_says(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    monkeypatch.setattr(updates, "release", lambda: Release("1.0", "one"))
    note(state, outcome=outcome)
    event = await told(tmp_path)
    assert event_faults(event) == []
    data: dict[str, Any] = json.loads(to_json(event))["data"]
    assert data["release"] == {"version": "1.0", "build": "one"}
    said = data["update"]
    assert (said["outcome"], said["why"]) == (outcome, LAST["why"])
    assert (said["from"], said["to"]) == (LAST["from"], LAST["to"])
    faults = [(what, wrong) for what, wrong in spoilt(data) if "update" in what or "release" in what]
    assert len(faults) >= 4
    for what, wrong in faults:
        assert not data_validator(event.type).is_valid(wrong), what


async def test_an_event_stays_small_whatever_was_noted(tmp_path: Path, state: Path) -> None:
    long = {"version": "\u20ac" * 9999, "build": "\u20ac" * 9999}
    note(state, why="\u20ac" * 9999, to=long, **{"from": long})
    event = await told(tmp_path)
    assert event_faults(event) == []
    assert len(to_json(event).encode()) < LARGEST_EVENT // 8
    note(state, why="")
    assert event_faults(await told(tmp_path)) == []


async def test_a_last_will_does_not_say_what_became_of_an_update(tmp_path: Path, state: Path) -> None:
    note(state)
    assert "update" not in (await told(tmp_path, Presence.LOST)).data


async def test_it_is_told_anew_when_an_update_has_ended(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.telling.status._LOOKS_EVERY_SECONDS", 0.0)
    async with home(tmp_path) as enrolment:
        status = HubStatus(enrolment.configuration, None, enrolment, None, lambda: None)
        heard = [status.event(Presence.ONLINE)]
        watching = asyncio.ensure_future(status.watch(lambda: heard.append(status.event(Presence.ONLINE))))
        note(state)
        await until(lambda: len(heard) == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        watching.cancel()
    assert len(heard) == 2
    assert heard[-1].data["update"]["outcome"] == "rolled back"


async def test_a_card_that_does_not_give_the_note_keeps_nothing_else_from_being_told(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hangs() -> None:
        gets_on.wait(60)

    gets_on, told_anew = threading.Event(), asyncio.Event()
    monkeypatch.setattr(status, "_LOOKS_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(status, "_READ_WITHIN_SECONDS", 0.05)
    note(state)
    async with home(tmp_path) as enrolment:
        said = HubStatus(enrolment.configuration, None, enrolment, None, lambda: None)
        monkeypatch.setattr(updates, "last", hangs)
        watching = asyncio.create_task(said.watch(told_anew.set))
        try:
            async with asyncio.timeout(20):
                await told_anew.wait()
            assert "update" in said.event(Presence.ONLINE).data, "as it was when it was last read"
        finally:
            gets_on.set()
            watching.cancel()
