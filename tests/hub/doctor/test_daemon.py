"""What the doctor makes of the daemon's answers, and of none."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hub import __version__
from hub.configuration.file import load
from hub.doctor import examine
from hub.doctor.daemon import Asked, asked, daemon
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS
from tests.rigs.house import write_configuration

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
LINK = {"connected": True, "words": "connected to the broker", "nobody_listens": False}


def found(**said: Any) -> Mapping[str, Finding]:
    """What is found of a daemon that says this."""
    answered = Asked({"version": __version__, "broker": LINK, **said})
    return {each.part: each for each in daemon(answered)}


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that any user may reach, which pytest's are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_stages_that_get_on_pass_and_one_that_does_not_is_named() -> None:
    well = {"well": True, "words": "got on 1 s ago"}
    stuck = {"well": False, "words": "has not got on for 95 s"}
    assert found(progress={"well": True, "stages": {"store": well}})["progress"].verdict is PASS
    finding = found(progress={"well": False, "stages": {"store": well, "reception": stuck}})["progress"]
    assert (finding.verdict, finding.words) == (FAIL, "reception: has not got on for 95 s")
    assert "progress" not in found()


def test_a_daemon_of_another_release_than_is_installed_is_to_be_started_anew() -> None:
    finding = found(version="0.0.9")["daemon"]
    assert finding.verdict is WARN
    assert "systemctl restart carehub" in finding.todo
    assert found()["daemon"].verdict is PASS


async def test_a_hub_that_takes_the_question_and_does_not_answer_is_a_failure_within_seconds(
    tmp_path: Path,
) -> None:
    config = load(write_configuration(tmp_path))
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(config.hub.control_socket))
        hung.listen()
        said = await asked(config, seconds=0.5)
    (finding,) = daemon(said)
    assert finding.verdict is FAIL
    assert "does not answer within 0.5 s" in finding.words
    assert "systemctl restart carehub" in finding.todo


def test_who_may_not_look_is_warned_of_each_part_and_told_what_to_run(open_to_all: Path) -> None:
    """In a process of a user without rights, which a test as root has to make."""
    path = write_configuration(open_to_all)
    path.chmod(0o644)
    config = load(path)
    house = config.hub.data_directory
    house.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(config.hub.control_socket))
        theirs.listen()
        config.hub.control_socket.chmod(0)
        house.chmod(0)
        hub = os.fork()
        if hub == 0:
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setuid(65534)
                findings = asyncio.run(examine(config, path))
                blind = {each.part for each in findings if each.todo == WITH_RIGHTS}
                known = blind >= {"daemon", "database", "sensors", "firewall", "broker authorisation"}
                failed = {each.part for each in findings if each.verdict is FAIL}
                os._exit(0 if known and failed <= {"broker's port", "network", "name servers"} else 1)
            except BaseException:  # noqa: BLE001  # it must not go on as a second pytest
                traceback.print_exc()
                os._exit(2)
        ended = os.waitstatus_to_exitcode(os.waitpid(hub, 0)[1])
        house.chmod(0o700)
        assert ended == 0


@pytest.mark.parametrize("trouble", ["full", "read-only", "failing"])
def test_a_card_that_takes_nothing_is_a_failure(trouble: str) -> None:
    finding = found(card=trouble)["card"]
    assert finding.verdict is FAIL
    assert finding.words.startswith(f"{trouble}: nothing is stored")
    assert "card" not in found(card="well")


def test_a_link_on_which_nothing_of_the_ics_can_arrive_is_a_failure_with_what_to_do() -> None:
    refused = {"careport/v1/rose-house/hub-1/ack": "Not authorized"}
    finding = found(broker={**LINK, "unsubscribed": refused})["link to the ICS"]
    assert finding.verdict is FAIL
    assert "what is acknowledged there does not arrive" in finding.words
    assert "carehub ca access" in finding.todo
    assert found(broker={**LINK, "unsubscribed": {}})["link to the ICS"].verdict is PASS


def test_a_release_that_the_centre_names_and_cannot_arrive_is_told_as_that() -> None:
    refused = {"careport/v1/rose-house/hub-1/update": "Not authorized"}
    finding = found(broker={**LINK, "unsubscribed": refused})["link to the ICS"]
    assert finding.verdict is FAIL
    assert "acknowledged" not in finding.words
    assert "carehub ca access" in finding.todo


def test_a_hub_whose_status_the_broker_refuses_is_not_well_though_it_is_connected() -> None:
    finding = found(broker={**LINK, "status_refused": "Not authorized"})["link to the ICS"]
    assert finding.verdict is FAIL
    assert "carehub ca access" in finding.todo
    assert found(broker={**LINK, "status_refused": None})["link to the ICS"].verdict is PASS
