"""Recorded payloads, fed in as if a sensor had just sent them: through the very same decoders.

A source for engineers, benchmarks and tests. The socket takes lines of `drivers/recording.py`; when
the sender has closed its half, it gets one line back, {"accepted": N, "refused": M}, which is
written only when every accepted payload is committed, and what was gathered of streams too. A bad line
is refused with its number and reason, and the next one is read. Samples of streams that a card that takes
nothing let go, or that could not be stored, count as refused; a line before the last says how many.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from drivers.recording import LONGEST_LINE, RecordingError, parse
from hub.clock import now
from hub.control.local_socket import serve
from hub.readings import RawPayload
from hub.stretch import Fate

_log = logging.getLogger(__name__)
_UNDER_WAY = 200
"""How many payloads of one sender may wait for their commit; then the sender waits."""


class ReplaySocket:
    """A Unix socket that takes recorded payloads."""

    def __init__(
        self,
        path: Path,
        deliver: Callable[[RawPayload], Awaitable[Fate | None]],
        settle: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Serve there.

        Args:
            deliver: is given each payload; returns when it is committed, or gathered as one of a stream,
                and then what becomes of its stretch.
            settle: is asked when a sender has sent all; returns when what was gathered is committed or lost.
        """
        self._path = path
        self._deliver = deliver
        self._settle = settle

    async def run(self) -> None:
        """Serve until cancelled. Raises `LocalSocketError` if the socket cannot be made."""
        await serve("replay.socket", self._path, self._serve, longest_line=LONGEST_LINE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted, refused = 0, 0
        waiting: deque[asyncio.Future[Fate | None]] = deque()
        gathered = Counter[Fate | None]()
        try:
            async for number, line in _lines(reader):
                try:
                    raw = parse(line)
                except RecordingError as error:
                    refused += 1
                    writer.write(_answer({"line": number, "error": str(error)}))
                    await writer.drain()
                    continue
                accepted += 1
                waiting.append(asyncio.ensure_future(self._deliver(raw)))
                if len(waiting) >= _UNDER_WAY:
                    gathered[await waiting.popleft()] += 1
            gathered.update(await asyncio.gather(*waiting))
            if self._settle is not None:
                await self._settle()
            if lost := sum(gathered[fate] for fate in gathered if fate is not None and not fate.is_stored):
                words = f"{lost} sample(s) of streams were not stored: see the hub's log, and send them again"
                writer.write(_answer({"error": words}))
            writer.write(_answer({"accepted": accepted - lost, "refused": refused + lost}))
            await writer.drain()
        except ConnectionError:
            _log.info("replay: the sender hung up after %d payloads", accepted)
        finally:
            writer.close()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    number = 0
    while True:
        number += 1
        try:
            line = await reader.readline()
        except ValueError:  # longer than the limit; asyncio has dropped what it had of it
            yield number, b"(too long)"
            continue
        if not line:
            return
        if line.strip():
            yield number, line


def _answer(words: dict[str, object]) -> bytes:
    return json.dumps(words).encode() + b"\n"


async def paced(
    payloads: Iterable[RawPayload],
    *,
    rate: float | None = None,
    speed: float | None = None,
    restamp: bool = False,
) -> AsyncIterator[RawPayload]:
    """Yield payloads at a pace.

    Args:
        rate: so many a second, evenly; takes precedence over `speed`.
        speed: 1.0 for the speed at which they were recorded, 60.0 for sixty times as fast.
            With neither, as fast as they are taken.
        restamp: give each the time of its sending as its time of receipt.
    """
    loop = asyncio.get_running_loop()
    started, first = loop.time(), None
    for index, raw in enumerate(payloads):
        first = first or raw.received_at
        if rate is not None:
            due = started + index / rate
        elif speed is not None:
            due = started + max(timedelta(0), raw.received_at - first).total_seconds() / speed
        else:
            due = 0.0
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        yield replace(raw, received_at=now()) if restamp else raw
