"""The local beacon: a lamp or a sounder in the home that calls while an alert waits for somebody.

It is on while an alert is open that nobody has acknowledged, whether the ICS can be reached or not, and
blinks by the highest band of those that wait: fast where it is high, slow where it is medium, a short sign
now and then for all else (a 3 in one parameter, a concern). An acknowledgement, from whichever side, ends
it at once.

Alerts that the card cannot take (`hub/uplink/unkept.py`) call too, until they are acknowledged or the card
has all that waited. While the card takes nothing, what was known of it before goes on calling.

**A beacon that is dark proves nothing:** the hub may be down, its wire loose, its lamp broken. It is
something beside the page and the ladder, never in their place. Whatever fails here is said (the log, once;
`carehub doctor`; the hub's page) and tried again; it can neither raise nor end an alert, nor hold one up:
what it is driven by runs in a thread of its own (`hub/alerts/beacon_output.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from hub.alerts.acknowledgements import Keep
from hub.alerts.life import AlertState
from hub.assessment.news2 import Band
from hub.errors import CareportError
from hub.running import progress
from hub.running.patience import within
from hub.store.rows import AlertRow
from hub.uplink.cloudevents import Event
from hub.uplink.contract import Acknowledgement, AlertChange, Channel, event_type

if TYPE_CHECKING:
    from hub.control.control_socket import Handler

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 10.0
"""How often it is said anew, so that a relay that was plugged in since then hears it."""

_TRIED_SECONDS = 10.0
_FAREWELL_SECONDS = 1.0
_MOST_IN_MEMORY = 1_000


class BeaconError(CareportError):
    """The beacon cannot be driven; the text says why, and what to do."""


class Output(Protocol):
    """What a beacon is switched by."""

    def switch(self, *, on: bool) -> Coroutine[Any, Any, None]:
        """Switch it. Raises `BeaconError`."""

    def close(self) -> None:
        """Let go of it; raises nothing."""


@dataclass(frozen=True, slots=True)
class Signal:
    """How it blinks: seconds on, and seconds off after them."""

    on: float
    off: float


def signal_of(band: Band) -> Signal:
    """How a waiting alert of that band is called. Slower than three flashes a second, for whoever has
    photosensitive epilepsy (WCAG 2.2, 2.3.1)."""
    match band:
        case Band.HIGH:
            return Signal(0.5, 0.5)
        case Band.MEDIUM:
            return Signal(1.0, 2.0)
        case _:
            return Signal(0.5, 4.5)


def calling(rows: Iterable[AlertRow]) -> Band | None:
    """The highest band of those open alerts that nobody has acknowledged; None where there is none.

    A band or a state that cannot be read calls as the highest: somebody has to look.
    """
    waiting = [_band(row) for row in rows if row.state != AlertState.ACKNOWLEDGED]
    return max(waiting, key=lambda band: band.rank, default=None)


def _band(row: AlertRow) -> Band:
    try:
        return Band(row.band)
    except ValueError:
        return Band.HIGH


class Beacon:
    """Drives an output by what waits. Everything here is called on the event loop."""

    def __init__(self, output: Output | None) -> None:
        """`output` is None where there is no beacon: then nothing is done, and nothing said."""
        self._output = output
        self._on_card: Band | None = None
        self._in_memory: dict[UUID, Band] = {}
        self._told: dict[UUID, Event] = {}
        self._tried_until: float | None = None
        self._changed = asyncio.Event()
        self._trouble: str | None = None

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What may be asked of it over the control socket."""
        return {"beacon_try": self.try_it}

    def data(self) -> Mapping[str, object] | None:
        """How it is, for the status; None where there is none."""
        if self._output is None:
            return None
        wanted = self._wanted()
        return {"calls": None if wanted is None else wanted.value, "trouble": self._trouble}

    @property
    def in_memory(self) -> list[dict[str, str]]:
        """The alerts that nobody has taken and the card has not, for the page, which knows the card alone. No
        output is needed for that."""
        return [
            {
                "alert": str(alert),
                "resident": self._told[alert].subject or "",
                "band": band.value,
                "raised_at": self._told[alert].time.isoformat(),
            }
            for alert, band in self._in_memory.items()
        ]

    def card_has(self, waiting: Band | None) -> None:
        """The card was asked: the highest band that waits there (`calling`)."""
        if waiting is not self._on_card:
            self._on_card = waiting
            self._changed.set()

    def told_from_memory(self, event: Event) -> None:
        """An alert was raised that the card does not take; what else is told of one changes nothing here."""
        if event.type != event_type(Channel.ALERT, AlertChange.RAISED):
            return
        with suppress(LookupError, ValueError):  # no alert of this hub's making
            alert, band = UUID(event.extensions["alert"]), Band(event.extensions["band"])
            if len(self._in_memory) < _MOST_IN_MEMORY:
                self._in_memory[alert], self._told[alert] = band, event
        self._changed.set()

    def acknowledged_in_memory(self, alert: UUID) -> None:
        """One of these was acknowledged, which is kept in memory as well."""
        self._in_memory.pop(alert, None)
        self._told.pop(alert, None)
        self._changed.set()

    def card_took_all(self) -> None:
        """Nothing waits in memory any more: what is still open is on the card, and calls until that was asked
        (`card_has`), however long it takes."""
        self._on_card = max(self._waiting(), key=lambda band: band.rank, default=None)
        self._in_memory.clear()
        self._told.clear()
        self._changed.set()

    def overhears(self, tell: Callable[[Sequence[str]], Sequence[Event]]) -> Callable[[Sequence[str]], None]:
        """What tells of alerts from memory, so that they call here too."""

        def tell_and_call(events: Sequence[str]) -> None:
            for event in tell(events):
                self.told_from_memory(event)

        return tell_and_call

    def overhears_kept(self, keep: Keep) -> Keep:
        """What keeps acknowledgements of such alerts, so that they call no more."""

        def keep_and_end(said: Acknowledgement, event: Event) -> bool:
            kept = keep(said, event)
            if kept:
                self.acknowledged_in_memory(said.alert)
            return kept

        return keep_and_end

    async def try_it(self, _request: Mapping[str, object]) -> Mapping[str, object]:
        """Have it blink for ten seconds, as for a high alert, so that somebody can see that it works.

        Raises:
            BeaconError: there is none, or it could not be switched.
        """
        if self._output is None:
            raise BeaconError(
                "this hub has no beacon: name its output under [beacon] in the configuration, and"
                " restart the hub"
            )
        await self._output.switch(on=True)  # so that what is wrong is said to whoever tries it
        self._tried_until = asyncio.get_running_loop().time() + _TRIED_SECONDS
        self._changed.set()
        return {"words": f"the beacon blinks for {_TRIED_SECONDS:g} seconds now: look, and listen"}

    async def run(self) -> None:
        """Drive it until cancelled."""
        if self._output is None:
            return
        try:
            while True:
                progress.turn()
                self._changed.clear()
                wanted = self._wanted()
                if wanted is None:
                    await self._show(on=False)
                    await self._wait(_AGAIN_SECONDS)
                    continue
                signal = signal_of(wanted)
                await self._show(on=True)
                await self._wait_while(wanted, signal.on)
                if self._wanted() is wanted:
                    await self._show(on=False)
                    await self._wait_while(wanted, signal.off)
        finally:
            with suppress(BeaconError, TimeoutError):
                await within(_FAREWELL_SECONDS, self._output.switch(on=False))
            self._output.close()

    def _waiting(self) -> list[Band]:
        on_card = [] if self._on_card is None else [self._on_card]
        return [*self._in_memory.values(), *on_card]

    def _wanted(self) -> Band | None:
        waiting = self._waiting()
        if self._tried_until is not None:
            if asyncio.get_running_loop().time() < self._tried_until:
                waiting.append(Band.HIGH)
            else:
                self._tried_until = None
        return max(waiting, key=lambda band: band.rank, default=None)

    async def _wait(self, seconds: float) -> None:
        # No wait_for: that of Python 3.11 swallows a cancellation that comes with what is waited for.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    async def _wait_while(self, wanted: Band, seconds: float) -> None:
        """So long, unless something else is wanted meanwhile."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._wanted() is wanted and (left := until - loop.time()) > 0:
            self._changed.clear()
            await self._wait(left)

    async def _show(self, *, on: bool) -> None:
        assert self._output is not None
        try:
            await self._output.switch(on=on)
        except BeaconError as error:
            if self._trouble != str(error):
                _log.error("beacon: %s", error)
            self._trouble = str(error)
            return
        if self._trouble is not None:
            _log.info("beacon: it can be switched again")
        self._trouble = None
