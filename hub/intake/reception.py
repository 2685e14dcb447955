"""From a raw payload to a committed reading: decode, hand to the intake, try again while the card is full.

What is of a stream is gathered first (`hub/intake/streams.py`), and committed with its stretch: within a
minute, or ten seconds after its sensor fell silent (`watch_streams`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from drivers.catalogue import UnknownDriverError, driver
from drivers.driver import problem_reading
from hub import trail
from hub.alerts.life import Outcome
from hub.clock import ClockStamp, stamp
from hub.intake.intake import Intake, Taken
from hub.intake.streams import ClosedStretch
from hub.readings import RawPayload, Reading
from hub.running import progress
from hub.running.journal import about
from hub.store.errors import NotCommittedError
from hub.store.jobs import Work
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.stretch import Fate
from hub.trail import Moment

Result = TypeVar("Result")
_log = logging.getLogger(__name__)

MOST_WAITING = 2_000
"""Readings that wait in memory for a card that takes nothing; beyond, stretches of streams are let go."""


_MOST_ON_THEIR_WAY = 100
_LOOKS_EVERY_SECONDS = 1.0


class Reception:
    """Where every source hands in what it has received; what returns from `accept` is on the card, but for
    what is of a stream: that is in memory until its stretch is over."""

    def __init__(
        self,
        writer: Writer,
        intake: Intake,
        *,
        retry_seconds: float = 1.0,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        on_uncommitted: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        """Start with a card that is well.

        Args:
            retry_seconds: between attempts while the card takes nothing.
            on_trouble: is told what the card has (`NotCommittedError.trouble`), and None when it is well and
                has all that waited: not before, since it may stall again after one commit.
            on_uncommitted: is given the events of alerts that could not be committed, perhaps repeatedly.
        """
        self._writer = writer
        self._intake = intake
        self._streams = intake.streams
        self._retry_seconds = retry_seconds
        self._on_trouble = on_trouble
        self._on_uncommitted = on_uncommitted
        self._trouble = asyncio.Event()
        self._since: tuple[Moment, str] | None = None
        self._turn = asyncio.Lock()
        self._newest_waiting: dict[str, Work] = {}
        self._to_rehearse: list[Work] = []
        self._rehearsing = asyncio.Lock()
        self._held: set[asyncio.Task[Any]] = set()
        self._storing: dict[asyncio.Task[Taken], str] = {}  # stretches, with their sensors
        self.waiting = 0
        self.let_go = 0
        self.under_way = self.taken = 0  # for `hub/running/progress.py`: each that is under way will be taken

    async def accept_from_radio(self, raw: RawPayload) -> None:
        """As `accept`, without waiting for the commit: it returns when the reading is on its way.

        A radio cannot be asked to wait, and the reading behind this one may be the one that alarms. Only so
        many are on their way at once; more where the card takes nothing, and they wait in memory.
        """
        if self.waiting >= MOST_WAITING:
            await self.accept(raw)
            return
        while len(self._held) >= _MOST_ON_THEIR_WAY and not self._trouble.is_set():
            trouble = asyncio.ensure_future(self._trouble.wait())
            try:
                await asyncio.wait({*self._held, trouble}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                trouble.cancel()
        self._hold(self.accept(raw))

    def _hold(self, work: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._held.add(task)
        task.add_done_callback(self._held.discard)
        return task

    async def settled(self) -> None:
        """Wait until what is on its way is on the card, and what was gathered of streams by then."""
        while self._held:
            await asyncio.wait(self._held)
        await self.close_streams()

    async def watch_streams(self) -> None:
        """Have the stretches stored of sensors that have fallen silent, until cancelled."""
        while True:
            progress.turn()
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)
            for closed in self._streams.silent(stamp()):
                self._hold(self._store(closed))

    async def close_streams(self, device: str | None = None, patience_seconds: float | None = None) -> None:
        """Have stored what was gathered of a sensor's streams, or of all; returns when it is on the card or
        was let go, whoever began to store it, or when patience is at an end: it is then on its way still.

        To be asked before a sensor is forgotten: what is stored after that is nobody's.
        """
        urgent = patience_seconds is not None  # somebody waits, and what comes later than that is nobody's
        for closed in self._streams.close(device):
            self._hold(self._store(closed, urgent=urgent))
        if storing := [task for task, whose in self._storing.items() if device in {None, whose}]:
            await asyncio.wait(storing, timeout=patience_seconds)

    async def accept(self, raw: RawPayload) -> Fate | None:
        """Decode and commit a payload; one that cannot be decoded is kept with the reason.

        Returns when it is committed, however long the card takes: the sender waits, not the reading. One of
        a stream is gathered; where its stretch is over with it, that is then committed. What is returned
        says whether its stretch is on the card, once `close_streams` has returned.
        """
        with about(device=raw.device):
            return await self._accept(raw)

    async def _accept(self, raw: RawPayload) -> Fate | None:
        try:
            known = driver(raw.driver)
        except UnknownDriverError as error:
            reading = problem_reading(raw, str(error))
        else:
            reading = known.read(raw)
            if reading.says_nothing and known.numbers_packets:
                return None  # one of many packets, with a battery's charge or a light's: nobody's reading
        if reading.problem is not None:
            _log.warning("%s (%s): payload not decoded: %s", raw.device, raw.driver, reading.problem)
        return (await self.accept_reading(reading)).fate

    async def accept_reading(
        self, reading: Reading, resident: str | None = None, by: str | None = None
    ) -> Taken:
        """Commit a reading and all it causes; `resident` where a person (`by`) said whose it is.

        Raises:
            CareportError: only where a person said whose it is: there is no such resident.
        """
        stamped = stamp()
        if reading.streaming and resident is None:
            return await self._gather(reading, stamped)
        return await self._take(
            reading,
            stamped,
            lambda transaction: self._intake.take(transaction, reading, stamped, resident, by),
            resident,
        )

    async def _gather(self, reading: Reading, stamped: ClockStamp) -> Taken:
        try:
            over = self._streams.add(reading, stamped)
        except Exception as error:  # noqa: BLE001  # as in `_take`: whatever it is, the sample is kept
            return await self._keep(reading, stamped, error)
        fate = self._streams.fate(reading)
        taken = await asyncio.gather(*map(self._store, over))
        return replace(taken[-1] if taken else Taken(), fate=fate)

    def _store(self, closed: ClosedStretch, *, urgent: bool = False) -> asyncio.Task[Taken]:
        task = asyncio.ensure_future(self._stored(closed, urgent=urgent))
        self._storing[task] = closed.reading.raw.device
        task.add_done_callback(self._storing.pop)
        return task

    async def _stored(self, closed: ClosedStretch, *, urgent: bool) -> Taken:
        fate = closed.fate
        try:
            taken = await self._take(
                closed.reading,
                closed.stamp,
                lambda transaction: self._intake.take_stretch(transaction, closed),
                stretch=closed,
                urgent=urgent,
            )
        except BaseException:
            fate.is_stored = False
            raise
        if fate.is_stored is None:  # it was not let go
            fate.is_stored = True
        return taken

    async def _take(
        self,
        reading: Reading,
        stamped: ClockStamp,
        work: Callable[[Transaction], Taken],
        resident: str | None = None,
        stretch: ClosedStretch | None = None,
        *,
        urgent: bool = False,
    ) -> Taken:
        self.under_way += 1
        try:
            whose: object = resident
            if resident is None:
                owner = stretch.owner if stretch else self._intake.attribution.owner(reading, stamped)
                whose = owner and owner.id
            taken = await self._commit(
                work,
                None if stretch and not stretch.observed else f"{reading.raw.device} {whose}",
                urgent=urgent or resident is not None,  # a person waits for the answer
                samples=stretch.samples if stretch else 0,
            )
            if taken is None and stretch is not None:
                stretch.fate.is_stored = False
            if taken is not None and taken.alert is not None:
                with about(alert=taken.alert):
                    superseded = taken.outcome is Outcome.SUPERSEDED
                    words = "raised in the place of another" if superseded else taken.outcome
                    _log.warning("alert %s: %s", taken.alert, words)
            return taken or Taken(resident=resident)
        except Exception as error:
            if resident is not None:
                raise
            return await self._keep(reading, stamped, error)
        finally:
            self.under_way -= 1
            self.taken += 1

    def stalled(self, error: NotCommittedError, told: Sequence[str]) -> None:
        """The card keeps a transaction without a word: what it tells is told from memory, as on a full card.

        Args:
            error: says so; what comes now is refused with it, and waits.
            told: the urgent events of that transaction so far, which may be on the card, or not.
        """
        self._note(error)
        self._on_uncommitted(told)
        self._hold(self._rehearse(lambda _transaction: None))  # and what it was caught in the midst of
        self._hold(self._until_written())

    async def _until_written(self) -> None:
        """Nothing else may come for long that finds that the card has come back."""
        while self._trouble.is_set():
            await asyncio.sleep(self._retry_seconds)
            with suppress(NotCommittedError):
                await self._try(lambda _transaction: None, urgent=True)

    @property
    def is_held_up(self) -> bool:
        """Whether what is under way waits for a card that takes nothing, which is nobody's hang."""
        return self._trouble.is_set()

    async def _keep(self, reading: Reading, stamped: ClockStamp, error: Exception) -> Taken:
        _log.error(
            "%s (%s): a reading could not be assessed and is kept unassigned; please report this",
            reading.raw.device,
            reading.raw.driver,
            exc_info=error,
        )
        problem = "could not be assessed; see the log"
        await self._commit(
            lambda transaction: self._intake.keep(transaction, reading, stamped, problem), reading.raw.device
        )
        return Taken()

    async def _commit(
        self,
        work: Callable[[Transaction], Result],
        source: str | None,
        *,
        urgent: bool = False,
        samples: int = 0,
    ) -> Result | None:
        """Commit, however long the card takes; None where it was let go: a stretch, of so many `samples`.

        While the card takes nothing, each piece of work is rehearsed once with the newest of the others that
        wait, so that an alert that it would raise is told; then they are tried in their order, one a second.
        `source` is what measured, and whom: the newest of each counts. None where nothing was observed, since
        what was observed just before must not be hidden by it.
        """
        try:
            return await self._try(work, urgent=urgent)
        except NotCommittedError as error:
            self._note(error)
        is_let_go = samples > 0 and self.waiting >= MOST_WAITING
        self.waiting += 1
        if is_let_go:
            self.let_go += samples
        elif source is not None:
            self._newest_waiting[source] = work
        try:
            await self._rehearse(work)
            while not is_let_go:
                async with self._turn:
                    if self._trouble.is_set():
                        await asyncio.sleep(self._retry_seconds)
                        with suppress(NotCommittedError):
                            return await self._try(work, urgent=urgent)
                        continue
                try:
                    return await self._try(work, urgent=urgent)
                except NotCommittedError as error:
                    self._note(error)
            return None
        finally:
            self.waiting -= 1
            if source is not None and self._newest_waiting.get(source) is work:
                del self._newest_waiting[source]
            self._look_whether_well()

    async def _try(self, work: Callable[[Transaction], Result], *, urgent: bool) -> Result:
        result = await self._writer.write(work, urgent=urgent, rehearsable=True)
        self._trouble.clear()
        self._look_whether_well()
        return result

    def _look_whether_well(self) -> None:
        # Of one commit some may have been refused: whoever asked for those is to have noted it first.
        if self._since is not None and not self._trouble.is_set():
            self._hold(self._well_again())

    async def _well_again(self) -> None:
        if self._since is None or self._trouble.is_set() or self.waiting:
            return
        # All at once: while the trail is written the card may fail again.
        (moment, why), self._since = self._since, None
        lost = f"; {self.let_go} sample(s) of streams were let go" if self.let_go else ""
        self.let_go = 0
        self._on_trouble(None)
        _log.warning("The database can be written again; nothing that waited was lost%s.", lost)
        entries = trail.card_writable(Moment.present(), moment, why)
        with suppress(NotCommittedError):
            await self._writer.write(lambda transaction: [transaction.audit(each) for each in entries])

    def _note(self, error: NotCommittedError) -> None:
        if not self._trouble.is_set():
            self._trouble.set()
            self._since = self._since or (Moment.present(), str(error))
            _log.error(
                "%s Readings wait in memory and are tried again each second; alerts are told uncommitted.",
                error,
            )
            self._on_trouble(error.trouble or "failing")

    async def _rehearse(self, work: Work) -> None:
        """Have told what a piece of work would raise, if the card took it; whatever fails, the work goes on.

        One rehearsal at a time: what comes meanwhile shares the next.
        """
        self._to_rehearse.append(work)
        try:
            async with self._rehearsing:
                if work in self._to_rehearse:
                    await self._rehearse_next()
        finally:
            with suppress(ValueError):  # it was shared
                self._to_rehearse.remove(work)

    async def _rehearse_next(self) -> None:
        works = self._to_rehearse[:_MOST_ON_THEIR_WAY]
        others = [each for each in self._newest_waiting.values() if each not in works]

        def all_of_them(transaction: Transaction) -> None:
            for each in [*others, *works]:
                transaction.do_alone(each)

        try:
            told = await self._writer.rehearse(all_of_them)
            if self._since is not None:  # else all of it is on the card meanwhile, and calls from there
                self._on_uncommitted(told)
        except NotCommittedError:
            pass  # the card takes nothing, of which the status tells
        except Exception:  # noqa: BLE001  # whatever it is, the reading waits for the card all the same
            _log.exception("what waits for the card could not be rehearsed; please report this")
        self._to_rehearse = [each for each in self._to_rehearse if each not in works]
