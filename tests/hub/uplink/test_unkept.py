"""Alerts of a card that takes nothing are sent before all else, once, and say that they are not kept."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hub.alerts.concern import Concern
from hub.assessment.news2 import Band
from hub.store.errors import StoreError
from hub.store.outbox import MADE_AT_ONCE, OutboxRow
from hub.uplink.cloudevents import from_json, to_json
from hub.uplink.contract import AlertChange
from hub.uplink.feed import alert_event
from hub.uplink.heard import alert_heard
from hub.uplink.unkept import WithUnkept
from tests.rigs.fhir_samples import NOON, TEST, alert, complete


class Card:
    """An outbox with one row, that can fail."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.fails = False
        self.removed: list[int] = []
        self.aside: list[int] = []

    async def waiting(
        self, limit: int, besides: Collection[int], made: int = MADE_AT_ONCE
    ) -> Sequence[OutboxRow]:
        if self.fails:
            raise StoreError(Path("x"), "cannot be read")
        return [OutboxRow(7, "observation", "{}")][:limit]

    async def delivered(self, sequences: Collection[int]) -> None:
        self.removed += sequences

    async def set_aside(self, sequence: int, reason: str) -> None:
        self.aside.append(sequence)

    async def reclaim(self, channels: Collection[str]) -> int:
        return 3


def raised(name: str, resident: str = "R-0412", band: Band = Band.HIGH) -> str:
    """An alert as a hub tells it."""
    judged = replace(complete(), resident=resident)
    event = alert_event(TEST, AlertChange.RAISED, replace(alert(judged), band=band), NOON, judged)
    return to_json(replace(event, id=name))


def told(row: OutboxRow) -> tuple[str, object]:
    assert isinstance(row.event, str)
    event = from_json(row.event)
    assert alert_heard(event).resident == event.subject
    return event.id, event.extensions["committed"]


async def test_they_come_first_and_say_that_they_are_not_kept() -> None:
    outbox = WithUnkept(Card(), "alert")
    outbox.tell([raised("a")])
    assert outbox.changed.is_set()
    first, second = await outbox.waiting(10, [])
    assert told(first) == ("a", "false")
    assert (first.channel, second.sequence) == ("alert", 7)
    assert [row.sequence for row in await outbox.waiting(10, [first.sequence])] == [7]
    assert [row.sequence for row in await outbox.waiting(1, [])] == [first.sequence]


async def test_one_is_told_once_and_of_a_resident_and_band_one_in_a_while() -> None:
    outbox = WithUnkept(Card(), "alert")
    for _ in range(3):
        outbox.tell([raised("a"), raised("b"), raised("c", "R-0077"), raised("d", band=Band.MEDIUM)])
    assert [told(row)[0] for row in await outbox.waiting(10, []) if row.channel == "alert"] == ["a", "c", "d"]


async def test_a_concern_is_told_though_an_alert_of_that_resident_and_band_was_told_of_late() -> None:
    """The alert in whose place it is raised may have been acknowledged."""
    outbox = WithUnkept(Card(), "alert")
    judged = complete()
    concerned = replace(alert(judged), band=Band.HIGH, concern=Concern(NOON))
    event = replace(alert_event(TEST, AlertChange.RAISED, concerned, NOON, judged), id="b")
    assert [each.id for each in outbox.tell([raised("a"), to_json(event)])] == ["a", "b"]


async def test_they_are_sent_though_the_card_cannot_be_read() -> None:
    card = Card()
    card.fails = True
    outbox = WithUnkept(card, "alert")
    with pytest.raises(StoreError):
        await outbox.waiting(10, [])
    outbox.tell([raised("a")])
    assert [told(row)[0] for row in await outbox.waiting(10, [])] == ["a"]


async def test_what_was_answered_leaves_the_one_or_the_other() -> None:
    card = Card()
    outbox = WithUnkept(card, "alert")
    outbox.tell([raised("a"), raised("b", "R-0077")])
    one, other, kept = await outbox.waiting(10, [])
    await outbox.delivered([one.sequence, kept.sequence])
    await outbox.set_aside(other.sequence, "refused")
    await outbox.set_aside(9, "refused")
    assert (card.removed, card.aside) == ([7], [9])
    assert [row.sequence for row in await outbox.waiting(10, [])] == [7]
    assert await outbox.reclaim(["alert"]) == 3


async def test_one_for_which_there_was_no_room_is_told_when_there_is() -> None:
    outbox = WithUnkept(Card(), "alert")
    outbox.tell([raised(str(number), f"R-{number}") for number in range(200)])
    outbox.tell([raised("last", "R-0412")])
    rows = await outbox.waiting(500, [])
    assert len(rows) == 201
    await outbox.delivered([rows[0].sequence])
    outbox.tell([raised("last", "R-0412")])
    assert "last" in [told(row)[0] for row in await outbox.waiting(200, [])]


async def test_it_knows_of_which_alerts_it_has_told_but_not_of_all_that_there_ever_were() -> None:
    outbox = WithUnkept(Card(), "alert")
    told_alerts = []
    for number in range(1001):
        outbox.tell([raised(str(number), f"R-{number}")])
        (row, *_) = await outbox.waiting(1, [])
        assert isinstance(row.event, str)
        told_alerts.append(alert_heard(from_json(row.event)).alert)
        await outbox.delivered([row.sequence])
    assert not outbox.told_of(uuid.uuid4())
    assert [outbox.told_of(alert) for alert in told_alerts[:2]] == [False, True]
    assert outbox.told_of(told_alerts[-1])


async def test_what_waits_on_the_card_holds_no_new_alert_to_be_told() -> None:
    outbox = WithUnkept(Card(), "alert")
    assert outbox.tell_waiting([raised("of last week")]) == 1
    outbox.tell([raised("new")])
    assert [told(row)[0] for row in await outbox.waiting(2, [])] == ["of last week", "new"]


async def test_what_waits_on_the_card_leaves_room_for_what_is_new_and_is_told_when_there_is_more() -> None:
    outbox = WithUnkept(Card(), "alert")
    waiting = ["damaged", *(raised(str(number)) for number in range(300))]
    taken = outbox.tell_waiting(waiting)
    assert taken == 101
    assert outbox.tell_waiting(waiting[taken:]) == 0
    outbox.tell([raised("new")])
    rows = await outbox.waiting(101, [])
    assert [told(row)[0] for row in rows] == [*map(str, range(100)), "new"]
    assert outbox.let_go([*rows, OutboxRow(7, "alert", "{}")]) == [OutboxRow(7, "alert", "{}")]
    assert outbox.tell_waiting(waiting[taken:]) == 100
