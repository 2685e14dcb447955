"""What the doctor finds in a real database, and that looking leaves nothing that locks the hub out."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now, to_microseconds
from hub.doctor.database import database, oldest_waiting
from hub.doctor.findings import Finding, Verdict
from hub.store.database import open_for_writing
from tests.rigs.house import House, oximeter

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
NOBODY = 65534


def found(house: House) -> dict[str, Finding]:
    return {each.part: each for each in database(house.config)}


def test_an_empty_queue_and_no_alert_are_well(house: House) -> None:
    assert found(house)["queue"].told == "nothing waits for the broker"
    assert found(house)["alerts"].verdict is PASS


@pytest.mark.parametrize(("age", "verdict"), [(timedelta(minutes=5), PASS), (timedelta(hours=3), WARN)])
def test_what_waits_is_told_with_the_age_of_the_oldest(
    house: House, age: timedelta, verdict: Verdict
) -> None:
    house.take(oximeter(91, now()))
    at = now() - age
    # The oldest is an observation set, which is kept by its number, or an alert, which is kept whole.
    house.connection.execute("DELETE FROM outbox WHERE channel = 'alert'")
    house.connection.execute("UPDATE assessment SET at = ?", (to_microseconds(at),))
    finding = found(house)["queue"]
    assert finding.verdict is verdict
    assert finding.words.endswith(f"the oldest since {at:%Y-%m-%d %H:%M} UTC")


def test_the_age_of_an_event_that_is_kept_whole_is_its_own_time(house: House) -> None:
    before = now()
    house.take(oximeter(91, before))
    house.connection.execute("DELETE FROM outbox WHERE channel != 'alert'")
    oldest = oldest_waiting(house.connection)
    assert oldest is not None
    assert abs(oldest - before) < timedelta(minutes=1)


def test_a_row_that_cannot_be_read_hides_no_other_finding(house: House) -> None:
    house.take(oximeter(91, now()))
    house.connection.execute("UPDATE outbox SET event = x'00', first = NULL")
    assert found(house)["queue"].verdict is PASS
    assert "event(s) wait" in found(house)["queue"].words


def test_alerts_that_nobody_has_taken_are_counted_and_nobody_is_named(house: House) -> None:
    house.take(oximeter(91, now()))
    finding = found(house)["alerts"]
    assert finding.told.startswith("1 wait(s) for somebody to take it: ask in the home")
    assert "R-0412" not in finding.told


def test_a_database_that_outgrows_its_limit_is_a_warning(house: House) -> None:
    store = house.config.store.model_copy(update={"largest": 1000})
    finding = database(house.config.model_copy(update={"store": store}))[0]
    assert finding.verdict is WARN
    assert "store.largest" in finding.todo


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that any user may reach, which pytest's are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_looking_at_a_hub_that_is_stopped_leaves_nothing_that_is_not_its_users(open_to_all: Path) -> None:
    """As root: what SQLite makes beside the database (-wal, -shm) is left there by one that only reads."""
    house = House(open_to_all)
    house.take(oximeter(97, now()))
    house.connection.close()
    directory = house.path.parent
    if os.geteuid() == 0:
        for path in (directory, house.path):
            os.chown(path, NOBODY, NOBODY)
    owner = house.path.stat()
    assert database(house.config)[0].verdict is PASS
    left = list(directory.iterdir())
    assert {path.name for path in left} >= {"carehub.db-wal", "carehub.db-shm"}, "this test proves nothing"
    for path in left:
        assert (path.stat().st_uid, path.stat().st_gid) == (owner.st_uid, owner.st_gid), path
    hub = os.fork()
    if hub == 0:  # the hub's own user, who starts after it
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            writing = open_for_writing(house.path)
            writing.execute("INSERT INTO fact VALUES ('doctor', 'was here')")
        except BaseException:  # noqa: BLE001  # whatever it is, it must not go on as a second pytest
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(hub, 0)[1]) == 0
