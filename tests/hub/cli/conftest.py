"""One running hub for all tests of the command line, with something to look at."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from hub.clock import now
from tests.rigs.broker import free_port
from tests.rigs.house import OXIMETER, SHARED, cuff, decoded, oximeter, raw, write_configuration
from tests.rigs.hub_process import HubProcess


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A hub with an open alert of R-0412, a reading that waits for a person, and one that is undecodable."""
    directory = tmp_path_factory.mktemp("hub")
    hub = HubProcess(write_configuration(directory, port=free_port(), model=""))

    async def begin() -> None:
        await hub.start()
        moment = now()
        await hub.feed([cuff(121, moment), oximeter(91, moment, pulse=77)])
        await hub.feed([oximeter(66, moment, device=SHARED)])
        await hub.feed([decoded(raw(OXIMETER, "pulse_oximeter", b"\x00\x61", moment))])

    asyncio.run(begin())
    yield hub
    asyncio.run(hub.kill())


@pytest.fixture
def alert(hub: HubProcess) -> str:
    """The id of the open alert."""
    return str(hub.query("SELECT lower(hex(id)) FROM alert WHERE resolved_at IS NULL")[0][0])


@pytest.fixture
def long_ago() -> datetime:
    """A time before all that the hub knows."""
    return datetime(2020, 1, 1, tzinfo=UTC)
