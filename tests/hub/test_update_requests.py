"""The centre asks for another release: with a real daemon and a real broker. The keeper, which is root's, is
played by its notes; what it does of them is in tests/provisioning/keeper/test_fetch.py."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from hub.store.audit import newest
from hub.store.database import FILE_NAME, open_for_reading
from hub.trail import Audited
from hub.update_requests import ANSWERS_AT_ONCE
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
        """Send it, and wait for the answer."""
        before = len(self.answers())
        self.ics.publish(TOPIC, to_json(event))
        await until(lambda: len(self.answers()) > before)
        return self.answers()[-1]

    def answers(self) -> list[dict[str, Any]]:
        said = [json.loads(each.payload) for each in self.ics.on("answer")]
        assert [fault for each in said for fault in in_words(_ANSWERS, each)] == []
        return said


def asked(sha256: str = SHA256, build: str = "two", **changes: Any) -> Event:
    said = UpdateAsked(manifest_sha256=sha256, version="1.1", build=build)
    return replace(update_event("uk.example.ics", said, now()), **changes)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


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
