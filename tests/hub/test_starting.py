"""What waits is told while the card has no room, and the start is noted as soon as it has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from hub import starting
from hub.starting import Start
from hub.store.database import open_for_writing
from hub.store.encoding import event_bytes
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from tests.rigs.small_card import SmallCard, small_card


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.store.standing_in._LOOKS_EVERY_SECONDS", 0)
    monkeypatch.setattr(starting, "_AGAIN_SECONDS", 0.01)


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path, 6) as card:
        yield card


@pytest.fixture
def path(card: SmallCard) -> Path:
    """A database in which 120 events of alerts wait, one of them damaged, on a card that is full."""
    path = card.root / "carehub.db"
    with closing(open_for_writing(path)) as connection:
        events = [(number, event_bytes(str(number))) for number in range(1, 121)]
        connection.executemany("INSERT INTO outbox VALUES (?, 'alert', ?, NULL, NULL)", events)
        connection.execute("UPDATE outbox SET event = x'00' WHERE sequence = 60")
    card.fill()
    return path


async def nothing() -> None:
    """There is nothing to be taken in."""


def note(transaction: Transaction) -> None:
    transaction.note_fact("begun", "yes")


async def test_all_that_waits_is_told_in_its_order_as_fast_as_it_is_dealt_with(
    path: Path, card: SmallCard
) -> None:
    told: list[str] = []

    def tell(events: Sequence[str]) -> int:
        told.extend(events[:7])
        return len(events[:7])

    async with Writer(path) as writer:
        start = Start(path, writer, test_data=True)
        await start.refuse_mixed_data()
        await start.note(note)
        late = asyncio.create_task(start.late(tell, nothing))
        async with asyncio.timeout(10):
            while len(told) < 119:
                await asyncio.sleep(0.01)
        assert told == [str(number) for number in range(1, 121) if number != 60]
        card.free()
        await asyncio.wait_for(late, 10)
        assert await writer.write(lambda t: (t.fact("data"), t.fact("begun"))) == ("test data", "yes")


async def test_the_start_is_noted_though_the_card_fails_once_more(path: Path, card: SmallCard) -> None:
    order: list[str] = []

    async def look_again() -> None:
        order.append("looked")

    def fail_once(transaction: Transaction) -> None:
        order.append("began")
        if order.count("began") == 2:  # the first is that of memory
            raise NotCommittedError(path, "once more", "full")
        note(transaction)

    async with Writer(path) as writer:
        start = Start(path, writer, test_data=True)
        await start.note(fail_once)
        card.free()
        await asyncio.wait_for(start.late(len, look_again), 10)
        assert await writer.write(lambda t: t.fact("begun")) == "yes"
    assert order == ["began", "looked", "began", "looked", "began"]
