"""What is damage, and what is only an error: a good file is never set aside."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from hub.store.damage import Read, damage_of, unreadable
from hub.store.database import open_for_writing
from hub.store.errors import StoreError

BLOCK = 4096


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.store.damage.PAUSE_SECONDS", 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good database of 40 blocks or more."""
    path = tmp_path / "carehub.db"
    connection = open_for_writing(path)
    connection.execute("INSERT INTO fact VALUES ('data', ?)", ("x" * 40 * BLOCK,))
    connection.close()
    return path


def card(dead: set[int], *, error: int = errno.EIO, answers_after: int = 10**9) -> Read:
    """A card on which these blocks cannot be read, until it has been asked so often for them."""
    asked = 0

    def read(file: int, length: int, offset: int) -> bytes:
        nonlocal asked
        if dead & set(range(offset // BLOCK, -(-(offset + length) // BLOCK))):
            asked += 1
            if asked <= answers_after:
                raise OSError(error, os.strerror(error))
        return os.pread(file, length, offset)

    return read


def test_a_good_database_a_new_one_and_none_are_not_damaged(path: Path) -> None:
    assert damage_of(path) is None
    assert damage_of(path.with_name("not there")) is None


def test_dead_sectors_are_damage_when_they_stay_dead_and_the_card_lives(path: Path) -> None:
    assert unreadable(path, card({3, 7})) == f"2 block(s) of {path.name} cannot be read"


def test_a_card_that_reads_again_a_second_later_is_not_damaged(path: Path) -> None:
    assert unreadable(path, card({3, 7}, answers_after=3)) is None


def test_a_card_that_answers_nothing_is_no_damaged_file(path: Path) -> None:
    assert unreadable(path, card(set(range(1000)))) is None


def test_an_error_that_is_not_of_the_card_is_no_damage(path: Path) -> None:
    for error in (errno.EACCES, errno.ENOMEM, errno.ENOSPC, errno.ESTALE):
        assert unreadable(path, card({3}, error=error)) is None


@pytest.mark.parametrize(
    ("code", "is_damage"),
    [
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_CORRUPT_INDEX, True),
        (sqlite3.SQLITE_NOTADB, True),
        (sqlite3.SQLITE_IOERR_READ, False),
        (sqlite3.SQLITE_IOERR_NOMEM, False),
        (sqlite3.SQLITE_NOMEM, False),
        (sqlite3.SQLITE_BUSY, False),
        (sqlite3.SQLITE_FULL, False),
        (sqlite3.SQLITE_READONLY, False),
        (sqlite3.SQLITE_CANTOPEN, False),
        (sqlite3.SQLITE_PERM, False),
        (sqlite3.SQLITE_PROTOCOL, False),
        (sqlite3.SQLITE_ERROR, False),
    ],
)
def test_only_what_sqlite_says_of_the_content_is_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, is_damage: bool
) -> None:
    """The file is good; each error is SQLite's own, but for where it comes from."""

    def refuse(*_arguments: object, **_options: object) -> sqlite3.Connection:
        error = sqlite3.DatabaseError("said by the test")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr("hub.store.damage.sqlite3.connect", refuse)
    assert (damage_of(path) is not None) is is_damage


def test_what_is_whole_when_read_again_is_not_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = iter(["malformed", None])
    monkeypatch.setattr("hub.store.damage._asked_of_sqlite", lambda _path: next(said))
    assert damage_of(path) is None
    assert "replace the card" in caplog.text


def test_a_directory_in_the_files_place_is_refused_and_not_renamed(tmp_path: Path) -> None:
    path = tmp_path / "carehub.db"
    path.mkdir()
    with pytest.raises(StoreError):
        open_for_writing(path)
    assert path.is_dir()
    assert [file.name for file in tmp_path.iterdir()] == ["carehub.db"]
