"""The daemon drives the beacon: on while an alert waits, off when somebody takes it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hub.alerts import ladders
from hub.clock import now
from hub.configuration.file import load
from hub.daemon import running
from tests.rigs.broker import until
from tests.rigs.house import oximeter, write_configuration


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladders, "_SECONDS", 0.01)


async def test_it_calls_from_the_alert_to_its_acknowledgement(tmp_path: Path) -> None:
    lamp = tmp_path / "lamp"
    lamp.write_text("")
    beacon = f'[beacon]\noutput = "file"\nwrite_to = "{lamp}"\n'
    async with running(load(write_configuration(tmp_path, beacon))) as hub:
        runs = asyncio.create_task(hub.run())
        try:
            await until(lambda: lamp.read_text() == "0\n")
            await hub._reception.accept(oximeter(84, now()).raw)
            await until(lambda: lamp.read_text() == "1\n")
            status = await hub._requests.status({})
            assert status["beacon"] == {"calls": "single_red", "trouble": None}
            (alert,) = await hub._writer.write(lambda transaction: transaction.open_alerts())
            await hub._requests.acknowledge({"alert": str(alert.id), "by": "Sam"})
            await until(lambda: hub._beacon.data() == {"calls": None, "trouble": None})
            await until(lambda: lamp.read_text() == "0\n")
        finally:
            runs.cancel()
            await asyncio.wait([runs])
    assert lamp.read_text() == "0\n"


async def test_a_beacon_that_is_not_there_keeps_no_alert_from_being_raised(tmp_path: Path) -> None:
    beacon = f'[beacon]\noutput = "file"\nwrite_to = "{tmp_path / "ttyUSB9"}"\n'
    async with running(load(write_configuration(tmp_path, beacon))) as hub:
        runs = asyncio.create_task(hub.run())
        try:
            await hub._reception.accept(oximeter(84, now()).raw)
            assert len(await hub._writer.write(lambda transaction: transaction.open_alerts())) == 1
            await until(lambda: "is the beacon plugged in" in str(hub._beacon.data()))
        finally:
            runs.cancel()
            await asyncio.wait([runs])
