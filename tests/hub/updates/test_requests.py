"""The centre asks for another release: with a real daemon and a real broker. The keeper, which is root's, is
played by its notes; what it does of them is in tests/provisioning/keeper/test_fetch.py."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from hub.configuration.file import load
from hub.daemon import running
from hub.running.progress import Progress, turn
from hub.store.audit import entries, newest
from hub.store.database import FILE_NAME, open_for_reading
from hub.trail import Audited
from hub.updates import keeper_notes as updates
from hub.updates.requests import ANSWERS_AT_ONCE, UpdateRequests
from hub.uplink.cloudevents import Event, to_json
from hub.uplink.contract import update_event
from hub.uplink.plain import UpdateAsked
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.contract import data_validator, in_words
from tests.rigs.house import ILL, oximeter, write_configuration
from tests.rigs.hub_process import HubProcess

TOPIC = "careport/v1/rose-house/hub-1/update"
ALLOWED = '[update]\nfrom_centre = true\nsource = "https://releases.ics.example/careport"\n'
_ANSWERS = data_validator("uk.careport.answer.v1")
SHA256, ANOTHER = "a" * 64, "b" * 64


@dataclass
class Served:
    """A hub whose site allows it, its ICS, and the keeper's notes."""

    hub: HubProcess
    ics: Ics
    notes: Path

    @property
    def request(self) -> Path:
        return self.hub.config.hub.data_directory / "update_request.json"

    def note(self, name: str, **said: object) -> None:
        (self.notes / f"{name}.json").write_text(json.dumps(said))

    def ended(self, outcome: str, words: str = "so it is") -> None:
        """As the keeper says it of what it has taken."""
        said = json.loads(self.request.read_text())
        self.note("asked", last={**said, "outcome": outcome, "words": words}, taken_back={})
        self.request.unlink()

    async def answer(self, event: Event) -> dict[str, Any]:
        """Send it, and wait for its own answer: the end of another may be told meanwhile."""
        before = len(self.answers(event))
        self.ics.publish(TOPIC, to_json(event))
        await until(lambda: len(self.answers(event)) > before)
        return self.answers(event)[-1]

    def answers(self, of: Event | None = None) -> list[dict[str, Any]]:
        """All of them, or those to one message."""
        said = [json.loads(each.payload) for each in self.ics.on("answer")]
        assert [fault for each in said for fault in in_words(_ANSWERS, each)] == []
        return [each for each in said if of is None or each["answers"]["id"] == of.id]


def asked(sha256: str = SHA256, build: str = "two", **changes: Any) -> Event:
    said = UpdateAsked(manifest_sha256=sha256, version="1.1", build=build)
    return replace(update_event("uk.example.ics", said, now()), **changes)


@pytest.fixture
async def served(tmp_path: Path, broker: Mosquitto) -> AsyncIterator[Served]:
    notes = tmp_path / "notes"
    (notes / "slot/lib").mkdir(parents=True)
    (notes / "update_source.json").touch()
    configuration = write_configuration(tmp_path, ALLOWED, port=broker.port)
    hub = HubProcess(configuration, module="tests.rigs.kept_hub", environment={"KEEPERS_NOTES": str(notes)})
    with Ics(broker) as ics:
        async with hub:
            await until(lambda: ics.on("status"))
            yield Served(hub, ics, notes)


async def test_what_the_centre_asks_is_left_for_the_keeper_and_its_end_is_told_also_by_the_next_release(
    served: Served, tmp_path: Path, broker: Mosquitto
) -> None:
    event = asked()
    said = await served.answer(event)
    assert (said["outcome"], said["answers"]) == (
        "update_accepted",
        {"id": event.id, "source": "uk.example.ics"},
    )
    left = json.loads(served.request.read_text())
    assert left == {"id": left["id"], "manifest_sha256": SHA256, "version": "1.1", "build": "two"}
    again = await served.answer(event)
    assert again["outcome"] == "update_accepted", "it came twice, and is taken once"
    assert "already" in again["words"]
    other = await served.answer(asked(ANOTHER))
    assert (other["outcome"], "under way" in other["words"]) == ("update_refused", True)

    await served.hub.stop()
    served.ended("kept", "release 1.1 (two) is in force")
    await served.hub.start()
    await until(lambda: len(served.answers()) == 4, 20)
    told = served.answers()[-1]
    assert (told["outcome"], told["answers"]["id"]) == ("update_in_force", event.id)
    assert "is in force" in told["words"]
    state = {"from": {"version": "1.0", "build": "one"}, "to": {"version": "1.1", "build": "two"}}
    served.note("state", last={**state, "outcome": "rolled back", "why": "it ended", "at": now().isoformat()})
    await until(lambda: len(served.answers()) == 5, 20)
    assert (served.answers()[-1]["outcome"], served.answers()[-1]["answers"]["id"]) == (
        "update_taken_back",
        event.id,
    )
    with closing(open_for_reading(served.hub.config.hub.data_directory / FILE_NAME)) as connection:
        begun, ended = (newest(connection, what) for what in (Audited.UPDATE_ASKED, Audited.UPDATE_ENDED))
    assert begun is not None
    assert ended is not None
    assert begun.detail == {
        "release": "1.1 (two)",
        "manifest_sha256": SHA256,
        "source": "uk.example.ics",
    }
    assert (ended.detail["outcome"], ended.detail["words"]) == ("update_taken_back", "it ended")

    old = asked(ANOTHER, time=event.time - timedelta(seconds=1))
    assert "no newer" in (await served.answer(old))["words"]
    assert (await served.answer(asked(ANOTHER, "three")))["outcome"] == "update_accepted"

    # A site that does not allow it any more: what the subscription from before still brings is refused.
    await served.hub.stop()
    served.request.unlink()
    write_configuration(tmp_path, port=broker.port)
    await served.hub.start()
    said = await served.answer(asked())
    assert said["outcome"] == "update_refused"
    assert "from_centre = true" in said["words"]
    assert not served.request.exists()


async def test_what_speaks_against_it_is_answered_in_words_and_nothing_is_left_for_the_keeper(
    served: Served,
) -> None:
    async def refused(event: Event, words: str, outcome: str = "update_refused") -> None:
        said = await served.answer(event)
        assert (said["outcome"], said["alert"]) == (outcome, None)
        assert words in said["words"]
        assert not served.request.exists()

    await refused(asked(data={"manifest_sha256": SHA256, "url": "https://x"}), "not known", "malformed")
    await refused(asked(type="uk.careport.acknowledgement.v1"), "another type", "wrong_type")
    served.ics.publish(TOPIC.replace("/update", "/ack"), to_json(asked()))
    await until(lambda: len(served.answers()) == 3)
    assert served.answers()[-1]["outcome"] == "wrong_type", "who may acknowledge need not be who may update"
    assert not served.request.exists()
    for name, said, words in (
        ("order", {"id": "another"}, "under way"),
        ("state", {"trial": {}, "last": None}, "under way"),
        ("state", {"trial": None, "last": None, "probation": {}}, "watched over"),
        ("asked", {"taken_back": {SHA256: now().isoformat()}}, "less than 6 hours ago"),
    ):
        served.note(name, **said)
        await refused(asked(), words)
        (served.notes / f"{name}.json").unlink()
    assert await served.hub.ask("may_update") == {"hindered": None}
    await served.hub.feed([oximeter(91, now())])
    await until(lambda: served.ics.on("alert"))
    await refused(asked(), "an alert waits")
    assert "an alert waits" in str(await served.hub.ask("may_update"))
    alert = served.ics.on("alert")[0].user_properties["alert"]
    await served.hub.ask("acknowledge", alert=alert, by="Mo")
    await served.hub.ask("round_open", resident=ILL, by="Mo")
    await refused(asked(), "a round is under way")
    (served.notes / "update_source.json").unlink()
    await refused(asked(), "carehub provision")

    # So many messages, and it falls silent and does nothing.
    for _ in range(2 * ANSWERS_AT_ONCE):
        served.ics.publish(TOPIC, to_json(asked()))
    await asyncio.sleep(0.5)
    assert len(served.answers()) <= ANSWERS_AT_ONCE + 1


# --- within one process: what time, the card and the keeper do to it


@dataclass
class Asking:
    """The hub's part alone, with its real store; a new one where it is restarted."""

    requests: UpdateRequests
    data: Path
    notes: Path

    def note(self, name: str, **said: object) -> None:
        """What the keeper notes."""
        (self.notes / f"{name}.json").write_text(json.dumps(said))

    async def accepted(self, event: Event) -> dict[str, str]:
        """Send it; what is left for the keeper."""
        answer = await self.requests.take(event)
        assert answer is not None
        assert answer.data["outcome"] == "update_accepted", answer.data
        return dict(json.loads((self.data / "update_request.json").read_text()))

    async def refused(self, event: Event) -> str:
        answer = await self.requests.take(event)
        assert answer is not None
        assert answer.data["outcome"] == "update_refused", answer.data
        return str(answer.data["words"])

    def taken_by_the_keeper(self, left: dict[str, str]) -> None:
        self.note("order", **left, source="https://x", ca="", starts=1)
        (self.data / "update_request.json").unlink()

    def judged(self, left: dict[str, str], outcome: str) -> None:
        self.note("asked", last={**left, "outcome": outcome, "words": f"it is {outcome}"})
        (self.notes / "order.json").unlink(missing_ok=True)

    def the_clock_is_set_on(self, by: timedelta) -> None:
        """As if what is noted had been noted so long ago."""
        path = self.data / "update_asked.json"
        said = json.loads(path.read_text())
        path.write_text(json.dumps({**said, "at": (datetime.fromisoformat(said["at"]) - by).isoformat()}))

    async def told(self, looks: int = 3) -> list[str]:
        """What the trail says of ends, after so many looks."""
        for _ in range(looks):
            await self.requests._tell_end()
        with closing(open_for_reading(self.data / FILE_NAME)) as connection:
            return [
                str(each.detail["outcome"])
                for each in reversed(entries(connection))
                if each.what == Audited.UPDATE_ENDED
            ]


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "update_source.json").touch()
    config = load(write_configuration(tmp_path, ALLOWED))
    keepers = updates.Keepers(notes, notes / "update_source.json", notes / "slot")
    async with running(config) as hub:
        requests = UpdateRequests(config, hub._identity, hub._writer, hub._beacon, hub._scans, keepers)
        yield Asking(requests, config.hub.data_directory, notes)


async def test_one_is_taken_in_two_minutes_and_no_more_since_each_starts_the_keepers_unit(
    asking: Asking,
) -> None:
    left = await asking.accepted(asked())
    asking.taken_by_the_keeper(left)
    asking.judged(left, "not fetched")
    assert await asking.told() == ["update_refused"]
    assert "ask again in two minutes" in await asking.refused(asked(ANOTHER))
    assert not (asking.data / "update_request.json").exists()
    allowance = asking.requests._requests
    later = allowance._clock() + 121
    allowance._clock = lambda: later
    await asking.accepted(asked(ANOTHER))


async def test_what_goes_on_is_not_told_as_ended_however_far_the_clock_is_set_on_meanwhile(
    asking: Asking,
) -> None:
    left = await asking.accepted(asked())
    asking.the_clock_is_set_on(timedelta(hours=25))
    assert await asking.told() == []
    assert (asking.data / "update_request.json").exists()
    asking.taken_by_the_keeper(left)
    assert await asking.told() == []
    asking.judged(left, "trying")
    assert await asking.told() == []
    asking.judged(left, "kept")
    assert await asking.told() == ["update_in_force"]


async def test_what_was_given_up_for_lost_and_went_on_is_put_right(asking: Asking) -> None:
    left = await asking.accepted(asked())
    (asking.data / "update_request.json").unlink()
    assert await asking.told() == ["update_refused"]
    asking.judged(left, "trying")
    assert await asking.told() == ["update_refused"]
    asking.judged(left, "rolled back")
    assert await asking.told() == ["update_refused", "update_taken_back"]


async def test_a_request_that_the_keeper_leaves_is_taken_away_again_and_told(asking: Asking) -> None:
    await asking.accepted(asked())
    assert await asking.told() == []
    asking.requests._first_look -= 301
    assert await asking.told() == ["update_refused"]
    assert not (asking.data / "update_request.json").exists()


async def test_a_card_that_keeps_a_note_for_minutes_holds_up_neither_the_hub_nor_its_watchdog(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, comes_back, to_the_card = threading.Event(), threading.Event(), os.fsync

    def stalls(descriptor: int) -> None:
        reached.set()
        comes_back.wait(5)
        to_the_card(descriptor)

    monkeypatch.setattr(os, "fsync", stalls)
    account = Progress()
    with account.loop("acknowledgements"):
        turn()
        taking = asyncio.ensure_future(asking.accepted(asked()))
        await until(reached.is_set)
        assert not taking.done(), "the event loop waited for the card"
        account.look(0.0)
        assert account.look(200.0) == []
        comes_back.set()
        left = await taking
    asking.taken_by_the_keeper(left)
    asking.judged(left, "kept")
    reached.clear()
    comes_back.clear()
    telling = asyncio.ensure_future(asking.told())
    await until(reached.is_set)
    assert not telling.done(), "the event loop waited for the card"
    comes_back.set()
    assert await telling == ["update_in_force"]


async def test_an_end_is_told_once_though_the_card_takes_no_note_of_it(asking: Asking) -> None:
    left = await asking.accepted(asked())
    asking.taken_by_the_keeper(left)
    asking.judged(left, "kept")
    in_the_way = asking.data / ".update_asked.json.new"
    in_the_way.mkdir()
    for _ in range(3):
        with pytest.raises(IsADirectoryError):
            await asking.told(1)
    assert json.loads((asking.data / "update_asked.json").read_text())["told"] == ""
    in_the_way.rmdir()
    assert await asking.told() == ["update_in_force"]
    assert json.loads((asking.data / "update_asked.json").read_text())["told"] == "update_in_force"
