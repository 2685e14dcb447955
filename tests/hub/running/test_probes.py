"""What is asked now and then to see whether the hub gets on."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from hub.running import probes
from hub.running.probes import ask_now_and_then
from hub.running.progress import PATIENCE, Progress
from tests.rigs.broker import until


@pytest.mark.parametrize(("reason", "hangs"), [(errno.ENOENT, []), (errno.EMFILE, ["asked"])])
async def test_a_socket_that_is_not_there_is_no_hang_and_one_that_nobody_can_reach_is(
    reason: int, hangs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a descriptor left nothing gets an answer, and a restart gives them back."""
    monkeypatch.setattr(probes, "_EVERY_SECONDS", 0.001)
    socket = tmp_path / "control.sock"
    serving = await asyncio.start_unix_server(lambda _reader, writer: writer.close(), socket)
    account = Progress()
    asking = asyncio.create_task(account.watched("asked", lambda: ask_now_and_then(socket))())
    await until(lambda: "it gets on" in str(account.data()))
    tried = asyncio.Event()

    async def fails(_path: str) -> None:
        tried.set()
        raise OSError(reason, "planted")

    monkeypatch.setattr(asyncio, "open_unix_connection", fails)
    await asyncio.wait_for(tried.wait(), 20)  # what follows the error is done in the same step
    account.look(0.0)
    assert account.look(PATIENCE + 1) == hangs
    asking.cancel()
    serving.close()
