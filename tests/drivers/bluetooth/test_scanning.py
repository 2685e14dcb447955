"""One scanner, watched over: what it does when nothing is heard, and when it cannot scan."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from bleak import BleakScanner
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError

from drivers.bluetooth import healing, scanning
from drivers.bluetooth.healing import Failure
from drivers.bluetooth.patience import Patience
from drivers.bluetooth.radio import Heard, Remedy
from drivers.bluetooth.scanning import Scanning
from drivers.virtual.radio import VirtualRadio
from tests.rigs.collecting import until

QUICK = Patience(watch=0.01, silence_least=0.05, silence_most=0.2, scan=0.2)


class Controller(VirtualRadio):
    """A radio whose scanner does as the test says: starts, refuses or hangs, and hears what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.starts = 0
        self.scanning = 0
        self.refuses = False
        self.hangs = False
        self.backends: list[Backend] = []

    def scanner(self, heard: Heard) -> BleakScanner:
        return BleakScanner(heard, backend=Backend, controller=self)

    def hears(self, address: str = "C4:F2:17:00:00:01") -> None:
        self.backends[-1].hears(address)


class Backend(BaseBleakScanner):
    """bleak's scanner backend on a `Controller`."""

    def __init__(self, callback: Any, uuids: Any, _mode: str, *, controller: Controller, **_: Any) -> None:
        super().__init__(callback, uuids)
        self._controller = controller
        self._started = False
        controller.backends.append(self)

    async def start(self) -> None:
        self.seen_devices = {}
        if self._controller.hangs:
            await asyncio.Event().wait()
        if self._controller.refuses:
            raise BleakError("[org.bluez.Error.InProgress] Operation already in progress")
        self._controller.starts += 1
        self._controller.scanning += 1
        self._started = True

    async def stop(self) -> None:
        if self._controller.hangs:
            await asyncio.Event().wait()
        if self._started:  # as bleak's for BlueZ: stopped twice is stopped once
            self._started = False
            self._controller.scanning -= 1

    def hears(self, address: str) -> None:
        found = AdvertisementData(None, {}, {}, [], None, -60, ())
        device = self.create_or_update_device(address, address, None, None, found)
        self.call_detection_callbacks(device, found)


class Watched:
    """A `Scanning` that runs, and what it said."""

    def __init__(self, controller: Controller, patience: Patience) -> None:
        self.heard: list[str] = []
        self.lives = 0
        self.begun = 0
        self.looks = 0
        self.failure: Failure | None = None
        self.scanning = Scanning(controller, lambda device, _: self.heard.append(device.address), patience)
        self.task = asyncio.create_task(self.scanning.run(self._begin, self._live, self._look))

    def _begin(self) -> None:
        self.begun += 1

    def _live(self) -> None:
        self.lives += 1

    def _look(self) -> Failure | None:
        self.looks += 1
        return self.failure

    async def looked(self) -> None:
        """Wait until it has looked whether it is time to scan anew, and has done so where it was."""
        before = self.looks
        await until(lambda: self.looks >= before + 2)

    async def ended(self) -> Failure:
        async with asyncio.timeout(5):
            return await self.task


@contextlib.asynccontextmanager
async def watching(controller: Controller, patience: Patience = QUICK) -> AsyncIterator[Watched]:
    watched = Watched(controller, patience)
    try:
        yield watched
    finally:
        watched.task.cancel()
        await asyncio.wait([watched.task])


async def test_where_nothing_is_heard_it_scans_anew_and_goes_on() -> None:
    controller = Controller()
    async with watching(controller) as watched:
        await until(lambda: controller.starts >= 3)
        assert watched.scanning.usable
        while not watched.lives:  # once may fall between two scans
            controller.hears()
            await asyncio.sleep(0.005)
    assert set(watched.heard) == {"C4:F2:17:00:00:01"}
    assert watched.begun == 1
    assert controller.scanning == 0


async def test_where_something_is_heard_it_leaves_the_scanner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0  # the test's own: a machine that stood still would have heard nothing
    monkeypatch.setattr(scanning, "loop_time", lambda: clock)
    controller = Controller()
    async with watching(controller) as watched:
        await until(lambda: controller.scanning == 1)
        await watched.looked()
        for _ in range(10):
            controller.hears()
            clock += 0.8 * QUICK.silence_least
            await watched.looked()
        assert controller.starts == 1
        for _ in range(10):  # a payload on a link is as good
            watched.scanning.alive()
            clock += 0.8 * QUICK.silence_least
            await watched.looked()
        assert controller.starts == 1


async def test_a_controller_that_hangs_is_found_out_by_its_not_scanning_anew() -> None:
    controller = Controller()
    async with watching(controller) as watched:
        await until(lambda: controller.scanning == 1)
        controller.hangs = True
        failure = await watched.ended()
    assert failure.words == "nothing was heard, and scanning does not start anew: no answer in time"
    assert failure.at_most is Remedy.REBOOT
    assert not watched.scanning.usable
    assert watched.scanning.was_usable


async def test_a_scanner_that_is_refused_says_why() -> None:
    controller = Controller()
    controller.refuses = True
    async with watching(controller) as watched:
        failure = await watched.ended()
    assert failure.words.startswith("scanning cannot be started: [org.bluez.Error.InProgress]")
    assert not watched.scanning.was_usable


async def test_a_radio_that_is_lost_ends_it_though_its_scanner_cannot_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanning, "_FOR_WHAT_IS_LOST", 0.05)
    controller = Controller()
    patience = replace(QUICK, scan=60.0, silence_least=60.0, silence_most=60.0)  # nor does it scan anew
    async with watching(controller, patience) as watched:
        await until(lambda: controller.scanning == 1)
        controller.hangs = True
        controller.lose("bluetoothd stopped")
        assert (await watched.ended()).words == "bluetoothd stopped"


async def test_a_radio_that_answers_and_is_deaf_may_be_power_cycled_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(healing, "_LEAST_SILENCE", 0.1)
    async with watching(Controller()) as watched:
        failure = await watched.ended()
    assert "nothing at all was heard" in failure.words
    assert failure.at_most is Remedy.POWER_CYCLE
    assert failure.since is not None


async def test_what_else_is_the_matter_ends_it_too() -> None:
    async with watching(Controller()) as watched:
        await asyncio.sleep(0.02)
        watched.failure = Failure("none can be connected to")
        assert await watched.ended() == watched.failure


async def test_it_can_be_cancelled_at_any_moment_and_leaves_no_scanner_behind() -> None:
    for turns in range(30):
        controller = Controller()
        async with watching(controller):
            for _ in range(turns):
                await asyncio.sleep(0.003 if turns % 3 == 0 else 0)
        assert controller.scanning == 0


async def test_it_is_soon_cancelled_though_its_scanner_cannot_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scanning, "_FOR_WHAT_IS_LOST", 0.05)
    controller = Controller()
    async with asyncio.timeout(30), watching(controller, replace(QUICK, scan=60.0)):
        await until(lambda: controller.scanning == 1)
        controller.hangs = True
