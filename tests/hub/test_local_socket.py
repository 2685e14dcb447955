"""A local socket owns its connections: when it stops, they end, and nothing is left over or logged."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from hub.local_socket import serve


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
