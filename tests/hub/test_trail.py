"""What is noted: in which words, what has changed since the last start, and what is not said."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from hub import __version__, trail
from hub.assessment.deterioration import DeteriorationModel
from hub.clock import ClockQuality, ClockStamp
from hub.configuration.file import Config, load
from hub.configuration.settings import configuration_hash, settings
from hub.control.local_socket import Peer
from hub.intake.manual import observation
from hub.readings import Breathing, Consciousness
from hub.store.audit import SCHEMA, TRIMMED, AuditEntry, append, entries, trim
from hub.store.audit_verification import verify
from hub.trail import Audited, ModelInUse, Moment, Previous
from tests.rigs.house import NAMES, write_configuration

BOOT = UUID("6f1f9b3e-7a52-4a0b-9a55-5f2b1f1f0a01")
ALERT = UUID("1e6ae062-a727-5d2c-9060-715702cb8fbe")
MODEL = ModelInUse("additive", "1", "ab" * 32, "shadow")
STARTED_ONLY = [Audited.STARTED]


def moment(minutes: int = 0) -> Moment:
    passed = timedelta(minutes=minutes)
    noon = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    return Moment(noon + passed, ClockStamp(BOOT, passed, ClockQuality.SYNCHRONISED))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "carehub.db", isolation_level=None)) as connection:
        connection.executescript(SCHEMA)
        yield connection


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(write_configuration(tmp_path))


def started(
    connection: sqlite3.Connection, config: Config, model: ModelInUse | None = MODEL, version: str = "1.0"
) -> Sequence[AuditEntry]:
    """As `trail.begin`, for any model and version."""
    previous = Previous.read(connection)
    new = previous.last is None
    made = trail.hub_started(moment(), config, {}, model, version, previous, new=new)
    return [append(connection, entry) for entry in made]


def kinds(noted: Sequence[AuditEntry]) -> list[str]:
    return [entry.what for entry in noted]


def test_the_first_start_begins_the_trail_and_keeps_the_configuration(
    connection: sqlite3.Connection, config: Config
) -> None:
    begun, start, configuration = started(connection, config)
    assert kinds([begun, start, configuration]) == [Audited.BEGUN, Audited.STARTED, Audited.CONFIGURATION]
    assert begun.sequence == 1
    assert begun.detail == {"site": "rose-house", "hub": "hub-1", "software": "1.0", "test_data": True}
    assert start.detail["configuration"] == configuration_hash(settings(config))
    assert start.detail["model"] == MODEL.detail
    assert start.detail["stopped_in_order_before"] is None
    assert configuration.detail["changed"] is None
    assert configuration.detail["settings"] == settings(config)


def test_a_start_at_which_nothing_has_changed_notes_only_that(
    connection: sqlite3.Connection, config: Config
) -> None:
    started(connection, config)
    assert kinds(started(connection, config)) == STARTED_ONLY
    assert verify(connection).whole


def test_whether_it_was_stopped_in_order_before_is_noted(
    connection: sqlite3.Connection, config: Config
) -> None:
    started(connection, config)
    (after_a_power_cut,) = started(connection, config)
    assert after_a_power_cut.detail["stopped_in_order_before"] is False
    append(connection, trail.hub_stopped(moment(1)))
    (after_a_stop,) = started(connection, config)
    assert after_a_stop.detail["stopped_in_order_before"] is True


def test_what_has_changed_is_noted_each_by_its_kind(connection: sqlite3.Connection, config: Config) -> None:
    started(connection, config)
    other = config.model_copy(
        update={"alerts": config.alerts.model_copy(update={"resolve_after": timedelta(hours=1)})}
    )
    newer = ModelInUse("additive", "2", "cd" * 32, "shadow")
    start, configuration, software, model = started(connection, other, newer, "1.1")
    assert kinds([start, configuration, software, model]) == [
        Audited.STARTED,
        Audited.CONFIGURATION,
        Audited.SOFTWARE,
        Audited.MODEL,
    ]
    assert configuration.detail["changed"] == ["alerts.resolve_after"]
    assert configuration.detail["hash"] == start.detail["configuration"]
    assert software.detail == {"from": "1.0", "to": "1.1"}
    assert model.detail == {"from": MODEL.detail, "to": newer.detail}
    assert kinds(started(connection, other, newer, "1.1")) == STARTED_ONLY


def test_a_model_that_is_gone_or_only_runs_otherwise_has_changed(
    connection: sqlite3.Connection, config: Config
) -> None:
    started(connection, config)
    assert kinds(started(connection, config, None)) == [Audited.STARTED, Audited.MODEL]
    assert kinds(started(connection, config, MODEL)) == [Audited.STARTED, Audited.MODEL]
    elsewise = ModelInUse(MODEL.name, MODEL.version, MODEL.sha256, "another")
    assert kinds(started(connection, config, elsewise)) == [Audited.STARTED, Audited.MODEL]


def test_the_hub_begins_in_one_line_with_what_it_really_runs(
    connection: sqlite3.Connection, config: Config
) -> None:
    model = DeteriorationModel.configured(None)
    noted = trail.begin(connection, moment(), config, model)
    assert noted[1].detail["software"] == __version__
    running = noted[1].detail["model"]
    assert isinstance(running, dict)
    assert (running["name"], running["sha256"]) == (model.name, model.sha256)
    assert kinds(trail.begin(connection, moment(1), config, model)) == STARTED_ONLY


def test_a_trail_that_cannot_be_read_keeps_no_hub_from_starting(
    connection: sqlite3.Connection, config: Config
) -> None:
    trail.begin(connection, moment(), config, None)
    connection.execute("UPDATE audit SET detail = 'x', clock = '?'")
    assert kinds(trail.begin(connection, moment(1), config, None)) == [Audited.STARTED, Audited.CONFIGURATION]


def test_a_trail_whose_beginning_was_trimmed_is_not_begun_anew(
    connection: sqlite3.Connection, config: Config
) -> None:
    trail.begin(connection, moment(), config, None)
    append(connection, trail.hub_stopped(moment(5)))
    later = moment(9)
    trim(connection, moment(4).at, at=later.at, stamp=later.stamp)
    assert kinds(trail.begin(connection, moment(10), config, None)) == [
        Audited.STARTED,
        Audited.CONFIGURATION,
    ]
    assert verify(connection).whole


def test_a_trail_that_a_migration_began_with_what_it_found_is_begun_at_the_first_start(
    connection: sqlite3.Connection, config: Config
) -> None:
    append(connection, trail.alert(Audited.RAISED, ALERT, moment(), {}))
    assert trail.begin(connection, moment(1), config, None)[0].what == Audited.BEGUN
    assert trail.begin(connection, moment(2), config, None)[0].what == Audited.STARTED


def test_names_in_the_configuration_are_not_noted(connection: sqlite3.Connection, config: Config) -> None:
    noted = json.dumps([dict(entry.detail) for entry in started(connection, config)])
    for name in NAMES:
        assert name not in noted


def test_an_alert_is_noted_with_what_is_known_of_the_change() -> None:
    detail = {"by": "Sister K", "via": "hub", "note": None}
    entry = trail.alert(Audited.ACKNOWLEDGED, ALERT, moment(), detail)
    assert (entry.what, entry.subject) == ("alert acknowledged", ALERT)
    assert entry.detail == {"by": "Sister K", "via": "hub"}


def test_an_observation_is_noted_with_who_entered_it_and_not_with_its_values() -> None:
    reading = observation("Sister K", moment().at, consciousness=Consciousness.VOICE, breathing=Breathing.AIR)
    entry = trail.entered_by_hand(moment(), reading, "R-0412", "Sister K")
    assert entry.subject == reading.id
    vitals = ["consciousness", "supplemental_oxygen"]
    assert entry.detail == {"resident": "R-0412", "vitals": vitals, "by": "Sister K"}


def test_a_refused_acknowledgement_is_noted_no_longer_than_is_of_use() -> None:
    entry = trail.acknowledgement_refused(moment(), "x" * 10_000, "ics", ALERT, unnoted=7)
    assert entry.subject == ALERT
    assert len(str(entry.detail["words"])) == 300
    assert entry.detail["unnoted_before"] == 7
    assert "unnoted_before" not in trail.acknowledgement_refused(moment(), "x", "ics").detail


def test_a_command_is_noted_with_whose_it_is_unless_it_only_looks() -> None:
    entry = trail.access(moment(), "acknowledge", Peer(pid=4711, uid=1000))
    assert entry is not None
    assert entry.detail == {"command": "acknowledge", "uid": 1000, "pid": 4711}
    for looks in ("status", "scan", "sensors"):
        assert trail.access(moment(), looks, Peer(pid=4711, uid=1000)) is None
    for changes in ("enrol", "forget"):
        assert trail.access(moment(), changes, Peer(pid=4711, uid=1000)) is not None


def test_a_card_that_was_full_is_noted_once_it_can_be_with_when_it_began() -> None:
    full, writable = trail.card_writable(moment(5), moment(3), "database or disk is full")
    assert (full.at, full.what) == (moment(3).at, Audited.CARD_FULL)
    assert (writable.at, writable.detail) == (moment(5).at, {"after_seconds": 120.0})


def test_everything_that_is_noted_can_be_written_and_read_back(connection: sqlite3.Connection) -> None:
    made = [
        trail.clock_set(moment(), "first set", timedelta(hours=5, microseconds=1)),
        trail.times_corrected(moment(), timedelta(hours=-5), {"reading": 3}),
        trail.database_salvaged(moment(), "malformed", "carehub.db.1", {"audit": 3}, {"reading": None}),
        trail.retention_ran(moment(), {"reading": 100}, "age"),
        trail.hub_stopped(moment()),
    ]
    for entry in made:
        append(connection, entry)
    assert [each.detail for each in reversed(entries(connection))] == [entry.detail for entry in made]
    assert verify(connection).whole


def test_every_kind_has_words_of_its_own() -> None:
    assert Audited.TRIMMED == TRIMMED
    assert len({kind.value for kind in Audited}) == len(Audited)
