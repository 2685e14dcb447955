"""One scanner, from its start until the radio is lost, fails to scan, or seems to be deaf."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.bluetooth.healing import Failure, Silence
from drivers.bluetooth.patience import Patience
from drivers.bluetooth.radio import (
    RADIO_ERRORS,
    Heard,
    Radio,
    Remedy,
    doubling,
    loop_time,
    stop_if_cancelled,
    words,
)
from hub.running import progress
from hub.running.patience import within

logger = logging.getLogger(__name__)

_FOR_WHAT_IS_LOST = 1.0  # seconds: nothing will answer, and a sensor may be advertising


class Scanning:
    """Scans, and watches over it. A controller that hangs brings no error and no advertisement: so when
    nothing was heard for a while it is made to scan anew, which one that lives can do."""

    def __init__(self, radio: Radio, heard: Heard, patience: Patience) -> None:
        self._radio = radio
        self._on_heard = heard
        self._patience = patience
        self._silence = Silence()
        self._scan_anew_after = self._new_waits()
        self._scan_anew_at = 0.0
        self.usable = False
        self.was_usable = False

    def alive(self) -> None:
        """Something came over the radio: an advertisement, or a payload on a link."""
        self._silence.heard(loop_time())
        self._scan_anew_at = 0.0

    async def run(
        self,
        on_begun: Callable[[], None],
        on_life: Callable[[], None],
        look: Callable[[], Failure | None],
    ) -> Failure:
        """Scan until that is over, and say why it is; `was_usable` says whether it came so far.

        `on_begun` is called when it scans, `on_life` now and then while something is heard; `look` is asked
        now and then whether something else is the matter.
        """
        self.was_usable = False
        scanner = self._radio.scanner(self._heard)
        stopping = _FOR_WHAT_IS_LOST
        lost = asyncio.ensure_future(self._radio.wait_until_lost())
        try:
            try:
                await self._start(scanner)
            except RADIO_ERRORS as error:
                return Failure(f"scanning cannot be started: {words(error)}")
            stop_if_cancelled()
            self.usable = self.was_usable = True
            on_begun()
            stopping = self._patience.scan
            self._silence.listen(loop_time())
            self._scan_anew_at = 0.0
            while True:
                progress.turn(self._patience.turn)
                began = loop_time()
                await asyncio.wait([lost], timeout=self._patience.watch)
                if lost.done():
                    stopping = _FOR_WHAT_IS_LOST
                    return Failure(lost.result())
                if self._silence.heard_at > began:
                    on_life()
                if (failure := look() or self._deaf()) is not None:
                    return failure
                if self._is_time_to_scan_anew():
                    try:  # where a controller hangs, it is the stopping that fails (Linux 6.12, BlueZ 5.82)
                        await within(self._patience.scan, scanner.stop())
                        scanner = self._radio.scanner(self._heard)
                        await self._start(scanner)
                    except RADIO_ERRORS as error:
                        stopping = _FOR_WHAT_IS_LOST
                        return Failure(f"nothing was heard, and scanning does not start anew: {words(error)}")
        except asyncio.CancelledError:
            stopping = _FOR_WHAT_IS_LOST  # the links are yet to be ended, and the hub has little time to stop
            raise
        finally:
            self.usable = False
            lost.cancel()
            await asyncio.wait([lost])
            await self._stop(scanner, stopping)

    def _heard(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self.alive()
        self._on_heard(device, advertisement)

    def _deaf(self) -> Failure | None:
        now = loop_time()
        if not self._silence.too_long(now):
            return None
        minutes = (now - self._silence.heard_at) / 60
        return Failure(
            f"nothing at all was heard for {minutes:.0f} minutes, longer than ever before",
            since=self._silence.heard_at,
            at_most=Remedy.POWER_CYCLE,  # it may be a quiet home
        )

    def _is_time_to_scan_anew(self) -> bool:
        if not self._scan_anew_at:  # something was heard since
            self._scan_anew_after = self._new_waits()
            self._scan_anew_at = self._silence.heard_at + next(self._scan_anew_after)
        if loop_time() < self._scan_anew_at:
            return False
        self._scan_anew_at = loop_time() + next(self._scan_anew_after)
        return True

    def _new_waits(self) -> Iterator[float]:
        return doubling(self._patience.silence_least, self._patience.silence_most)

    async def _start(self, scanner: BleakScanner) -> None:
        await within(self._patience.scan, scanner.start())

    async def _stop(self, scanner: BleakScanner, seconds: float) -> None:
        """As far as that is possible: a scanner whose radio was lost cannot be stopped."""
        try:
            await within(seconds, scanner.stop())
        except RADIO_ERRORS as error:
            logger.debug("the scanner did not stop: %s", words(error))
