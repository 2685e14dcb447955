"""The daemon as a process: what becomes of what is under way of a resident who leaves."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path

from drivers.recording import line_of
from drivers.virtual import encoding
from hub.clock import now
from hub.daemon import running
from hub.store.database import FILE_NAME, open_for_writing
from hub.store.people import CareRow, ResidentRow, enter, note_care
from tests.rigs.broker import until
from tests.rigs.enrolling import new_home
from tests.rigs.house import CUFF, ILL, OXIMETER, SHARED, oximeter, raw, write_configuration
from tests.rigs.hub_process import HubProcess

SAM = "Sam Field"
IN_HOSPITAL = {"whereabouts": "in hospital"}


async def test_their_round_is_over_and_what_their_sensor_streamed_until_then_stays_theirs(
    tmp_path: Path,
) -> None:
    async with HubProcess(write_configuration(tmp_path)) as hub:
        await hub.ask("round_open", resident=ILL, kit=None, by=SAM)
        assert hub.config.replay.socket is not None
        _, writer = await asyncio.open_unix_connection(hub.config.replay.socket)
        streamed = [encoding.continuous(97, 60 + number) for number in range(9)]
        samples = [raw(OXIMETER, "pulse_oximeter", each, now(), "2a5f") for each in streamed]
        spot = oximeter(97, now(), device=SHARED).raw
        for payload in (*samples, spot):
            writer.write(line_of(payload).encode() + b"\n")
        await writer.drain()
        await until(lambda: hub.query("SELECT 1 FROM reading"))  # the spot check: all are under way
        await hub.ask("resident_care", resident=ILL, care=IN_HOSPITAL, by=SAM)
        assert (await hub.ask("rounds"))["open"] == []
        assert hub.query("SELECT resident FROM reading ORDER BY sequence") == [(None,), (ILL,)]
        writer.close()
        await until(lambda: hub.query("SELECT 1 FROM audit WHERE what = 'round closed'"))
    assert "Traceback" not in hub.log


async def test_who_was_not_known_at_a_start_without_room_is_known_as_soon_as_there_is(tmp_path: Path) -> None:
    config = new_home(tmp_path)
    async with running(config) as hub:
        with closing(open_for_writing(config.hub.data_directory / FILE_NAME)) as connection:
            enter(connection, ResidentRow("R-0500", "Vera Example", "12", None, 1, None, None, now(), SAM))
            note_care(connection, CareRow(ILL, json.dumps(IN_HOSPITAL), now(), SAM))
        await hub._household.look_again()
        assert hub._household.find("R-0500").entered_by == SAM
        assert hub._enrolment.register.owner_of(CUFF) is None
