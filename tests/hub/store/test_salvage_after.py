"""After a database was salvaged: what is said of it, and how the hub goes on."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest

from hub import trail
from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import AlertPolicy
from hub.clock import now
from hub.configuration.file import Sensor
from hub.store.audit import append, newest
from hub.store.damage import Damage
from hub.store.database import open_for_writing
from hub.store.errors import StoreError
from hub.store.sensors import forget
from hub.trail import Audited, Moment
from tests.rigs.damaging import (
    PAGE,
    PUBLISH,
    overwrite,
    owners,
    root_of,
    rows,
    saved,
)
from tests.rigs.house import ILL, House, oximeter


def test_the_fact_is_kept_and_noted_in_the_trail(path: Path) -> None:
    overwrite(path, 1, bytes(PAGE))
    damage = saved(path)
    connection = sqlite3.connect(path)
    noted = newest(connection, Audited.SALVAGED)
    assert noted is not None
    assert noted.detail["file"] == damage.file
    assert Damage.of(damage.to_json()) == damage
    assert damage.saved["reading"] == len(rows(path)["reading"])
    assert "look at every resident now" in damage.words


def test_an_alert_whose_evidence_is_lost_climbs_and_is_told(path: Path) -> None:
    whose = owners(path)
    alerts_before = rows(path)["alert"]
    for page in [page for page, name in whose.items() if name in {"reading", "assessment"}]:
        overwrite(path, page, bytes(PAGE))
    saved(path)
    house = House(path.parent.parent, PUBLISH)
    assert house.counts()["reading"] == 0
    referred = house.connection.execute("SELECT reading, assessment FROM alert").fetchall()
    assert set(referred) == {(0, 0)}
    open_before = house.open_alerts()
    assert {alert.id.bytes for alert in open_before} == {
        key for key, row in alerts_before.items() if row[5] is None
    }
    assert open_before
    policy = AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    commands = Commands(AlertBook(house.identity), policy)
    with house.transaction() as transaction:
        assert commands.escalate(transaction, now() + timedelta(hours=5), monotonic()) == len(open_before)
    told = [event for event in house.events() if "escalated" in event.type]
    assert len(told) >= len(open_before)
    house.take(oximeter(97, now()))
    assert house.counts()["reading"] == 1


def test_an_open_alert_still_takes_readings_after_the_salvage(path: Path) -> None:
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    saved(path)
    house = House(path.parent.parent, PUBLISH)
    number = max(rows(path)["reading"])
    before = [alert for alert in house.open_alerts() if alert.resident == ILL]
    assert before
    house.take(oximeter(97, now()))
    assert max(rows(path)["reading"]) == number + 1
    assert house.events("reading")


def test_without_the_salvage_such_a_file_cannot_be_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The positive control: what the hub did before."""
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    monkeypatch.setattr("hub.store.database._save_if_damaged", lambda *_: None)
    with pytest.raises((StoreError, sqlite3.DatabaseError)):
        House(path.parent.parent, PUBLISH).take(oximeter(97, now()))


def test_times_are_kept_as_they_were_said() -> None:
    at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    damage = Damage(at, "why", "file", {"reading": 1}, {"": 1}, {"alert": 2}, 3, complete=False)
    assert Damage.of(damage.to_json()) == damage


def test_a_sensor_that_was_forgotten_is_not_enrolled_again_by_what_a_damaged_file_has_left(
    path: Path,
) -> None:
    """A page that a failing card gives back as it was: with the owner of that time."""
    connection = open_for_writing(path)
    root = root_of(path, "enrolled_sensor")
    forgotten = "C4:F2:17:00:02:07"
    before = dict(connection.execute("SELECT address, resident FROM enrolled_sensor"))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old = path.read_bytes()
    sensor = Sensor(address=forgotten, driver="thermometer", resident=ILL)
    connection.execute("BEGIN")
    forget(connection, forgotten)
    append(connection, trail.sensor_forgotten(Moment.present(), sensor, now(), "Sam", {}))
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for number, table in owners(path).items():
        if table == "enrolled_sensor":
            overwrite(path, number, old[(number - 1) * PAGE : number * PAGE])
    assert root
    overwrite(path, root_of(path, "outbox_aside"), bytes(PAGE))
    damage = saved(path)
    assert "enrolled_sensor" not in damage.pages
    connection = open_for_writing(path)
    after = dict(connection.execute("SELECT address, resident FROM enrolled_sensor"))
    connection.close()
    assert after == {address: resident for address, resident in before.items() if address != forgotten}


def test_where_enrolled_sensors_may_be_lost_somebody_is_sent_to_compare(path: Path) -> None:
    connection = open_for_writing(path)
    connection.execute("DELETE FROM enrolled_sensor WHERE address > 'C4:F2:17:00:02:03'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    overwrite(path, root_of(path, "enrolled_sensor"), bytes(PAGE))
    assert "carehub devices list" in saved(path).words
