"""What leaves the card goes in its order; what must stay, stays."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub.readings import Vital
from hub.store.database import open_for_writing
from hub.store.retention import Kind, Limits, Size, removed
from tests.rigs.card import BEGIN, DAY, HOUR, MINUTE, Card

LIMITS = Limits(
    keep_streams=7 * DAY, keep_readings=90 * DAY, keep_alerts=365 * DAY, window=26 * HOUR, newest=3
)
PULSE = Vital.PULSE_RATE


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_for_writing(tmp_path / "carehub.db")
    yield connection
    connection.close()


@pytest.fixture
def card(connection: sqlite3.Connection) -> Card:
    return Card(connection, LIMITS)


def fill(card: Card, number: int = 5) -> list[int]:
    """The newest few, which always stay."""
    return [card.reading() for _ in range(number)]


def test_readings_go_after_their_time_with_their_assessments_and_whatever_waits_to_tell_of_them(
    card: Card,
) -> None:
    old = card.reading()
    card.assessment(old, {PULSE: old})
    card.tell(2, "observation", first=1, last=1)
    card.tell(3, "reading", first=old, last=old)
    card.tell(3, "reading", first=old, last=old)
    card.send("reading", refused=True)
    card.now += 91 * DAY
    young = fill(card)
    newest = card.assessment(young[0], {PULSE: young[0]})
    card.by_age()
    assert card.numbers("reading") == young
    assert card.numbers("assessment") == [newest]
    assert card.numbers("outbox") == card.numbers("outbox_aside") == []
    assert removed(card.connection) == {"readings": 1, "messages that waited": 2, "refused messages": 1}


def test_what_was_withdrawn_goes_with_the_reading_that_formed_it(card: Card) -> None:
    old = card.reading()
    card.now += 91 * DAY
    young = fill(card)
    for reading in (old, young[0]):
        card.connection.execute(
            "INSERT INTO withdrawn_assessment"
            " (resident, reading, scale, observations, band, total, withdrawn)"
            " VALUES ('R-0412', ?, 1, '', 'low', 0, 1)",
            (reading,),
        )
    card.by_age()
    assert card.numbers("reading") == young
    kept = card.connection.execute("SELECT reading FROM withdrawn_assessment").fetchall()
    assert kept == [(young[0],)]


@pytest.mark.parametrize("between", [0, 40, 700])
def test_sets_that_were_assessed_anew_go_too_and_hide_none_that_came_before_them(
    card: Card, between: int
) -> None:
    """They are of readings that came long before them: the clock was set meanwhile."""
    before = [card.reading() for _ in range(30)]
    since_boot = [card.reading() for _ in range(between)]
    for number in (*before, *since_boot):
        card.assessment(number, {PULSE: number})
    for number in before:
        card.assessment(number, {PULSE: number}, at=card.now)
    for _ in range(between):
        number = card.reading()
        card.assessment(number, {PULSE: number})
    card.now += 91 * DAY
    young = fill(card)
    newest = card.assessment(young[0], {PULSE: young[0]})
    card.by_age()
    assert card.numbers("reading") == young
    assert card.numbers("assessment") == [newest]


def test_a_set_assessed_anew_stays_with_its_reading_where_that_has_to_stay(card: Card) -> None:
    kept, *_ = before = [card.reading() for _ in range(3)]
    raised = card.assessment(kept, {PULSE: kept})
    card.alert(kept, raised)
    for number in (*before[1:], *(card.reading() for _ in range(600))):
        card.assessment(number, {PULSE: number})
    anew = card.assessment(kept, {PULSE: kept}, at=card.now)
    card.now += 91 * DAY
    young = fill(card)
    newest = card.assessment(young[0], {PULSE: young[0]})
    card.by_age()
    assert card.numbers("reading") == [kept, *young]
    assert card.numbers("assessment") == [raised, anew, newest]


def test_samples_of_a_stream_go_sooner_and_what_was_assessed_of_it_stays(card: Card) -> None:
    assessed = card.reading(streaming=True)
    for _ in range(9):
        card.reading(sample=True)
    card.now += 8 * DAY
    young = fill(card)
    assert {piece.kind for piece in card.by_age()} == {Kind.SAMPLES}
    assert card.numbers("reading") == [assessed, *young]


def test_a_reading_of_a_wrong_clock_is_as_old_as_those_around_it(card: Card) -> None:
    first = card.reading()
    card.now = BEGIN + 20 * 365 * DAY
    card.reading()
    card.now = BEGIN - 20 * 365 * DAY
    card.reading()
    card.now = BEGIN + MINUTE
    last = card.reading()
    card.now = BEGIN + 91 * DAY
    young = fill(card)
    card.by_age()
    assert {first, last}.isdisjoint(card.numbers("reading"))
    assert card.numbers("reading") == young


def test_an_alert_keeps_all_that_it_rests_on(card: Card) -> None:
    """Its reading, the reading of another vital before it, its assessment, and the stream's samples."""
    others = fill(card)
    spot = card.reading()
    card.now += 5 * MINUTE
    samples = []
    for _ in range(40):
        samples.append(card.reading(sample=True, device="B"))
        card.now += MINUTE / 60
    raised_by = card.reading(streaming=True, device="B")
    assessment = card.assessment(raised_by, {PULSE: raised_by, Vital.TEMPERATURE: spot})
    alert = card.alert(raised_by, assessment)
    card.now += 400 * DAY
    young = fill(card)
    card.assessment(young[0], {})
    card.by_age()
    while card.by_size():
        pass
    assert not set(others) & set(card.numbers("reading"))
    assert {spot, raised_by, *samples[-30:]} <= set(card.numbers("reading"))
    assert not {*samples[:9]} & set(card.numbers("reading"))
    assert assessment in card.numbers("assessment")
    card.resolve(alert)
    card.now += 400 * DAY
    card.by_age()
    assert raised_by in card.numbers("reading"), "nobody has acknowledged it"
    card.acknowledge(alert)
    card.by_age()
    assert set(card.numbers("reading")) <= set(young)


def test_by_size_each_kind_goes_only_when_nothing_is_left_of_the_one_before(card: Card) -> None:
    for _ in range(300):
        card.reading(sample=True)
        told = card.reading(sample=True)
        card.tell(3, "reading", first=told, last=told)
        card.now += MINUTE
    reading = card.reading()
    assessment = card.assessment(reading, {PULSE: reading})
    card.tell(2, "observation", first=assessment, last=assessment)
    newer = card.reading()
    card.assessment(newer, {PULSE: newer})
    alert = card.alert(reading, assessment)
    card.tell(1, "summary", event="{}")
    card.acknowledge(alert)
    card.resolve(alert)
    for _ in range(4):
        card.reading()
    card.now += 2 * DAY
    fill(card)
    order = []
    while pieces := card.by_size():
        order += [(piece.kind, bool(piece.outbox)) for piece in pieces]
    assert [each for index, each in enumerate(order) if index == 0 or order[index - 1] != each] == [
        (Kind.SAMPLES, False),
        (Kind.SAMPLES, True),
        (Kind.SUMMARIES, True),
        (Kind.READINGS, False),
        (Kind.ALERTS, False),
        (Kind.READINGS, True),  # what the alert rested on, and what waited to tell of it
        (Kind.READINGS, False),  # the older of those of the last 26 h
    ]
    channels = card.connection.execute("SELECT channel FROM outbox").fetchall()
    assert ("alert",) in channels, "what tells of an alert is never let go"


def test_by_size_what_is_younger_than_the_window_goes_last_and_the_newest_never(card: Card) -> None:
    old = [card.reading() for _ in range(4)]
    card.now += 2 * DAY
    young = [card.reading() for _ in range(10)]
    assert [list(piece.readings) for piece in card.by_size()] == [old]
    assert [list(piece.readings) for piece in card.by_size()] == [young[:-3]]
    assert card.by_size() == []
    assert card.numbers("reading") == young[-3:]


def test_a_message_of_an_assessment_goes_when_a_reading_goes_that_it_is_made_of(card: Card) -> None:
    source = card.reading()
    card.now += HOUR
    later = [card.reading() for _ in range(3)]
    assessment = card.assessment(later[0], {PULSE: source})
    card.tell(2, "observation", first=assessment, last=assessment)
    card.now += 90 * DAY - MINUTE
    newer = fill(card)[0]
    card.assessment(newer, {PULSE: newer})
    card.by_age()
    assert source not in card.numbers("reading")
    assert later[0] in card.numbers("reading")
    assert card.numbers("outbox") == []


@pytest.mark.parametrize(
    ("file", "free", "may_use"),
    [
        (10**9, 10**10, 2 * 10**9),  # as large as it may be
        (10**9, 5 * 10**8, 13 * 10**8),  # until the rest is what shall be free
        (10**9, 10**6, 10**9),  # others fill the card: it grows no more
        (10**6, 0, 64 << 20),  # it is not what fills the card
    ],
)
def test_how_much_may_be_used_follows_from_the_card(file: int, free: int, may_use: int) -> None:
    size = Size(file=file, used=file)
    assert size.may_use(2 * 10**9, free, 2 * 10**8) == may_use - (4 << 20)


def test_removed_pages_are_used_again_and_the_file_does_not_grow(card: Card) -> None:
    def some() -> None:
        card.connection.execute("BEGIN")
        for _ in range(2_000):
            card.reading()
        card.now += 91 * DAY
        card.connection.execute("COMMIT")

    some()
    some()
    card.by_age()
    before = Size.of(card.connection)
    for _ in range(3):
        some()
        card.by_age()
    after = Size.of(card.connection)
    assert after.file <= before.file * 1.1
    assert after.used < after.file


def test_what_the_broker_refused_goes_as_long_after_as_readings_do_and_is_counted(card: Card) -> None:
    reading = card.reading()
    card.tell(1, "summary", event="{}")
    card.tell(3, "reading", first=reading, last=reading)
    card.send("summary", refused=True)
    card.now += DAY
    card.send("reading", refused=True)
    _, second = card.numbers("outbox_aside")
    card.now += 90 * DAY - MINUTE
    card.limits = replace(LIMITS, newest=9)  # so that no reading goes and takes its message along
    (piece,) = card.by_age()
    assert (piece.kind, piece.counts) == (Kind.REFUSED, {"refused messages": 1})
    assert card.numbers("outbox_aside") == [second]
    card.now += 2 * MINUTE
    card.by_age()
    assert card.numbers("outbox_aside") == []
    assert removed(card.connection) == {"refused messages": 2}
    assert card.by_age() == []


def refused_alert(card: Card) -> uuid.UUID:
    """Raised, refused by the broker, tried again by the next connection and refused again, and escalated."""
    reading = card.reading()
    alert = card.alert(reading, card.assessment(reading, {PULSE: reading}))
    card.refuse("alert")
    card.reclaim("alert")
    card.tell_of(alert)
    card.refuse("alert")
    return alert


def test_what_was_refused_of_an_alert_goes_with_the_alert_and_not_before(card: Card) -> None:
    first, second = refused_alert(card), refused_alert(card)
    card.now += 800 * DAY
    fill(card)
    card.by_age()
    while card.by_size():
        pass
    assert len(card.numbers("outbox_aside")) == 4
    for alert in (first, second):
        card.acknowledge(alert)
    card.resolve(first)
    card.now += 366 * DAY
    (alerts, *_) = card.by_age()
    assert alerts.counts == {"alerts": 1, "refused messages": 2}
    assert len(card.numbers("outbox_aside")) == 2
    card.resolve(second)
    card.now += MINUTE
    gone = []
    while pieces := card.by_size():
        gone += [piece.counts for piece in pieces]
    assert {"alerts": 1, "refused messages": 2} in gone
    assert card.numbers("outbox_aside") == []


def test_what_was_refused_of_an_alert_that_the_card_has_lost_stays_as_long_as_alerts_do(card: Card) -> None:
    """However often it was tried again meanwhile."""
    lost, kept = refused_alert(card), refused_alert(card)
    card.connection.execute(
        "INSERT INTO outbox_aside (sequence, channel, reason, at)"
        " SELECT 77, 'alert', 'lost', max(at) FROM outbox_aside"
    )
    card.lose(lost)
    card.now += 364 * DAY
    card.reclaim("alert")
    card.refuse("alert")
    while card.by_age() or card.by_size():
        pass
    assert len(card.numbers("outbox_aside")) == 5
    card.now += 2 * DAY
    assert [piece.counts for piece in card.by_age()] == [{"refused messages": 3}]
    assert len(card.numbers("outbox_aside")) == 2
    assert card.connection.execute("SELECT id FROM alert").fetchall() == [(kept.bytes,)]


def test_a_refused_alert_of_a_wrong_clock_is_as_old_as_those_around_it(card: Card) -> None:
    """It must not keep those behind it for the years that the clock was ahead."""
    card.now = BEGIN + 20 * 365 * DAY
    ahead = refused_alert(card)
    card.now = BEGIN
    behind = refused_alert(card)
    for alert in (ahead, behind):
        card.lose(alert)
    card.now += 366 * DAY
    card.by_age()
    assert card.numbers("outbox_aside") == []


def test_a_refused_alert_that_cannot_be_read_keeps_none_behind_it(card: Card) -> None:
    damaged, behind = refused_alert(card), refused_alert(card)
    card.connection.execute("UPDATE outbox_aside SET event = x'00' WHERE sequence <= 2")
    for alert in (damaged, behind):
        card.lose(alert)
    card.now += 364 * DAY
    card.reclaim("alert")
    card.refuse("alert")
    card.now += 2 * DAY
    card.by_age()
    assert card.numbers("outbox_aside") == [1, 2], "refused two days ago, and nobody knows of when it tells"
