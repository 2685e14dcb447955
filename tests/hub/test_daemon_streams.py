"""The daemon as a process, fed with a stream."""

from __future__ import annotations

from pathlib import Path

from drivers.stretch import unpack
from drivers.virtual import encoding
from hub.clock import now
from tests.rigs.house import OXIMETER, decoded, raw, write_configuration
from tests.rigs.hub_process import HubProcess


async def test_a_replayed_stream_is_on_the_card_when_the_replay_is_answered(tmp_path: Path) -> None:
    payloads = [encoding.continuous(97, 60 + number) for number in range(20)]
    async with HubProcess(write_configuration(tmp_path)) as hub:
        samples = [decoded(raw(OXIMETER, "pulse_oximeter", each, now(), "2a5f")) for each in payloads]
        assert await hub.feed(samples) == 20
        ((kept,),) = hub.query("SELECT payload FROM reading")
        assert [payload for _, payload in unpack(kept)] == payloads
