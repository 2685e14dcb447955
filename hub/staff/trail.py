"""What is noted in the trail of who may sign in on the staff page, and of who does. See `hub/trail.py`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hub.staff.rights import Role
from hub.store.audit import NewEntry
from hub.trail import Audited, Moment


def staff_entered(moment: Moment, name: str, role: Role, by: str) -> NewEntry:
    """From now on somebody may sign in on the staff page."""
    return _entry(moment, Audited.STAFF_ENTERED, {"name": name, "role": role.value, "by": by})


def staff_changed(moment: Moment, name: str, by: str, *, role: Role | None, pin: bool) -> NewEntry:
    """Somebody has another role (None: the same), and whether they have another PIN."""
    detail = {"name": name, "pin": pin, "by": by}
    return _entry(moment, Audited.STAFF_CHANGED, detail if role is None else {**detail, "role": role.value})


def staff_removed(moment: Moment, name: str, role: Role, by: str) -> NewEntry:
    """Somebody may not sign in any more."""
    return _entry(moment, Audited.STAFF_REMOVED, {"name": name, "role": role.value, "by": by})


def signed(
    moment: Moment, what: Audited, name: str | None, happened: datetime | None, by: str | None
) -> NewEntry:
    """Somebody signed in or out, was refused, was locked out, or was unlocked (`by` whom).

    `name` is None where nobody has the name that was given: it may have been a PIN. `happened` is when it
    was, as the page has it."""
    detail: dict[str, object] = {"name": name}
    if happened is not None:
        detail["happened"] = happened.isoformat()
    return _entry(moment, what, detail if by is None else {**detail, "by": by})


def _entry(moment: Moment, what: Audited, detail: Mapping[str, object]) -> NewEntry:
    return NewEntry(moment.at, moment.stamp, what.value, None, detail)
