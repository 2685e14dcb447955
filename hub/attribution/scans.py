"""What readers of wristbands scan, and what a person says on the page instead: whose turn it is changes at
once, and the trail is told of it.

A code is personal data (it may be an NHS number): it is compared here, and then forgotten. No log, no trail
and no message has it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from hub import trail
from hub.attribution.rounds import Closing, Round, Rounds
from hub.residents.register import Register
from hub.store.audit import NewEntry
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Moment

_log = logging.getLogger(__name__)
_MOST_UNNOTED = 1_000
_NONE = timedelta(0)


class Scans:
    """Opens and closes rounds by what is scanned. For the event loop alone.

    `unknown` counts the scans that were of nobody's wristband here, `damaged` those of which nobody knows
    what they were, since the hub started.
    """

    def __init__(
        self,
        writer: Writer,
        register: Register,
        rounds: Rounds,
        *,
        present: Callable[[], Moment] = Moment.present,
        retry_seconds: float = 10.0,
    ) -> None:
        """`retry_seconds` is how long the trail's entries wait between attempts while the card takes none."""
        self._writer = writer
        self._register = register
        self._rounds = rounds
        self._present = present
        self._retry_seconds = retry_seconds
        self._unnoted: list[NewEntry] = []
        self._noting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.unknown = 0
        self.damaged = 0

    def scanned(self, address: str, code: str | None) -> None:
        """The reader with this address has scanned a wristband; None: one was scanned, and its code is lost.

        What is received from now on is of this round. The trail follows, however long the card takes.
        """
        reader = self._register.sensor(address)
        if reader is None:
            _log.info("reader %s: is not enrolled; what it scanned opens no round", address)
            return
        moment = self._present()
        resident = self._register.wearing(code) if code is not None else None
        if resident is not None:
            changed = self._rounds.open(reader.kit, resident.id, reader.address, moment)
        elif code is not None:
            self.unknown += 1
            changed = self._rounds.close(reader.kit, Closing.UNKNOWN_CODE, moment)
            _log.warning("reader %s: the wristband that was scanned is of no resident who is listed", address)
        else:
            self.damaged += 1
            changed = self._rounds.close(reader.kit, Closing.DAMAGED_SCAN, moment)
            _log.warning("reader %s: a scan was damaged: scan the wristband again", address)
        self._tell(changed, moment)
        self._wait_for_the_next_end(moment)

    def unheard(self, address: str) -> None:
        """The reader with this address was not heard until now, or is not from now on: pulled out, forgotten.

        Whoever was scanned meanwhile, or will be, it need not be the resident of the round.
        """
        moment = self._present()
        kits = {each.kit for each in self._rounds.open_rounds(moment.stamp) if each.reader == address}
        if (reader := self._register.sensor(address)) is not None:
            kits.add(reader.kit)
        for kit in kits:
            self._tell(self._rounds.close(kit, Closing.READER_UNHEARD, moment), moment)
        self._wait_for_the_next_end(moment)

    def opened_by(self, by: str, resident: str, kit: str | None) -> tuple[Round, Sequence[Round]]:
        """A person (`by`) says whose turn it is on a kit (None: the one of all that name none), as a scan
        would.

        Returns their round, which may have been open before and goes on, and those of others that were closed
        for it.

        Raises:
            CareportError: there is no such resident, or nothing may be taken of them.
        """
        who = self._register.watched_resident(resident)
        moment = self._present()
        changed = self._rounds.open(kit, who.id, None, moment, by)
        self._tell(changed, moment, by)
        self._wait_for_the_next_end(moment)
        current = self._rounds.at(kit, moment.stamp)
        assert current is not None, "it was just opened"
        return current, [each for each in changed if each.closed is Closing.NEXT_ROUND]

    def closed_by(self, by: str, kit: str | None, resident: str | None = None) -> Round | None:
        """A person says that a round is over; return it, or None where none was open there.

        With `resident` only theirs is closed: somebody else may have opened another's since.
        """
        moment = self._present()
        current = self._rounds.at(kit, moment.stamp)
        if current is None or resident not in (None, current.resident):
            return None
        self._tell(self._rounds.close(kit, Closing.BY_PERSON, moment), moment, by)
        self._wait_for_the_next_end(moment)
        return current

    def left(self, resident: str, by: str) -> None:
        """Nothing is taken of this resident any more, as a person has said: their rounds are over."""
        moment = self._present()
        for each in self._rounds.open_rounds(moment.stamp):
            if each.resident == resident:
                self._tell(self._rounds.close(each.kit, Closing.RESIDENT_LEFT, moment), moment, by)
        self._wait_for_the_next_end(moment)

    def open_rounds(self) -> tuple[Round, ...]:
        """The rounds that are open now, the newest last."""
        return self._rounds.open_rounds(self._present().stamp)

    def data(self) -> Mapping[str, object]:
        """Whose turn it is on which kit, and how many scans since the hub started were nobody's or damaged:
        for the control socket."""
        return {
            "open": [
                {
                    "resident": each.resident,
                    "kit": each.kit,
                    "reader": each.reader,
                    "by": each.by,
                    "since": each.opened.at.isoformat(),
                    "until": each.ends_at.isoformat(),
                }
                for each in self.open_rounds()
            ],
            "unknown_scans": self.unknown,
            "damaged_scans": self.damaged,
        }

    async def noted(self) -> None:
        """Wait until the trail has all of it, however long the card takes."""
        if self._noting is not None:
            await asyncio.wait([self._noting])

    def _wait_for_the_next_end(self, moment: Moment) -> None:
        """Only for the trail and the log: that a round is over does not depend on it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ends = [each.until for each in self._rounds.open_rounds(moment.stamp)]
        if ends:
            wait = max(_NONE, min(ends) - moment.stamp.since_boot)
            self._timer = asyncio.get_running_loop().call_later(wait.total_seconds(), self._time_out)

    def _time_out(self) -> None:
        moment = self._present()
        self._tell(self._rounds.time_out(moment.stamp), moment)
        self._wait_for_the_next_end(moment)

    def _tell(self, changed: Sequence[Round], moment: Moment, by: str | None = None) -> None:
        """Of rounds that were opened or closed, `by` a person where one has said so."""
        for each in changed:
            kit = "" if each.kit is None else f" on kit {each.kit}"
            if each.closed is None:
                how = "on the page" if each.reader is None else f"reader {each.reader}"
                _log.info("%s: a round is open for %s%s", how, each.resident, kit)
                self._unnoted.append(
                    trail.round_opened(moment, each.resident, each.kit, each.reader, each.by)
                )
            else:
                _log.info("the round of %s%s is closed: %s", each.resident, kit, each.closed.value)
                ended = _earlier(moment, moment.stamp.since_boot - each.until)
                who = None if each.closed is Closing.TIME_OUT else by
                self._unnoted.append(
                    trail.round_closed(ended, each.resident, each.kit, each.reader, each.closed.value, who)
                )
        if self._unnoted and (self._noting is None or self._noting.done()):
            self._noting = asyncio.ensure_future(self._note())

    async def _note(self) -> None:
        while self._unnoted:
            entries, self._unnoted = self._unnoted, []
            try:
                await self._writer.write(_appending(entries))
            except NotCommittedError as error:
                _log.info("rounds are not in the trail yet: %s", error)
                kept = [*entries, *self._unnoted]
                self._unnoted = kept[-_MOST_UNNOTED:]
                if len(kept) > _MOST_UNNOTED:
                    _log.error("%d changes of rounds will not be in the trail", len(kept) - _MOST_UNNOTED)
                await asyncio.sleep(self._retry_seconds)


def _appending(entries: Sequence[NewEntry]) -> Callable[[Transaction], None]:
    def work(transaction: Transaction) -> None:
        for entry in entries:
            transaction.audit(entry)

    return work


def _earlier(moment: Moment, by: timedelta) -> Moment:
    return Moment(moment.at - by, replace(moment.stamp, since_boot=moment.stamp.since_boot - by))
