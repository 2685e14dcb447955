"""`carehub staff`: the first manager is entered here, before anybody can sign in."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.cli import carehub
from hub.configuration.file import load
from hub.control.control_socket import ControlServer
from hub.errors import CareportError
from hub.staff.requests import StaffRequests
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.staff import member
from hub.store.writer import Writer
from hub.web import pins
from tests.rigs.house import write_configuration
from tests.rigs.staff_page import CHEAP

PIN = "609418"
MO = ("add", "Mo Manager", "--role", "manager", "--by", "Sam Field")


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Of a home whose daemon answers about staff."""
    monkeypatch.setattr(pins, "Hashes", lambda: CHEAP)
    path = write_configuration(tmp_path)
    config = load(path)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async with Writer(config.hub.data_directory / FILE_NAME, timedelta(0)) as writer:
            server = asyncio.create_task(
                ControlServer(config.hub.control_socket, StaffRequests(writer).handlers).run()
            )
            while not config.hub.control_socket.exists():
                await asyncio.sleep(0)
            ready.set()
            await stop.wait()
            server.cancel()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(30)
    yield path
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


def staff(path: Path, *arguments: str, typed: str = f"{PIN}\n{PIN}\n") -> Result:
    return CliRunner().invoke(carehub, ["staff", *arguments, "--config", str(path)], input=typed)


def test_somebody_is_entered_listed_changed_and_removed(configuration: Path) -> None:
    assert "Nobody may sign in yet" in staff(configuration, "list").output
    assert staff(configuration, *MO).output == "Mo Manager can sign in now, as manager.\n"
    by = ("--by", "Sam Field")
    assert staff(configuration, "add", "Cara Night", "--role", "carer", *by).exit_code == 0
    listed = json.loads(staff(configuration, "list", "--json").output)
    assert [(each["name"], each["role"], each["by"]) for each in listed] == [
        ("Cara Night", "carer", "Sam Field"),
        ("Mo Manager", "manager", "Sam Field"),
    ]
    assert "argon2" not in str(listed)
    changed = staff(configuration, "change", "cara night", "--pin", *by, typed="730251\n730251\n")
    assert "sign in again" in changed.output
    connection = open_for_reading(load(configuration).hub.data_directory / FILE_NAME)
    found = member(connection, "cara night")
    connection.close()
    assert found is not None
    assert CHEAP.fits(found.pin, "730251")
    assert "cannot sign in any more" in staff(configuration, "remove", "Cara Night", *by).output


@pytest.mark.parametrize(
    ("typed", "words"),
    [("123456\n123456\n", "easy to guess"), (f"{PIN}\n609419\n", "two different"), ("", "6 digits")],
)
def test_a_pin_that_is_not_taken_is_said_to_be(configuration: Path, typed: str, words: str) -> None:
    ended = staff(configuration, *MO, typed=typed)
    assert ended.exit_code != 0
    assert words in ended.output
    assert PIN not in ended.output


def test_a_refusal_has_the_daemons_words(configuration: Path) -> None:
    staff(configuration, *MO)
    ended = staff(configuration, "remove", "Mo Manager", "--by", "Sam Field")
    assert isinstance(ended.exception, CareportError)
    assert "only manager" in str(ended.exception)


def test_where_nothing_shall_be_changed_it_asks_what(configuration: Path) -> None:
    ended = staff(configuration, "change", "Mo Manager", "--by", "Sam Field")
    assert ended.exit_code == 2
    assert "--role" in ended.output
