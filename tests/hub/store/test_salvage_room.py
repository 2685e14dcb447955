"""A damaged database on a card with little room: what matters most is saved, and what is left out is said."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub import trail
from hub.clock import now
from hub.configuration.file import Sensor
from hub.store.audit import append
from hub.store.damage import Damage, damages
from hub.store.database import SCHEMA_VERSION, make_schema, open_for_writing
from hub.store.encoding import event_bytes
from hub.store.errors import NoRoomError
from hub.store.reserve import FULL_BELOW, Reserve
from hub.store.salvage import save
from hub.store.sensors import forget
from hub.store.tables import tables_of
from hub.trail import Moment
from tests.rigs.damaging import PAGE, enrol_sensor, kept_aside, overwrite, root_of, rows, saved
from tests.rigs.house import ILL
from tests.rigs.small_card import SmallCard, small_card

MORE = 1_000  # rows of some 2 KB in each of three tables
KB = 1 << 10


@pytest.fixture
def card(tmp_path: Path) -> Iterator[SmallCard]:
    with small_card(tmp_path, 24) as card:
        yield card


@pytest.fixture(scope="module")
def large(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same database, damaged, with 2 MB each of readings, of their trail, and of what waits."""
    path = tmp_path_factory.mktemp("large") / "carehub.db"
    path.write_bytes(home.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MORE})"
        columns = "resident, source, received_at, boot, since_boot, clock, time_quality, measurements, flags"
        connection.execute(
            f"{numbers} INSERT INTO reading (sequence, id, payload, {columns})"
            f" SELECT 10000 + i, randomblob(16), randomblob(1900), {columns}"
            " FROM n, reading WHERE sequence = 1"
        )
        columns = "resident, scale, observations, band, total"
        connection.execute(
            f"{numbers} INSERT INTO assessment (sequence, reading, {columns})"
            f" SELECT 10000 + i, 10000 + i, {columns} FROM n, assessment WHERE sequence = 1"
        )
        connection.execute(
            f"{numbers} INSERT INTO outbox (sequence, channel, event)"
            " SELECT (2 << 48) + 10000 + i, 'summary', ? FROM n",
            (event_bytes(random.Random(1).randbytes(1900).hex()),),
        )
        connection.execute(
            f"{numbers} INSERT INTO audit SELECT 10000 + i, 0, 0, x'00', 'x', 'x', NULL, ?, x'00' FROM n",
            ("x" * 1900,),
        )
        connection.execute("INSERT INTO outbox VALUES (7777, 'alert', ?, NULL, NULL)", (event_bytes("x"),))
        connection.commit()
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    return path


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.store.damage.PAUSE_SECONDS", 0)


def on(card: SmallCard, database: Path, room: int) -> Path:
    """The database on a card that has so many bytes left."""
    path = card.root / "carehub.db"
    path.write_bytes(database.read_bytes())
    (card.root / "room").write_bytes(bytes(room))
    card.fill()
    (card.root / "room").unlink()
    return path


def test_what_matters_most_is_saved_and_of_all_else_the_newest(card: SmallCard, large: Path) -> None:
    before = rows(large)
    path = on(card, large, 3 << 20)
    damage = save(path, "to see", SCHEMA_VERSION, make_schema)
    assert damage is not None
    assert card.free_bytes() > FULL_BELOW * 0.8, "the hub has to go on in what is left"
    after = rows(path)
    for table in ("enrolled_sensor", "source", "boot", "model"):
        assert after[table] == before[table], table
    assert after["alert"].keys() == before["alert"].keys()
    assert 7777 in after["outbox"], "an alert's event, though its page is the oldest"
    for table in ("reading", "audit", "outbox"):
        added = sorted(number for number in before[table] if number % (1 << 48) > 10_000)
        kept = sorted(set(added) & after[table].keys())
        assert 50 < len(kept) < MORE, table
        assert kept == added[-len(kept) :], f"the newest of {table}, without a gap"
        assert damage.left[table] > 50
    assert {row[3] for row in after["assessment"].values()} <= after["reading"].keys()
    assert not damage.complete
    assert f"{damage.left['reading']} page(s) of reading" in damage.words
    assert damage.rows == {}, "what was left out is not lost"
    (aside,) = kept_aside(path)
    assert aside.read_bytes() == large.read_bytes()


@pytest.mark.parametrize("room", [100 * KB, 1600 * KB])
def test_the_reserve_is_given_up_for_what_is_saved(card: SmallCard, large: Path, room: int) -> None:
    reserve = Reserve(card.root / "carehub.reserve", 10 << 20)
    assert reserve.make()
    path = on(card, large, room)
    with closing(open_for_writing(path, reserve)) as connection:
        assert len(damages(connection)) == 1
    assert not reserve.there
    assert len(rows(path)["reading"]) == len(rows(large)["reading"])


def test_the_reserve_is_kept_where_there_is_room_for_all(card: SmallCard, large: Path) -> None:
    reserve = Reserve(card.root / "carehub.reserve", 2 << 20)
    assert reserve.make()
    path = on(card, large, 10 << 20)
    with closing(open_for_writing(path, reserve)) as connection:
        assert damages(connection)[0].complete
    assert reserve.there


@pytest.mark.parametrize("room", [0, 20 * KB, 200 * KB, 900 * KB])
def test_without_room_for_what_matters_most_all_stays_as_it_was(
    card: SmallCard, large: Path, room: int
) -> None:
    path = on(card, large, room)
    before = {file.name for file in card.root.iterdir()} | {"carehub.db-wal", "carehub.db-shm"}
    with pytest.raises(NoRoomError, match="The card is full: make room"):
        open_for_writing(path)
    assert path.read_bytes() == large.read_bytes()
    assert {file.name for file in card.root.iterdir()} <= before, "nothing is left that takes room"


def test_what_a_power_cut_left_of_a_salvage_takes_no_room_from_the_next(card: SmallCard, home: Path) -> None:
    path = on(card, home, 2 << 20)
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    with pytest.raises(OSError, match="No space"):
        path.with_name("carehub.db.saving").write_bytes(bytes(3 << 20))
    assert saved(path).complete


def test_a_sensor_that_was_forgotten_is_not_enrolled_again_though_the_trail_had_no_room(
    card: SmallCard, large: Path, tmp_path: Path
) -> None:
    """A reading must not be given to who had the sensor before, whatever the card has room for."""
    copy = tmp_path / "copy.db"
    copy.write_bytes(large.read_bytes())
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute("DELETE FROM audit WHERE sequence > 10000")
        address = enrol_sensor(connection, 99)
        forget(connection, address)
        sensor = Sensor(address=address, driver="thermometer", resident=ILL)
        append(connection, trail.sensor_forgotten(Moment.present(), sensor, now(), "Sam", {}))
        enrol_sensor(connection, 99)  # as a failing card gives an old page back
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MORE})"
            " INSERT INTO audit SELECT 10000 + i, 0, 0, x'00', 'x', 'x', NULL, ?, x'00' FROM n",
            ("x" * 1900,),
        )
    path = on(card, copy, 2 << 20)
    damage = saved(path)
    assert damage.left["audit"]
    assert address not in rows(path)["enrolled_sensor"]
    assert len(rows(path)["enrolled_sensor"]) == 40


def test_what_was_refused_of_an_alert_is_kept_though_all_else_that_was_refused_has_no_room(
    card: SmallCard, large: Path, tmp_path: Path
) -> None:
    """It is told when the broker is mended."""
    copy = tmp_path / "copy.db"
    copy.write_bytes(large.read_bytes())
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MORE})"
            " INSERT INTO outbox_aside"
            " SELECT (2 << 48) + i, 'summary', randomblob(1900), NULL, NULL, 'x', 7 FROM n"
        )
        refused = event_bytes("x")
        connection.execute("INSERT INTO outbox_aside VALUES (5, 'alert', ?, NULL, NULL, 'x', 7)", (refused,))
    path = on(card, copy, 2 << 20)
    assert saved(path).left["outbox_aside"]
    assert 5 in rows(path)["outbox_aside"]


def test_an_alert_that_has_ended_is_not_open_again_by_an_old_page_of_it(path: Path) -> None:
    """What matters most is copied first, and an open alert does; but an old page says so of an ended one."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE alert SET body = '{\"acknowledged_at\": null}'")  # on no further pages
        ((alert,),) = connection.execute("SELECT id FROM alert WHERE resolved_at IS NULL LIMIT 1").fetchall()
        pages = connection.execute(
            "SELECT pageno FROM dbstat WHERE name = 'alert' AND pagetype = 'leaf'"
        ).fetchall()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        old = path.read_bytes()
        connection.execute(
            """UPDATE alert SET resolved_at = 7, body = '{"acknowledged_at": "2026"}' WHERE id = ?""",
            (alert,),
        )
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    with path.open("ab") as file:
        for (page,) in pages:
            file.write(old[(page - 1) * PAGE : page * PAGE])
    saved(path)
    assert rows(path)["alert"][alert][5] == 7


def test_a_row_without_a_number_that_refers_to_what_is_lost_goes(path: Path) -> None:
    """As a later step of the schema may add them: a table without rowids, and a foreign key to no number."""

    def with_another(connection: sqlite3.Connection, version: int = SCHEMA_VERSION) -> None:
        make_schema(connection, version)
        connection.execute(
            "CREATE TABLE IF NOT EXISTS worn (id TEXT PRIMARY KEY, alert BLOB REFERENCES alert) WITHOUT ROWID"
        )

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with_another(connection)
        connection.execute("INSERT INTO worn SELECT 'there', id FROM alert LIMIT 1")
        connection.execute("INSERT INTO worn VALUES ('lost', x'00'), ('nobody', NULL)")
    damage = save(path, "to see", SCHEMA_VERSION, with_another)
    assert damage is not None
    assert damage.rows == {"worn": 1}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id FROM worn").fetchall() == [("nobody",), ("there",)]


def test_what_an_earlier_hub_noted_of_damage_is_still_said() -> None:
    at = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    noted = Damage(at, "why", "file", {}, {}, {}, 0, complete=False).to_json().replace(',"left":{}', "")
    assert "for want of room or time, the oldest: the oldest readings" in Damage.of(noted).words


def test_alerts_and_enrolled_sensors_are_copied_before_all_else(path: Path) -> None:
    """A card may have no room, or no time, for all."""
    connection = sqlite3.connect(path)
    first, second, *others = [table.name for table in tables_of(connection)]
    connection.close()
    assert (first, second) == ("alert", "enrolled_sensor")
    assert others[-2:] == ["reading", "kept_score"]
