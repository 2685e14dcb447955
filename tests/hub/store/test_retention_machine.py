"""Whatever happens in whatever order, nothing leaves the card that must stay: by an account of its own."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from hub.clock import to_microseconds
from hub.readings import Vital
from hub.store import planner
from hub.store.database import make_schema
from hub.store.encoding import event_text
from hub.store.planner import Planner
from hub.store.retention import Limits
from tests.rigs.card import DAY, HOUR, MINUTE, Card

LIMITS = Limits(keep_streams=2 * DAY, keep_readings=5 * DAY, keep_alerts=9 * DAY, window=26 * HOUR, newest=4)
DEVICES = st.sampled_from("AB")


@cache
def _schema() -> tuple[str, ...]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        make_schema(connection)
        rows = connection.execute(
            "SELECT sql FROM sqlite_master WHERE sql NOT NULL AND name NOT LIKE 'sqlite%'"
        )
        return tuple(sql for (sql,) in rows)


@dataclass
class Alert:
    """An alert as it was raised, and what has been done about it."""

    rests_on: set[int]
    assessment: int
    acknowledged: bool = False
    resolved: bool = False

    @property
    def may_go(self) -> bool:
        return self.acknowledged and self.resolved


class Retention(RuleBasedStateMachine):
    """Readings, assessments, alerts and messages come; the broker takes some; by age and size some go."""

    @initialize()
    def begin(self) -> None:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        for statement in _schema():
            connection.execute(statement)
        self.card = Card(connection, LIMITS)
        self.received: dict[int, tuple[datetime, str, str]] = {}  # when, from which device, what it is
        self.sources: dict[int, set[int]] = {}
        self.alerts: dict[uuid.UUID, Alert] = {}
        self.under_pressure = False

    def receive(self, kind: str, device: str) -> int:
        number = self.card.reading(sample=kind == "sample", streaming=kind != "spot check", device=device)
        self.received[number] = (self.card.now, device, kind)
        return number

    @rule(minutes=st.integers(0, 600))
    def time_passes(self, minutes: int) -> None:
        self.card.now += minutes * MINUTE

    @rule(days=st.integers(1, 12))
    def days_pass(self, days: int) -> None:
        self.card.now += days * DAY

    @rule(device=DEVICES, number=st.integers(1, 12), together=st.integers(1, 4), told=st.booleans())
    def a_stream_is_received(self, device: str, number: int, together: int, told: bool) -> None:
        numbers = []
        for _ in range(number):
            self.card.now += MINUTE / 12
            numbers.append(self.receive("sample", device))
        for first in numbers[::together] if told else ():
            self.card.tell(3, "reading", first=first, last=min(first + together - 1, numbers[-1]))

    @rule(
        device=DEVICES,
        kind=st.sampled_from(["spot check", "observed"]),
        others=st.lists(st.integers(0, 12), max_size=3),
        told=st.booleans(),
        alerts=st.booleans(),
    )
    def a_reading_is_assessed(
        self, device: str, kind: str, others: list[int], told: bool, alerts: bool
    ) -> None:
        number = self.receive(kind, device)
        recent = [
            other
            for other in self.card.numbers("reading")[:-1]
            if self.received[other][2] != "sample" and self.received[other][0] >= self.card.now - HOUR
        ]
        found = {number, *(recent[-1 - other] for other in others if other < len(recent))}
        assessment = self.card.assessment(number, dict(zip(Vital, sorted(found), strict=False)))
        self.sources[assessment] = found
        if told:
            self.card.tell(2, "observation", first=assessment, last=assessment)
            self.card.tell(3, "reading", first=number, last=number)
        if alerts:
            behind = {
                sample
                for sample, (at, of, what) in self.received.items()
                if what == "sample"
                for source in found
                if self.received[source][2] == "observed" and of == self.received[source][1]
                if sample <= source and at >= self.received[source][0] - LIMITS.stream
            }
            alert = self.card.alert(number, assessment)
            self.alerts[alert] = Alert(found | (behind & set(self.card.numbers("reading"))), assessment)

    @rule()
    def a_summary_is_told(self) -> None:
        self.card.tell(1, "summary", event="{}")

    @rule(channel=st.sampled_from(["reading", "observation", "summary"]), refused=st.booleans())
    def the_broker_answers(self, channel: str, refused: bool) -> None:
        self.card.send(channel, refused=refused)

    @rule()
    def the_broker_refuses_an_alert(self) -> None:
        self.card.send("alert", refused=True)

    @rule()
    def refused_alerts_are_tried_again_and_refused_again(self) -> None:
        waiting = self.card.numbers("outbox")
        self.card.reclaim("alert")
        for _ in range(len(self.card.numbers("outbox")) - len(waiting)):
            self.card.send("alert", refused=True)

    @rule(which=st.integers(0, 5), resolves=st.booleans())
    def something_happens_to_an_alert(self, which: int, resolves: bool) -> None:
        open_ones = [each for each, alert in self.alerts.items() if not alert.may_go]
        if which < len(open_ones):
            alert = self.alerts[open_ones[which]]
            if resolves and not alert.resolved:
                self.card.resolve(open_ones[which])
                alert.resolved = True
            elif not resolves and not alert.acknowledged:
                self.card.acknowledge(open_ones[which])
                alert.acknowledged = True

    @rule()
    def what_is_too_old_goes(self) -> None:
        before = self.card.numbers("reading")
        self.card.by_age()
        young = {n for n in before if self.received[n][0] >= self.card.now - LIMITS.keep_readings}
        young -= {n for n in young if self.received[n][2] == "sample"}
        assert young <= set(self.card.numbers("reading"))
        rests = set().union(*(alert.rests_on for alert in self.present().values()))
        newest = max(self.card.numbers("assessment"), default=None)
        rests |= self.sources.get(newest, set()) if newest is not None else set()
        old = {n for n in before if self.received[n][0] < self.card.now - LIMITS.keep_readings}
        left = old & set(self.card.numbers("reading")) - rests - set(before[-LIMITS.newest :])
        # A sample behind a reading that alone keeps the newest assessment may stay with it.
        assert {n for n in left if self.received[n][2] != "sample"} == set()
        (refused,) = self.card.connection.execute(
            "SELECT count(*) FROM outbox_aside WHERE channel != 'alert' AND at < ?",
            (to_microseconds(self.card.now - LIMITS.keep_readings),),
        ).fetchone()
        assert refused == 0

    @rule()
    def there_is_too_much(self) -> None:
        before = self.card.numbers("reading")
        self.card.by_size()
        gone = set(before) - set(self.card.numbers("reading"))
        spare = {n for n in gone if self.received[n][0] >= self.card.now - HOUR}
        if spare:
            older = {n for n in self.card.numbers("reading")[: -LIMITS.newest] if n < min(spare)}
            rests = set().union(*(alert.rests_on for alert in self.present().values()))
            newest = max(self.card.numbers("assessment"), default=0)
            rests |= self.sources.get(newest, set())
            assert {n for n in older - rests if self.received[n][2] != "sample"} == set()

    def present(self) -> dict[uuid.UUID, Alert]:
        ids = {
            uuid.UUID(bytes=identifier)
            for (identifier,) in self.card.connection.execute("SELECT id FROM alert")
        }
        return {identifier: alert for identifier, alert in self.alerts.items() if identifier in ids}

    @invariant()
    def no_alert_is_gone_that_is_open_or_that_nobody_acknowledged(self) -> None:
        present = self.present()
        assert all(identifier in present for identifier, alert in self.alerts.items() if not alert.may_go)

    @invariant()
    def what_an_alert_rests_on_is_there(self) -> None:
        readings, assessments = set(self.card.numbers("reading")), set(self.card.numbers("assessment"))
        for alert in self.present().values():
            assert alert.rests_on <= readings
            assert alert.assessment in assessments

    @invariant()
    def what_waits_can_be_told(self) -> None:
        readings, assessments = set(self.card.numbers("reading")), set(self.card.numbers("assessment"))
        for table in ("outbox", "outbox_aside"):
            for channel, first, last in self.card.connection.execute(
                f"SELECT channel, first, last FROM {table} WHERE first IS NOT NULL"
            ):
                if channel == "reading":
                    assert set(range(first, last + 1)) <= readings
                else:
                    assert first in assessments
                    assert self.sources[first] <= readings

    def told_of(self, table: str) -> list[uuid.UUID]:
        rows = self.card.connection.execute(f"SELECT event FROM {table} WHERE channel = 'alert'")
        return [uuid.UUID(json.loads(event_text(event))["alert"]) for (event,) in rows]

    @invariant()
    def what_tells_of_an_alert_waits_for_ever_and_if_refused_as_long_as_the_alert_is_there(self) -> None:
        present, refused = set(self.present()), set(self.told_of("outbox_aside"))
        assert refused <= present, "it goes with its alert"
        gone = set(self.alerts) - refused - set(self.told_of("outbox"))
        assert gone.isdisjoint(present)
        assert all(self.alerts[each].may_go for each in gone)

    @invariant()
    def the_newest_are_there(self) -> None:
        assert set(list(self.received)[-LIMITS.newest :]) <= set(self.card.numbers("reading"))
        assert set(list(self.sources)[-1:]) <= set(self.card.numbers("assessment"))

    @invariant()
    def an_assessment_has_its_reading(self) -> None:
        lonely = self.card.connection.execute(
            "SELECT count(*) FROM assessment WHERE reading NOT IN (SELECT sequence FROM reading)"
        ).fetchone()
        assert lonely == (0,)

    def teardown(self) -> None:
        if hasattr(self, "card"):
            self.card.connection.close()


@contextmanager
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(planner, "PIECE", 4)
        yield


def run(
    monkeypatch: pytest.MonkeyPatch,
    examples: int,
    phases: Collection[Phase] = tuple(Phase),
    *,
    derandomize: bool = False,
) -> None:
    with _small_pieces(monkeypatch):
        run_state_machine_as_test(
            Retention,
            settings=settings(
                max_examples=examples,
                stateful_step_count=30,
                deadline=None,
                phases=phases,
                derandomize=derandomize,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_nothing_leaves_the_card_that_must_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, 100)


def test_the_account_notices_when_the_evidence_of_an_open_alert_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The positive control: a planner that knows of no evidence."""
    monkeypatch.setattr(Planner, "_evidence", (frozenset(), frozenset()))
    monkeypatch.setattr(Planner, "_evidence_in_order", [])
    with pytest.raises(AssertionError):
        run(monkeypatch, 300, [Phase.generate], derandomize=True)  # so that it is found each time
