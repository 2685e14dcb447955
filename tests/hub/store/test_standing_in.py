"""A start on a card that has no room for the database: the hub starts, stores nothing and says so, and goes
over to the card when there is room."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from random import randbytes

import pytest

from hub.clock import now, stamp
from hub.configuration.file import load
from hub.intake.following_the_clock import ClockFollower
from hub.store import recent
from hub.store.database import SCHEMA_VERSION, open_for_reading, open_for_writing
from hub.store.delivery import CardOutbox, waiting_events
from hub.store.encoding import event_bytes
from hub.store.errors import NotCommittedError, StoreError
from hub.store.salvaging import Salvage
from hub.store.sensors import enrolled
from hub.store.standing_in import StandIn
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.present import Present
from hub.timekeeping.timing import TimeQuality
from hub.uplink.contract import Identity
from tests.rigs.damaging import PAGE, overwrite, root_of, rows
from tests.rigs.house import ILL, oximeter, untold, write_configuration
from tests.rigs.small_card import SmallCard, small_card


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.store.damage.PAUSE_SECONDS", 0)
    monkeypatch.setattr("hub.store.standing_in._LOOKS_EVERY_SECONDS", 0)


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path, 6) as card:
        yield card


@pytest.fixture(params=["whole", "damaged"])
def full(request: pytest.FixtureRequest, card: SmallCard, home: Path) -> Path:
    """A database on a card that has not a block left."""
    path = card.root / "carehub.db"
    path.write_bytes(home.read_bytes())
    with closing(open_for_writing(path)) as connection:
        connection.execute("INSERT INTO fact VALUES ('mine', 'here')")
    if request.param == "damaged":
        overwrite(path, root_of(path, "reading"), bytes(PAGE))
    card.fill()
    return path


def tell(transaction: Transaction) -> None:
    transaction.tell(0, "alert", '"an alert"')


async def counted(writer: Writer, table: str) -> int:
    def count(transaction: Transaction) -> int:
        return int(transaction.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    return await writer.write(count)


def of_late(transaction: Transaction) -> list[object]:
    return list(transaction.newest_measurements(ILL, now() - timedelta(hours=9), now()))


async def opened(writer: Writer) -> None:
    """As the hub's watchdog does, which asks the writer again and again."""
    async with asyncio.timeout(10):
        while not writer.opened.is_set():
            await writer.write(lambda _: None)
            await asyncio.sleep(0.01)


async def test_it_starts_knows_what_matters_and_stores_nothing(full: Path, home: Path) -> None:
    before = full.read_bytes()
    async with Writer(full) as writer:
        assert not writer.opened.is_set()
        for table in ("alert", "assessment", "reading", "audit"):
            assert await counted(writer, table) >= len(rows(home)[table]), table
        assert len(await writer.write(lambda t: enrolled(t.connection))) == 40
        assert await writer.write(lambda t: t.note_fact("mine", "other")) == "here"
        assert await writer.rehearse(tell) == ['"an alert"']
        for urgent in (True, False):
            with pytest.raises(NotCommittedError) as caught:
                await writer.write(tell, urgent=urgent)
            assert caught.value.trouble == "full"
        assert '"an alert"' not in await writer.write(lambda t: waiting_events(t.connection, "alert"))
    assert full.read_bytes() == before


async def test_it_goes_over_to_the_card_as_soon_as_there_is_room_and_stores_what_is_tried_again(
    full: Path, home: Path, card: SmallCard
) -> None:
    async with Writer(full) as writer:
        outbox = CardOutbox(full, writer, untold)
        assert await outbox.waiting(10, []) == []
        with pytest.raises(NotCommittedError):
            await writer.write(tell)
        card.free()
        await opened(writer)
        await writer.write(of_late)
        await writer.write(tell)
        assert '"an alert"' in [row.event for row in await outbox.waiting(10, [])]
        outbox.close()
    after = rows(full)
    assert after["reading"] == rows(home)["reading"]
    assert after["alert"] == rows(home)["alert"]
    assert '"an alert"' in waiting_events(open_for_reading(full), "alert")


async def test_what_fails_for_another_reason_is_tried_again(
    full: Path, card: SmallCard, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.store.standing_in._AGAIN_AFTER_SECONDS", 0.1)
    async with Writer(full) as writer:
        path = full.rename(full.with_name("elsewhere"))
        full.mkdir()  # whatever else may be wrong with it by then
        card.free()
        async with asyncio.timeout(10):
            while "unable to open" not in caplog.text:
                await writer.write(lambda _: None)
                await asyncio.sleep(0.01)
        assert not writer.opened.is_set()
        full.rmdir()
        path.rename(full)
        await opened(writer)
        await writer.write(tell)


@pytest.mark.parametrize("room", [0, 30, 70, 100, 130, 160, 200, 300])
async def test_it_starts_whatever_room_there_is_and_then_tells_or_stores(
    card: SmallCard, home: Path, room: int
) -> None:
    path = card.root / "carehub.db"
    path.write_bytes(home.read_bytes())
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    (card.root / "room").write_bytes(bytes(room << 10))
    card.fill()
    (card.root / "room").unlink()
    async with Writer(path) as writer:
        assert await writer.rehearse(tell) == ['"an alert"']
        assert len(await writer.write(lambda t: enrolled(t.connection))) == 40


async def test_of_a_file_that_cannot_be_read_nothing_is_known_and_it_starts(
    card: SmallCard, caplog: pytest.LogCaptureFixture
) -> None:
    path = card.root / "carehub.db"
    path.write_bytes(b"shopping list" * 5000)
    card.fill()
    async with Writer(path) as writer:
        assert await writer.rehearse(tell) == ['"an alert"']
    assert "NOTHING IS STORED. Make room on the card" in caplog.text
    assert path.read_bytes() == b"shopping list" * 5000


async def test_where_there_is_no_database_yet_it_starts(card: SmallCard) -> None:
    card.fill()
    async with Writer(card.root / "carehub.db") as writer:
        assert await writer.rehearse(tell) == ['"an alert"']


async def test_what_a_newer_hub_wrote_is_refused_on_a_full_card_too(full: Path) -> None:
    with full.open("r+b") as file:
        file.seek(60)
        file.write((SCHEMA_VERSION + 1).to_bytes(4))
        file.seek(68)  # of who can work with it, it says nothing
        file.write(bytes(4))
    with pytest.raises(StoreError, match="newer hub"):
        Writer(full)


async def test_files_that_were_set_aside_are_named_as_what_may_go(
    full: Path, card: SmallCard, caplog: pytest.LogCaptureFixture
) -> None:
    card.free()
    full.with_name("carehub.db.damaged-20260101T000000.000000Z").write_bytes(bytes(1 << 20))
    card.fill()
    async with Writer(full):
        pass
    assert "carehub.db.damaged-20260101T000000.000000Z (1 MiB)" in caplog.text


async def test_more_than_fits_into_memory_is_left_out_the_oldest_first(
    card: SmallCard, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever an outage has left: the hub's memory is bounded."""
    monkeypatch.setattr("hub.store.standing_in._MOST", 1300 << 10)
    path = card.root / "carehub.db"
    path.write_bytes(home.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        columns = "resident, source, received_at, boot, since_boot, clock, time_quality, measurements, flags"
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
            f" INSERT INTO reading (sequence, id, payload, {columns})"
            f" SELECT 10000 + i, randomblob(16), randomblob(900), {columns}"
            " FROM n, reading WHERE sequence = 1"
        )
        connection.commit()
    card.fill()
    async with Writer(path) as writer:
        kept = await writer.write(lambda t: t.connection.execute("SELECT sequence FROM reading").fetchall())
        assert len(await writer.write(lambda t: enrolled(t.connection))) == 40
    assert 10 < len(kept) < 500
    assert (11_000,) in kept


async def test_what_follows_the_clock_reads_the_copy_once_and_not_for_each_piece_of_work(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6 MiB of readings take seconds on a Pi, and the ladders are looked at each second."""
    loaded: list[None] = []

    def counting(connection: sqlite3.Connection, present: Present | None) -> object:
        loaded.append(None)
        return _loaded(connection, present)

    _loaded = recent._loaded
    monkeypatch.setattr(recent, "_loaded", counting)
    config = load(write_configuration(tmp_path))
    follower = ClockFollower.of(config, Identity(config.site.id, config.hub.id, test_data=True))
    async with Writer(full) as writer:

        def measured(transaction: Transaction) -> None:
            follower.follow(transaction)
            before = of_late(transaction)
            reading = oximeter(91, now())
            quality = TimeQuality.RECEIVED
            placed = PlacedReading(reading, ILL, reading.raw.received_at, quality, stamp())
            transaction.add_reading(placed)
            found.append((before, of_late(transaction)))

        found: list[tuple[list[object], list[object]]] = []
        for _ in range(3):
            with pytest.raises(NotCommittedError):
                await writer.write(measured)
        assert len(loaded) == 1
    (before, after), *others = found
    assert before
    assert before != after
    assert all(each[0] == before for each in others), "what could not be stored is forgotten"


async def test_after_an_hour_it_is_tried_again_whatever_seems_to_be_free(
    full: Path, card: SmallCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of files, or of a quota, there may be enough by then."""
    with monkeypatch.context() as patched:
        patched.setattr(StandIn, "_free", lambda _: 0)
        async with Writer(full) as writer:
            card.free()
            await writer.write(lambda _: None)
            assert not writer.opened.is_set()
            patched.setattr("hub.store.standing_in._ANYWAY_AFTER_SECONDS", 0)
            await opened(writer)


async def test_it_starts_whatever_cannot_be_copied(
    full: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_salvage: Salvage) -> None:
        raise ValueError("in a row of an earlier version")

    monkeypatch.setattr(Salvage, "copy", fail)
    async with Writer(full) as writer:
        assert await writer.rehearse(tell) == ['"an alert"']
    assert "in a row of an earlier version" in caplog.text


async def test_of_more_alerts_that_wait_than_fit_into_memory_it_still_knows_the_sensors_and_the_open_ones(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.store.standing_in._MOST", 1100 << 10)
    with small_card(tmp_path, 16) as card:
        path = card.root / "carehub.db"
        path.write_bytes(home.read_bytes())
        with closing(sqlite3.connect(path)) as connection:
            connection.executemany(
                "INSERT INTO outbox (sequence, channel, event) VALUES (?, 'alert', ?)",
                [(10_000 + number, event_bytes(randbytes(900).hex())) for number in range(3800)],
            )
            connection.commit()
        card.fill()
        async with Writer(path) as writer:
            assert len(await writer.write(lambda t: enrolled(t.connection))) == 40
            assert await counted(writer, "alert") == len(rows(home)["alert"])
