"""While the card takes nothing, readings wait in memory and alerts are told; and it goes on after."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from drivers.virtual import encoding
from hub.clock import ClockQuality, ClockStamp, stamp
from hub.intake import reception as room
from hub.intake.reception import Reception
from hub.store import audit
from hub.store.errors import NotCommittedError
from hub.store.jobs import Job
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Audited, Moment
from tests.rigs.house import ILL, OXIMETER, SHARED, WELL, House, oximeter, raw, thermometer
from tests.rigs.small_card import SmallCard, small_card
from tests.rigs.told import Told

SECOND = timedelta(seconds=1)


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path, 6) as card:
        yield card


@pytest.fixture
def house(card: SmallCard) -> Iterator[House]:
    house = House(card.root)
    yield house
    house.connection.close()


@pytest.fixture
async def writer(house: House) -> AsyncIterator[Writer]:
    async with Writer(house.path, timedelta(0), reserve_bytes=1 << 16) as writer:
        yield writer


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def reception(house: House, writer: Writer, told: Told) -> Reception:
    return Reception(
        writer,
        house.intake,
        retry_seconds=0.01,
        on_trouble=told.trouble.append,
        on_uncommitted=told.uncommitted,
    )


async def fill(card: SmallCard, writer: Writer) -> None:
    """Others fill the card, and what is left in the database's own files is used too."""
    card.fill()

    def more(transaction: Transaction) -> None:
        transaction.tell(2, "observation", "x" * 500)

    while True:
        try:
            await writer.write(more)
        except NotCommittedError:
            return


async def until_told(told: Told) -> None:
    async with asyncio.timeout(20):
        while not told.events:
            await asyncio.sleep(0.01)


async def test_an_alert_that_cannot_be_committed_is_told_and_is_the_same_when_it_can(
    card: SmallCard, house: House, writer: Writer, reception: Reception, told: Told, noon: datetime
) -> None:
    await fill(card, writer)
    waits = asyncio.ensure_future(reception.accept(oximeter(80, noon).raw))
    await until_told(told)
    assert not waits.done()
    assert house.count("reading") == 0
    assert told.trouble == ["full"]
    card.free()
    async with asyncio.timeout(20):
        await waits
        await reception.settled()
    assert [event.id for event in house.events("alert")] == [told.events[0]["id"]]
    assert told.trouble == ["full", None]
    assert audit.newest(house.connection, Audited.CARD_WRITABLE) is not None


async def test_readings_that_wait_are_assessed_together(
    card: SmallCard, house: House, writer: Writer, reception: Reception, told: Told, noon: datetime
) -> None:
    """Neither alarms alone: 93 % is 2 points, 39.2 degrees is 2, a pulse of 112 is 2; together: medium."""
    await fill(card, writer)
    first = asyncio.ensure_future(reception.accept(thermometer(39.2, noon).raw))
    await asyncio.sleep(0.1)
    assert told.events == []
    second = asyncio.ensure_future(reception.accept(oximeter(93, noon + timedelta(minutes=1), pulse=112).raw))
    await until_told(told)
    assert (told.events[0]["subject"], told.events[0]["band"]) == (ILL, "medium")
    card.free()
    async with asyncio.timeout(20):
        await asyncio.gather(first, second)


async def test_what_a_stream_said_last_is_assessed_though_its_end_was_too_short_to_be_observed(
    card: SmallCard, house: House, writer: Writer, reception: Reception, told: Told, noon: datetime
) -> None:
    """93 % and a pulse of 112 are 4 points; then the finger is out, and the rest waits as a stretch too."""
    await fill(card, writer)
    sample = encoding.continuous(93, 112)
    waits = [
        asyncio.ensure_future(
            reception.accept(raw(OXIMETER, "pulse_oximeter", sample, noon + second * SECOND, "2a5f"))
        )
        for second in range(20)
    ]
    async with asyncio.timeout(20):
        while reception.waiting < 1:
            await asyncio.sleep(0.01)
        waits.append(asyncio.ensure_future(reception.close_streams()))
        while reception.waiting < 2:
            await asyncio.sleep(0.01)
        assert told.events == []
        waits.append(asyncio.ensure_future(reception.accept(thermometer(39.2, noon + 60 * SECOND).raw)))
        while reception.waiting < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        card.free()
        await asyncio.gather(*waits)
    assert [each["band"] for each in told.events[:1]] == ["medium"]


async def test_whom_a_shared_sensor_measures_next_hides_nobody_it_measured_before(
    card: SmallCard,
    house: House,
    writer: Writer,
    reception: Reception,
    told: Told,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await fill(card, writer)
    present = stamp()
    for minutes, resident in ((4, ILL), (2, WELL)):
        since = minutes * 60 * SECOND
        opened = Moment(noon - since, replace(present, since_boot=present.since_boot - since))
        house.rounds.open(None, resident, "reader", opened)
        at = ClockStamp(present.boot, opened.stamp.since_boot + 90 * SECOND, ClockQuality.SYNCHRONISED)
        spot = oximeter(93, noon - since + 90 * SECOND, pulse=112, device=SHARED)
        with monkeypatch.context() as then:
            then.setattr(room, "stamp", lambda at=at: at)
            waits = asyncio.ensure_future(reception.accept(spot.raw))
            await asyncio.sleep(0)
    async with asyncio.timeout(20):
        while reception.waiting < 2:
            await asyncio.sleep(0.01)
        last = asyncio.ensure_future(reception.accept(thermometer(39.2, noon).raw))
        while reception.waiting < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        card.free()
        await asyncio.gather(waits, last)
    assert [(each["subject"], each["band"]) for each in told.events[:1]] == [(ILL, "medium")]


async def test_a_radio_is_not_held_up_and_all_that_it_handed_in_is_committed_later(
    card: SmallCard, house: House, writer: Writer, reception: Reception, told: Told, noon: datetime
) -> None:
    await fill(card, writer)
    async with asyncio.timeout(20):
        for minute in range(5):
            await reception.accept_from_radio(oximeter(97, noon + timedelta(minutes=minute)).raw)
        while reception.waiting < 5:
            await asyncio.sleep(0.01)
        assert house.count("reading") == 0
        card.free()
        while house.count("reading") < 5:
            await asyncio.sleep(0.01)


async def test_beyond_its_limit_only_samples_of_streams_are_let_go_and_they_are_assessed_before(
    card: SmallCard,
    house: House,
    writer: Writer,
    reception: Reception,
    told: Told,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 1)
    await fill(card, writer)
    spots = [
        asyncio.ensure_future(reception.accept(oximeter(97, noon + timedelta(minutes=minute)).raw))
        for minute in range(2)
    ]
    async with asyncio.timeout(20):
        while reception.waiting < 2:
            await asyncio.sleep(0.01)
        samples = [
            replace(oximeter(97, noon + timedelta(minutes=5, seconds=second)), streaming=True)
            for second in range(3)
        ]
        fates = [(await reception.accept_reading(sample)).fate for sample in samples]
        await reception.close_streams()
        assert reception.let_go == 3
        assert [fate and fate.is_stored for fate in fates] == [False] * 3
        card.free()
        await asyncio.gather(*spots)
        assert house.count("reading") == 2
        again = (await reception.accept_reading(samples[2])).fate  # whoever was told so sends it again
        await reception.close_streams()
    assert again is not None
    assert (again.is_stored, house.count("reading")) == (True, 3)


async def test_of_a_card_that_cannot_even_be_read_alerts_are_known_from_what_was_measured_of_late(
    house: House, writer: Writer, reception: Reception, noon: datetime
) -> None:
    """What the writer falls back on where no transaction can be begun."""
    await reception.accept(oximeter(93, noon, pulse=112).raw)
    told: list[str] = []

    def work(transaction: Transaction) -> None:
        house.intake.take(transaction, thermometer(39.2, noon + timedelta(minutes=1)), stamp())
        told.extend(transaction.urgently_told)

    job = Job(work, asyncio.get_running_loop(), urgent=True, rehearsal=True)
    await asyncio.to_thread(writer._rehearse_beside, job)  # type: ignore[arg-type]  # of any result
    assert [json.loads(event)["band"] for event in told] == ["medium"]
    assert house.count("reading") == 1
