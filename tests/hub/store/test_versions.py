"""An update of the hub can be taken back: the earlier hub works with what the later one wrote."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlite_utils.db import Database

from hub.store import salvage
from hub.store.database import (
    READABLE_FROM,
    SCHEMA_VERSION,
    make_schema,
    open_for_reading,
    open_for_writing,
    schema_of,
)
from hub.store.errors import StoreError
from hub.store.migrations import migrations
from hub.store.salvage import version_of
from hub.store.versions import application_id, readable_from
from hub.store.writer import Writer
from hub.trail import Moment, hub_stopped
from hub.updates import keeper_notes as updates
from hub.web.looking import Looking
from tests.rigs.damaging import PAGE, kept_aside, overwrite, root_of
from tests.rigs.earlier_hub import EarlierHub
from tests.rigs.lived_in import a_day

SCHEMAS = st.integers(min_value=1, max_value=60_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    database = tmp_path / "carehub.db"
    open_for_writing(database).close()
    return database


def later(path: Path, readable: int) -> None:
    """As a hub of the next schema would leave it: a table more, and what it says of who can read it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE of_the_next_release (number INTEGER PRIMARY KEY) STRICT")
        connection.execute("INSERT INTO of_the_next_release VALUES (7)")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.execute(f"PRAGMA application_id = {application_id(readable)}")
        connection.commit()


@given(version=SCHEMAS, oldest=SCHEMAS)
def test_what_a_database_says_of_its_readers_is_believed_up_to_its_own_version(
    version: int, oldest: int
) -> None:
    assert readable_from(version, application_id(oldest)) == min(version, oldest)


@given(version=SCHEMAS, mark=st.integers(min_value=0, max_value=2**32 - 1))
def test_one_that_says_nothing_is_for_hubs_of_its_own_schema(version: int, mark: int) -> None:
    if mark >> 16 != 0x4350:
        assert readable_from(version, mark) == version


def test_this_hubs_database_says_from_when_on_hubs_can_read_it(path: Path) -> None:
    with closing(open_for_reading(path)) as connection:
        assert schema_of(connection) == (SCHEMA_VERSION, application_id(READABLE_FROM))
    assert READABLE_FROM <= SCHEMA_VERSION


def test_one_that_was_made_before_databases_said_so_is_marked_at_the_next_start(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 0")
    with closing(open_for_writing(path)) as connection:
        assert schema_of(connection) == (SCHEMA_VERSION, application_id(READABLE_FROM))


async def test_the_earlier_hub_works_with_it_and_leaves_what_it_does_not_know(path: Path) -> None:
    later(path, READABLE_FROM)
    async with Writer(path) as writer:
        await writer.write(lambda transaction: transaction.audit(hub_stopped(Moment.present())), urgent=True)
    with closing(open_for_reading(path)) as connection:
        assert schema_of(connection) == (SCHEMA_VERSION + 1, application_id(READABLE_FROM))
        assert connection.execute("SELECT number FROM of_the_next_release").fetchone() == (7,)
        assert connection.execute("SELECT count(*) FROM audit").fetchone() == (1,)


async def test_the_page_reads_it_too(path: Path) -> None:
    later(path, READABLE_FROM)
    looking = Looking(path)
    found = await looking.ask(
        lambda connection: connection.execute("SELECT count(*) FROM reading").fetchone()
    )
    assert found == (0,)
    looking.close()


def test_one_that_an_earlier_hub_would_misread_is_refused(path: Path) -> None:
    later(path, SCHEMA_VERSION + 1)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer hub"):
        open_for_writing(path)
    assert path.read_bytes() == before


def test_damaged_it_is_saved_as_one_of_this_schema(path: Path) -> None:
    later(path, READABLE_FROM)
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    with closing(open_for_writing(path)) as connection:
        assert schema_of(connection)[0] == SCHEMA_VERSION
    assert kept_aside(path), "the file as it was"


@pytest.mark.parametrize("schema", range(READABLE_FROM, max(SCHEMA_VERSION, READABLE_FROM + 1)))
def test_each_hub_that_is_said_to_work_with_this_ones_database_does(schema: int, tmp_path: Path) -> None:
    """By its own code, as it was kept; where it is not, `tests/rigs/earlier_hub.py` says how it is."""
    earlier, home = EarlierHub(schema, tmp_path / "code"), tmp_path / "home"
    ours = a_day(home)
    theirs = earlier.a_day(home)
    assert theirs["found"] == ours["left"], "nothing is misread"
    again = a_day(home)
    assert again["found"] == theirs["left"], "nor what it wrote"
    assert [len(day["left"]["readings"]) for day in (ours, theirs, again)] == [7, 14, 21]
    assert again["left"]["trail"][:2] == [True, True]
    assert [state for _, state, *_ in again["found"]["alerts"]].count("acknowledged") == 1
    # And that this can fail: a step that changes what is there, and says that it does not.
    with closing(sqlite3.connect(home / "data/carehub.db")) as connection:
        connection.execute("ALTER TABLE alert RENAME COLUMN state TO how_it_is")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        connection.commit()
    with pytest.raises(subprocess.CalledProcessError):
        earlier.a_day(home)


def test_every_step_since_the_oldest_reader_only_adds() -> None:
    """A hub of READABLE_FROM finds every table, column and index that it made itself."""

    def made(version: int) -> dict[tuple[str, str], str]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            make_schema(connection, version)
            rows = connection.execute(
                "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
            ).fetchall()
        return {(kind, name): sql for kind, name, sql in rows}

    earlier, newest = made(READABLE_FROM), made(SCHEMA_VERSION)
    assert earlier.keys() <= newest.keys()
    for what, sql in earlier.items():
        columns = sql.rstrip().rstrip(")").rstrip()
        assert newest[what].startswith(columns), f"{what} is changed, and so READABLE_FROM must be"


def test_the_version_of_a_database_that_nobody_can_believe_is_the_newest(path: Path) -> None:
    from hub.store.damage import log_of
    from hub.store.pages import Pages

    with closing(Pages(path, log_of(path))) as pages:
        assert version_of(pages, SCHEMA_VERSION) == SCHEMA_VERSION


def test_a_step_that_is_cut_off_leaves_no_database_that_an_earlier_hub_would_misread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if this schema changed what earlier hubs read: the power may go after the step, or before."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
        connection.execute(f"PRAGMA application_id = {application_id(SCHEMA_VERSION - 1)}")

    def step_and_cut(stepped: Database, **_named: object) -> None:
        stepped.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        raise KeyboardInterrupt

    monkeypatch.setattr(migrations, "apply", step_and_cut)
    with pytest.raises(KeyboardInterrupt):
        open_for_writing(path)
    with closing(sqlite3.connect(path)) as connection:
        assert schema_of(connection) == (SCHEMA_VERSION, application_id(READABLE_FROM))


def test_what_is_saved_of_a_damaged_one_says_who_can_read_it_before_it_is_in_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite(path, root_of(path, "reading"), bytes(PAGE))

    def cut(_path: Path, _saved: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(salvage, "_replace", cut)
    with pytest.raises(KeyboardInterrupt):
        open_for_writing(path)
    (saved,) = path.parent.glob("*.saved-*")
    with closing(sqlite3.connect(saved)) as connection:
        assert schema_of(connection) == (SCHEMA_VERSION, application_id(READABLE_FROM))


def test_a_release_on_trial_leaves_a_damaged_one_to_the_release_before_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it made of it, the release before might not be able to read; and it may be wrong."""
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    before = path.read_bytes()
    monkeypatch.setattr(updates, "on_trial", lambda: True)
    with pytest.raises(StoreError, match=r"is damaged .* on trial: the one before is to save what can be"):
        open_for_writing(path)
    assert path.read_bytes() == before
    assert not kept_aside(path)


def test_what_takes_long_at_a_start_is_said(path: Path) -> None:
    """For `systemctl status`: the engineer who waits sees why."""
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    said: list[str] = []
    open_for_writing(path, say=said.append).close()
    assert said == [
        "reading the whole database for damage (0 MB)",
        "the database is damaged: saving what can be read of 0 MB",
    ]
