"""Pieces of work: kept whole or undone alone, though what they add is written later, and together."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.clock import ClockQuality, ClockStamp
from hub.intake.amending import each_alone
from hub.readings import Measurement, RawPayload, Reading, Vital
from hub.store import numbers
from hub.store.database import make_schema, open_for_reading
from hub.store.errors import NotCommittedError
from hub.store.numbers import Numbers
from hub.store.recent import Recent
from hub.store.rows import AlertRow
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RESIDENTS = ("R-1", "R-2")
_STAMP = ClockStamp(uuid.UUID(int=1), timedelta(0), ClockQuality.SYNCHRONISED)


def placed(which: int, resident: str = "R-1") -> PlacedReading:
    """A reading of which the id is high or low, as chance has it: sensors' clocks differ."""
    raw = RawPayload(f"device {which % 3}", "x", which.to_bytes(2), NOON + timedelta(seconds=which))
    known_by = uuid.UUID(bytes=hashlib.sha256(raw.payload).digest()[:16])
    reading = Reading(id=known_by, raw=raw, measurements=(Measurement(Vital.PULSE_RATE, 60.0 + which),))
    return PlacedReading(reading, resident, raw.received_at, TimeQuality.RECEIVED, _STAMP)


@dataclass
class Kept:
    """What should be there."""

    readings: dict[int, int] = field(default_factory=dict)
    assessments: dict[int, int] = field(default_factory=dict)
    outbox: list[str] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    open: dict[str, uuid.UUID] = field(default_factory=dict)
    closed: dict[uuid.UUID, str] = field(default_factory=dict)

    def next(self, rows: dict[int, int]) -> int:
        return max(rows.values(), default=0) + 1


Step = tuple[object, ...]
readings = st.integers(0, 40)
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("reading"), readings),
    st.tuples(st.just("reading"), readings),
    st.tuples(st.just("asked for a reading"), readings),
    st.tuples(st.just("told of a reading")),
    st.tuples(st.just("event"), st.sampled_from("abc")),
    st.tuples(st.just("fact"), st.sampled_from("xy"), st.sampled_from("12")),
    st.tuples(st.just("alert"), st.sampled_from(RESIDENTS)),
    st.tuples(st.just("resolved"), st.sampled_from(RESIDENTS)),
    st.tuples(st.just("touched"), st.sampled_from(RESIDENTS)),
    st.tuples(st.just("asked for an alert"), st.sampled_from(RESIDENTS)),
    st.tuples(st.just("looked at")),
)
pieces = st.recursive(
    st.tuples(st.just("piece"), st.lists(steps, max_size=5), st.booleans()),
    lambda inner: st.tuples(st.just("piece"), st.lists(steps | inner, max_size=4), st.booleans()),
    max_leaves=4,
)


class Machine(RuleBasedStateMachine):
    """Transactions of pieces against what should be left of them."""

    def __init__(self) -> None:
        super().__init__()
        self.patched = pytest.MonkeyPatch()
        self.patched.setattr(numbers, "_IDS_KEPT", 8)

    def teardown(self) -> None:
        self.patched.undo()

    @initialize()
    def start(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        make_schema(self.connection)
        self.connection.execute("PRAGMA foreign_keys = ON")
        self.kept = Kept()
        self.restart()

    @rule()
    def restart(self) -> None:
        self.recent, self.numbers = Recent(self.connection), Numbers.of(self.connection)

    @rule(work=st.lists(pieces, max_size=6), committed=st.booleans())
    def transaction(self, work: list[Step], committed: bool) -> None:
        before = copy.deepcopy(self.kept)
        transaction = Transaction(self.connection, self.recent, self.numbers)
        self.connection.execute("BEGIN IMMEDIATE")
        for step in work:
            self.do(transaction, step)
        transaction.finish()
        if committed:
            self.connection.execute("COMMIT")
            self.recent.settled()
        else:
            self.connection.execute("ROLLBACK")
            transaction.undo_all()
            self.kept = before

    def do(self, transaction: Transaction, step: Step) -> None:
        kept = self.kept
        match step:
            case ("piece", list(inner), bool(well)):
                before = copy.deepcopy(kept)
                transaction.begin_piece()
                for each in inner:
                    self.do(transaction, each)
                if well:
                    transaction.keep_piece()
                else:
                    transaction.undo_piece()
                    self.kept = before
                for resident in RESIDENTS:
                    self.do(transaction, ("asked for an alert", resident))
            case ("reading", int(which)) if transaction.knows_reading(placed(which).reading.id):
                assert which in kept.readings
            case ("reading", int(which)):
                number = transaction.add_reading(placed(which))
                assert number == kept.next(kept.readings)
                kept.readings[which] = number
                assessment = transaction.add_assessment(
                    "R-1",
                    None,
                    NOON,
                    number,
                    1,
                    {Vital.PULSE_RATE: (60.0, number)},
                    "low",
                    1,
                    None,
                    None,
                    None,
                )
                assert assessment == kept.next(kept.assessments)
                kept.assessments[which] = assessment
            case ("asked for a reading", int(which)):
                assert transaction.knows_reading(placed(which).reading.id) is (which in kept.readings)
            case ("told of a reading",) if kept.readings:
                newest = max(kept.readings.values())
                if newest not in kept.told:
                    transaction.tell_reading(3, "reading", newest)
                    kept.told.append(newest)
            case ("event", str(text)):
                transaction.tell(2, "summary", text)
                kept.outbox.append(text)
            case ("fact", str(name), str(value)):
                transaction.set_fact(name, value)
                kept.facts[name] = value
            case ("alert", str(resident)) if resident not in kept.open:
                kept.open[resident] = uuid.uuid4()
                transaction.add_alert(alert(kept.open[resident], resident))
            case ("resolved", str(resident)) if resident in kept.open:
                over = kept.open.pop(resident)
                kept.closed[over] = resident
                transaction.update_alert(replace(alert(over, resident), resolved_at=NOON))
            case ("touched", str(resident)):
                for each, whose in kept.closed.items():
                    if whose == resident:
                        transaction.update_alert(replace(alert(each, whose), resolved_at=NOON))
            case ("asked for an alert", str(resident)):
                found = transaction.open_alert(resident)
                assert (found and found.id) == kept.open.get(resident)
            case ("looked at",):
                for which, number in kept.readings.items():
                    stored = transaction.reading(number)
                    assert stored is not None
                    assert stored.placed.reading.id == placed(which).reading.id
                self.compare(transaction.connection)

    @invariant()
    def leaves_what_was_kept(self) -> None:
        if hasattr(self, "kept"):
            self.compare(self.connection)
            transaction = Transaction(self.connection, self.recent, self.numbers)
            for which in range(41):
                assert transaction.knows_reading(placed(which).reading.id) is (which in self.kept.readings)
            told = [
                number
                for first, last in self.connection.execute(
                    "SELECT first, last FROM outbox WHERE channel = 'reading'"
                )
                for number in range(first, last + 1)
            ]
            assert sorted(told) == sorted(self.kept.told)

    def compare(self, connection: sqlite3.Connection) -> None:
        kept = self.kept
        ids = {placed(which).reading.id.bytes: number for which, number in kept.readings.items()}
        assert dict(connection.execute("SELECT id, sequence FROM reading")) == ids
        devices = {device for (device,) in connection.execute("SELECT device FROM source")}
        assert devices == {placed(which).reading.raw.device for which in kept.readings}
        numbers_of_sets = [number for (number,) in connection.execute("SELECT sequence FROM assessment")]
        assert sorted(numbers_of_sets) == sorted(kept.assessments.values())
        events = connection.execute("SELECT count(*) FROM outbox WHERE channel = 'summary'").fetchone()
        assert events == (len(kept.outbox),)
        assert dict(connection.execute("SELECT name, value FROM fact WHERE name IN ('x', 'y')")) == kept.facts
        rows = connection.execute("SELECT resident, id FROM alert WHERE resolved_at IS NULL")
        assert dict(rows) == {resident: each.bytes for resident, each in kept.open.items()}


def alert(known_by: uuid.UUID, resident: str) -> AlertRow:
    return AlertRow(known_by, resident, "high", "raised", NOON, None, 1, 1, "{}")


TestPieces = Machine.TestCase
TestPieces.settings = settings(max_examples=80, stateful_step_count=12, deadline=None)


# In the writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "carehub.db"


AN_HOUR = timedelta(hours=1)
Work = Callable[[Transaction], object]


async def together(writer: Writer, *work: Work) -> list[object]:
    """What becomes of pieces of work that are done in one transaction, in their order."""
    await writer.write(lambda _transaction: None, urgent=True)
    tasks = []
    for each in work:
        tasks.append(asyncio.create_task(writer.write(each, urgent=each is work[-1])))
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


def adds(which: int) -> Work:
    return lambda transaction: transaction.add_reading(placed(which))


def notes(name: str) -> Work:
    """What is written at once, behind a savepoint."""
    return lambda transaction: transaction.set_fact(name, "noted")


class OwnError(Exception):
    """What a piece of work raises of itself."""


def fails_after(*work: Work) -> Work:
    def fails(transaction: Transaction) -> None:
        for each in work:
            each(transaction)
        raise OwnError

    return fails


def stored(path: Path) -> Iterator[int]:
    """Which readings are on the card, in the order of their numbers."""
    which = {placed(each).reading.id.bytes: each for each in range(100)}
    with open_for_reading(path) as connection:
        for (known_by,) in connection.execute("SELECT id FROM reading ORDER BY sequence"):
            yield which[known_by]


def noted(path: Path) -> set[str]:
    with open_for_reading(path) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM fact WHERE value = 'noted'")}


@pytest.mark.parametrize("at_once", [(), (notes("never"),)])
async def test_a_piece_that_raises_leaves_nothing_and_takes_nothing_of_others_along(
    path: Path, at_once: tuple[Work, ...]
) -> None:
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        failing = fails_after(adds(2), *at_once, adds(3), notes("nor this"), adds(4))
        results = await together(writer, adds(1), failing, adds(5), notes("after"))
    assert [results[0], type(results[1]), *results[2:]] == [1, OwnError, 2, None]
    assert list(stored(path)) == [1, 5]
    assert noted(path) == {"after"}


async def test_what_was_undone_is_new_when_it_comes_again(path: Path) -> None:
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        knows: Work = lambda transaction: transaction.knows_reading(placed(1).reading.id)  # noqa: E731
        results = await together(writer, fails_after(adds(1)), knows, adds(1), knows, fails_after(adds(2)))
        assert results[1:4] == [False, 1, True]
        assert await writer.write(knows, urgent=True) is True
    assert list(stored(path)) == [1]


def refused(which: int) -> Work:
    """A reading whose row SQLite cannot take, which nothing tells before it is written."""
    odd = placed(which)
    odd = replace(odd, reading=replace(odd.reading, sequence_number=1 << 70))
    return lambda transaction: transaction.add_reading(odd)


@pytest.mark.parametrize("finder", [notes("found it"), adds(3), lambda transaction: transaction.reading(1)])
async def test_a_row_that_is_refused_late_is_no_fault_of_the_piece_that_has_it_written(
    path: Path, finder: Work
) -> None:
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        results = await together(writer, adds(1), refused(2), finder, notes("after"))
    assert [isinstance(result, Exception) for result in results] == [False, True, False, False]
    assert isinstance(results[1], OverflowError)
    assert next(stored(path)) == 1
    assert 2 not in list(stored(path))
    assert "after" in noted(path)


async def test_a_piece_that_passes_over_the_fault_that_ended_the_transaction_commits_nothing(
    path: Path,
) -> None:
    """As SQLite itself undoes all where the card fails: each row would be committed for itself then."""

    def passes_over(transaction: Transaction) -> None:
        transaction._connection.execute("ROLLBACK")

    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await together(writer, adds(10), adds(11), adds(12))  # so that the devices are known
        results = await together(writer, adds(1), passes_over, adds(2), notes("after"))
    assert [type(result) for result in results] == [int, NotCommittedError, int, type(None)]
    assert list(stored(path)) == [10, 11, 12, 1, 2]


async def test_a_row_that_is_refused_keeps_no_rehearsal_from_telling_an_alert(path: Path) -> None:
    def would_alert(transaction: Transaction) -> None:
        notes("never")(transaction)
        transaction.tell(0, "alert", "told")

    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await writer.write(lambda _transaction: None, urgent=True)
        odd = asyncio.create_task(writer.write(refused(1)))
        await asyncio.sleep(0)
        assert await writer.rehearse(would_alert) == ["told"]
        with pytest.raises(OverflowError):
            await odd
    assert noted(path) == set()


async def test_what_is_gathered_is_seen_by_a_rehearsal_which_leaves_nothing(path: Path) -> None:
    def would_alert(transaction: Transaction) -> None:
        adds(2)(transaction)
        found = dict(transaction.newest_measurements("R-1", NOON, NOON + timedelta(seconds=1)))
        transaction.tell(0, "alert", str(found[Vital.PULSE_RATE].observation.value))

    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await writer.write(lambda _transaction: None, urgent=True)
        added = asyncio.create_task(writer.write(adds(1)))
        await asyncio.sleep(0)
        assert await writer.rehearse(would_alert) == ["61.0"]
        assert await added == 1
        assert await writer.write(adds(3), urgent=True) == 2
    assert list(stored(path)) == [1, 3]


async def test_what_many_pieces_add_is_written_by_few_statements_and_without_savepoints(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement hands the processor to the event loop, in the midst of a commit."""
    monkeypatch.setattr("hub.store.writer._LONGEST_IN_ONE_COMMIT", 60.0)
    async with Writer(path, AN_HOUR) as writer, asyncio.timeout(20):
        await together(writer, *(adds(which) for which in range(3)))  # its devices and its boot are known now
        heard: list[str] = []
        writer._connection.set_trace_callback(heard.append)
        await together(writer, *(adds(which) for which in range(10, 90)))
        writer._connection.set_trace_callback(None)
    assert len(list(stored(path))) == 83
    assert sum(statement.startswith("INSERT INTO reading") for statement in heard) == 4  # 32, 32, 8, 8
    assert not [statement for statement in heard if "SAVEPOINT" in statement]


def opened() -> Transaction:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    make_schema(connection)
    return Transaction(connection, Recent(connection), Numbers.of(connection))


def test_a_reading_that_is_added_twice_is_refused_before_it_is_written() -> None:
    transaction = opened()
    transaction.add_reading(placed(1))
    with pytest.raises(sqlite3.IntegrityError):
        transaction.add_reading(placed(1))


def test_every_reading_is_known_however_many_came_and_after_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numbers, "_IDS_KEPT", 8)
    transaction = opened()
    for which in range(40):
        assert not transaction.knows_reading(placed(which).reading.id)
        transaction.add_reading(placed(which))
    connection = transaction.connection
    for again in (transaction, Transaction(connection, Recent(connection), Numbers.of(connection))):
        known = [again.knows_reading(placed(which).reading.id) for which in range(60)]
        assert known == [True] * 40 + [False] * 20


def test_an_open_alert_is_found_though_an_older_one_of_the_same_resident_is_stored_anew() -> None:
    transaction = opened()
    assert transaction.open_alert("R-1") is None
    older, newer = alert(uuid.uuid4(), "R-1"), alert(uuid.uuid4(), "R-1")
    transaction.add_alert(older)
    assert transaction.open_alert("R-1") == older
    transaction.update_alert(replace(older, resolved_at=NOON))
    assert transaction.open_alert("R-1") is None
    transaction.add_alert(newer)
    assert transaction.open_alert("R-1") == newer
    transaction.update_alert(replace(older, state="acknowledged", resolved_at=NOON))
    assert transaction.open_alert("R-1") == newer


def test_the_window_is_loaded_with_what_is_gathered_and_not_yet_on_the_card() -> None:
    transaction = opened()
    transaction.add_reading(placed(1))
    found = dict(transaction.newest_measurements("R-1", NOON, NOON + timedelta(minutes=1)))
    assert found[Vital.PULSE_RATE].observation.value == 61.0


def test_what_asks_the_card_is_answered_with_what_is_gathered() -> None:
    transaction = opened()
    transaction.tell(2, "summary", "told")
    transaction.tell(2, "summary", "told and delivered")
    (first, second) = (number for (number,) in transaction.connection.execute("SELECT sequence FROM outbox"))
    transaction.tell(2, "summary", "told and refused")
    transaction.remove_from_outbox([second, second + 1])
    rows = transaction.connection.execute("SELECT sequence FROM outbox").fetchall()
    assert rows == [(first,)]
    transaction.add_reading(placed(1))
    assert transaction.newest_stamp() == _STAMP


async def test_a_rehearsal_in_which_a_piece_within_it_meets_a_fault_of_the_card_leaves_nothing(
    path: Path,
) -> None:
    """The fault leaves that piece open, and the rehearsal passes over it."""

    def damaged(_one: int) -> bool:
        raise sqlite3.DatabaseError("database disk image is malformed")

    def work(transaction: Transaction) -> None:
        transaction.set_fact("followed", "yes")
        adds(1)(transaction)
        transaction.tell(0, "alert", "told")
        each_alone(transaction, [1], damaged)

    async with Writer(path, timedelta(0)) as writer, asyncio.timeout(20):
        assert await writer.rehearse(work) == ["told"]
        assert await writer.write(lambda transaction: transaction.fact("followed"), urgent=True) is None
    assert list(stored(path)) == []
