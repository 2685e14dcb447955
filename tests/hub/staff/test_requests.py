"""What the daemon does of who may sign in, and what the trail has of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.staff.requests import StaffError, StaffRequests
from hub.staff.rights import Role, key_of
from hub.store.audit import entries
from hub.store.staff import member, staff
from hub.store.writer import Writer

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA"
MO: Mapping[str, Any] = {"name": "Mo Manager", "role": "manager", "pin": HASH, "by": "Sam Field"}


class Desk:
    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.requests = StaffRequests(writer)

    async def noted(self) -> list[tuple[str, dict[str, Any]]]:
        return await self.writer.write(
            lambda transaction: [
                (entry.what, dict(entry.detail)) for entry in reversed(entries(transaction.connection))
            ]
        )

    async def names(self) -> list[tuple[str, Role]]:
        return await self.writer.write(
            lambda transaction: [(each.name, each.role) for each in staff(transaction.connection)]
        )


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Writer(tmp_path / "carehub.db", timedelta(0)) as writer:
        yield Desk(writer)


async def test_somebody_is_entered_changed_and_removed_and_the_trail_has_it(desk: Desk) -> None:
    asked = desk.requests
    await asked.add(MO)
    await asked.add({**MO, "name": "  Cara   Night ", "role": "carer", "by": "Mo Manager"})
    await asked.change({"name": "cara night", "role": "senior", "by": "Mo Manager"})
    await asked.change({"name": "Cara Night", "pin": HASH + "X", "by": "Mo Manager"})
    assert await desk.names() == [("Cara Night", Role.SENIOR), ("Mo Manager", Role.MANAGER)]
    await asked.remove({"name": "CARA NIGHT", "by": "Mo Manager"})
    assert await desk.names() == [("Mo Manager", Role.MANAGER)]
    assert await desk.noted() == [
        ("staff entered", {"name": "Mo Manager", "role": "manager", "by": "Sam Field"}),
        ("staff entered", {"name": "Cara Night", "role": "carer", "by": "Mo Manager"}),
        ("staff changed", {"name": "Cara Night", "pin": False, "by": "Mo Manager", "role": "senior"}),
        ("staff changed", {"name": "Cara Night", "pin": True, "by": "Mo Manager"}),
        ("staff removed", {"name": "Cara Night", "role": "senior", "by": "Mo Manager"}),
    ]


async def test_the_trail_has_no_hash(desk: Desk) -> None:
    await desk.requests.add(MO)
    await desk.requests.change({"name": "Mo Manager", "pin": HASH + "X", "by": "Mo Manager"})
    assert "argon2" not in str(await desk.noted())


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": "x" * 61}, {"name": "a\x1bb"}, {"role": "owner"}, {"role": None}, {"by": " "},
        {"pin": "609418"}, {"pin": None}, {"pin": "$argon2i$" + HASH}, {"pin": HASH + "x" * 200},
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused(desk: Desk, wrong: Mapping[str, Any]) -> None:
    with pytest.raises(StaffError):
        await desk.requests.add({**MO, **wrong})
    assert await desk.names() == []
    assert await desk.noted() == []


async def test_a_name_is_there_once(desk: Desk) -> None:
    await desk.requests.add(MO)
    with pytest.raises(StaffError, match="entered already"):
        await desk.requests.add({**MO, "name": "mo MANAGER", "role": "carer"})


async def test_whom_nobody_knows_cannot_be_changed(desk: Desk) -> None:
    for ask in (desk.requests.change, desk.requests.remove):
        with pytest.raises(StaffError, match="Nobody of this name"):
            await ask({"name": "Nobody", "role": "carer", "by": "Mo"})


async def test_nothing_changes_without_saying_what(desk: Desk) -> None:
    await desk.requests.add(MO)
    with pytest.raises(StaffError, match="what shall be changed"):
        await desk.requests.change({"name": "Mo Manager", "by": "Mo Manager"})


async def test_the_last_manager_stays_and_the_one_before_may_go(desk: Desk) -> None:
    await desk.requests.add(MO)
    await desk.requests.add({**MO, "name": "Eli Engineer", "role": "engineer"})
    for ask in (desk.requests.remove, desk.requests.change):
        with pytest.raises(StaffError, match="only manager"):
            await ask({"name": "Mo Manager", "role": "carer", "by": "Mo Manager"})
    await desk.requests.add({**MO, "name": "May Manager"})
    await desk.requests.remove({"name": "Mo Manager", "by": "May Manager"})
    assert await desk.names() == [("Eli Engineer", Role.ENGINEER), ("May Manager", Role.MANAGER)]


async def test_who_signs_in_is_noted_with_the_time_when_it_was(desk: Desk) -> None:
    note = desk.requests.note_sign_in
    await note({"what": "signed in", "name": "Mo Manager", "at": "2026-03-01T04:00:00+00:00"})
    await note({"what": "refused", "name": None})
    await note({"what": "locked out", "name": "Mo Manager"})
    await note({"what": "unlocked", "name": "Mo Manager", "by": "May Manager"})
    assert await desk.noted() == [
        ("signed in", {"name": "Mo Manager", "happened": "2026-03-01T04:00:00+00:00"}),
        ("sign-in refused", {"name": None}),
        ("locked out", {"name": "Mo Manager"}),
        ("unlocked", {"name": "Mo Manager", "by": "May Manager"}),
    ]
    for wrong in ({"what": "promoted"}, {"what": "signed in", "at": "noon"}):
        with pytest.raises(StaffError):
            await note(wrong)


async def test_whoever_guesses_does_not_fill_the_trail(desk: Desk) -> None:
    for _ in range(80):
        await desk.requests.note_sign_in({"what": "refused", "name": None})
    await desk.requests.note_sign_in({"what": "signed in", "name": "Mo Manager"})
    noted = await desk.noted()
    assert 60 <= len(noted) < 70
    assert noted[-1][0] == "signed in", "who does sign in is noted all the same"


async def test_a_damaged_row_lets_nobody_in_and_keeps_nobody_out(desk: Desk) -> None:
    await desk.requests.add(MO)
    await desk.requests.add({**MO, "name": "May Manager"})

    def damage(transaction: Any) -> None:
        transaction.connection.execute("UPDATE staff SET role = 'mamager' WHERE key = 'mo manager'")

    await desk.writer.write(damage)
    assert await desk.names() == [("May Manager", Role.MANAGER)]
    found = await desk.writer.write(lambda transaction: member(transaction.connection, "mo manager"))
    assert found is None


def test_roles_give_no_more_than_they_have() -> None:
    may = {role: {other for other in Role if role.may_make(other)} for role in Role}
    assert may == {
        Role.CARER: set(),
        Role.SENIOR: set(),
        Role.MANAGER: set(Role),
        Role.ENGINEER: {Role.ENGINEER},
    }


def test_a_name_is_compared_as_people_do() -> None:
    assert key_of(" Zoë  O'Hara ") == key_of("zoe\u0308 o'hara")
    assert key_of("Ann") != key_of("Anna")
