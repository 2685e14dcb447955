"""`carehub audit`: the trail is told, and what was done to it is found, beside the hub."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from hub import trail
from hub.clock import ClockQuality, ClockStamp
from hub.configuration.file import load
from hub.control.local_socket import Peer
from hub.store.audit import SCHEMA, append, head, trim
from hub.store.database import FILE_NAME, open_for_writing
from hub.trail import Audited, Moment
from tests.rigs.house import NAMES, write_configuration
from tests.rigs.hub_process import Ended, carehub, carehub_here

ALERT = UUID("1e6ae062-a727-5d2c-9060-715702cb8fbe")
OTHER = UUID("2f6ae062-a727-5d2c-9060-715702cb8fbe")


@dataclass
class Home:
    """A hub's database that has a trail, open for writing as the hub has it."""

    config: Path
    connection: sqlite3.Connection
    start: Moment

    def after(self, minutes: int) -> Moment:
        passed = timedelta(minutes=minutes)
        stamp = self.start.stamp
        return Moment(
            self.start.at + passed, ClockStamp(stamp.boot, stamp.since_boot + passed, stamp.quality)
        )

    def audit(self, *arguments: str | Path) -> Ended:
        return carehub_here("audit", *arguments, "--config", self.config)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    config = write_configuration(tmp_path)
    start = Moment.present()
    start = Moment(start.at, ClockStamp(start.stamp.boot, start.stamp.since_boot, ClockQuality.SYNCHRONISED))
    with closing(open_for_writing(tmp_path / "data" / FILE_NAME)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'audit'").fetchone():
            connection.executescript(SCHEMA)
        home = Home(config, connection, start)
        trail.begin(connection, start, load(config), None)
        detail = {"by": "Sister \x1b[2JK", "via": "hub", "note": None}
        append(connection, trail.alert(Audited.RAISED, ALERT, home.after(1), {}))
        append(connection, trail.alert(Audited.RAISED, OTHER, home.after(2), {}))
        append(connection, trail.alert(Audited.ACKNOWLEDGED, ALERT, home.after(3), detail))
        access = trail.access(home.after(4), "acknowledge", Peer(4711, 1000))
        assert access is not None
        append(connection, access)
        yield home


def test_the_trail_is_told_the_newest_first(home: Home) -> None:
    ended = home.audit()
    assert (ended.code, ended.errors) == (0, "")
    told = [line.split("  ")[0].strip() for line in ended.output.splitlines()[2:]]
    assert told == ["7", "6", "5", "4", "3", "2", "1"]
    for expected in ("command acknowledge", "uid 1000", "trail begun", "site rose-house", str(ALERT)[:8]):
        assert expected in ended.output
    assert [line[0] for line in home.audit("--most", "1").output.splitlines()[2:]] == ["7"]


def test_no_entry_can_play_with_the_terminal(home: Home) -> None:
    output = home.audit().output
    assert "by Sister \\u001b[2JK" in output
    assert "\x1b" not in output


def test_what_is_told_of_the_configuration_names_nobody(home: Home) -> None:
    output = home.audit("--json").output
    assert "residents.R-0412.name" in output
    for name in NAMES:
        assert name not in output


@pytest.mark.parametrize("option", ["--alert", "--subject"])
def test_an_alerts_history_is_told_by_the_first_digits_of_its_id(home: Home, option: str) -> None:
    rows = json.loads(home.audit(option, str(ALERT)[:6], "--json").output)
    assert [row["what"] for row in rows] == ["alert acknowledged", "alert raised"]
    assert {row["subject"] for row in rows} == {str(ALERT)}
    assert rows[0]["detail"] == {"by": "Sister \x1b[2JK", "via": "hub"}
    assert home.audit(option, "ffff").output == "Nothing was noted of that.\n"
    refused = home.audit(option, "%")
    assert (refused.code, refused.output) == (1, "")
    assert "first four digits" in refused.errors


def test_a_whole_trail_is_said_to_be_whole(home: Home) -> None:
    ended = home.audit("verify")
    assert (ended.code, ended.errors) == (0, "")
    assert "whole: 7 entries" in ended.output
    assert f"head {head(home.connection)}" in ended.output
    assert "whether its end was cut off or all of it written anew is not known" in ended.output


def test_heads_of_others_are_compared(home: Home, tmp_path: Path) -> None:
    told = head(home.connection)
    heads = tmp_path / "heads"
    heads.write_text(f"{told}\n\n")
    for given in (("--head", str(told)), ("--heads", heads)):
        ended = home.audit("verify", *given)
        assert ended.code == 0
        assert "heads of others: 1 of 1 confirmed" in ended.output
        assert "not known" not in ended.output
    home.connection.execute("DELETE FROM audit WHERE sequence > 5")
    assert home.audit("verify").code == 0
    ended = home.audit("verify", "--head", str(told))
    assert ended.code == 1
    assert "truncated: entries 6 to 7" in ended.output
    forged = f"5:{'0' * 64}"
    ended = home.audit("verify", "--head", forged)
    assert ended.code == 1
    assert "rewritten: entry 5" in ended.output


def test_a_head_that_is_none_is_the_users_mistake(home: Home) -> None:
    ended = home.audit("verify", "--head", "7")
    assert (ended.code, ended.output) == (2, "")
    assert "COUNT:HASH" in ended.errors


def test_what_was_changed_is_said_with_where_and_what_to_do(home: Home, tmp_path: Path) -> None:
    home.connection.execute("UPDATE audit SET detail = '{}' WHERE sequence = 6")
    ended = home.audit("verify")
    assert ended.code == 1
    assert "BROKEN  changed: entry 6 (" in ended.output
    assert "is not what was written" in ended.output
    assert "What to do: change nothing, copy" in ended.output
    assert str(tmp_path / "data" / FILE_NAME) in ended.output
    document = json.loads(home.audit("verify", "--json").output)
    assert not document["whole"]
    (finding,) = document["findings"]
    assert (finding["kind"], finding["first"], finding["last"]) == ("changed", 6, 6)


def test_a_gap_before_a_salvage_is_said_to_be_perhaps_that(home: Home) -> None:
    home.connection.execute("DELETE FROM audit WHERE sequence = 5")
    assert "salvaged" not in home.audit("verify").output
    salvaged = trail.database_salvaged(home.after(5), "malformed", "carehub.db.damaged", {"audit": 6}, {})
    append(home.connection, salvaged)
    ended = home.audit("verify")
    assert ended.code == 1
    assert "removed: entry 5 (after " in ended.output
    assert "(entry 8): what is missing before that entry may have been lost" in ended.output


def test_where_it_begins_after_trimming_is_said(home: Home) -> None:
    old = head(home.connection)
    moment = home.after(60)
    trim(home.connection, home.after(2).at, at=moment.at, stamp=moment.stamp)
    ended = home.audit("verify", "--head", str(old))
    assert ended.code == 0
    assert "begins at 5: those before were trimmed on" in ended.output
    gone = f"2:{'0' * 64}"
    assert "1 of entries that are gone" in home.audit("verify", "--head", gone).output


def test_in_processes_of_their_own_beside_a_hub_that_writes(home: Home) -> None:
    home.connection.execute("BEGIN IMMEDIATE")
    append(home.connection, trail.hub_stopped(home.after(9)))
    ended = carehub("audit", "verify", "--config", home.config)
    assert (ended.code, ended.errors) == (0, "")
    assert "whole: 7 entries" in ended.output
    home.connection.execute("COMMIT")
    home.connection.execute("UPDATE audit SET subject = NULL WHERE sequence = 4")
    ended = carehub("audit", "verify", "--config", home.config)
    assert (ended.code, ended.errors) == (1, "")
    assert "changed: entry 4" in ended.output


def test_options_before_verify_are_refused_and_not_silently_ignored(home: Home) -> None:
    ended = carehub_here("audit", "--config", home.config, "verify")
    assert ended.code == 2
    assert "behind 'verify'" in ended.errors


def test_a_database_without_a_trail_is_said_to_have_none(home: Home) -> None:
    home.connection.execute("DROP TABLE audit")
    ended = home.audit()
    assert ended.code == 1
    assert "has no trail yet" in ended.errors
