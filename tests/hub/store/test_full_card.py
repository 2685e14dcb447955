"""A card that is full: what was committed stays, alerts go on as long as can be, the hub goes on after."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.store.database import open_for_reading
from hub.store.delivery import waiting
from hub.store.encoding import event_text
from hub.store.errors import NotCommittedError
from hub.store.reserve import Reserve
from hub.store.transaction import Transaction
from hub.store.writer import RESERVE_NAME, Writer
from tests.rigs.small_card import SmallCard, small_card

RESERVE = 2 << 20
EVENT = random.Random(1).randbytes(20_000).hex()  # which cannot be made smaller than 20,000 bytes


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path, 12) as card:
        yield card


def alert(number: int) -> object:
    def work(transaction: Transaction) -> int:
        transaction.tell(0, "alert", f"{number} {EVENT}")
        return number

    return work


def writer_on(card: SmallCard) -> Writer:
    return Writer(card.root / "carehub.db", reserve_bytes=RESERVE)


def kept(card: SmallCard) -> list[int]:
    connection = open_for_reading(card.root / "carehub.db")
    try:
        return [int(event_text(row[2] or b"").split()[0]) for row in waiting(connection, 10_000, [])]
    finally:
        connection.close()


async def commit_until_it_fails(writer: Writer, first: int = 0) -> tuple[list[int], NotCommittedError]:
    committed: list[int] = []
    while True:
        try:
            committed.append(await writer.write(alert(first + len(committed))))  # type: ignore[arg-type]
        except NotCommittedError as error:
            return committed, error


async def test_on_a_full_card_the_reserve_is_given_up_so_that_alerts_go_on(card: SmallCard) -> None:
    async with writer_on(card) as writer:
        card.fill()
        without, error = await commit_until_it_fails(writer)
        assert error.trouble == "full"
        card.free()
        assert writer.reserve.make()
        card.fill()
        with_reserve, error = await commit_until_it_fails(writer, len(without))
        assert error.trouble == "full"
        assert not writer.reserve.there
        assert len(with_reserve) * len(EVENT) / 2 > RESERVE / 2
    assert kept(card) == [*without, *with_reserve]


async def test_when_there_is_room_again_it_goes_on_and_holds_room_back_anew(card: SmallCard) -> None:
    async with writer_on(card) as writer:
        assert writer.reserve.make()
        card.fill()
        before, _ = await commit_until_it_fails(writer)
        assert not writer.reserve.make()
        card.free()
        assert await writer.write(alert(len(before))) == len(before)  # type: ignore[arg-type]
        assert writer.reserve.make()
    assert kept(card) == [*before, len(before)]


async def test_a_start_on_a_full_card_takes_the_reserve(card: SmallCard) -> None:
    async with writer_on(card) as writer:
        await writer.write(alert(0))  # type: ignore[arg-type]
        assert writer.reserve.make()
    card.fill()
    async with writer_on(card) as writer:
        assert not writer.reserve.there
        await writer.write(alert(1))  # type: ignore[arg-type]
    assert kept(card) == [0, 1]


def test_the_reserve_leaves_others_what_they_shall_have(card: SmallCard) -> None:
    reserve = Reserve(card.root / RESERVE_NAME, RESERVE)
    assert not reserve.make(least_free=11 << 20)
    assert not list(card.root.iterdir())
    assert reserve.make(least_free=1 << 20)
    assert (card.root / RESERVE_NAME).stat().st_blocks * 512 >= RESERVE


def test_the_reserve_is_kept_while_the_card_is_not_full(card: SmallCard) -> None:
    reserve = Reserve(card.root / RESERVE_NAME, RESERVE)
    reserve.make()
    assert not reserve.give_up()
    card.fill()
    assert reserve.give_up()
    assert not reserve.give_up()


def test_full_is_told_apart_from_a_fault_of_the_work(tmp_path: Path) -> None:
    from hub.store.errors import trouble_of_card

    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "x.db").execute("SELECT * FROM no_such_table")
    assert trouble_of_card(caught.value) is None
