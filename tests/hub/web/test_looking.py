"""The page only reads the database, whatever becomes of the file."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from hub.store.errors import StoreError
from hub.web.looking import Looking
from tests.rigs.house import House


def sites(connection: sqlite3.Connection) -> list[str]:
    return [value for (value,) in connection.execute("SELECT value FROM fact WHERE name = 'x'")]


def put(house: House, value: str) -> None:
    house.connection.execute("INSERT OR REPLACE INTO fact (name, value) VALUES ('x', ?)", (value,))


async def test_it_sees_what_was_committed(house: House) -> None:
    looking = Looking(house.path)
    assert await looking.ask(sites) == []
    put(house, "a")
    assert await looking.ask(sites) == ["a"]
    looking.close()


async def test_it_cannot_write(house: House) -> None:
    looking = Looking(house.path)
    with pytest.raises(StoreError, match="readonly"):
        await looking.ask(lambda connection: connection.execute("DELETE FROM fact"))
    looking.close()


async def test_where_another_file_took_the_place_it_reads_that(house: House, tmp_path: Path) -> None:
    looking = Looking(house.path)
    put(house, "before")
    assert await looking.ask(sites) == ["before"]
    house.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(house.path, tmp_path / "saved")
    with sqlite3.connect(tmp_path / "saved") as saved:
        saved.execute("UPDATE fact SET value = 'saved'")
    saved.close()
    (tmp_path / "saved").replace(house.path)
    for _ in range(9):
        assert await looking.ask(sites) == ["saved"]
    looking.close()


async def test_what_takes_too_long_is_ended(house: House) -> None:
    looking = Looking(house.path, longest_seconds=0.01)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(StoreError, match="slow or busy"):
        await looking.ask(lambda connection: connection.execute(endless).fetchone())
    assert await looking.ask(sites) == []
    looking.close()


async def test_a_database_of_another_version_is_refused_with_what_to_do(house: House) -> None:
    house.connection.execute("PRAGMA user_version = 7")
    looking = Looking(house.path)
    with pytest.raises(StoreError, match="restart the hub and then the page"):
        await looking.ask(sites)
    looking.close()


async def test_a_database_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    looking = Looking(tmp_path / "carehub.db")
    with pytest.raises(StoreError, match="does not exist"):
        await looking.ask(sites)
    looking.close()
