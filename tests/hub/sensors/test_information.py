"""What sensors say of themselves is kept, the newest of each thing, and written only where it is news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.bluetooth.device_information import DeviceInformation
from hub.sensors.information import SensorInformation
from hub.store.database import FILE_NAME
from hub.store.errors import NotCommittedError
from hub.store.sensors import InformationRow, information
from hub.store.writer import Writer

CUFF, OTHER = "C4:F2:17:00:00:01", "C4:F2:17:00:00:02"


class Home:
    """A writer, what it was given to write, and who is enrolled."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.enrolled = {CUFF, OTHER}
        self.book = SensorInformation(writer, {}, self.enrolled.__contains__)

    async def kept(self) -> dict[str, InformationRow]:
        """As a restart finds it."""
        await asyncio.gather(*self.book._keeping)
        return dict(await self.writer.write(lambda transaction: information(transaction.connection)))


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with Writer(tmp_path / FILE_NAME, reserve_bytes=0) as writer:
        yield Home(writer)


async def test_what_one_link_tells_is_added_to_what_another_told(home: Home) -> None:
    home.book.learned(CUFF, DeviceInformation(battery=80))
    home.book.learned(CUFF, DeviceInformation(model="UA-651", firmware="1.0"))
    home.book.learned(CUFF, DeviceInformation(firmware="1.1"))
    whole = DeviceInformation(battery=80, model="UA-651", firmware="1.1")
    assert (await home.kept())[CUFF].information == whole
    again = await SensorInformation.load(home.writer, home.enrolled.__contains__)
    told = again.of(CUFF)
    assert told is not None
    assert told.information == whole
    assert again.of(OTHER) is None


async def test_when_the_battery_was_first_told_to_have_so_much_is_kept(home: Home) -> None:
    home.book.learned(CUFF, DeviceInformation(firmware="1.0"))
    assert (await home.kept())[CUFF].battery_at is None
    home.book.learned(CUFF, DeviceInformation(battery=80))
    first = (await home.kept())[CUFF].battery_at
    assert first is not None
    home.book.learned(CUFF, DeviceInformation(battery=80, firmware="1.1"))
    assert (await home.kept())[CUFF].battery_at == first
    home.book.learned(CUFF, DeviceInformation(battery=79))
    later = (await home.kept())[CUFF].battery_at
    assert later is not None
    assert later > first


async def test_what_is_no_news_wears_no_card(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    said = DeviceInformation(battery=80, clock_ahead=timedelta(seconds=100))
    home.book.learned(CUFF, said)
    await home.kept()
    begun = set(home.book._keeping)
    home.book.learned(CUFF, said)
    home.book.learned(CUFF, DeviceInformation(clock_ahead=timedelta(seconds=110)))
    assert set(home.book._keeping) == begun
    home.book.learned(CUFF, DeviceInformation(clock_ahead=timedelta(seconds=140)))
    assert (await home.kept())[CUFF].information.clock_ahead == timedelta(seconds=140)


async def test_of_a_sensor_that_was_forgotten_nothing_is_kept(home: Home) -> None:
    home.book.learned(CUFF, DeviceInformation(battery=80))
    home.enrolled.discard(CUFF)
    home.book.forget(CUFF)
    home.book.learned(CUFF, DeviceInformation(battery=70))
    assert await home.kept() == {}
    assert home.book.of(CUFF) is None
    home.enrolled.add(CUFF)
    assert home.book.of(CUFF) is None, "nor when it is enrolled anew"


async def test_what_a_full_card_did_not_take_is_stored_when_it_is_said_again(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_writer: Writer, _work: object, **_how: object) -> None:
        raise NotCommittedError(tmp_path, "nothing was stored: disk full", "full")

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", fails)
        home.book.learned(CUFF, DeviceInformation(battery=80))
        await asyncio.gather(*home.book._keeping)
    assert await home.kept() == {}
    told = home.book.of(CUFF)
    assert told is not None
    assert told.information.battery == 80
    home.book.learned(CUFF, DeviceInformation(battery=80))
    assert (await home.kept())[CUFF].information.battery == 80
