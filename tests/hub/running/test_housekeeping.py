"""The hub's own housekeeping, on a real database with its writer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from hub.clock import ClockQuality, ClockStamp, now, stamp
from hub.running import housekeeping
from hub.running.housekeeping import Housekeeping
from hub.store import audit
from hub.store.retention import Size, removed
from hub.store.writer import Writer
from hub.trail import Audited
from tests.rigs.broker import until
from tests.rigs.house import House, oximeter


@pytest.fixture
async def writer(house: House) -> AsyncIterator[Writer]:
    async with Writer(house.path, timedelta(0), reserve_bytes=1 << 16) as writer:
        yield writer


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub whose clock was synchronised; the tests' machine may not be."""
    known = stamp()
    synchronised = ClockStamp(known.boot, known.since_boot, ClockQuality.SYNCHRONISED)
    monkeypatch.setattr(housekeeping, "stamp", lambda: synchronised)


def fill(house: House, at: datetime, number: int = 8) -> None:
    for index in range(number):
        house.take(oximeter(97, at + timedelta(minutes=index)))


async def test_what_is_too_old_is_removed_and_that_is_noted(
    house: House, writer: Writer, believed: None
) -> None:
    fill(house, now() - timedelta(days=100))
    fill(house, now() - timedelta(hours=1))
    await Housekeeping(house.config, house.path, writer, newest=3).turn()
    assert house.count("reading") == 8
    noted = audit.newest(house.connection, Audited.RETENTION)
    assert noted is not None
    assert noted.detail["reason"] == "age"
    assert removed(house.connection)["readings"] == 8


async def test_what_the_broker_refused_long_ago_is_removed_and_that_is_noted(
    house: House, writer: Writer, believed: None
) -> None:
    with house.transaction() as transaction:
        for number, days in enumerate((100, 80)):
            transaction.tell(1, "summary", "{}")
            (sequence,) = transaction.connection.execute("SELECT sequence FROM outbox").fetchone()
            transaction.set_aside(sequence, f"refused {number}", now() - timedelta(days=days))
    await Housekeeping(house.config, house.path, writer).turn()
    assert house.connection.execute("SELECT reason FROM outbox_aside").fetchall() == [("refused 1",)]
    assert removed(house.connection) == {"refused messages": 1}
    noted = audit.newest(house.connection, Audited.RETENTION)
    assert noted is not None
    assert (noted.detail["reason"], noted.detail["removed"]) == ("age", {"refused messages": 1})


async def test_while_the_clock_is_not_believed_nothing_is_too_old(
    house: House, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = stamp()
    not_yet = ClockStamp(known.boot, known.since_boot, ClockQuality.NOT_YET)
    monkeypatch.setattr(housekeeping, "stamp", lambda: not_yet)
    fill(house, now() - timedelta(days=100))
    await Housekeeping(house.config, house.path, writer, newest=3).turn()
    assert house.count("reading") == 8


async def test_what_is_too_much_is_removed_and_when_nothing_may_go_it_says_so_once(
    house: House,
    writer: Writer,
    believed: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(Size, "may_use", lambda *_: 0)
    fill(house, now() - timedelta(days=3))
    keeper = Housekeeping(house.config, house.path, writer, newest=3)
    with caplog.at_level(logging.ERROR):
        await keeper.turn()
        await keeper.turn()
    assert house.count("reading") == 3
    assert len([line for line in caplog.messages if "nothing is left that may go" in line]) == 1


async def test_it_holds_room_back_while_there_is_some(house: House, writer: Writer, believed: None) -> None:
    await Housekeeping(house.config, house.path, writer).turn()
    assert writer.reserve.there


async def test_the_trail_is_kept_as_long_as_the_alerts_that_it_is_about(
    house: House, writer: Writer, believed: None
) -> None:
    long_ago = now() - timedelta(days=500)
    house.take(oximeter(80, long_ago))
    (alert,) = house.alerts()
    await Housekeeping(house.config, house.path, writer).turn()
    assert "alert raised" in [entry.what for entry in audit.history(house.connection, alert.id)]


async def test_a_release_that_is_on_trial_removes_nothing_until_it_is_kept(
    house: House, writer: Writer, believed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is taken back, what it removed would stay removed."""
    monkeypatch.setattr(housekeeping, "_EVERY_SECONDS", 0.01)
    fill(house, now() - timedelta(days=100))
    trial, looked = True, 0

    def on_trial() -> bool:
        nonlocal looked
        looked += 1
        return trial

    running = asyncio.create_task(
        Housekeeping(house.config, house.path, writer, newest=3, on_trial=on_trial).run()
    )
    await until(lambda: looked > 3)
    assert house.count("reading") == 8
    trial = False
    await until(lambda: house.count("reading") == 3)
    running.cancel()
