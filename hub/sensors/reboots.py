"""Whether the machine may be started anew to heal its radio: once a day at the most, and only if nothing is
lost by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from hub import trail
from hub.clock import ClockQuality, ClockStamp
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Moment

LEAST_BETWEEN = timedelta(hours=24)
_FACT = "reboot asked for"
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """When a reboot was asked for last."""

    at: datetime
    stamp: ClockStamp


def is_long_ago(asked: Asked, at: datetime, stamp: ClockStamp) -> bool:
    """Whether a day has surely gone by since. The wall clock is asked only where it was synchronised both
    times: a machine without a clock of its own must not start anew each time that it is set ahead."""
    if stamp.boot == asked.stamp.boot:
        return stamp.since_boot - asked.stamp.since_boot >= LEAST_BETWEEN
    believed = {stamp.quality, asked.stamp.quality} == {ClockQuality.SYNCHRONISED}
    return stamp.since_boot >= LEAST_BETWEEN or (believed and at - asked.at >= LEAST_BETWEEN)


class Reboots:
    """Gives leave for one. `something_waits` says whether there is what only the memory has."""

    def __init__(self, writer: Writer, something_waits: Callable[[], bool], *, allowed: bool) -> None:
        self._writer = writer
        self._something_waits = something_waits
        self._allowed = allowed

    async def may_reboot(self) -> bool:
        """Whether it may be done now. If so, that is on the card and in the trail when this returns."""
        if not self._allowed or self._something_waits():
            return False
        try:
            return await self._writer.write(self._ask, urgent=True)
        except NotCommittedError:
            return False

    def _ask(self, transaction: Transaction) -> bool:
        moment = Moment.present()
        kept = transaction.fact(_FACT)
        if kept is not None and not self._was_long_ago(kept, moment):
            return False
        stamp = moment.stamp
        said = {
            "at": moment.at.isoformat(),
            "boot": str(stamp.boot),
            "since_boot": stamp.since_boot / _SECOND,
            "clock": stamp.quality.value,
        }
        transaction.set_fact(_FACT, json.dumps(said))
        transaction.audit(
            trail.reboot_asked_for(moment, "the Bluetooth radio fails, and nothing else helped")
        )
        return True

    def _was_long_ago(self, kept: str, moment: Moment) -> bool:
        try:
            said = json.loads(kept)
            asked = Asked(
                datetime.fromisoformat(said["at"]),
                ClockStamp(
                    UUID(str(said["boot"])),
                    timedelta(seconds=said["since_boot"]),
                    ClockQuality(said["clock"]),
                ),
            )
            return is_long_ago(asked, moment.at, moment.stamp)
        except (ValueError, TypeError, LookupError, OverflowError):  # damaged: nobody knows when
            return moment.stamp.since_boot >= LEAST_BETWEEN
