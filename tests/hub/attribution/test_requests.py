"""What the page asks about rounds and readings: over a real control socket, and a real database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.attribution.requests import MOST_READINGS, RoundRequests
from hub.attribution.rounds import Rounds
from hub.attribution.scans import Scans
from hub.clock import now
from hub.configuration.file import load
from hub.control.control_socket import ControlError, ControlServer, ask
from hub.intake.following_the_clock import ClockFollower
from hub.intake.intake import Intake
from hub.readings import Reading
from hub.sensors.enrolment import Enrolment
from hub.store.audit import entries
from hub.store.database import FILE_NAME
from hub.store.writer import Writer
from hub.trail import Audited
from hub.uplink.contract import Identity
from tests.rigs.clocks import RightClock
from tests.rigs.house import ILL, NAMES, SHARED, WELL, oximeter, write_configuration

KIT = """
[[sensors]]
address = "C4:F2:17:00:00:1F"
driver = "thermometer"
kit = "upstairs"
"""
BY, NOBODYS = "Jo Carer", "019ca95f-bca8-8ff0-9c4c-f60a2ab3ce4f"
REFUSED: list[tuple[str, dict[str, object], str]] = [
    ("round_open", {"resident": "R-9"}, "is not listed"),
    ("round_open", {"resident": ILL, "kit": "cellar"}, "there is no kit 'cellar'"),
    ("round_open", {}, "resident: nothing was given"),
    ("round_open", {"resident": ILL, "by": " "}, "must be named"),
    ("assign", {"readings": [], "resident": ILL}, "no reading was chosen"),
    ("assign", {"readings": "all", "resident": ILL}, "no reading was chosen"),
    ("assign", {"readings": ["x"], "resident": ILL}, "is no reading's id"),
    ("assign", {"readings": ["x"] * (MOST_READINGS + 1), "resident": ILL}, "too many"),
    ("discard", {"readings": [NOBODYS], "reason": "  "}, "say why"),
    ("discard", {"readings": [NOBODYS], "reason": "x" * 301}, "too long"),
    ("correct", {"reading": None, "reason": "wrong room"}, "is no reading's id"),
    ("correct", {"reading": NOBODYS}, "say why"),
    ("correct", {"reading": NOBODYS, "reason": "wrong room"}, "not kept here"),
]


class Asked:
    """The daemon's side of it, and somebody who asks."""

    def __init__(self, path: Path, writer: Writer, intake: Intake) -> None:
        self._path = path
        self._writer = writer
        self._intake = intake

    async def __call__(self, command: str, **arguments: object) -> dict[str, Any]:
        return await asyncio.to_thread(ask, self._path, command, **{"by": BY, **arguments})

    async def shared(self, saturation: float) -> str:
        """The id of what the shared oximeter has just measured."""
        reading: Reading = oximeter(saturation, now(), device=SHARED)
        stamped = RightClock().stamp()
        await self._writer.write(lambda transaction: self._intake.take(transaction, reading, stamped))
        return str(reading.id)

    async def trail(self) -> list[tuple[str, object]]:
        found = await self._writer.write(lambda transaction: entries(transaction.connection))
        return [(each.what, each.detail.get("by")) for each in reversed(found)]


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    config = load(write_configuration(tmp_path, KIT))
    config.hub.data_directory.mkdir()
    async with Writer(config.hub.data_directory / FILE_NAME, timedelta(0), reserve_bytes=0) as writer:
        enrolment = await Enrolment.load(config, writer)
        identity = Identity(config.site.id, config.hub.id, config.site.test_data)
        follower = ClockFollower.of(config, identity, RightClock())
        rounds = Rounds(config.rounds.lasts)
        intake = Intake(config, identity, enrolment.register, None, follower, rounds)
        scans = Scans(writer, enrolment.register, rounds)
        requests = RoundRequests.of(config, writer, scans, enrolment, intake, follower)
        path = tmp_path / "asked.sock"
        serving = asyncio.create_task(ControlServer(path, requests.handlers).run())
        async with asyncio.timeout(20):
            while not path.exists() or path.stat().st_mode & 0o077:
                await asyncio.sleep(0.005)
        yield Asked(path, writer, intake)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        await scans.noted()


async def test_a_round_is_opened_seen_and_closed(asked: Asked) -> None:
    opened = await asked("round_open", resident=ILL, kit="upstairs")
    assert (opened["resident"], opened["kit"], opened["closed"]) == (ILL, "upstairs", [])
    (seen,) = (await asked("rounds"))["open"]
    assert (seen["resident"], seen["kit"], seen["by"]) == (ILL, "upstairs", BY)
    assert {key: seen[key] for key in ("since", "until")} == {key: opened[key] for key in ("since", "until")}
    other = await asked("round_open", resident=WELL, kit="upstairs")
    assert other["closed"] == [ILL]
    assert (await asked("round_close", kit="upstairs", resident=ILL))["resident"] is None
    assert (await asked("round_close", kit="upstairs"))["resident"] == WELL
    assert (await asked("rounds"))["open"] == []


async def test_what_cannot_be_done_is_said_in_words(asked: Asked) -> None:
    for command, arguments, words in REFUSED:
        with pytest.raises(ControlError, match=words):
            await asked(command, **arguments)


async def test_readings_are_assigned_discarded_and_corrected(asked: Asked) -> None:
    mine, useless = await asked.shared(84), await asked.shared(97)
    given = await asked("assign", readings=[mine], resident=ILL)
    assert (given["readings"], given["resident"], given["outcome"]) == ([mine], ILL, "raised")
    assert (await asked("discard", readings=[useless], reason="cuff slipped"))["readings"] == [useless]
    corrected = await asked("correct", reading=mine, resident=WELL, reason="wrong room")
    assert (corrected["resident"], corrected["withdrawn"], corrected["outcome"]) == (WELL, 1, "raised")
    back = await asked("correct", reading=mine, resident=None, reason="not certain")
    assert (back["resident"], back["outcome"]) == (None, None)
    of_people = [each for each in await asked.trail() if "reading" in each[0]]
    assert of_people == [
        (Audited.ASSIGNED, BY),
        (Audited.DISCARDED, BY),
        (Audited.CORRECTED, BY),
        (Audited.CORRECTED, BY),
    ]


async def test_what_somebody_else_has_put_right_is_not_undone_by_a_page_of_before(asked: Asked) -> None:
    """Two look at a reading of the wrong one: one knows whose it is, the other only whose it is not."""
    reading = await asked.shared(84)
    await asked("assign", readings=[reading], resident=WELL)
    right = await asked("correct", reading=reading, resident=ILL, said_of=WELL, reason="wrong room")
    assert right["outcome"] == "raised"
    with pytest.raises(ControlError, match="somebody else meanwhile"):
        await asked("correct", reading=reading, resident=None, said_of=WELL, reason="not hers")
    assert (await asked("assign", readings=[reading], resident=ILL))["readings"] == [], "still theirs"


async def test_no_name_is_in_an_answer(asked: Asked) -> None:
    reading = await asked.shared(84)
    said = [
        await asked("round_open", resident=ILL),
        await asked("assign", readings=[reading], resident=ILL),
        await asked("correct", reading=reading, resident=WELL, reason="wrong room"),
        await asked("round_close"),
    ]
    assert not [name for name in NAMES if name in repr(said)]
