"""The daemon is asked over a real socket; what it does not do is said so that a carer knows what is saved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hub.control.control_socket import ControlError, ControlServer
from hub.control.local_socket import serve
from hub.residents.table import LONGEST_TABLE
from hub.web.asking import Asking, RefusedError, SilentHubError

Request = Mapping[str, object]


@asynccontextmanager
async def listening(path: Path, served: asyncio.Task[None]) -> AsyncIterator[None]:
    while not path.exists():
        await asyncio.sleep(0)
    yield
    served.cancel()


async def echo(request: Request) -> Request:
    return {"heard": dict(request)}


async def refuse(_request: Request) -> Request:
    raise ControlError("Nobody of that name lives here.")


async def test_what_is_asked_arrives_with_the_name_of_who_asks(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    server = asyncio.create_task(ControlServer(path, {"observe": echo}).run())
    async with listening(path, server):
        answer = await Asking(path).ask("observe", by="Zoë", rate=16)
    assert answer == {"heard": {"command": "observe", "by": "Zoë", "rate": 16}}


async def test_a_refusal_has_the_daemons_own_words(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    server = asyncio.create_task(ControlServer(path, {"observe": refuse}).run())
    async with listening(path, server):
        with pytest.raises(RefusedError, match="Nobody of that name lives here"):
            await Asking(path).ask("observe", by="Cara")


async def test_where_it_does_not_run_nothing_was_saved(tmp_path: Path) -> None:
    with pytest.raises(SilentHubError, match="Nothing was saved"):
        await Asking(tmp_path / "control.sock").ask("status")


async def test_where_it_does_not_answer_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    for conversation in (silent, hangs_up):
        server = asyncio.create_task(serve("test", path, conversation, longest_line=1000))
        async with listening(path, server):
            with pytest.raises(SilentHubError, match="It is not known whether this was saved"):
                await Asking(path, patience_seconds=1.0).ask("status")
        path.unlink()


async def test_what_is_too_long_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="too long"):
        await Asking(tmp_path / "control.sock").ask("residents_import", csv="x" * 530_000)


async def test_the_longest_table_arrives_whatever_letters_are_in_it(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    server = asyncio.create_task(ControlServer(path, {"residents_import": echo}).run())
    async with listening(path, server):
        answer = await Asking(path).ask("residents_import", csv="é" * LONGEST_TABLE)
    assert len(answer["heard"]["csv"]) == LONGEST_TABLE


@pytest.mark.parametrize("answer", [b'{"result": {"ver', b"[]", b'{"result": 7}\n', b"{}\n"])
async def test_half_an_answer_is_none(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "control.sock"

    async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = asyncio.create_task(serve("test", path, ended, longest_line=1000))
    async with listening(path, server):
        with pytest.raises(SilentHubError, match="It is not known whether this was saved"):
            await Asking(path).ask("status")
