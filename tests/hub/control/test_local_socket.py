"""A local socket owns its connections: when it stops, they end, and nothing is left over or logged."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from hub.control import local_socket
from hub.control.control_socket import ControlServer, ask
from hub.control.local_socket import serve
from hub.running.progress import Progress
from hub.running.supervision import keep_running
from tests.rigs.broker import until


async def test_a_connection_that_is_open_when_the_socket_stops_ends_quietly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    opened, left_in_order = asyncio.Event(), asyncio.Event()

    async def converse(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        opened.set()
        try:
            await reader.read()  # until the client hangs up, which it does not
        finally:
            left_in_order.set()

    path = tmp_path / "a.sock"
    with caplog.at_level(logging.DEBUG):
        serving = asyncio.create_task(serve("hub.a", path, converse, longest_line=100))
        async with asyncio.timeout(5):
            while not path.exists():
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_unix_connection(path)
            await opened.wait()
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            assert left_in_order.is_set()
            assert await reader.read() == b""
        writer.close()
        await asyncio.sleep(0)
    assert "Exception" not in caplog.text


async def test_a_socket_that_was_taken_away_is_made_anew_and_its_stage_is_not_well_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_socket, "_LOOKS_EVERY_SECONDS", 0.02)
    path = tmp_path / "control.sock"

    async def answer(_request: object) -> dict[str, object]:
        return {"here": True}

    account = Progress()
    server = account.watched("control socket", ControlServer(path, {"where": answer}).run)
    task = asyncio.create_task(keep_running("control socket", server, least=0.05))
    await until(path.exists)
    assert account.data()["well"]
    path.unlink()
    await until(path.exists)
    assert await asyncio.to_thread(ask, path, "where") == {"here": True}
    assert not account.data()["well"]
    task.cancel()
    await asyncio.wait([task])
