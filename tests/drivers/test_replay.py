"""The replay socket: a real Unix socket, lines in, payloads out."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drivers.replay import ReplaySocket, paced
from hub.control.local_socket import LocalSocketError
from hub.readings import RawPayload
from hub.stretch import Fate

LINE = (
    json.dumps({"device": "C4:F2:17:00:00:01", "driver": "blood_pressure", "payload": "00"}).encode() + b"\n"
)
Send = Callable[[bytes], Awaitable[list[dict[str, object]]]]


@contextlib.asynccontextmanager
async def served(
    path: Path,
    deliver: Callable[[RawPayload], Awaitable[Fate | None]],
    settle: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Send]:
    serving = asyncio.create_task(ReplaySocket(path, deliver, settle).run())
    async with asyncio.timeout(5):
        while not path.exists() or path.stat().st_mode & 0o077:
            await asyncio.sleep(0.01)

    async def send(text: bytes) -> list[dict[str, object]]:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(text)
        writer.write_eof()
        answers = [json.loads(line) for line in (await reader.read()).splitlines()]
        writer.close()
        return answers

    try:
        yield send
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def test_payloads_arrive_in_order_and_are_counted(tmp_path: Path) -> None:
    got: list[RawPayload] = []

    async def deliver(raw: RawPayload) -> None:
        got.append(raw)

    lines = b"".join(
        json.dumps({"device": "a", "driver": "b", "payload": f"{n:04x}"}).encode() + b"\n"
        for n in range(3000)
    )
    async with served(tmp_path / "replay.sock", deliver) as send:
        assert await send(lines) == [{"accepted": 3000, "refused": 0}]
    assert [int.from_bytes(raw.payload, "big") for raw in got] == list(range(3000))


async def test_a_bad_line_is_refused_with_its_number_and_the_next_is_read(tmp_path: Path) -> None:
    got: list[RawPayload] = []

    async def deliver(raw: RawPayload) -> None:
        got.append(raw)

    async with served(tmp_path / "replay.sock", deliver) as send:
        answers = await send(LINE + b"nonsense\n" + b"x" * 200_000 + b"\n" + LINE)
    assert answers[0]["line"] == 2
    assert answers[-1]["accepted"] == 2
    assert len(got) == 2


async def test_the_count_is_answered_only_when_every_payload_is_committed(tmp_path: Path) -> None:
    committed = asyncio.Event()

    async def deliver(raw: RawPayload) -> None:
        await committed.wait()

    async with served(tmp_path / "replay.sock", deliver) as send:
        answer = asyncio.ensure_future(send(LINE))
        await asyncio.wait([answer], timeout=0.2)
        assert not answer.done()
        committed.set()
        assert await answer == [{"accepted": 1, "refused": 0}]


async def test_only_the_owner_may_speak_to_the_socket(tmp_path: Path) -> None:
    async def deliver(raw: RawPayload) -> None: ...

    path = tmp_path / "replay.sock"
    async with served(path, deliver):
        assert path.stat().st_mode & 0o777 == 0o600


async def test_a_socket_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    async def deliver(raw: RawPayload) -> None: ...

    (tmp_path / "file").touch()
    with pytest.raises(LocalSocketError, match=r"replay\.socket: .*file/replay\.sock cannot be made"):
        await ReplaySocket(tmp_path / "file" / "replay.sock", deliver).run()


async def test_recorded_speed_keeps_the_gaps_and_restamping_gives_new_times() -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    payloads = [RawPayload("a", "b", b"x", start + timedelta(seconds=s)) for s in (0, 1, 3)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    out, gaps = [], []
    async for raw in paced(payloads, speed=20.0, restamp=True):
        out.append(raw)
        gaps.append(loop.time() - began)
    assert gaps[1] >= 0.05
    assert gaps[2] >= 0.15
    assert all(raw.received_at.year >= 2026 for raw in out)


async def test_a_rate_spreads_payloads_evenly_whatever_their_times() -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    loop = asyncio.get_running_loop()
    began = loop.time()
    sent = [raw async for raw in paced([RawPayload("a", "b", b"x", start)] * 11, rate=100.0)]
    assert len(sent) == 11
    assert loop.time() - began >= 0.1


async def test_what_was_gathered_is_settled_before_the_answer(tmp_path: Path) -> None:
    happened: list[str] = []

    async def deliver(raw: RawPayload) -> None:
        happened.append(raw.driver)

    async def settle() -> None:
        await asyncio.sleep(0.01)
        happened.append("settled")

    async with served(tmp_path / "replay.sock", deliver, settle) as send:
        assert await send(LINE * 2) == [{"accepted": 2, "refused": 0}]
    assert happened == ["blood_pressure", "blood_pressure", "settled"]


async def test_samples_whose_stretch_was_not_stored_are_not_accepted(tmp_path: Path) -> None:
    lost, stored = Fate(), Fate()
    fates = iter([lost, None, stored, lost])

    async def deliver(raw: RawPayload) -> Fate | None:
        return next(fates)

    async def settle() -> None:
        lost.is_stored, stored.is_stored = False, True

    async with served(tmp_path / "replay.sock", deliver, settle) as send:
        said, counted = await send(LINE * 4)
    assert str(said["error"]).startswith("2 sample(s) of streams were not stored")
    assert counted == {"accepted": 2, "refused": 2}
