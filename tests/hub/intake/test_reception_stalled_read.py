"""A card that gives no page to who reads is as one that keeps a commit; and many may wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from hub.intake.reception import Reception
from hub.store import writer as writer_module
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from tests.rigs.broker import until
from tests.rigs.house import ILL, House, oximeter, thermometer
from tests.rigs.stalling_card import StallingCard, until_stored
from tests.rigs.told import Told


async def test_an_alert_is_told_that_waits_for_a_page_and_is_stored_once_when_it_is_given(
    house: House, writer: Writer, reception: Reception, card: StallingCard, told: Told, noon: datetime
) -> None:
    card.stall("SELECT")
    in_hand = asyncio.ensure_future(reception.accept(oximeter(80, noon).raw))
    await until(lambda: told.events)
    assert (told.trouble, reception.is_held_up, writer.is_stalled) == (["stalled"], True, True)
    with pytest.raises(NotCommittedError) as refused:
        await writer.write(lambda _transaction: None)
    assert (refused.value.trouble, in_hand.done()) == ("stalled", False)
    await until_stored(card, reception, in_hand)
    assert [event.id for event in house.events("alert")] == [event["id"] for event in told.events]
    assert house.count("reading") == 1
    assert told.trouble == ["stalled", None]


async def test_what_comes_behind_it_is_judged_with_it(
    house: House, reception: Reception, card: StallingCard, told: Told, noon: datetime
) -> None:
    """Neither alarms alone, as in `test_reception_stalled_card.py`."""
    card.stall("SELECT")
    in_hand = asyncio.ensure_future(reception.accept(thermometer(39.2, noon).raw))
    await until(lambda: told.trouble)
    behind = asyncio.ensure_future(reception.accept(oximeter(93, noon + timedelta(minutes=1), pulse=112).raw))
    await until(lambda: told.events)
    assert [event["band"] for event in told.events] == ["medium"]
    await until_stored(card, reception, in_hand, behind)
    assert [event.id for event in house.events("alert")] == [event["id"] for event in told.events]
    assert house.count("reading") == 2


async def test_an_alert_is_told_that_was_raised_after_the_page_was_given_and_whose_commit_is_kept(
    house: House, reception: Reception, card: StallingCard, told: Told, noon: datetime
) -> None:
    """What was measured before is not known while the page is wanting: alone it alarms nobody."""
    await reception.accept(thermometer(39.2, noon).raw)
    card.stall("SELECT")
    in_hand = asyncio.ensure_future(
        reception.accept(oximeter(93, noon + timedelta(minutes=1), pulse=112).raw)
    )
    await until(lambda: told.trouble)
    await until(lambda: not reception._to_rehearse)
    assert told.events == []
    card.come_back()
    card.stall()
    await until(lambda: told.events)
    assert ([event["band"] for event in told.events], in_hand.done()) == (["medium"], False)
    await until_stored(card, reception, in_hand)
    assert [event.id for event in house.events("alert")] == [event["id"] for event in told.events]


async def test_of_many_that_wait_for_it_none_is_lost_where_no_more_threads_can_be_started(
    house: House,
    reception: Reception,
    card: StallingCard,
    told: Told,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the unit's TasksMax has it. All of them are rehearsed by one thread, and many at once."""
    card.stall()
    in_hand = asyncio.ensure_future(reception.accept(thermometer(37.0, noon).raw))
    await until(lambda: told.trouble)
    start, most = threading.Thread.start, threading.active_count() + 2
    started: list[threading.Thread] = []

    def limited(thread: threading.Thread) -> None:
        started.append(thread)
        if threading.active_count() >= most:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    for number in range(30, 0, -1):
        await reception.accept_from_radio(oximeter(97, noon - timedelta(minutes=number)).raw)
    await reception.accept_from_radio(oximeter(80, noon, pulse=135).raw)
    await until(lambda: told.events)
    assert len(started) < 10
    await until_stored(card, reception, in_hand)
    assert house.count("reading") == house.count("reading WHERE resident IS NOT NULL") == 32
    assert [event.id for event in house.events("alert")] == [event["id"] for event in told.events]


async def test_a_rehearsal_that_fails_does_not_take_its_reading_with_it(
    house: House,
    reception: Reception,
    card: StallingCard,
    told: Told,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(_work: object) -> None:
        raise RuntimeError("can't start new thread")

    card.stall()
    in_hand = asyncio.ensure_future(reception.accept(thermometer(37.0, noon).raw))
    await until(lambda: told.trouble)
    monkeypatch.setattr(writer_module, "in_thread", fails)
    behind = asyncio.ensure_future(reception.accept(oximeter(80, noon).raw))
    await until(lambda: reception.waiting)
    await until_stored(card, reception, in_hand, behind)
    assert house.count(f"reading WHERE resident = '{ILL}'") == 2
    assert len(house.events("alert")) == 1


async def test_what_a_rehearsal_finds_out_when_all_is_on_the_card_again_is_told_no_more(
    house: House,
    writer: Writer,
    reception: Reception,
    card: StallingCard,
    told: Told,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody would end it: it would call from memory when it was acknowledged long since."""
    found, late, rehearse = list[str](), asyncio.Event(), writer.rehearse

    async def rehearse_late(work: Callable[[Transaction], object]) -> Sequence[str]:
        found.extend(await rehearse(work))
        await late.wait()
        return found

    monkeypatch.setattr(writer, "rehearse", rehearse_late)
    card.stall("SELECT")
    in_hand = asyncio.ensure_future(reception.accept(oximeter(80, noon).raw))
    await until(lambda: found)
    card.come_back()
    await until(lambda: told.trouble == ["stalled", None])
    late.set()
    await until_stored(card, reception, in_hand)
    assert (len(house.events("alert")), told.events) == (1, [])
