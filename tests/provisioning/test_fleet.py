"""Many hubs at once: over real ssh where a machine is asked, and what is made of their answers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub.cli import carehub
from provisioning import fleet, fleet_ask
from provisioning.errors import ProvisioningError
from provisioning.fleet_table import Row, row_of, summary, table
from provisioning.inventory import Hub
from provisioning.machine_words import object_of
from provisioning.remote import Remote
from tests.rigs.site import write_site
from tests.rigs.sshd import Sshd, running_sshd

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def hubs(count: int) -> list[Hub]:
    return [Hub(f"house-{n}.hub-1", f"pi@10.0.0.{n}", Path("site.toml")) for n in range(count)]


# --- what a machine says of itself


def said(**changes: Any) -> dict[str, Any]:
    """A hub that is well."""
    slot = {"version": "1.4.0", "build": "abc", "sha256": "x"}
    return {
        "python": "3.11",
        "keeper": {"in_force": "a", "slots": {"a": slot, "b": None}, "trial": None, "last": None},
        "broker": {"connected": True, "words": "connected"},
        "doctor": [{"part": "disk", "verdict": "pass", "words": "fine", "todo": ""}],
        "certificate_ends": (NOON + timedelta(days=100, hours=1)).timestamp(),
        "disk": {"free": 12_300_000_000, "total": 30_000_000_000},
        **changes,
    }


def test_a_hub_that_is_well_says_so() -> None:
    row = row_of("rose-house.hub-1", "pi@x", said(), NOON)
    assert row == Row(
        "rose-house.hub-1", "pi@x", "1.4.0 (abc)", True, None, 100, (), 12_300_000_000, "", False
    )
    assert summary([row], "are well") == "1 of 1 hubs are well"


def test_what_fails_is_named_with_what_to_do_first() -> None:
    doctor = [
        {"part": "time", "verdict": "warn", "words": "not synchronised", "todo": "look at the router"},
        {"part": "disk", "verdict": "fail", "words": "full", "todo": "have the card exchanged"},
        {"part": "queue", "verdict": "fail", "words": "long", "todo": ""},
    ]
    row = row_of("x", "pi@x", said(doctor=doctor, broker=None), NOON)
    assert row.failed
    assert row.fails == ("disk", "queue")
    assert row.to_do == "have the card exchanged"
    assert row.connected is None
    shown = table([row])
    assert "disk, queue" in shown
    assert "have the card exchanged" in shown


def test_the_last_update_is_told_and_one_that_is_under_way() -> None:
    release = {"version": "1.5.0", "build": "def"}
    keeper = {**said()["keeper"], "last": {"outcome": "rolled back", "to": release}}
    assert row_of("x", "x", said(keeper=keeper), NOON).outcome == "rolled back 1.5.0 (def)"
    keeper["trial"] = {"to": release}
    assert row_of("x", "x", said(keeper=keeper), NOON).outcome == "update under way to 1.5.0 (def)"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"keeper": None, "doctor": None},
        {"keeper": [], "doctor": "no", "broker": 1, "disk": "", "certificate_ends": None},
        {"keeper": {"in_force": None, "slots": {}}, "doctor": [None, 1]},
    ],
)
def test_a_machine_that_says_nothing_useful_is_not_well(wrong: dict[str, Any]) -> None:
    row = row_of("x", "x", wrong, NOON)
    assert row.failed
    assert "carehub provision" in row.to_do
    assert table([row])


@pytest.mark.parametrize(
    "odd",
    [
        {"broker": {"connected": "maybe"}},
        {"broker": {"connected": [1]}},
        {"disk": {"free": "x"}},
        {"disk": {"free": 10**400}},
        {"disk": {"free": True}},
        {"certificate_ends": 1e300},
        {"certificate_ends": float("nan")},
        {"certificate_ends": {}},
        {"doctor": {"findings": 5}},
    ],
)
def test_an_odd_answer_spoils_its_own_row_and_no_other(odd: dict[str, Any]) -> None:
    good, wrong = row_of("good", "x", said(), NOON), row_of("odd", "x", said(**odd), NOON)
    assert wrong.failed
    assert "cannot be read: " in wrong.to_do
    shown = table([good, wrong])
    assert "1.4.0 (abc)" in shown
    assert "cannot be read: " in shown


def test_hostile_words_of_a_machine_reach_no_terminal(tmp_path: Path) -> None:
    """As they come out of its JSON."""
    hostile = "\x1b[2J\x1b]0;mine\x07\r\nrow" * 1000
    slot = {"version": hostile, "build": hostile}
    doctor = [{"part": hostile, "verdict": "fail", "words": hostile}]
    answer = said(keeper={"in_force": "a", "slots": {"a": slot}, "last": {"outcome": hostile}}, doctor=doctor)
    row = row_of("x", "x", object_of(json.dumps(answer)), NOON)
    lines = table([row]).splitlines()
    assert len(lines) == 3, "one row"
    assert all(line.isprintable() and len(line) < 600 for line in lines)
    assert row.to_do.isprintable()


def test_a_release_that_cannot_be_put_there_leaves_nothing_behind(tmp_path: Path) -> None:
    """The line of shell that goes to the machine, with another directory than /var/tmp."""
    old = tmp_path / "carehub-provisioning.oldone"
    old.mkdir()
    os.utime(old, (0, 0))
    send = ["sh", "-c", "ulimit -f 100; " + fleet._SEND.replace("/var/tmp", str(tmp_path))]
    ended = subprocess.run(send, input=b"x" * 1_000_000, capture_output=True, check=False)
    assert ended.returncode != 0
    assert list(tmp_path.iterdir()) == []
    ended = subprocess.run(send, input=b"x" * 1000, capture_output=True, check=True)
    assert Path(ended.stdout.decode()).read_bytes() == b"x" * 1000


def test_the_question_asks_every_part_and_bears_with_those_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, prints in (
        ("carehub", '[{"part": "disk", "verdict": "pass"}]'),
        ("keeper", '{"in_force": "a"}'),
    ):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho '{prints}'\nexit 1\n")
        program.chmod(0o700)
        monkeypatch.setattr(fleet_ask, f"_{name.upper()}", str(program))
    monkeypatch.setattr(fleet_ask, "_DATA", str(tmp_path))
    fleet_ask.main([])
    found = json.loads(capsys.readouterr().out)
    assert found["doctor"] == [{"part": "disk", "verdict": "pass"}]
    assert found["keeper"] == {"in_force": "a"}
    assert found["disk"]["free"] > 0
    assert found["broker"] is found["certificate_ends"] is None
    fleet_ask.main(["brief"])
    assert json.loads(capsys.readouterr().out)["doctor"] is None


def test_a_hub_that_has_started_just_now_is_asked_until_it_has_its_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_ask, "_SOCKET", str(tmp_path / "control.sock"))
    monkeypatch.setattr(fleet_ask, "_LOOK_SECONDS", 0.01)
    answers = [{"connected": False, "words": "not connected yet"}, {"connected": True, "words": "connected"}]
    with socket.create_server(str(tmp_path / "control.sock"), family=socket.AF_UNIX) as listening:

        def answer() -> None:
            for broker in answers:
                with listening.accept()[0] as connection:
                    connection.recv(100)
                    connection.sendall(json.dumps({"result": {"broker": broker}}).encode() + b"\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert fleet_ask.linked() == answers[1]
        thread.join(10)
    monkeypatch.setattr(fleet_ask, "_LINK_SECONDS", 0.0)
    assert fleet_ask.linked() is None, "nobody answers any more"


# --- many at once


def test_so_many_are_worked_on_at_once_and_each_has_its_row_in_order() -> None:
    together = threading.Barrier(4)

    def work(hub: Hub, tell: fleet.Tell) -> Row:
        together.wait(10)  # passes only where four are at it
        tell("done\nand gone")
        return Row(hub.name, hub.target)

    told: list[str] = []
    rows = fleet.everywhere(hubs(8), work, told.append, 4)
    assert [row.name for row in rows] == [hub.name for hub in hubs(8)]
    assert sorted(told)[:2] == ["house-0.hub-1: and gone", "house-0.hub-1: done"]


def test_what_happens_to_one_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def work(hub: Hub, tell: fleet.Tell) -> Row:
        if hub.name.startswith("house-1"):
            raise ProvisioningError(f"{hub.target}: it cannot be reached")
        if hub.name.startswith("house-2"):
            raise ZeroDivisionError
        return Row(hub.name, hub.target)

    told: list[str] = []
    rows = fleet.everywhere(hubs(4), work, told.append, 2)
    assert [row.failed for row in rows] == [False, True, True, False]
    assert rows[1].to_do == "it cannot be reached"
    assert "house-1.hub-1: failed: it cannot be reached" in told
    assert "fault of this program" in rows[2].to_do
    assert summary(rows, "are well") == "2 of 4 hubs are well; look after house-1.hub-1, house-2.hub-1"


@pytest.mark.parametrize(("bad", "begun"), [("house-0", 2), ("house-3", 6), ("none", 6)])
def test_canaries_go_first_and_the_others_only_if_those_kept_it(bad: str, begun: int) -> None:
    seen: list[str] = []

    def work(hub: Hub, tell: fleet.Tell) -> Row:
        seen.append(hub.name)
        return Row(hub.name, hub.target, failed=hub.name.startswith(bad))

    told: list[str] = []
    rows = fleet.in_waves(hubs(6), work, told.append, 8, 2)
    assert len(seen) == begun
    assert set(seen[:2]) == {"house-0.hub-1", "house-1.hub-1"}
    assert len(rows) == 6
    assert all(row.failed for row in rows[2:]) == (begun == 2)


@pytest.fixture(autouse=True)
def hears_ctrl_c() -> Iterator[None]:
    """As in a terminal: what a shell runs in the background has SIGINT ignored, and so have its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class CtrlC:
    """Somebody who presses it while the first machine is worked on, and is told what that does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[str] = []
        self._waits, self._heard = threading.Event(), threading.Event()
        monkeypatch.setattr(fleet, "wait", self._wait)

    def _wait(self, *arguments: Any) -> Any:
        self._waits.set()
        return wait(*arguments)

    @staticmethod
    def press() -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)

    def work(self, hub: Hub, tell: fleet.Tell) -> Row:
        assert self._waits.wait(10)
        self.press()
        assert self._heard.wait(10)
        return Row(hub.name, hub.target, outcome="done whole")

    def tell(self, words: str) -> None:
        self.told.append(words)
        self._heard.set()


def test_after_ctrl_c_no_other_is_begun_and_what_was_done_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    one = CtrlC(monkeypatch)
    rows = fleet.everywhere(hubs(3), one.work, one.tell, 1)
    assert [row.outcome for row in rows] == ["done whole", *["not begun: interrupted"] * 2]
    assert [row.failed for row in rows] == [False, True, True]
    assert "interrupted" in one.told[0]


def test_ctrl_c_in_the_canaries_time_begins_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    one = CtrlC(monkeypatch)
    rows = fleet.in_waves(hubs(3), one.work, one.tell, 4, 1)
    assert [row.outcome for row in rows] == ["done whole", *["not begun: interrupted"] * 2]


# --- over ssh


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    directory = tmp_path / "sshd"
    directory.mkdir()
    with running_sshd(directory) as server:
        yield server


def test_the_second_ctrl_c_cuts_off_what_is_under_way(server: Sshd) -> None:
    def work(hub: Hub, tell: fleet.Tell) -> Row:
        with Remote(server.target, server.reach()) as remote:
            for _ in remote.lines("echo begun; sleep 60", b""):
                CtrlC.press()
        return Row(hub.name, hub.target)

    def tell(words: str) -> None:
        if words.startswith("interrupted"):
            CtrlC.press()

    row, other = fleet.everywhere(hubs(2), work, tell, 1)
    assert "was cut off from here" in row.to_do
    assert other.to_do == "not begun: interrupted"


def test_a_machine_is_asked_over_ssh_and_one_that_is_not_there_stops_nothing(
    tmp_path: Path, server: Sshd
) -> None:
    """This machine, which is no hub: that is said of it; nobody listens at the other's port."""
    options = json.dumps(server.reach().options)
    text = f'[defaults]\nidentity = "{server.directory}/key"\nssh_options = {options}\n'
    for name, port in (("rose-house", server.port), ("oak-house", 1)):
        (tmp_path / f"{name}.toml").write_text(f'[site]\nid = "{name}"\n[hub]\nid = "hub-1"\n')
        text += f'[[hubs]]\ntarget = "{server.target}"\nport = {port}\nsite = "{name}.toml"\n'
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    ended = CliRunner().invoke(carehub, ["fleet", "status", str(path), "--json"])
    assert ended.exit_code == 1
    rows = json.loads(ended.stdout)
    assert [row["name"] for row in rows] == ["rose-house.hub-1", "oak-house.hub-1"]
    assert rows[0]["to_do"] == "no release is in force: carehub provision"
    assert "no SSH" in rows[1]["to_do"]
    assert "oak-house.hub-1: failed: " in ended.stderr
    shown = CliRunner().invoke(carehub, ["fleet", "status", str(path), "--only", "oak-house.hub-1"])
    assert shown.exit_code == 1
    assert "0 of 1 hubs are well; look after oak-house.hub-1" in shown.stdout


def test_provision_begins_no_others_where_a_canary_fails(tmp_path: Path) -> None:
    """Here the first one's bundle is none; nothing is asked of a machine for that."""
    text = '[defaults]\nbundle = "none.bundle"\n'
    (tmp_path / "none.bundle").write_text("no bundle")
    for name in ("rose-house", "oak-house"):
        site = write_site(tmp_path).read_text().replace("rose-house", name)
        (tmp_path / f"{name}.toml").write_text(site)
        text += f'[[hubs]]\ntarget = "pi@{name}.invalid"\nsite = "{name}.toml"\n'
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    asked = ["fleet", "provision", str(path), "--canary", "1"]
    ended = CliRunner().invoke(carehub, [*asked, "--json"])
    assert ended.exit_code == 1, ended.output
    assert [row["outcome"] for row in json.loads(ended.stdout)] == [
        "failed",
        "not begun: one of the first failed",
    ]
    shown = CliRunner().invoke(carehub, asked)
    assert "0 of 2 hubs have what they are to have; look after rose-house.hub-1" in shown.stdout


def test_a_wrong_fleet_file_is_a_configuration_error(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text("[[hubs]]\n")
    ended = CliRunner().invoke(carehub, ["fleet", "status", str(path)])
    assert "hubs[0].target" in str(ended.exception)
    assert "hubs[0].site" in str(ended.exception)
