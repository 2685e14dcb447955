"""The control socket: a real Unix socket, one request and one answer."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from hub.control import control_socket as control
from hub.control.control_socket import ControlError, ControlServer, OnAccess, ask
from hub.control.local_socket import Peer


async def greet(request: Mapping[str, object]) -> Mapping[str, object]:
    if request.get("name") == "nobody":
        raise ControlError("nobody is not listed; known are R-0412")
    return {"greeting": f"hello {request['name']}"}


@contextlib.asynccontextmanager
async def served(path: Path, on_access: OnAccess | None = None) -> AsyncIterator[Path]:
    serving = asyncio.create_task(ControlServer(path, {"greet": greet}, on_access).run())
    async with asyncio.timeout(5):
        while not path.exists() or path.stat().st_mode & 0o077:
            await asyncio.sleep(0.01)
    yield path
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    async with served(tmp_path / "control.sock") as path:
        yield path


async def test_a_request_gets_its_answer(path: Path) -> None:
    assert await asyncio.to_thread(ask, path, "greet", name="ward") == {"greeting": "hello ward"}


async def test_a_refusal_arrives_in_its_own_words(path: Path) -> None:
    with pytest.raises(ControlError, match="nobody is not listed; known are R-0412"):
        await asyncio.to_thread(ask, path, "greet", name="nobody")


async def test_a_fault_of_the_hubs_own_is_answered_and_what_it_says_is_in_no_log(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ControlError, match="whether it was done is not certain"):
        await asyncio.to_thread(ask, path, "greet", surname="Example")
    assert "KeyError" in caplog.text
    assert "'name'" not in caplog.text
    assert await asyncio.to_thread(ask, path, "greet", name="ward") == {"greeting": "hello ward"}


async def test_an_unknown_command_names_the_known_ones(path: Path) -> None:
    with pytest.raises(ControlError, match="unknown command 'dance'; known are greet"):
        await asyncio.to_thread(ask, path, "dance")


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"[]\n", b"\xff\xff\n", b'{"command": 5}\n', b"[" * 9999 + b"\n"]
)
async def test_a_malformed_request_is_answered_and_the_server_goes_on(path: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    assert b'"error"' in await reader.readline()
    writer.close()
    assert await asyncio.to_thread(ask, path, "greet", name="ward")


async def test_a_request_beyond_all_bounds_is_dropped_and_the_server_goes_on(path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    with contextlib.suppress(ConnectionError):
        writer.write(b"x" * 1_000_000)
        await writer.drain()
    writer.close()
    assert await asyncio.to_thread(ask, path, "greet", name="ward")


def test_a_hub_that_is_not_running_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"the hub is not running .*carehub run"):
        ask(tmp_path / "none.sock", "greet")


async def test_it_is_told_who_asks_before_a_command_is_done(tmp_path: Path) -> None:
    asked: list[tuple[str, Peer]] = []

    async def note(command: str, peer: Peer) -> None:
        asked.append((command, peer))

    async with served(tmp_path / "control.sock", note) as path:
        await asyncio.to_thread(ask, path, "greet", name="ward")
        with pytest.raises(ControlError):
            await asyncio.to_thread(ask, path, "greet", name="nobody")
        with pytest.raises(ControlError, match="unknown command"):
            await asyncio.to_thread(ask, path, "dance")
        other = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            f"from hub.control.control_socket import ask; ask({str(path)!r}, 'greet', name='ward')",
        )
        assert await other.wait() == 0
    here = Peer(os.getpid(), os.getuid())
    assert asked == [("greet", here), ("greet", here), ("greet", Peer(other.pid, os.getuid()))]


async def test_a_trail_that_cannot_be_written_keeps_nobody_from_acting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(command: str, peer: Peer) -> None:
        raise ControlError("the card is full")

    async with served(tmp_path / "control.sock", full) as path:
        assert await asyncio.to_thread(ask, path, "greet", name="ward") == {"greeting": "hello ward"}
    assert "'greet' by user" in caplog.text
    assert "not in the trail: the card is full" in caplog.text


async def test_a_trail_that_the_card_does_not_come_back_from_keeps_nobody_from_acting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_NOTED_WITHIN", 0.05)

    async def for_ever(_command: str, _peer: Peer) -> None:
        await asyncio.Event().wait()

    async with served(tmp_path / "control.sock", for_ever) as path:
        assert await asyncio.to_thread(ask, path, "greet", name="ward") == {"greeting": "hello ward"}
