"""What the staff page and `carehub staff` ask of the running daemon about who may sign in. The PIN itself
never comes here: whoever asks has made its argon2id hash."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from hub.clock import now
from hub.control.allowance import Allowance
from hub.control.control_socket import Handler
from hub.errors import CareportError
from hub.staff import trail as staff_trail
from hub.staff.rights import LONGEST_NAME, Role, key_of
from hub.store import staff as store
from hub.store.staff import StaffRow
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Audited, Moment

Request = Mapping[str, object]
_log = logging.getLogger(__name__)
_SIGN_INS = {
    "signed in": Audited.SIGNED_IN,
    "signed out": Audited.SIGNED_OUT,
    "refused": Audited.SIGN_IN_REFUSED,
    "locked out": Audited.LOCKED_OUT,
    "unlocked": Audited.UNLOCKED,
}
_REFUSED_AT_ONCE, _REFUSED_PER_MINUTE = 60, 6.0
_LONGEST_HASH = 200
_HASH_BEGINS = "$argon2id$"


class StaffError(CareportError):
    """Somebody who cannot be entered, changed or removed; the text says why, and what to do."""


class StaffRequests:
    """The commands about staff, by name in `handlers`. Whoever asks has checked the right of `by`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._refused = Allowance(_REFUSED_AT_ONCE, _REFUSED_PER_MINUTE)
        self.handlers: Mapping[str, Handler] = {
            "staff_add": self.add,
            "staff_change": self.change,
            "staff_remove": self.remove,
            "note_sign_in": self.note_sign_in,
        }

    async def add(self, request: Request) -> Mapping[str, object]:
        """Let somebody sign in: `name`, `role`, `pin` (the hash), `by`.

        Raises:
            StaffError: a name, role or hash that cannot be, or somebody of that name is there already.
            NotCommittedError: the card takes nothing.
        """
        row = StaffRow(_name(request), _role(request), _hash(request), now(), _by(request))

        def work(transaction: Transaction) -> None:
            known = store.member(transaction.connection, row.key)
            if known is not None:
                raise StaffError(
                    f"{known.name} is entered already, as {known.role.words}. Change that entry, or add"
                    " something to this name that tells the two apart."
                )
            store.put(transaction.connection, row)
            transaction.audit(staff_trail.staff_entered(Moment.present(), row.name, row.role, row.changed_by))

        await self._writer.write(work, urgent=True)
        return {"words": f"{row.name} can sign in now, as {row.role.words}."}

    async def change(self, request: Request) -> Mapping[str, object]:
        """Give somebody another `role`, another `pin` (the hash), or both. It ends where they are signed in.

        Raises:
            StaffError: nobody has that name, or they are the last manager.
            NotCommittedError: the card takes nothing.
        """
        name, by = _name(request), _by(request)
        role = None if request.get("role") is None else _role(request)
        kept = None if request.get("pin") is None else _hash(request)
        if role is None and kept is None:
            raise StaffError("Say what shall be changed: the role, the PIN, or both.")

        def work(transaction: Transaction) -> StaffRow:
            was = _known(transaction, name)
            row = replace(was, role=role or was.role, pin=kept or was.pin, changed_at=now(), changed_by=by)
            if row.role is not Role.MANAGER:
                _refuse_last_manager(transaction, was)
            store.put(transaction.connection, row)
            entry = staff_trail.staff_changed(Moment.present(), row.name, by, role=role, pin=kept is not None)
            transaction.audit(entry)
            return row

        row = await self._writer.write(work, urgent=True)
        return {"words": f"{row.name} is {row.role.words}, and has to sign in again."}

    async def remove(self, request: Request) -> Mapping[str, object]:
        """Let somebody sign in no more; what they did stays in the trail under their name.

        Raises:
            StaffError: nobody has that name, or they are the last manager.
            NotCommittedError: the card takes nothing.
        """
        name, by = _name(request), _by(request)

        def work(transaction: Transaction) -> StaffRow:
            was = _known(transaction, name)
            _refuse_last_manager(transaction, was)
            store.remove(transaction.connection, was.key)
            transaction.audit(staff_trail.staff_removed(Moment.present(), was.name, was.role, by))
            return was

        was = await self._writer.write(work, urgent=True)
        return {"words": f"{was.name} cannot sign in any more."}

    async def note_sign_in(self, request: Request) -> Mapping[str, object]:
        """Note in the trail that somebody signed in or out, was refused, was locked out, or was unlocked.

        `name` is None where nobody of that name may sign in. `at` is when it happened, in ISO 8601, where
        that was not now. Refused ones are noted within an allowance: who guesses must not fill the card.

        Raises:
            StaffError: nothing of that kind is noted.
            NotCommittedError: the card takes nothing.
        """
        what = _SIGN_INS.get(str(request.get("what")))
        if what is None:
            raise StaffError(f"note_sign_in: what is one of {', '.join(_SIGN_INS)}")
        if what is Audited.SIGN_IN_REFUSED and not self._refused.take():
            return {"words": "not noted: too many"}
        name, by = request.get("name"), request.get("by")
        entry = staff_trail.signed(
            Moment.present(),
            what,
            None if name is None else str(name)[:LONGEST_NAME],
            _moment(request.get("at")),
            None if by is None else str(by)[:LONGEST_NAME],
        )
        await self._writer.write(lambda transaction: transaction.audit(entry))
        return {"words": "noted"}


def _known(transaction: Transaction, name: str) -> StaffRow:
    found = store.member(transaction.connection, key_of(name))
    if found is None:
        raise StaffError("Nobody of this name may sign in: look at the list of staff.")
    return found


def _refuse_last_manager(transaction: Transaction, was: StaffRow) -> None:
    if was.role is not Role.MANAGER:
        return
    others = (each for each in store.staff(transaction.connection) if each.key != was.key)
    if not any(each.role is Role.MANAGER for each in others):
        raise StaffError(
            f"{was.name} is the only manager: without one nobody could say who may sign in."
            " Enter another first."
        )


def _name(request: Request) -> str:
    name = " ".join(str(request.get("name") or "").split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise StaffError(f"Give a name of 1 to {LONGEST_NAME} letters, in one line.")
    return name


def _by(request: Request) -> str:
    by = " ".join(str(request.get("by") or "").split())
    if not by or len(by) > 200 or not by.isprintable():
        raise StaffError("Say who does this (by).")
    return by


def _role(request: Request) -> Role:
    try:
        return Role(str(request.get("role")))
    except ValueError as error:
        raise StaffError(f"A role is one of {', '.join(Role)}.") from error


def _hash(request: Request) -> str:
    said = request.get("pin")
    if not isinstance(said, str) or not said.startswith(_HASH_BEGINS) or len(said) > _LONGEST_HASH:
        raise StaffError("The PIN has to come as its argon2id hash.")
    return said


def _moment(said: object) -> datetime | None:
    if said is None:
        return None
    try:
        at = datetime.fromisoformat(str(said))
    except ValueError as error:
        raise StaffError("note_sign_in: at is no moment of ISO 8601") from error
    return at if at.tzinfo is not None else None
