"""What the real daemon starts on, and what it refuses to start on."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hub.clock import now
from hub.store.database import FILE_NAME, open_for_writing
from hub.store.lock import only_hub
from hub.store.writer import Writer
from tests.rigs.house import oximeter, write_configuration
from tests.rigs.hub_process import HubProcess, carehub


async def refused(tmp_path: Path) -> str:
    """Run the hub, which must end with 1 and one line; return that line."""
    ended = await asyncio.to_thread(carehub, "run", "--config", write_configuration(tmp_path))
    assert ended.code == 1, ended.errors
    (line,) = ended.errors.splitlines()
    return line


async def test_a_database_of_a_newer_hub_is_refused_in_one_line(tmp_path: Path) -> None:
    connection = open_for_writing(tmp_path / "data" / FILE_NAME)
    connection.execute("PRAGMA user_version = 999")
    connection.execute("PRAGMA application_id = 0")
    connection.close()
    assert "newer hub" in await refused(tmp_path)


async def test_a_file_that_is_no_database_is_kept_aside_and_the_hub_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "data" / FILE_NAME
    path.parent.mkdir()
    path.write_bytes(b"a shopping list" * 1000)
    async with HubProcess(write_configuration(tmp_path)) as hub:
        assert await hub.feed([oximeter(97, now())]) == 1
        assert str(path) in hub.log
    (aside,) = path.parent.glob(f"{FILE_NAME}.damaged*")
    assert aside.read_bytes() == b"a shopping list" * 1000


async def test_a_data_directory_that_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a directory")
    assert "hub.data_directory" in await refused(tmp_path)


async def test_real_data_never_becomes_test_data_nor_test_data_real(tmp_path: Path) -> None:
    """By the change of one key; the rig's house is a test site."""
    async with Writer(tmp_path / "data" / FILE_NAME) as writer:
        await writer.write(lambda transaction: transaction.note_fact("data", "real data"))
    assert "holds real data, and site.test_data = true" in await refused(tmp_path)


async def test_what_it_writes_is_for_its_own_user_only(tmp_path: Path) -> None:
    async with HubProcess(write_configuration(tmp_path)) as hub:
        await hub.feed([oximeter(97, now())])
        for path in hub.config.hub.data_directory.iterdir():
            assert path.stat().st_mode & 0o077 == 0, path


async def test_a_second_hub_on_the_same_data_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async with HubProcess(write_configuration(tmp_path)) as hub:
        assert "another hub runs on this data directory" in await refused(tmp_path)
        assert await hub.feed([oximeter(91, now())]) == 1
        assert await hub.ask("status")


async def test_a_hub_that_was_killed_does_not_lock_out_the_next(tmp_path: Path) -> None:
    async with HubProcess(write_configuration(tmp_path)) as hub:
        await hub.kill()
        with only_hub(hub.config.hub.data_directory):
            pass


def test_a_sensor_with_a_driver_that_there_is_not_is_named(tmp_path: Path) -> None:
    sensor = '[[sensors]]\naddress = "C4:F2:17:00:00:77"\ndriver = "telepathy"\n'
    ended = carehub("run", "--config", write_configuration(tmp_path, sensor))
    assert ended.code == 3
    assert "telepathy" in ended.errors
    assert "Traceback" not in ended.errors
