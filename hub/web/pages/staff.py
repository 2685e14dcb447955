"""Who may sign in: to enter somebody, to give them another role or PIN, to unlock or remove them; and for
everybody, to choose another PIN for themselves.

Nobody gives a role that has more rights than their own: an engineer enters engineers, a manager everybody.
In an address somebody stands as a digest of their name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.responses import Response

from hub.staff.rights import Right, Role
from hub.store.staff import StaffRow, member, staff
from hub.web.asking import RefusedError
from hub.web.guard import let_in
from hub.web.pins import trouble_of
from hub.web.routes import PageRoute
from hub.web.visit import Visit

_DIGEST_DIGITS = 16
_DIFFERENT = "These are two different PINs. Type the same one twice."

Errors = Sequence[tuple[str, str]]


def address_of(row: StaffRow) -> str:
    """Where somebody is changed."""
    digest = hashlib.sha256(b"staff " + row.key.encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"/manage/staff/{digest}"


async def everybody(visit: Visit) -> Response:
    """Who may sign in, and who is locked out."""
    locked = visit.house.sign_in.locked_names()
    rows = [
        (row, address_of(row), row.key in locked, visit.person.role.may_make(row.role))
        for row in await visit.look(staff)
    ]
    return visit.page("staff/list.html", rows=rows)


async def new(visit: Visit) -> Response:
    """The form to enter somebody."""
    return _new(visit)


async def add(visit: Visit) -> Response:
    """Enter them."""
    name, role = visit.field("name"), _role(visit)
    errors = _errors_of_pin(visit)
    if not name:
        errors.insert(0, ("name", "Give their name."))
    if role is None:
        errors.append(("role", "Choose what they are."))
    if errors or role is None:
        return _new(visit, errors)
    try:
        pin = await visit.house.sign_in.hash_of(visit.field("pin"))
        await visit.ask("staff_add", name=name, role=role.value, pin=pin)
    except RefusedError as error:
        return _new(visit, [("name", str(error))])
    return visit.go("/manage/staff")


async def one(visit: Visit) -> Response:
    """Somebody, and what can be changed of them."""
    return _one(visit, await _member(visit))


async def change_role(visit: Visit) -> Response:
    """Give them another role."""
    row, role = await _member(visit), _role(visit)
    if role is None:
        return _one(visit, row, [("role", "Choose what they are.")])
    return await _ask(visit, row, "staff_change", "role", role=role.value)


async def change_pin(visit: Visit) -> Response:
    """Give them another PIN."""
    row = await _member(visit)
    if errors := _errors_of_pin(visit):
        return _one(visit, row, errors)
    pin = await visit.house.sign_in.hash_of(visit.field("pin"))
    response = await _ask(visit, row, "staff_change", "pin", pin=pin)
    if response.status_code == 303:
        visit.house.sign_in.unlock(row, visit.person.name)
    return response


async def unlock(visit: Visit) -> Response:
    """Let them try again."""
    row = await _member(visit)
    visit.house.sign_in.unlock(row, visit.person.name)
    return visit.go("/manage/staff")


async def ask_to_remove(visit: Visit) -> Response:
    """Whether they are sure."""
    row = await _member(visit)
    return visit.page("staff/remove.html", row=row, address=address_of(row))


async def remove(visit: Visit) -> Response:
    """Let them sign in no more."""
    return await _ask(visit, await _member(visit), "staff_remove", "")


async def own_pin(visit: Visit) -> Response:
    """The form to choose another PIN for oneself."""
    return visit.page("staff/own_pin.html", errors=[], saved="saved" in visit.request.query_params)


async def change_own_pin(visit: Visit) -> Response:
    """Take it. Where they are signed in elsewhere, that ends."""
    house, session, client = visit.house, visit.session, visit.request.client
    assert session is not None, "the route asks for somebody"
    errors = _errors_of_pin(visit)
    if not errors:
        refused = await house.sign_in.prove(session.row, visit.field("now"), client.host if client else "")
        if refused is not None:
            errors = [("now", refused.words)]
    if errors:
        return visit.page("staff/own_pin.html", 422, errors=errors, saved=False)
    pin = await house.sign_in.hash_of(visit.field("pin"))
    await visit.ask("staff_change", name=session.row.name, pin=pin)
    row = await visit.look(lambda connection: member(connection, session.row.key))
    response = visit.go("/pin?saved")
    if row is None or row.pin != pin:
        return response
    house.sessions.end(session)
    return let_in(house, response, house.sessions.begin(row)[0])


async def _member(visit: Visit) -> StaffRow:
    """Who is meant, if whoever asks may change them."""
    wanted = f"/manage/staff/{visit.part('member')}"
    for row in await visit.look(staff):
        if address_of(row) == wanted:
            if not visit.person.role.may_make(row.role):
                raise RefusedError(f"Only a manager may change who is {row.role.words}.")
            return row
    raise HTTPException(404)


async def _ask(visit: Visit, row: StaffRow, command: str, field: str, **said: object) -> Response:
    try:
        await visit.ask(command, name=row.name, **said)
    except RefusedError as error:
        return _one(visit, row, [(field, str(error))])
    return visit.go("/manage/staff")


def _new(visit: Visit, errors: Errors = ()) -> Response:
    return visit.page(
        "staff/new.html",
        422 if errors else 200,
        errors=list(errors),
        of=dict(errors),
        roles=_roles(visit),
        name=visit.field("name"),
        chosen=visit.field("role"),
    )


def _one(visit: Visit, row: StaffRow, errors: Errors = ()) -> Response:
    return visit.page(
        "staff/one.html",
        422 if errors else 200,
        errors=list(errors),
        of=dict(errors),
        roles=_roles(visit),
        row=row,
        address=address_of(row),
        locked=row.key in visit.house.sign_in.locked_names(),
    )


def _roles(visit: Visit) -> Sequence[tuple[str, str, str]]:
    own = visit.person.role
    return [(role.value, role.words.capitalize(), _MAY[role]) for role in Role if own.may_make(role)]


def _role(visit: Visit) -> Role | None:
    """The role that was chosen, if whoever asks may give it."""
    said = visit.field("role")
    found = Role(said) if said in set(Role) else None
    return found if found is not None and visit.person.role.may_make(found) else None


def _errors_of_pin(visit: Visit) -> list[tuple[str, str]]:
    pin = visit.field("pin")
    if (trouble := trouble_of(pin)) is not None:
        return [("pin", trouble)]
    return [] if pin == visit.field("again") else [("again", _DIFFERENT)]


_MAY = {
    Role.CARER: "Sees residents, makes rounds, answers alerts.",
    Role.SENIOR: "All that a carer does; puts right whose a reading is, settles concerns, adds sensors.",
    Role.MANAGER: "All that a senior carer does; enters residents and staff.",
    Role.ENGINEER: "Sees how the hub and its sensors are. Sees no resident's name or health.",
}

ROUTES: list[PageRoute] = [
    PageRoute("GET", "/manage/staff", Right.STAFF, everybody),
    PageRoute("GET", "/manage/staff-new", Right.STAFF, new),
    PageRoute("POST", "/manage/staff-new", Right.STAFF, add),
    PageRoute("GET", "/manage/staff/{member}", Right.STAFF, one),
    PageRoute("POST", "/manage/staff/{member}/role", Right.STAFF, change_role),
    PageRoute("POST", "/manage/staff/{member}/pin", Right.STAFF, change_pin),
    PageRoute("POST", "/manage/staff/{member}/unlock", Right.STAFF, unlock),
    PageRoute("GET", "/manage/staff/{member}/remove", Right.STAFF, ask_to_remove),
    PageRoute("POST", "/manage/staff/{member}/remove", Right.STAFF, remove),
    PageRoute("GET", "/pin", "signed in", own_pin),
    PageRoute("POST", "/pin", "signed in", change_own_pin),
]
