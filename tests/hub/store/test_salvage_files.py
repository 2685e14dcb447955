"""A damaged database's files: its log, what is set aside, and what a power cut leaves of the salvage."""

from __future__ import annotations

import random
import resource
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from hub.store.damage import damage_of, log_of, unfinished
from hub.store.database import SCHEMA_VERSION, open_for_writing
from hub.store.encoding import event_bytes
from hub.store.errors import StoreError
from hub.updates import keeper_notes as updates
from tests.rigs.damaging import (
    PAGE,
    Rows,
    kept_aside,
    overwrite,
    root_of,
    rows,
    rows_without_index,
    saved,
)


@pytest.mark.parametrize("kept", [0, 1, 99, 100, 1024, 30_000, 60_001])
def test_a_file_that_is_cut_off_is_saved_as_far_as_it_goes(path: Path, kept: int) -> None:
    before = rows(path)
    with path.open("r+b") as file:
        file.truncate(kept)
    damage = saved(path)
    after = rows(path)
    assert all(before["reading"][key] == row for key, row in after["reading"].items())
    assert kept < 60_000 or after["reading"]
    assert damage.alerts_may_be_lost


def test_a_file_that_is_no_database_is_kept_aside_as_it_was(path: Path) -> None:
    shopping = b"this is a shopping list, not a database" * 100
    path.write_bytes(shopping)
    saved(path)
    assert [file.read_bytes() for file in kept_aside(path)] == [shopping]


def with_a_log(path: Path, tells: int, last: str = "x") -> Rows:
    """Commits that are in the write-ahead log alone, as after a power cut; what there is then."""
    connection = open_for_writing(path)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    for number in range(tells):
        connection.execute(
            "INSERT INTO outbox VALUES (?, 'alert', ?, NULL, NULL)", (10_000 + number, event_bytes("x" * 50))
        )
    connection.execute("INSERT INTO outbox VALUES (20000, 'alert', ?, NULL, NULL)", (event_bytes(last),))
    data = {end: path.with_name(f"{path.name}{end}").read_bytes() for end in ("", "-wal")}
    after = rows(path)
    connection.close()
    for end, content in data.items():
        path.with_name(f"{path.name}{end}").write_bytes(content)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    return after


def test_what_is_only_in_the_log_is_saved(path: Path) -> None:
    before = with_a_log(path, 20)
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    saved(path)
    assert rows(path)["outbox"] == before["outbox"]
    (aside,) = kept_aside(path)
    assert log_of(aside).exists()
    assert not unfinished(path)


def test_a_log_beside_an_empty_file_is_not_thrown_away(path: Path) -> None:
    """SQLite deletes the log of a file of no bytes before anybody is asked."""
    with_a_log(path, 20)
    path.write_bytes(b"")
    saved(path)
    assert 10_019 in rows(path)["outbox"]


def test_commits_behind_a_bad_frame_of_the_log_are_saved(path: Path) -> None:
    with_a_log(path, 20)
    log = bytearray(log_of(path).read_bytes())
    log[32 + 3 * (24 + PAGE) + 24 + 100] ^= 1
    log_of(path).write_bytes(log)
    assert damage_of(path) == "its write-ahead log is damaged"
    saved(path)
    assert 10_019 in rows(path)["outbox"]


def test_a_commit_that_a_power_cut_left_half_written_is_no_damage(path: Path) -> None:
    with_a_log(path, 20)
    log = log_of(path).read_bytes()
    for torn_log in (log[:-300], log[: -PAGE - 24], log[:-200] + bytes(200), log[:40]):
        log_of(path).write_bytes(torn_log)
        assert damage_of(path) is None


def test_a_torn_commit_of_many_pages_is_no_damage_though_its_end_was_written(path: Path) -> None:
    """The card writes in an order of its own: the last commit's end may be there, and its middle not."""
    with_a_log(path, 20, last=random.Random(1).randbytes(20_000).hex())
    log = bytearray(log_of(path).read_bytes())
    middle = len(log) - 8 * (24 + PAGE)
    log[middle : middle + 24 + PAGE] = bytes(24 + PAGE)
    log_of(path).write_bytes(log)
    assert damage_of(path) is None


FRAME = 24 + PAGE


def log_with(path: Path, statement: str, value: bytes) -> bytes:
    """The log that it becomes by one commit more; the database is left as it is."""
    files = [path, log_of(path)]
    before = [file.read_bytes() for file in files]
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(path)) as another:
        another.execute("SELECT 1 FROM outbox").fetchone()  # or closing takes the log away
        connection.execute(statement, (value,))
        connection.commit()
        after = log_of(path).read_bytes()
    for file, content in zip(files, before, strict=True):
        file.write_bytes(content)
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    return after


def test_what_two_power_cuts_left_behind_one_another_is_no_damage(path: Path) -> None:
    """Each time the last commit lacks its first frame and has its end; a commit between was confirmed."""
    add = "INSERT INTO outbox VALUES (?1, 'alert', randomblob(20000), NULL, NULL)"
    with_a_log(path, 20)
    torn = log_with(path, add.replace("?1", "30000 + length(?1)"), b"")
    confirmed = log_with(path, "UPDATE outbox SET event = ? WHERE sequence = 20000", event_bytes("confirmed"))
    (log := log_of(path)).write_bytes(confirmed)
    after = rows(path)
    log.write_bytes(confirmed)
    torn_again = log_with(path, add.replace("20000", "5000").replace("?1", "40000 + length(?1)"), b"")
    assert len(confirmed) < len(torn_again) - 3 * FRAME < len(torn) - 6 * FRAME
    left = bytearray(torn)
    left[: len(confirmed)] = confirmed
    left[len(confirmed) + FRAME : len(torn_again)] = torn_again[len(confirmed) + FRAME :]
    log.write_bytes(left)
    assert damage_of(path) is None
    open_for_writing(path).close()
    assert rows(path) == after


def test_what_is_committed_after_an_unclean_end_does_not_rest_on_what_that_left_in_the_log(
    path: Path,
) -> None:
    """A sync failed: the kernel remembers what the card has not, until the power goes."""
    with_a_log(path, 20)
    remembered = log_of(path).read_bytes()
    with closing(open_for_writing(path)) as connection:
        connection.execute("UPDATE fact SET value = 'confirmed' WHERE name = 'data'")
        log = bytearray(log_of(path).read_bytes())
        content = path.read_bytes()
    last = len(remembered) - FRAME
    if log[last : last + FRAME] == remembered[last:]:
        log[last : last + FRAME] = bytes(FRAME)
    path.write_bytes(content)
    log_of(path).write_bytes(log)
    assert rows(path)["fact"]["data"] == ("data", "confirmed")


def test_a_log_that_somebody_reads_in_or_that_has_no_room_keeps_no_hub_from_its_start(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = with_a_log(path, 20, last=random.Random(1).randbytes(200_000).hex())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, limits[1]))
    try:
        open_for_writing(path).close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT 1 FROM outbox").fetchone()
        open_for_writing(path).close()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2, said
    assert "goes on as it is: somebody reads in it" in said[1]
    assert rows(path) == before


def test_a_release_on_trial_leaves_what_was_half_saved_to_the_release_before_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.rename(saved_one := path.with_name(f"{path.name}.saved-20260101T000000.000000Z"))
    with monkeypatch.context() as trial:
        trial.setattr(updates, "on_trial", lambda: True)
        with pytest.raises(StoreError, match=r"not all saved, .* on trial: the one before is to do it"):
            open_for_writing(path)
    assert unfinished(path) == [saved_one]
    open_for_writing(path).close()
    assert not unfinished(path)


def test_a_newer_hubs_database_is_refused_though_it_is_damaged(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.execute("PRAGMA application_id = 0")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    overwrite(path, root_of(path, "reading"), bytes(PAGE))
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer hub"):
        open_for_writing(path)
    assert path.read_bytes() == before
    assert kept_aside(path) == []


def test_what_ends_the_salvage_half_way_leaves_the_file_or_its_successor(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever rename it was killed before: the next start has all rows, and no log of another file."""
    overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
    expected = rows_without_index(path)
    start = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    rename = Path.rename

    class Killed(BaseException):
        pass

    for fatal in range(1, 5):
        for file in path.parent.iterdir():
            file.unlink()
        for name, content in start.items():
            (path.parent / name).write_bytes(content)
        left = fatal

        def counted(self: Path, target: Path) -> Path:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return rename(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "rename", counted)
            with suppress(Killed):
                open_for_writing(path).close()
        open_for_writing(path).close()
        assert set(rows(path)["reading"]) == expected
        assert unfinished(path) == []


def test_no_more_than_two_damaged_files_are_kept(path: Path) -> None:
    seen = []
    for _ in range(4):
        overwrite(path, root_of(path, "sqlite_autoindex_reading_1"), bytes(PAGE))
        saved(path)
        seen.append(kept_aside(path)[-1])
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert kept_aside(path) == seen[-2:]
