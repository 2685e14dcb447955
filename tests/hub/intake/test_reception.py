"""What comes in is on the card when `accept` returns, whatever it is and whatever happens."""

from __future__ import annotations

import asyncio
import logging
import resource
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from drivers.virtual import encoding
from hub.intake import reception as room
from hub.intake import streams
from hub.intake.intake import Intake, Taken
from hub.intake.reception import Reception
from hub.readings import RawPayload, Reading
from hub.residents.register import UnknownResidentError
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from tests.rigs.house import ILL, OXIMETER, WELL_OXIMETER, House, entry, oximeter, raw

Result = TypeVar("Result")


@pytest.fixture
async def writer(house: House) -> AsyncIterator[Writer]:
    async with Writer(house.path) as writer:
        yield writer


@pytest.fixture
def reception(house: House, writer: Writer) -> Reception:
    return Reception(writer, house.intake, retry_seconds=0.01)


@contextmanager
def full_disk(house: House) -> Iterator[None]:
    """The database's files may not grow: a real EFBIG from the kernel."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = house.path.with_name(house.path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def stored(house: House) -> list[tuple[str | None, bytes, str | None]]:
    return list(house.connection.execute("SELECT resident, payload, problem FROM reading ORDER BY sequence"))


async def test_a_payload_is_committed_when_accept_returns(
    house: House, reception: Reception, noon: datetime
) -> None:
    payload = oximeter(80, noon).raw
    await reception.accept(payload)
    assert stored(house) == [(ILL, payload.payload, None)]
    assert len(house.alerts()) == 1


async def test_a_payload_that_cannot_be_decoded_is_kept_with_the_reason(
    house: House, reception: Reception, noon: datetime
) -> None:
    await reception.accept(raw(OXIMETER, "pulse_oximeter", b"\x00\x61", noon))
    ((resident, payload, problem),) = stored(house)
    assert (resident, payload) == (ILL, b"\x00\x61")
    assert problem
    assert house.count("assessment") == 0


async def test_an_advertisement_that_measures_nothing_is_not_kept(
    house: House, reception: Reception, noon: datetime
) -> None:
    battery_alone, a_press = b"\x40\x01\x61", b"\x40\x01\x61\x3a\x01"
    for packet in (battery_alone, a_press):
        await reception.accept(raw("A4:C1:38:00:00:09", "bthome", packet, noon))
    assert stored(house) == [(None, a_press, None)]


async def test_a_payload_of_a_driver_that_there_is_not_is_kept_with_the_reason(
    house: House, reception: Reception, noon: datetime
) -> None:
    await reception.accept(raw(OXIMETER, "telepathy", b"\x01", noon))
    ((_, payload, problem),) = stored(house)
    assert payload == b"\x01"
    assert problem is not None
    assert "telepathy" in problem


async def test_on_a_full_disk_readings_wait_and_are_committed_when_there_is_room(
    house: House, reception: Reception, noon: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    await reception.accept(oximeter(98, noon.replace(hour=11)).raw)
    later = [oximeter(97 - 17 * minute, noon.replace(minute=minute)).raw for minute in (0, 1)]
    with full_disk(house):
        waiting = [asyncio.ensure_future(reception.accept(payload)) for payload in later]
        done, _ = await asyncio.wait(waiting, timeout=0.3)  # in which it is tried again many times
        assert not done
        assert house.count("reading") == 1
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting)
        await reception.settled()
    assert house.count("reading") == 3
    assert len(house.alerts()) == 1
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 3, said
    assert "Readings wait in memory" in said[0]
    assert said[1].endswith(": raised")
    assert "can be written again" in said[2]


async def test_a_fault_in_the_intake_keeps_the_reading_unassigned_and_the_next_goes_on(
    house: House,
    reception: Reception,
    noon: datetime,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object) -> Taken:
        raise ZeroDivisionError("nobody foresaw this")

    with monkeypatch.context() as broken:
        broken.setattr(Intake, "take", fails)
        await reception.accept(oximeter(80, noon).raw)
    assert stored(house) == [(None, oximeter(80, noon).raw.payload, "could not be assessed; see the log")]
    assert "nobody foresaw this" in caplog.text
    await reception.accept(oximeter(81, noon).raw)
    assert len(house.alerts()) == 1


async def test_a_fault_in_the_intake_on_a_full_disk_still_keeps_the_reading(
    house: House, reception: Reception, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reception.accept(oximeter(97, noon).raw)

    def fails(self: Intake, transaction: Transaction, reading: Reading, resident: str | None) -> Taken:
        raise ZeroDivisionError("nobody foresaw this")

    monkeypatch.setattr(Intake, "take", fails)
    with full_disk(house):
        waiting = asyncio.ensure_future(reception.accept(oximeter(80, noon).raw))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
    async with asyncio.timeout(10):
        await waiting
    assert [resident for resident, _, _ in stored(house)] == [ILL, None]


async def test_a_persons_entry_for_an_unknown_resident_is_refused_to_that_person(
    house: House, reception: Reception, noon: datetime
) -> None:
    with pytest.raises(UnknownResidentError):
        await reception.accept_reading(entry(noon), "R-9999")
    assert stored(house) == []


async def test_a_persons_entry_that_meets_a_fault_is_refused_and_not_kept_as_nobodys(
    house: House, reception: Reception, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Taken:
        raise ZeroDivisionError("nobody foresaw this")

    monkeypatch.setattr(Intake, "take", fails)
    with pytest.raises(ZeroDivisionError):
        await reception.accept_reading(entry(noon), ILL)
    assert stored(house) == []


def streamed(second: float, noon: datetime, saturation: float = 97) -> RawPayload:
    payload, at = encoding.continuous(saturation, 72), noon + timedelta(seconds=second)
    return raw(OXIMETER, "pulse_oximeter", payload, at, "2a5f")


async def test_what_is_of_a_stream_is_on_the_card_with_its_stretch(
    house: House, reception: Reception, noon: datetime
) -> None:
    for second in range(30):
        await reception.accept(streamed(second, noon))
    (closed,) = house.stretches()
    assert closed.placed.reading.stretch is not None
    assert (closed.placed.resident, closed.placed.reading.stretch.samples) == (ILL, 16)
    await reception.settled()
    assert house.samples() == [streamed(second, noon) for second in range(30)]


async def test_what_came_by_radio_and_streams_is_on_the_card_when_all_is_settled(
    house: House, reception: Reception, noon: datetime
) -> None:
    for second in range(5):
        await reception.accept_from_radio(streamed(second, noon))
    await reception.settled()
    assert len(house.samples()) == 5


async def test_a_stream_that_falls_silent_is_stored_after_a_while(
    house: House, reception: Reception, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "SILENCE", timedelta(seconds=0.1))
    monkeypatch.setattr(room, "_LOOKS_EVERY_SECONDS", 0.02)
    watching = asyncio.ensure_future(reception.watch_streams())
    await reception.accept(streamed(0, noon))
    async with asyncio.timeout(10):
        while not house.count("reading"):
            await asyncio.sleep(0.01)
    watching.cancel()
    assert len(house.samples()) == 1


async def test_one_sensors_stream_is_stored_before_it_is_forgotten(
    house: House, reception: Reception, noon: datetime
) -> None:
    await reception.accept(streamed(0, noon))
    await reception.close_streams(WELL_OXIMETER)
    assert house.count("reading") == 0
    await reception.close_streams(OXIMETER)
    assert [row.placed.resident for row in house.stretches()] == [ILL]


async def test_a_stretch_that_somebody_waits_for_waits_for_no_company(house: House, noon: datetime) -> None:
    """When they have waited for long enough the sensor is forgotten, and what comes then is nobody's."""
    async with Writer(house.path, timedelta(minutes=1)) as writer:
        reception = Reception(writer, house.intake)
        await writer.write(lambda _transaction: None)
        await reception.accept(streamed(0, noon))
        await reception.close_streams(OXIMETER, patience_seconds=30)
        assert [row.placed.resident for row in house.stretches()] == [ILL]


async def test_what_somebody_else_began_to_store_of_a_stream_is_waited_for(
    house: House, writer: Writer, reception: Reception, noon: datetime
) -> None:
    """Two senders: the first to end has the stretch stored that the other's sample is in."""
    fate = await reception.accept(streamed(0, noon))
    assert fate is not None
    slow = threading.Event()
    holds_up = asyncio.ensure_future(writer.write(lambda _transaction: slow.wait(10), urgent=True))
    ends = [asyncio.ensure_future(reception.close_streams(which)) for which in (None, None, OXIMETER)]
    async with asyncio.timeout(10):
        await reception.close_streams(WELL_OXIMETER)
        done, _ = await asyncio.wait(ends, timeout=0.05)
        assert (done, fate.is_stored) == (set(), None)
        slow.set()
        await asyncio.gather(holds_up, *ends)
    assert (fate.is_stored, house.count("reading")) == (True, 1)


async def test_a_sample_is_not_said_to_be_stored_whose_stretch_could_not_be(
    house: House, reception: Reception, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Taken:
        raise ZeroDivisionError("nobody foresaw this")

    with monkeypatch.context() as broken:
        broken.setattr(Intake, "take_stretch", fails)
        kept = await reception.accept(streamed(0, noon))
        await reception.close_streams()
        broken.setattr(Intake, "keep", fails)
        lost = await reception.accept(streamed(1, noon))
        await reception.close_streams()
    assert kept is not None
    assert lost is not None
    assert (kept.is_stored, lost.is_stored, house.count("reading")) == (True, False, 1)


async def test_on_a_full_disk_a_stretch_waits_and_patience_ends(
    house: House, reception: Reception, noon: datetime
) -> None:
    await reception.accept(oximeter(98, noon.replace(hour=11)).raw)
    await reception.accept(streamed(0, noon))
    with full_disk(house):
        await reception.close_streams(OXIMETER, patience_seconds=0.05)
        assert house.count("reading") == 1
    async with asyncio.timeout(10):
        await reception.settled()
    assert house.count("reading") == 2


async def test_a_sample_whose_owner_cannot_be_told_for_a_fault_is_kept_unassigned(
    house: House, reception: Reception, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("nobody foresaw this")

    with monkeypatch.context() as broken:
        broken.setattr(streams.Streams, "add", fails)
        await reception.accept(streamed(0, noon))
    ((resident, payload, problem),) = stored(house)
    assert (resident, payload) == (None, streamed(0, noon).payload)
    assert problem


class FailsTwice(Writer):
    """A card that fails anew while what is to be noted of its first trouble is on its way."""

    times = 0

    async def write(
        self, work: Callable[[Transaction], Result], *, urgent: bool = False, rehearsable: bool = False
    ) -> Result:
        self.times += 1
        if self.times == 3:
            await asyncio.sleep(0.05)
        elif self.times == 1 or self.times in range(4, 20):
            raise NotCommittedError(Path("carehub.db"), "nothing was stored", "full")
        return await super().write(work, urgent=urgent)


async def test_a_card_that_fails_again_at_once_is_not_said_to_be_well(house: House, noon: datetime) -> None:
    said: list[str | None] = []
    async with FailsTwice(house.path) as writer, asyncio.timeout(20):
        reception = Reception(writer, house.intake, retry_seconds=0.01, on_trouble=said.append)
        first = asyncio.ensure_future(reception.accept(oximeter(97, noon).raw))
        while writer.times < 3:
            await asyncio.sleep(0.001)
        await asyncio.gather(first, reception.accept(oximeter(96, noon + timedelta(minutes=1)).raw))
    assert said == ["full", None, "full", None]
