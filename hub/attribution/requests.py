"""What the staff page asks of the running daemon about whose turn it is, and whose a reading is."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from hub.alerts.book import AlertBook
from hub.alerts.life import AlertPolicy
from hub.attribution.alerts_corrected import AlertsCorrected
from hub.attribution.reassignment import Became, Reassignment
from hub.attribution.rounds import Round
from hub.attribution.scans import Scans
from hub.configuration.file import Config
from hub.control.control_socket import ControlError, Handler
from hub.intake.following_the_clock import ClockFollower
from hub.intake.intake import Intake
from hub.sensors.enrolment import Enrolment
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.uplink.contract import Identity

Request = Mapping[str, object]
MOST_READINGS = 50
"""Of so many at the most one request may say whose they are: an alert waits for it."""
_LONGEST_REASON = 300


class RoundRequests:
    """The commands about rounds and about whose readings are, by name in `handlers`.

    Each has `by`, the name of who is signed in and has the right to it: the page has checked that.
    """

    def __init__(
        self,
        writer: Writer,
        scans: Scans,
        reassignment: Reassignment,
        kits: Callable[[], frozenset[str]],
    ) -> None:
        """`kits` says which there are: those that an enrolled sensor names."""
        self._writer = writer
        self._scans = scans
        self._reassignment = reassignment
        self._kits = kits
        self.handlers: Mapping[str, Handler] = {
            "rounds": self.rounds,
            "round_open": self.round_open,
            "round_close": self.round_close,
            "assign": self.assign,
            "discard": self.discard,
            "correct": self.correct,
        }

    @classmethod
    def of(
        cls,
        config: Config,
        writer: Writer,
        scans: Scans,
        enrolment: Enrolment,
        intake: Intake,
        follower: ClockFollower,
    ) -> Self:
        """Those of a hub."""
        register = enrolment.register
        identity = Identity(config.site.id, config.hub.id, config.site.test_data)
        policy = AlertPolicy.of(config.alerts, config.observation_sets)
        alerts = AlertsCorrected(AlertBook(identity, follower.clock), policy, register)
        return cls(
            writer,
            scans,
            Reassignment(config, register, intake, follower, alerts),
            lambda: frozenset(each.sensor.kit for each in enrolment.all if each.sensor.kit is not None),
        )

    async def rounds(self, _request: Request) -> Mapping[str, object]:
        """Whose turn it is on which kit."""
        return self._scans.data()

    async def round_open(self, request: Request) -> Mapping[str, object]:
        """Open a round for `resident` on `kit` (none given: that of all sensors which name none).

        Raises:
            CareportError: no such resident or kit, or nothing may be taken of them.
        """
        by, kit = _who(request), _optional(request, "kit")
        if kit is not None and kit not in self._kits():
            raise ControlError(f"there is no kit {kit!r} here: choose another, or ask who enrols the sensors")
        current, closed = self._scans.opened_by(by, _text(request, "resident"), kit)
        words = f"It is {current.resident}'s turn. Measure now"
        if closed:
            words += f". The round of {' and '.join(each.resident for each in closed)} is closed"
        return {**_said(current), "closed": [each.resident for each in closed], "words": words}

    async def round_close(self, request: Request) -> Mapping[str, object]:
        """Close the round on `kit`; with `resident` only if it is theirs.

        Raises:
            CareportError: nobody is named.
        """
        by, kit = _who(request), _optional(request, "kit")
        closed = self._scans.closed_by(by, kit, _optional(request, "resident"))
        if closed is None:
            return {"resident": None, "kit": kit, "words": "The round was over already"}
        return {"resident": closed.resident, "kit": kit, "words": f"The round of {closed.resident} is over"}

    async def assign(self, request: Request) -> Mapping[str, object]:
        """Say that `readings` (their ids), which are nobody's, are `resident`'s: all of them or none.

        Raises:
            CareportError: one is not known, or is somebody's; or no such resident. Nothing is changed then.
        """
        by, readings, resident = _who(request), _readings(request), _text(request, "resident")
        return await self._done(
            lambda transaction: self._reassignment.assign(transaction, readings, resident, by)
        )

    async def discard(self, request: Request) -> Mapping[str, object]:
        """Say that `readings`, which are nobody's, are of no use, and the `reason`: all of them or none.

        Raises:
            CareportError: one is not known, or is somebody's; or no reason is given. Nothing is changed then.
        """
        by, readings, reason = _who(request), _readings(request), _reason(request)
        return await self._done(
            lambda transaction: self._reassignment.discard(transaction, readings, reason, by)
        )

    async def correct(self, request: Request) -> Mapping[str, object]:
        """Say that a `reading` is not its resident's but `resident`'s (none given: nobody's), and the
        `reason`. With `said_of` only if it is still that resident's: somebody else may have put it right.

        Raises:
            CareportError: it is not known, or was nobody's; no such resident; or no reason is given. Nothing
                is changed then.
        """
        by, reason = _who(request), _reason(request)
        reading, resident = _id(request.get("reading")), _optional(request, "resident")
        said_of = _optional(request, "said_of")
        return await self._done(
            lambda transaction: self._reassignment.correct(
                transaction, reading, resident, reason, by, said_of
            )
        )

    async def _done(self, work: Callable[[Transaction], Became]) -> Mapping[str, object]:
        return (await self._writer.write(work, urgent=True)).data()


def _said(current: Round) -> dict[str, object]:
    return {
        "resident": current.resident,
        "kit": current.kit,
        "since": current.opened.at.isoformat(),
        "until": current.ends_at.isoformat(),
    }


def _who(request: Request) -> str:
    by = str(request.get("by") or "").strip()
    if not by:
        raise ControlError("whoever does this must be named")
    return by


def _text(request: Request, key: str) -> str:
    text = _optional(request, key)
    if text is None:
        raise ControlError(f"{key}: nothing was given")
    return text


def _optional(request: Request, key: str) -> str | None:
    value = request.get(key)
    return None if value is None or value == "" else str(value)


def _reason(request: Request) -> str:
    reason = (_optional(request, "reason") or "").strip()
    if not reason:
        raise ControlError("say why: the trail keeps it")
    if len(reason) > _LONGEST_REASON:
        raise ControlError(f"the reason is too long: {_LONGEST_REASON} letters at the most")
    return reason


def _readings(request: Request) -> Sequence[uuid.UUID]:
    given = request.get("readings")
    if not isinstance(given, list) or not given:
        raise ControlError("no reading was chosen")
    if len(given) > MOST_READINGS:
        raise ControlError(f"{len(given)} readings at once are too many: choose {MOST_READINGS} at the most")
    return list(dict.fromkeys(map(_id, given)))


def _id(value: object) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError as error:
        raise ControlError("what was chosen is no reading's id: load the page anew") from error
