"""What the page may ask of concerns over the control socket: to say one, and to settle it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from hub.alerts.commands import Commands
from hub.alerts.concern import ConcernError, SoftSign, concern_reading
from hub.clock import now
from hub.control.control_socket import Handler
from hub.intake.reception import Reception
from hub.store.writer import Writer

Request = Mapping[str, object]


class ConcernRequests:
    """The commands "concern" and "settle", by name in `handlers`."""

    def __init__(self, writer: Writer, reception: Reception, commands: Commands) -> None:
        self._writer = writer
        self._reception = reception
        self._commands = commands
        self.handlers: Mapping[str, Handler] = {"concern": self.concern, "settle": self.settle}

    async def concern(self, request: Request) -> Mapping[str, object]:
        """Raise an alert for somebody's concern about a `resident`, or have it join the open one.

        `signs` are soft signs as `SoftSign` has them, `words` their own, `by` who is concerned.

        Raises:
            CareportError: no such resident, or nobody is named, or a sign is none.
        """
        said = concern_reading(
            _text(request, "by"), now(), _signs(request.get("signs")), _text(request, "words")
        )
        taken = await self._reception.accept_reading(
            said, _text(request, "resident"), _text(request, "by").strip()
        )
        if taken.alert is None:  # the card took nothing, and the hub was restarted meanwhile
            raise ConcernError("concern: it is not known what became of it; say it again")
        return {"alert": str(taken.alert), "outcome": taken.outcome, "words": "Your concern is an alert now."}

    async def settle(self, request: Request) -> Mapping[str, object]:
        """End the concern in an `alert`: `by` has looked after it, and found what `note` says.

        Raises:
            CareportError: no such alert, no concern in it, nobody is named, or nothing is said.
        """
        named = _text(request, "alert")
        try:
            alert = uuid.UUID(named)
        except ValueError:
            raise ConcernError("settle: what was given is no alert's id") from None
        by, note = _text(request, "by"), _text(request, "note")
        done = await self._writer.write(
            lambda transaction: self._commands.settle(transaction, alert, by, now(), note), urgent=True
        )
        return {"words": done.words, "open": done.alert.open}


def _signs(said: object) -> Sequence[SoftSign]:
    if said is None:
        return ()
    known = {sign.value: sign for sign in SoftSign}
    if not isinstance(said, list) or any(each not in known for each in said):
        raise ConcernError(f"concern: a sign is not known; there are {', '.join(known)}")
    return [known[each] for each in said]


def _text(request: Request, key: str) -> str:
    value = request.get(key)
    return "" if value is None else str(value)
