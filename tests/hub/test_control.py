"""The control socket: a real Unix socket, one request and one answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from hub.control import ControlError, ControlServer, ask


async def greet(request: Mapping[str, object]) -> Mapping[str, object]:
    if request.get("name") == "nobody":
        raise ControlError("nobody is not listed; known are R-0412")
    return {"greeting": f"hello {request['name']}"}


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "control.sock"
    serving = asyncio.create_task(ControlServer(path, {"greet": greet}).run())
    async with asyncio.timeout(5):
        while not path.exists() or path.stat().st_mode & 0o077:
            await asyncio.sleep(0.01)
    yield path
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def test_a_request_gets_its_answer(path: Path) -> None:
    assert await asyncio.to_thread(ask, path, "greet", name="ward") == {"greeting": "hello ward"}


async def test_a_refusal_arrives_in_its_own_words(path: Path) -> None:
    with pytest.raises(ControlError, match="nobody is not listed; known are R-0412"):
        await asyncio.to_thread(ask, path, "greet", name="nobody")


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
