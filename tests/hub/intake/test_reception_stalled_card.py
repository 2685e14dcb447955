"""While the card keeps a commit without a word, alerts are told from memory; nothing is stored twice."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from hub.alerts.beacon import Beacon
from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import AlertPolicy
from hub.intake.reception import Reception
from hub.store import audit
from hub.store.errors import NotCommittedError
from hub.store.writer import Writer
from hub.trail import Audited
from hub.uplink.cloudevents import from_json
from tests.rigs.broker import until
from tests.rigs.house import ILL, House, oximeter, thermometer
from tests.rigs.stalling_card import StallingCard, until_stored
from tests.rigs.told import Told


async def test_an_alert_whose_commit_does_not_come_back_is_told_and_is_stored_once_when_it_does(
    house: House, reception: Reception, card: StallingCard, told: Told, noon: datetime
) -> None:
    card.stall()
    in_hand = asyncio.ensure_future(reception.accept(oximeter(80, noon).raw))
    await until(lambda: told.events)
    assert (told.trouble, reception.is_held_up, in_hand.done()) == (["stalled"], True, False)
    await until_stored(card, reception, in_hand)
    assert [event.id for event in house.events("alert")] == [event["id"] for event in told.events]
    assert house.count("reading") == 1
    assert told.trouble == ["stalled", None]
    assert audit.newest(house.connection, Audited.CARD_WRITABLE) is not None


async def test_what_comes_behind_it_is_judged_with_what_is_in_hand_and_stored_once_after(
    house: House, reception: Reception, card: StallingCard, told: Told, noon: datetime
) -> None:
    """Neither alarms alone: 39.2 degrees is 2 points; 93 % is 2, with a pulse of 112 4; together: medium."""
    await reception.accept(oximeter(97, noon - timedelta(minutes=1)).raw)
    card.stall()
    in_hand = asyncio.ensure_future(reception.accept(thermometer(39.2, noon).raw))
    await until(lambda: told.trouble)
    assert told.events == []
    behind = asyncio.ensure_future(reception.accept(oximeter(93, noon + timedelta(minutes=1), pulse=112).raw))
    await until(lambda: told.events)
    assert [event["band"] for event in told.events] == ["medium"]
    assert (in_hand.done(), behind.done()) == (False, False)
    await until_stored(card, reception, in_hand, behind)
    assert [event.id for event in house.events("alert")] == [event["id"] for event in told.events]
    assert house.count("reading") == 3


async def test_what_is_asked_meanwhile_is_refused_at_once_with_what_the_card_has(
    writer: Writer, reception: Reception, card: StallingCard, told: Told
) -> None:
    names = ("first", "second", "third")
    card.stall()
    in_hand = asyncio.ensure_future(writer.write(lambda transaction: transaction.set_fact("first", ILL)))
    await asyncio.to_thread(card.reached.wait, 10)
    waiting = asyncio.ensure_future(writer.write(lambda transaction: transaction.set_fact("second", ILL)))
    await asyncio.wait([waiting], timeout=10)
    for refused in (waiting, writer.write(lambda transaction: transaction.set_fact("third", ILL))):
        with pytest.raises(NotCommittedError) as caught:
            await refused
        assert caught.value.trouble == "stalled"
    assert not in_hand.done()
    card.come_back()
    await until(lambda: told.trouble == ["stalled", None])
    facts = await writer.write(lambda transaction: [transaction.fact(name) for name in names])
    assert facts == [ILL, None, None]


async def test_an_open_alert_climbs_its_ladder_meanwhile_and_is_not_raised_once_more(
    house: House, writer: Writer, reception: Reception, card: StallingCard, told: Told, noon: datetime
) -> None:
    ladders = Commands(
        AlertBook(house.identity), AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    )
    await reception.accept(oximeter(80, noon).raw)
    await writer.write(lambda transaction: ladders.escalate(transaction, noon, 0.0))
    card.stall()
    in_hand = asyncio.ensure_future(reception.accept(thermometer(37.0, noon).raw))
    await until(lambda: told.trouble)
    behind = asyncio.ensure_future(reception.accept(oximeter(81, noon + timedelta(minutes=1)).raw))
    await until(lambda: reception.waiting)
    climbed = await writer.rehearse(lambda transaction: ladders.escalate(transaction, noon, 3600.0))
    assert [json.loads(event)["type"] for event in climbed] == ["uk.careport.alert.escalated.v1"]
    assert told.events == []
    card.come_back()
    async with asyncio.timeout(20):
        await asyncio.gather(in_hand, behind)


async def test_a_card_that_takes_one_commit_and_stalls_again_ends_nothing_that_waits_in_memory(
    house: House, writer: Writer, card: StallingCard, noon: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither for lamp and page, which have that alert from memory alone, nor in what is said of the card."""
    beacon, told = Beacon(None), Told()

    def on_trouble(trouble: str | None) -> None:
        told.trouble.append(trouble)
        if trouble is None:
            beacon.card_took_all()

    reception = Reception(
        writer,
        house.intake,
        retry_seconds=0.01,
        on_trouble=on_trouble,
        on_uncommitted=beacon.overhears(lambda events: [from_json(event) for event in events]),
    )
    watching = asyncio.create_task(writer.watch_card(reception.stalled))
    card.stall()
    in_hand = asyncio.ensure_future(reception.accept(thermometer(37.0, noon).raw))
    await until(lambda: told.trouble == ["stalled"])
    behind = asyncio.ensure_future(reception.accept(oximeter(80, noon + timedelta(minutes=1)).raw))
    await until(lambda: beacon.in_memory)
    card.take_one()
    async with asyncio.timeout(20):
        await in_hand
    await until(card.reached.is_set)
    await until(lambda: writer.is_stalled)
    assert (len(beacon.in_memory), behind.done(), None in told.trouble) == (1, False, False)
    assert "nothing that waited was lost" not in caplog.text
    await until_stored(card, reception, behind)
    watching.cancel()
    assert (beacon.in_memory, told.trouble[-1]) == ([], None)
    assert house.count("alert") == 1
    assert "nothing that waited was lost" in caplog.text
