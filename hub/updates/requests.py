"""What the centre sends to the hub's `update` topic: another release, if the site allows it.

The hub installs nothing and fetches nothing. It asks itself whether this is a moment for it, writes down
which release it was asked for, and the machine's keeper (`provisioning/keeper/fetch.py`), which is root's and
outside of the release, does the rest; or refuses it, in words. What became of it is told on `answer` from the
card, so that it is told by whichever release runs then, and once the broker is there.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from hub import trail
from hub.alerts.beacon import Beacon, calling
from hub.attribution.scans import Scans
from hub.clock import ClockQuality, now, stamp
from hub.configuration.file import Config
from hub.control.allowance import Allowance
from hub.running import progress
from hub.running.patience import in_thread
from hub.small_file import read_whole, write_whole
from hub.store.errors import NotCommittedError
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.updates import keeper_notes as updates
from hub.uplink.cloudevents import Event, to_json
from hub.uplink.contract import Channel, ContractError, Identity, answer_event, event_type, update_of
from hub.uplink.plain import AnswerOutcome, UpdateAsked

if TYPE_CHECKING:
    from hub.control.control_socket import Handler

REQUEST_NAME, ASKED_NAME = "update_request.json", "update_asked.json"
"""In the data directory: what the keeper is to take away; and what was asked last, until it is told how it
ended."""

LATEST, EARLIEST = timedelta(hours=24), timedelta(minutes=5)
"""How old a message may be, and how far ahead of the hub's clock."""

TAKEN_WITHIN, JUDGED_WITHIN = 5 * 60.0, 24 * 3600.0
"""Seconds in which the keeper takes a request away, and in which it says how what it tries ended. They are
counted from this process's first look, never by the clock: it may be set, or the power away for a day."""

ANSWERS_AT_ONCE, ANSWERS_PER_MINUTE = 10, 2.0
REQUESTS_PER_MINUTE = 0.5
"""Each starts carehub-fetch.service, which systemd gives up where it starts too often in ten minutes."""

_LOOKS_EVERY_SECONDS = 2.0
_TURN_WITHIN_SECONDS = 300.0  # as a commit has: a card may keep a small file for as long
_NOT_ALLOWED = (
    "this site does not allow updates from the centre: the home's engineer may ([update] from_centre = true"
    " and source in the site's file, then carehub provision)"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked and taken: `id` is the hub's name for it, `event` and `source` are the message's, `sent`
    its time; `told` is how it ended, once that was answered."""

    id: str
    event: str
    source: str
    sent: datetime
    at: datetime
    manifest_sha256: str
    version: str
    build: str
    told: str = ""

    @property
    def release(self) -> str:
        return f"{self.version} ({self.build})"

    @property
    def words(self) -> str:
        return f"release {self.release}"


class UpdateRequests:
    """Takes what the centre asks, and tells how it ended. `keepers` is where the machine's keeper has its
    notes."""

    def __init__(
        self,
        config: Config,
        identity: Identity,
        writer: Writer,
        beacon: Beacon,
        scans: Scans,
        keepers: updates.Keepers | None = None,
    ) -> None:
        self.allowed = config.update.from_centre
        self._identity = identity
        self._writer = writer
        self._beacon = beacon
        self._scans = scans
        self._keepers = keepers or updates.Keepers()
        self._request = config.hub.data_directory / REQUEST_NAME
        self._note = config.hub.data_directory / ASKED_NAME
        self._answers = Allowance(ANSWERS_AT_ONCE, ANSWERS_PER_MINUTE)
        self._requests = Allowance(1, REQUESTS_PER_MINUTE)
        self._one_at_a_time = asyncio.Lock()
        self._unnoted: _Asked | None = None  # what was told, and the card has no note of yet
        self._looked_at, self._first_look = "", 0.0  # an id, and monotonic seconds
        self.handlers: Mapping[str, Handler] = {"may_update": self._may_update}

    async def take(self, event: Event) -> Event | None:
        """Take what the centre asks, or refuse it; the answer, None where there were too many."""
        if not self._answers.take():
            return None  # what comes in this often is no wish: nothing is done
        if event.type != event_type(Channel.UPDATE):
            words = "an event on the update topic is of another type"
            return self._answer(AnswerOutcome.WRONG_TYPE, words, event)
        try:
            asked = update_of(event)
        except ContractError as error:
            return self._answer(AnswerOutcome.MALFORMED, str(error), event)
        progress.turn(_TURN_WITHIN_SECONDS)
        async with self._one_at_a_time:
            return await self._take(asked, event)

    async def _take(self, asked: UpdateAsked, event: Event) -> Event:
        before = await in_thread(self._asked)
        if before is not None and (before.event, before.source) == (event.id, event.source):
            # It comes again where the connection was lost before the broker knew that it had arrived.
            words = f"{before.words}: was taken at {before.at:%Y-%m-%d %H:%M:%S} UTC already"
            return self._answer(AnswerOutcome.UPDATE_ACCEPTED, words, event)
        refused = await self._refused(asked, event, before)
        if refused is None:
            refused = await self._taken(asked, event)
        if refused is not None:
            return self._answer(AnswerOutcome.UPDATE_REFUSED, refused, event)
        words = (
            f"release {asked.version} ({asked.build}): is fetched, verified and tried; how it ended is told"
            " here and in the status"
        )
        return self._answer(AnswerOutcome.UPDATE_ACCEPTED, words, event)

    async def run(self) -> None:
        """Tell how what was asked ended, until cancelled."""
        while True:
            progress.turn(_TURN_WITHIN_SECONDS)
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)
            try:
                async with self._one_at_a_time:
                    await self._tell_end()
            except (NotCommittedError, OSError) as error:
                _log.warning("how an update ended cannot be told: %s; it is tried again", error)

    async def _refused(self, asked: UpdateAsked, event: Event, before: _Asked | None) -> str | None:
        """Why not, and what to do; None where nothing speaks against it."""
        if not self.allowed:
            return _NOT_ALLOWED
        noted = await in_thread(partial(self._refused_by_notes, asked, event, before))
        if noted is not None:
            return noted
        hindrance = await self._hindrance()
        if hindrance is None and not self._requests.take():
            return "another was asked for less than two minutes ago: ask again in two minutes"
        return hindrance

    def _refused_by_notes(self, asked: UpdateAsked, event: Event, before: _Asked | None) -> str | None:
        """The same of what the keeper, and the hub before, have noted."""
        named = f"release {asked.version} ({asked.build})"
        if not self._keepers.can_fetch():
            return "this machine's keeper fetches no releases yet: run 'carehub provision' for it once more"
        age = now() - event.time
        # By a clock that was never set nothing is old: it may be months behind.
        if stamp().quality is not ClockQuality.NOT_YET and not -EARLIEST <= age <= LATEST:
            return (
                f"the message's time is {event.time:%Y-%m-%d %H:%M} UTC, and here it is"
                f" {now():%Y-%m-%d %H:%M}: send a new one"
            )
        # One that was sent by a clock far ahead, and taken, does not stop what is sent after it.
        if before is not None and event.time <= before.sent <= now() + EARLIEST:
            return "the message is no newer than the one that was taken last: send a new one"
        if (before is not None and not before.told) or self._keepers.busy():
            return "an update is under way, or is watched over for ten minutes: ask again after that"
        if self._keepers.manifest_sha256() == asked.manifest_sha256:
            return f"{named} is in force already: nothing is to be done"
        if self._keepers.taken_back(asked.manifest_sha256, asked.version, asked.build, now()):
            return (
                f"{named} was taken back here less than {updates.NOT_AGAIN // timedelta(hours=1)} hours ago:"
                " see 'update' in the status, and ask for another, or again later"
            )
        return None

    async def _hindrance(self) -> str | None:
        """What speaks against stopping the hub for half a minute, just now."""
        try:
            waiting = await self._writer.write(
                lambda transaction: calling(transaction.open_alerts()), urgent=True
            )
        except NotCommittedError as error:
            return f"the hub's card takes nothing ({error}): have it looked after first ('carehub doctor')"
        if waiting is not None or self._beacon.in_memory:
            return "an alert waits that nobody has acknowledged: ask again when somebody has taken it"
        if self._scans.open_rounds():
            return "a round is under way in the home: ask again in a quarter of an hour"
        return None

    async def _may_update(self, _request: Mapping[str, object]) -> Mapping[str, object]:
        """For the keeper, just before it stops the hub."""
        return {"hindered": await self._hindrance()}

    async def _taken(self, asked: UpdateAsked, event: Event) -> str | None:
        """Write it down, and leave it for the keeper; why that could not be done."""
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{event.source} {event.id}"))
        said = {"id": name, **asked.model_dump(mode="json")}
        noted = _Asked(event=event.id, source=event.source, sent=event.time, at=now(), **said)
        entry = trail.update_asked_for(
            trail.Moment.present(), noted.release, noted.manifest_sha256, noted.source
        )

        def leave() -> None:
            # The note first: what the keeper takes is known, so that its end is told.
            self._write_note(noted)
            write_whole(self._request, json.dumps(said))

        try:
            await self._writer.write(lambda transaction: transaction.audit(entry), urgent=True)
            await in_thread(leave)
        except (NotCommittedError, OSError) as error:
            words = (isinstance(error, OSError) and error.strerror) or str(error)
            return f"the hub's card takes no note of it ({words}): have the home's engineer look at it"
        self._unnoted = None
        _log.info("the centre asks for %s", noted.words)
        return None

    async def _tell_end(self) -> None:
        # In a thread, like all that asks the card: what its cache has not may take as long as the card likes.
        asked = await in_thread(self._asked)
        ended = None if asked is None else await in_thread(partial(self._ended, asked))
        if asked is not None and ended is not None:
            await self._tell(asked, *ended)
        if self._unnoted is not None:
            await in_thread(partial(self._write_note, self._unnoted))
            self._unnoted = None

    async def _tell(self, asked: _Asked, outcome: AnswerOutcome, words: str) -> None:
        answered = Event(asked.event, asked.source, event_type(Channel.UPDATE), asked.sent, {})
        answer = to_json(answer_event(self._identity, outcome, now(), f"{asked.words}: {words}", answered))
        entry = trail.update_ended(trail.Moment.present(), asked.release, outcome.value, words)

        def told(transaction: Transaction) -> None:
            transaction.audit(entry)
            transaction.tell(Channel.ANSWER.priority, Channel.ANSWER, answer)

        await self._writer.write(told)
        self._unnoted = replace(asked, told=outcome.value)
        _log.info("what the centre asked: %s: %s", asked.words, words)

    def _ended(self, asked: _Asked) -> tuple[AnswerOutcome, str] | None:
        """How it ended, where that is to be told: for the first time, or otherwise than it was."""
        if not asked.told:
            return self._ended_at_first(asked)
        if asked.told == AnswerOutcome.UPDATE_IN_FORCE:
            lost = self._keepers.lost(asked.id, asked.version, asked.build, asked.at)
            return None if lost is None else (AnswerOutcome.UPDATE_TAKEN_BACK, lost)
        if asked.told == AnswerOutcome.UPDATE_REFUSED:
            # What was given up for lost here, and went on all the same.
            said = self._keepers.asked(asked.id)
            return None if said is None or said.outcome not in _OUTCOMES else _said(said)
        return None

    def _ended_at_first(self, asked: _Asked) -> tuple[AnswerOutcome, str] | None:
        """How it ended, None while it goes on. It wanders from the request to the order to the keeper's
        verdict, and is looked for in that order."""
        if self._looked_at != asked.id:
            self._looked_at, self._first_look = asked.id, monotonic()
        waits = monotonic() - self._first_look
        left = self._request.exists()
        if left and waits <= TAKEN_WITHIN:
            return None
        if self._keepers.fetches(asked.id):
            return None  # however long: that is bounded by the keeper, which alone knows
        if left:
            self._request.unlink(missing_ok=True)
            words = "the machine's keeper does not take it: 'systemctl status carehub-fetch.path' says why"
            return AnswerOutcome.UPDATE_REFUSED, words
        said = self._keepers.asked(asked.id)
        if said is None:
            return AnswerOutcome.UPDATE_REFUSED, "it was dropped on the way, as by a power cut: ask again"
        if said.outcome == "trying":
            if waits <= JUDGED_WITHIN:
                return None
            return AnswerOutcome.UPDATE_REFUSED, "the keeper never said how it ended: see the status"
        return _said(said)

    def _answer(self, outcome: AnswerOutcome, words: str, event: Event) -> Event:
        if outcome is not AnswerOutcome.UPDATE_ACCEPTED:
            _log.warning("a message on the update topic changed nothing, %s: %s", outcome.value, words)
        return answer_event(self._identity, outcome, now(), words, event)

    def _asked(self) -> _Asked | None:
        if self._unnoted is not None:
            return self._unnoted
        try:
            said: dict[str, Any] = json.loads(read_whole(self._note))
            times = {name: datetime.fromisoformat(said[name]) for name in ("sent", "at")}
            return _Asked(**{**said, **times})
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None

    def _write_note(self, asked: _Asked) -> None:
        said = {**asdict(asked), "sent": asked.sent.isoformat(), "at": asked.at.isoformat()}
        write_whole(self._note, json.dumps(said))


_OUTCOMES = {
    "kept": AnswerOutcome.UPDATE_IN_FORCE,
    "unchanged": AnswerOutcome.UPDATE_IN_FORCE,
    "rolled back": AnswerOutcome.UPDATE_TAKEN_BACK,
    "interrupted": AnswerOutcome.UPDATE_TAKEN_BACK,
}
"""By the keeper's word for it (`provisioning/keeper/centre.py`)."""


def _said(said: updates.AskedFor) -> tuple[AnswerOutcome, str]:
    return _OUTCOMES.get(said.outcome, AnswerOutcome.UPDATE_REFUSED), said.words or said.outcome
