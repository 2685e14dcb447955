"""A hub whose card gives no page to a read: what is in memory is told, and the rest when the card is back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hub.clock import now
from hub.configuration.file import load
from hub.daemon import running
from hub.store import delivery
from hub.store.delivery import CardOutbox
from tests.hub.uplink.test_unkept import raised
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.house import oximeter, write_configuration
from tests.rigs.stalling_card import StallingCard


async def test_an_alert_in_memory_is_told_while_the_outbox_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "READ_WITHIN", 0.2)
    with Mosquitto(tmp_path / "broker") as broker, Ics(broker) as ics:
        async with running(load(write_configuration(tmp_path, port=broker.port))) as hub:
            runs = asyncio.create_task(hub.run())
            try:
                await until(lambda: hub._forwarder.status().connected)
                outbox = hub._outbox._card
                assert isinstance(outbox, CardOutbox)
                card = StallingCard(outbox._connection)
                outbox._opened = card  # type: ignore[assignment]  # it is one, but for what it keeps
                card.stall("SELECT")
                await hub._reception.accept(oximeter(97, now()).raw)
                await until(card.reached.is_set)
                hub._outbox.tell([raised("from memory")])
                await until(lambda: ics.on("alert"))
                assert ics.on("alert")[0].user_properties["committed"] == "false"
                assert ics.on("observation") == []
                assert hub.progress.data()["well"]
                card.come_back()
                await until(lambda: ics.on("observation"))
            finally:
                runs.cancel()
                await asyncio.wait([runs])
