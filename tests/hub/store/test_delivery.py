"""The outbox on the card: what was set aside comes back."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.store import delivery
from hub.store.database import open_for_reading
from hub.store.delivery import CardOutbox, Waiting, set_aside_of, waiting
from hub.store.encoding import event_bytes
from hub.store.errors import NotCommittedError, StoreError
from hub.store.numbers import Numbers
from hub.store.outbox import CannotBeToldError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.uplink.cloudevents import Event, to_json
from tests.rigs.forwarding import event
from tests.rigs.house import House, oximeter, untold
from tests.rigs.stalling_card import StallingCard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "carehub.db"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


@pytest.fixture
async def writer(path: Path) -> AsyncIterator[Writer]:
    """Three events were committed, and the broker refused an alert and a reading of them."""

    def work(transaction: Transaction) -> None:
        transaction.tell(0, "alert", "refused alert")
        transaction.tell(3, "reading", "refused reading")
        transaction.tell(3, "reading", "reading")

    async with Writer(path) as writer:
        await writer.write(work)
        yield writer


@pytest.fixture
async def outbox(path: Path, writer: Writer) -> AsyncIterator[CardOutbox]:
    outbox = CardOutbox(path, writer, untold)
    refused = [row.sequence for row in await outbox.waiting(2, [])]
    for sequence in refused:
        await outbox.set_aside(sequence, "too large")
    yield outbox
    outbox.close()


async def events(outbox: CardOutbox) -> list[object]:
    return [row.event for row in await outbox.waiting(10, [])]


async def test_what_is_reclaimed_has_its_number_and_its_place_before_what_came_later(
    path: Path, writer: Writer, outbox: CardOutbox
) -> None:
    await writer.write(lambda transaction: transaction.tell(0, "alert", "later alert"))
    assert await events(outbox) == ["later alert", "reading"]
    assert await outbox.reclaim(frozenset({"alert"})) == 1
    assert await events(outbox) == ["refused alert", "later alert", "reading"]
    assert [row.sequence for row in await outbox.waiting(1, [])] == [1]
    assert set_aside_of(open_for_reading(path), "alert") == 0
    assert set_aside_of(open_for_reading(path), "reading") == 1, "of a channel that was not asked for"


async def test_reclaiming_wakes_the_forwarder_only_if_there_was_something(outbox: CardOutbox) -> None:
    outbox.changed.clear()
    assert await outbox.reclaim({"status"}) == 0
    assert not outbox.changed.is_set()
    assert await outbox.reclaim({"alert"}) == 1
    assert outbox.changed.is_set()
    assert await outbox.reclaim({"alert"}) == 0


async def test_what_is_refused_once_more_is_kept_with_the_newer_reason(
    path: Path, outbox: CardOutbox
) -> None:
    await outbox.reclaim({"alert"})
    await outbox.set_aside(1, "still too large")
    assert await events(outbox) == ["reading"]
    kept = open_for_reading(path).execute("SELECT event, reason FROM outbox_aside WHERE channel = 'alert'")
    assert kept.fetchall() == [(event_bytes("refused alert"), "still too large")]


async def test_a_number_is_not_used_again_while_its_row_is_set_aside(
    path: Path, writer: Writer, outbox: CardOutbox
) -> None:
    await outbox.delivered([row.sequence for row in await outbox.waiting(10, [])])
    await writer.write(lambda transaction: transaction.tell(0, "alert", "later alert"))
    assert await outbox.reclaim({"alert", "reading"}) == 2
    assert await events(outbox) == ["refused alert", "later alert", "refused reading"]


async def test_a_hub_that_starts_again_gives_no_number_to_another_that_is_still_used(
    path: Path, writer: Writer, outbox: CardOutbox
) -> None:
    aside = open_for_reading(path).execute("SELECT sequence FROM outbox_aside").fetchall()
    numbers = Numbers.of(open_for_reading(path))
    assert next(numbers.next_outbox) > max(sequence & (1 << 48) - 1 for (sequence,) in aside)


async def test_a_reclaim_that_cannot_be_committed_loses_nothing(path: Path, outbox: CardOutbox) -> None:
    def fails(transaction: Transaction) -> None:
        transaction.reclaim(["alert"])
        transaction._connection.execute("SELECT * FROM no_such_table")

    with pytest.raises(NotCommittedError):
        await outbox._writer.write(fails)
    assert set_aside_of(open_for_reading(path), "alert") == 1
    assert await events(outbox) == ["reading"]


async def test_an_outbox_that_cannot_be_read_is_an_error_with_the_files_name(tmp_path: Path) -> None:
    path = tmp_path / "carehub.db"
    async with Writer(path) as writer:
        outbox = CardOutbox(path, writer, untold)
        outbox.close()
        with pytest.raises(StoreError, match=r"carehub\.db: the outbox cannot be read"):
            await outbox.waiting(1, [])


async def test_an_event_that_the_card_has_damaged_cannot_be_told_and_keeps_none_behind_it(
    path: Path, writer: Writer, outbox: CardOutbox
) -> None:
    await writer.write(lambda transaction: transaction.tell(0, "alert", "later alert"))
    await writer.write(
        lambda transaction: transaction.connection.execute(
            "UPDATE outbox SET event = substr(event, 1, 9) WHERE channel = 'alert'"
        )
    )
    damaged, other = await outbox.waiting(10, [])
    assert isinstance(damaged.event, CannotBeToldError)
    assert str(damaged.event).startswith("what was kept of it is not as it was written")
    assert other.event == "reading"


async def test_what_nothing_is_left_of_is_not_tried_again(
    path: Path, writer: Writer, outbox: CardOutbox
) -> None:
    """What a salvage has set aside, so that it is known of: the broker would be asked for ever."""
    await writer.write(
        lambda transaction: transaction.connection.execute(
            "INSERT INTO outbox_aside (sequence, channel, reason, at) VALUES (77, 'alert', 'lost', 0)"
        )
    )
    assert await outbox.reclaim({"alert"}) == 1
    assert await events(outbox) == ["refused alert", "reading"]
    assert set_aside_of(open_for_reading(path), "alert") == 1


async def does_not_come_back(outbox: CardOutbox, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patience:
        patience.setattr(delivery, "READ_WITHIN", 0.05)
        with pytest.raises(StoreError, match="does not come back from a read"):
            await outbox.waiting(limit, [])


async def test_a_card_that_gives_no_page_is_asked_once_and_keeps_nobody_else_waiting(
    outbox: CardOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def counted(connection: sqlite3.Connection, limit: int, besides: Collection[int]) -> list[Waiting]:
        asked.append(limit)
        return waiting(connection, limit, besides)

    asked: list[int] = []
    monkeypatch.setattr(delivery, "waiting", counted)
    card = StallingCard(outbox._connection)
    outbox._opened = card  # type: ignore[assignment]  # it is one, but for what it keeps
    card.stall("SELECT")
    for limit in (10, 20):
        await does_not_come_back(outbox, limit, monkeypatch)
    assert card.reached.wait(20)
    assert asked == [10]
    outbox.close()  # which would have to wait for it
    card.come_back()
    assert await events(outbox) == ["reading"]


async def test_what_is_made_for_sending_is_made_beside_the_hub_as_many_as_are_asked_for(
    path: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(transaction: Transaction) -> None:
        transaction.tell(0, "alert", "an alert")
        for number in range(1, 6):
            transaction.tell_assessment(1, "observation", number)
        transaction.tell(4, "summary", "behind them")

    def render(_connection: sqlite3.Connection, channel: str, first: int, _last: int) -> Event:
        if first == 2:
            raise CannotBeToldError("it is gone")
        if first == 4:
            gets_on.wait(60)
        return event(f"{channel} {first}")

    gets_on = threading.Event()
    await writer.write(work)
    outbox = CardOutbox(path, writer, render)
    try:
        assert [row.event for row in await outbox.waiting(1, [], 0)] == ["refused alert"]
        alerts = ["refused alert", "an alert"]
        assert [row.event for row in await outbox.waiting(10, [], 0)] == alerts
        first, second = (await outbox.waiting(10, [], 2))[2:]
        assert first.event == event("observation 1")
        assert isinstance(second.event, CannotBeToldError)
        await does_not_come_back(outbox, 10, monkeypatch)
        gets_on.set()
        found = [row.channel for row in await outbox.waiting(10, [], 5)]
        assert found == ["alert"] * 2 + ["observation"] * 5 + ["reading"] * 2 + ["summary"]
    finally:
        gets_on.set()
        outbox.close()


async def test_an_event_takes_a_fraction_of_its_bytes_on_the_card(house: House) -> None:
    house.take(oximeter(80, datetime(2026, 3, 1, 12, tzinfo=UTC)))
    (kept,) = house.connection.execute("SELECT length(event) FROM outbox WHERE channel = 'alert'").fetchone()
    (event,) = house.events("alert")
    assert 5 * kept < len(to_json(event))
