"""A borough's broker comes back: its hubs must not all knock at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from time import monotonic

from hub.configuration import file as config
from hub.demo.mosquitto import Mosquitto
from hub.store.outbox import OutboxRow
from hub.uplink.cloudevents import Event
from hub.uplink.forwarder import Forwarder
from tests.faults.hub import Hub
from tests.faults.links import QuietMosquitto
from tests.faults.report import Row, Verdict
from tests.faults.stage import Run
from tests.rigs.forwarding import MemoryOutbox, status_event, topic_of

_PATIENCE_SECONDS = 120.0
_AWAY_SECONDS = (0.0, 10.0)


def scenarios(run: Run) -> Iterator[Row]:
    """Many forwarders with the product's own delays lose one broker, which comes back."""
    logging.getLogger("hub").setLevel(logging.ERROR)  # each would say that its broker is gone
    for away in _AWAY_SECONDS:
        directory = Path(tempfile.mkdtemp(dir=run.directory))
        with QuietMosquitto(directory / "broker") as broker:
            moments = asyncio.run(_storm(run.scale.storm_hubs, broker, away))
        busiest = max(sum(begin <= moment < begin + 1 for moment in moments) for begin in moments)
        yield Row(
            system=Hub.name,
            scenario=f"{run.scale.storm_hubs} hubs, their broker away for {away:g} s",
            confirmed="",
            lost="",
            duplicates="",
            remarks=f"back {_spread(moments)} s after the broker; {busiest} in the busiest second",
            verdict=Verdict.TOLD,
        )


async def _storm(hubs: int, broker: Mosquitto, away: float) -> list[float]:
    """Seconds from the broker's return until each hub was connected again."""
    async with contextlib.AsyncExitStack() as running:
        forwarders = [await running.enter_async_context(_running(number, broker)) for number in range(hubs)]
        await _until(lambda: all(each.status().connected for each in forwarders))
        await asyncio.sleep(3)  # as long as a connection must last to count as a good one, by default
        broker.stop()
        await _until(lambda: not any(each.status().connected for each in forwarders))
        await asyncio.sleep(away)
        broker.start()
        began = monotonic()
        back: dict[int, float] = {}
        while len(back) < hubs:
            if monotonic() - began > _PATIENCE_SECONDS:
                raise TimeoutError(f"only {len(back)} of {hubs} came back")
            for number, forwarder in enumerate(forwarders):
                if forwarder.status().connected:
                    back.setdefault(number, monotonic() - began)
            await asyncio.sleep(0.01)
    return sorted(back.values())


@contextlib.asynccontextmanager
async def _running(number: int, broker: Mosquitto) -> AsyncIterator[Forwarder]:
    async def nothing(_: Sequence[OutboxRow] | Event) -> None:
        """Nobody has to be told."""

    forwarder = Forwarder(
        config.Broker.model_validate({"host": broker.host, "port": broker.port, "tls": False}),
        f"hub-{number}",
        MemoryOutbox(),
        topic_of=topic_of,
        status_event=status_event,
        on_delivered=nothing,
        on_acknowledgement=nothing,
    )
    task = asyncio.create_task(forwarder.run())
    try:
        yield forwarder
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


def _spread(moments: Sequence[float]) -> str:
    """The first, the middle and the last."""
    return f"{moments[0]:.1f} / {moments[len(moments) // 2]:.1f} / {moments[-1]:.1f}"
