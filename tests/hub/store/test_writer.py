"""The writer: what it said is committed, is; what failed, is undone alone."""

from __future__ import annotations

import asyncio
import random
import resource
import sqlite3
import subprocess
import sys
import textwrap
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from hub.clock import stamp
from hub.readings import Measurement, RawPayload, Reading, Vital, reading_id
from hub.store.database import SCHEMA_VERSION, open_for_reading, open_for_writing
from hub.store.delivery import CardOutbox, waiting
from hub.store.encoding import event_bytes, event_text
from hub.store.errors import NotCommittedError, StoreError
from hub.store.migrations import migrations
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality
from tests.rigs.house import untold


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "carehub.db"


def placed(raw: RawPayload, systolic: float = 128.0, at: datetime | None = None) -> PlacedReading:
    reading = Reading(
        id=reading_id(raw, None), raw=raw, measurements=(Measurement(Vital.SYSTOLIC_PRESSURE, systolic),)
    )
    return PlacedReading(reading, "R-0412", at or raw.received_at, TimeQuality.RECEIVED, stamp())


async def test_what_was_written_is_there_for_another_process(
    path: Path, raw_blood_pressure: RawPayload
) -> None:
    async with Writer(path) as writer:
        await writer.write(lambda transaction: transaction.add_reading(placed(raw_blood_pressure)))
        seen = subprocess.run(
            [sys.executable, "-c", f"import sqlite3; print(sqlite3.connect({str(path)!r})"
             ".execute('SELECT hex(payload) FROM reading').fetchone()[0])"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert seen.stdout.strip() == raw_blood_pressure.payload.hex().upper()


async def test_a_process_killed_after_its_writes_were_confirmed_loses_none(path: Path) -> None:
    """Kills a writing process; every number that it printed after `write` returned must be there."""
    program = textwrap.dedent(f"""
        import asyncio, os, pathlib
        from hub.store.writer import Writer
        async def main():
            async with Writer(pathlib.Path({str(path)!r})) as writer:
                for number in range(200):
                    await writer.write(lambda t: t.tell(0, "alert", str(number)))
                    print(number, flush=True)
                os.kill(os.getpid(), 9)
        asyncio.run(main())
    """)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == -9
    kept = waiting_texts(path)
    assert set(kept) == set(ended.stdout.split())
    assert len(kept) == 200


async def test_work_that_raises_is_undone_alone(path: Path) -> None:
    def fails(transaction: Transaction) -> None:
        transaction.tell(0, "alert", "never")
        raise LookupError("no such thing")

    async with Writer(path) as writer:
        results = await asyncio.gather(
            writer.write(lambda transaction: transaction.tell(0, "alert", "before")),
            writer.write(fails),
            writer.write(lambda transaction: transaction.tell(0, "alert", "after")),
            return_exceptions=True,
        )
        assert isinstance(results[1], LookupError)
    assert waiting_texts(path) == ["before", "after"]


async def test_a_broken_constraint_is_the_fault_of_its_own_work_only(
    path: Path, raw_blood_pressure: RawPayload
) -> None:
    same = placed(raw_blood_pressure)
    async with Writer(path) as writer:
        results = await asyncio.gather(
            writer.write(lambda transaction: transaction.add_reading(same)),
            writer.write(lambda transaction: transaction.add_reading(same)),
            writer.write(lambda transaction: transaction.tell(0, "alert", "after")),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [int, sqlite3.IntegrityError, type(None)]


async def test_work_that_the_database_refuses_keeps_no_other_from_being_committed(path: Path) -> None:
    def refused(transaction: Transaction) -> None:
        transaction._connection.execute("SELECT * FROM no_such_table")

    async with Writer(path) as writer:
        results = await asyncio.gather(
            writer.write(lambda transaction: transaction.tell(0, "alert", "before")),
            writer.write(refused),
            writer.write(lambda transaction: transaction.tell(0, "alert", "after")),
            return_exceptions=True,
        )
    assert [type(result) for result in results] == [type(None), NotCommittedError, type(None)]
    assert waiting_texts(path) == ["before", "after"]


@pytest.mark.parametrize("others", [0, 2])
async def test_a_row_that_cannot_be_written_is_the_fault_of_its_own_work_only(
    path: Path, raw_blood_pressure: RawPayload, others: int
) -> None:
    """A number that SQLite has no room for is found only when the row is written."""
    odd = placed(raw_blood_pressure)
    odd = replace(odd, reading=replace(odd.reading, sequence_number=1 << 70))
    async with Writer(path) as writer:
        results = await asyncio.gather(
            writer.write(lambda transaction: transaction.add_reading(odd)),
            *(writer.write(lambda t: t.tell(0, "alert", "after")) for _ in range(others)),
            return_exceptions=True,
        )
        await writer.write(lambda transaction: transaction.tell(0, "alert", "after"))
    assert isinstance(results[0], OverflowError)
    assert results[1:] == [None] * others
    assert waiting_texts(path) == ["after"] * (others + 1)


async def test_a_commit_that_cannot_be_undone_either_is_undone_before_the_next(path: Path) -> None:
    def fails_and_stays_open(transaction: Transaction) -> None:
        def refuse(action: int, *_: object) -> int:
            return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK

        transaction.tell(0, "alert", "never")
        transaction.connection.set_authorizer(refuse)

    async with Writer(path) as writer:
        with pytest.raises(NotCommittedError):
            await writer.write(fails_and_stays_open)
        writer._connection.set_authorizer(None)
        with pytest.raises(NotCommittedError):  # it begins within what is still open, which ends that
            await writer.write(lambda transaction: transaction.tell(0, "alert", "refused"))
        await writer.write(lambda transaction: transaction.tell(0, "alert", "after"))
    assert waiting_texts(path) == ["after"]


async def test_a_writer_that_ends_in_a_way_that_nobody_foresaw_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault() -> None:
        raise ZeroDivisionError("a bug")

    async with Writer(path) as writer:
        monkeypatch.setattr(writer._recent, "settled", fault)
        unanswered = asyncio.ensure_future(writer.write(lambda _: None))
        async with asyncio.timeout(10):
            with pytest.raises(ZeroDivisionError):
                await writer.failed()
        unanswered.cancel()


async def test_many_writes_share_few_commits(path: Path) -> None:
    async with Writer(path) as writer:
        commits = 0

        def counted(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        writer._connection.set_trace_callback(counted)
        await asyncio.gather(
            *(writer.write(lambda transaction: transaction.tell(0, "alert", "x")) for _ in range(400))
        )
    assert commits <= 10


async def test_a_full_disk_keeps_what_was_there_and_the_writer_goes_on(path: Path) -> None:
    """The file may not grow (RLIMIT_FSIZE, a real EFBIG from the kernel), then it may again."""
    async with Writer(path) as writer:
        await writer.write(lambda transaction: transaction.tell(0, "alert", "before"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        wal = path.with_name(path.name + "-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
        try:
            with pytest.raises(NotCommittedError, match="nothing was stored"):
                await writer.write(
                    lambda transaction: transaction.tell(0, "alert", random.Random(1).randbytes(50_000).hex())
                )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await writer.write(lambda transaction: transaction.tell(0, "alert", "after"))
    assert waiting_texts(path) == ["before", "after"]


async def test_the_newest_measurement_of_each_vital_is_found(
    path: Path, raw_blood_pressure: RawPayload, noon: datetime
) -> None:
    def work(transaction: Transaction) -> object:
        for minute, systolic in enumerate((120.0, 118.0, 90.0)):
            at = noon.replace(minute=minute)
            raw = RawPayload("C4:F2:17:00:00:01", "blood_pressure", b"x", at)
            transaction.add_reading(placed(raw, systolic, at))
        return dict(transaction.newest_measurements("R-0412", noon, noon.replace(minute=1)))

    async with Writer(path) as writer:
        found = await writer.write(work)
    assert isinstance(found, dict)
    assert set(found) == {Vital.SYSTOLIC_PRESSURE}
    assert found[Vital.SYSTOLIC_PRESSURE].observation.value == 118.0
    assert found[Vital.SYSTOLIC_PRESSURE].observation.measured_at == noon.replace(minute=1)


async def test_the_outbox_gives_alerts_first_and_leaves_out_what_is_in_flight(path: Path) -> None:
    async with Writer(path) as writer:

        def work(transaction: Transaction) -> None:
            transaction.tell(3, "reading", "old reading")
            transaction.tell(3, "reading", "new reading")
            transaction.tell(0, "alert", "alert")

        await writer.write(work)
        outbox = CardOutbox(path, writer, untold)
        assert [row.event for row in await outbox.waiting(10, [])] == ["alert", "old reading", "new reading"]
        first, *_ = await outbox.waiting(1, [])
        assert [row.event for row in await outbox.waiting(1, [first.sequence])] == ["old reading"]
        await outbox.delivered([first.sequence])
        assert [row.event for row in await outbox.waiting(10, [])] == ["old reading", "new reading"]
        outbox.close()


async def test_a_number_of_the_outbox_is_never_used_twice(path: Path) -> None:
    numbers = []
    async with Writer(path) as writer:
        for _ in range(2):
            await writer.write(lambda transaction: transaction.tell(0, "alert", "x"))
            outbox = CardOutbox(path, writer, untold)
            (row,) = await outbox.waiting(10, [])
            await outbox.delivered([row.sequence])
            outbox.close()
            numbers.append(row.sequence)
    assert numbers[0] < numbers[1]


async def test_what_the_broker_refuses_is_kept_aside_with_the_reason(path: Path) -> None:
    async with Writer(path) as writer:
        await writer.write(lambda transaction: transaction.tell(0, "alert", "too large"))
        outbox = CardOutbox(path, writer, untold)
        (row,) = await outbox.waiting(10, [])
        await outbox.set_aside(row.sequence, "packet too large")
        assert await outbox.waiting(10, []) == []
        outbox.close()
    aside = open_for_reading(path).execute("SELECT event, reason FROM outbox_aside").fetchall()
    assert aside == [(event_bytes("too large"), "packet too large")]


def test_a_database_of_a_newer_hub_is_refused_by_name(path: Path) -> None:
    connection = open_for_writing(path)
    connection.execute("PRAGMA user_version = 999")
    connection.execute("PRAGMA application_id = 0")
    connection.close()
    with pytest.raises(StoreError, match=r"newer hub \(schema 999, this one knows \d+\)"):
        open_for_writing(path)


def test_every_step_of_the_schema_is_applied_once(path: Path) -> None:
    from sqlite_utils.db import Database

    open_for_writing(path).close()
    connection = open_for_writing(path)
    database = Database(connection)
    assert migrations.pending(database) == []
    assert len(migrations.applied(database)) == SCHEMA_VERSION
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_reading_a_database_that_is_not_there_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="has the hub ever run here"):
        open_for_reading(path)


def test_two_alerts_of_one_resident_cannot_both_be_open(path: Path) -> None:
    connection = open_for_writing(path)
    insert = "INSERT INTO alert VALUES (?, 'R-0412', 'high', 'raised', 0, NULL, 1, 1, '{}')"
    connection.execute(insert, (uuid.uuid4().bytes,))
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(insert, (uuid.uuid4().bytes,))


AN_HOUR = timedelta(hours=1)
"""To gather for: what is committed sooner did not wait for its end."""


def commits_of(writer: Writer) -> list[str]:
    """Each commit from now on, as the database hears of it."""
    heard: list[str] = []
    writer._connection.set_trace_callback(
        lambda statement: heard.append(statement) if statement == "COMMIT" else None
    )
    return heard


def later(transaction: Transaction, text: str) -> None:
    """Work that is not urgent."""
    transaction.tell(3, "reading", text)


async def gathering(writer: Writer, *texts: str) -> list[asyncio.Task[None]]:
    """Writes that are not urgent, handed in one after the other and waiting."""
    tasks = []
    for text in texts:
        tasks.append(asyncio.create_task(writer.write(partial(later, text=text))))
        await asyncio.sleep(0)
    return tasks


async def test_a_lone_write_in_a_quiet_house_waits_for_nothing(path: Path) -> None:
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await writer.write(lambda transaction: later(transaction, "alone"))


async def test_what_is_not_urgent_gathers_and_an_urgent_one_takes_it_along(path: Path) -> None:
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await writer.write(lambda transaction: later(transaction, "first"))
        commits = commits_of(writer)
        tasks = await gathering(writer, "a", "b", "c")
        await asyncio.sleep(0.05)
        assert [task.done() for task in tasks] == [False] * 3
        await writer.write(lambda transaction: later(transaction, "urgent"), urgent=True)
        await asyncio.gather(*tasks)
        assert len(commits) == 1
    assert waiting_texts(path) == ["first", "a", "b", "c", "urgent"]


async def test_a_transaction_that_tells_an_alert_is_urgent_by_itself(path: Path) -> None:
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await writer.write(lambda transaction: later(transaction, "first"))
        commits = commits_of(writer)
        tasks = await gathering(writer, "a")
        await writer.write(lambda transaction: transaction.tell(0, "alert", "alert"))
        await asyncio.gather(*tasks)
        assert len(commits) == 1
    assert waiting_texts(path) == ["alert", "first", "a"]


async def test_what_had_gathered_is_committed_when_the_writer_ends(path: Path) -> None:
    async with Writer(path, AN_HOUR) as writer:
        await writer.write(lambda transaction: later(transaction, "first"))
        tasks = await gathering(writer, "a", "b")
    await asyncio.gather(*tasks)
    assert waiting_texts(path) == ["first", "a", "b"]


async def test_a_caller_that_was_cancelled_keeps_no_other_from_its_answer(path: Path) -> None:
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await writer.write(lambda transaction: later(transaction, "first"))
        first, second = await gathering(writer, "cancelled", "waits")
        first.cancel()
        await writer.write(lambda transaction: later(transaction, "urgent"), urgent=True)
        await second
        assert first.cancelled()
    kept = waiting_texts(path)
    assert kept == ["first", "cancelled", "waits", "urgent"]


def at_minute(raw: RawPayload, minute: int) -> PlacedReading:
    received = raw.received_at.replace(minute=minute)
    return placed(replace(raw, received_at=received, payload=bytes([minute])), 100.0 + minute, received)


def add_and_tell(transaction: Transaction, reading: PlacedReading) -> int:
    number = transaction.add_reading(reading)
    transaction.tell_reading(3, "reading", number)
    return number


def told_of(path: Path) -> list[int]:
    """The numbers of the readings that the outbox tells of."""
    rows = waiting(open_for_reading(path), 100, [])
    return [
        number
        for *_, first, last in rows
        if first is not None and last is not None
        for number in range(first, last + 1)
    ]


def waiting_texts(path: Path) -> list[str]:
    """The events that wait, in the order in which they are sent."""
    return [event_text(row[2] or b"") for row in waiting(open_for_reading(path), 1000, [])]


class RefusedError(Exception):
    """What a piece of work raises of itself."""


def card_fails(_transaction: Transaction) -> None:
    raise sqlite3.OperationalError("disk I/O error")


def card_is_damaged(_transaction: Transaction) -> None:
    raise sqlite3.DatabaseError("database disk image is malformed")


def refuses(_transaction: Transaction) -> None:
    raise RefusedError


@pytest.mark.parametrize(
    ("fault", "raised"),
    [(card_fails, NotCommittedError), (card_is_damaged, NotCommittedError), (refuses, RefusedError)],
)
async def test_the_fault_of_one_in_a_group_tells_no_reading_twice_and_loses_none(
    path: Path, raw_blood_pressure: RawPayload, fault: Callable[[Transaction], None], raised: type[Exception]
) -> None:
    """It adds a reading before it fails, which nobody may remember."""

    def fails(transaction: Transaction) -> None:
        add_and_tell(transaction, at_minute(raw_blood_pressure, 59))
        fault(transaction)

    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await writer.write(lambda _transaction: None)
        work: list[Callable[[Transaction], object]] = [
            lambda transaction: add_and_tell(transaction, at_minute(raw_blood_pressure, 1)),
            lambda transaction: add_and_tell(transaction, at_minute(raw_blood_pressure, 2)),
            fails,
            lambda transaction: add_and_tell(transaction, at_minute(raw_blood_pressure, 3)),
        ]
        tasks = []
        for each in work:
            tasks.append(asyncio.create_task(writer.write(each, urgent=each is work[-1])))
            await asyncio.sleep(0)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [int, int, raised, int]
        until = raw_blood_pressure.received_at.replace(minute=59)
        found = await writer.write(
            lambda transaction: list(
                transaction.newest_measurements("R-0412", raw_blood_pressure.received_at, until)
            ),
            urgent=True,
        )
        assert [each.observation.value for _, each in found] == [103.0]
        # A number that only the undone work was given is known no more.
        await writer.write(
            lambda transaction: add_and_tell(transaction, at_minute(raw_blood_pressure, 4)), urgent=True
        )
    stored = [row[0] for row in open_for_reading(path).execute("SELECT sequence FROM reading")]
    assert len(stored) == 4
    assert sorted(told_of(path)) == stored
    connection = open_for_reading(path)
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_work_is_done_in_the_order_in_which_it_came(path: Path) -> None:
    done: list[int] = []

    def note(_transaction: Transaction, number: int) -> None:
        done.append(number)

    async with Writer(path) as writer:
        await asyncio.gather(
            *(writer.write(partial(note, number=number), urgent=number % 7 == 0) for number in range(200))
        )
    assert done == list(range(200))


async def test_a_damaged_card_is_no_fault_of_the_reading(path: Path) -> None:
    """SQLITE_CORRUPT has no class of its own; whoever asks is to try again, and not to give a reading up."""
    async with Writer(path) as writer:
        with pytest.raises(NotCommittedError, match="malformed"):
            await writer.write(card_is_damaged)


async def test_what_is_urgent_does_not_wait_for_the_company_of_what_came_behind_it(path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def holds(_transaction: Transaction) -> None:
        begun.set()
        assert go.wait(20)

    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await writer.write(lambda transaction: later(transaction, "first"))
        urgent = asyncio.create_task(writer.write(holds, urgent=True))
        await asyncio.to_thread(begun.wait)
        behind = await gathering(writer, "behind")
        go.set()
        await asyncio.gather(urgent, *behind)


async def test_slow_work_is_committed_before_more_of_it_is_begun(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alert that is in the group would wait for all of it."""
    monkeypatch.setattr("hub.store.writer._LONGEST_IN_ONE_COMMIT", 0.0)
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        commits = commits_of(writer)
        await asyncio.gather(*await gathering(writer, "a", "b", "c"))
        assert len(commits) == 3
