"""A manager says who may sign in; an engineer only which engineers may."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.staff.requests import StaffRequests
from hub.staff.rights import Role
from hub.store.staff import StaffRow, member
from hub.store.writer import Writer
from hub.web.pages.staff import address_of
from tests.rigs.staff_page import CHEAP, ELI, MO, NAMES, StaffPage, staff_page

PIN = "609418"
NEW = {"name": "Nia New", "role": "carer", "pin": PIN, "again": PIN}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    """With the real requests behind it, over the real store."""
    async with staff_page(tmp_path) as page, Writer(page.house.path, timedelta(0)) as writer:
        page.handlers(StaffRequests(writer).handlers)
        yield page


def known(page: StaffPage, name: str) -> StaffRow | None:
    return member(page.connection, name.casefold())


def address(page: StaffPage, role: Role) -> str:
    return address_of(page.row(role))


async def test_a_manager_enters_somebody_who_can_sign_in_then(page: StaffPage) -> None:
    manager = page.signed_in(Role.MANAGER)
    assert (await manager.get("/manage/staff-new")).status_code == 200
    assert (await manager.post("/manage/staff-new", data=NEW)).headers["location"] == "/manage/staff"
    assert "Nia New" in (await manager.get("/manage/staff")).text
    answer = await page.browser().post("/sign-in", data={"name": "nia new", "pin": PIN})
    assert answer.status_code == 303
    (asked,) = (each for each in page.asked if each["command"] == "staff_add")
    assert (asked["by"], asked["name"]) == (MO, "Nia New")
    assert PIN not in str(page.asked), "the PIN itself never reaches the daemon"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"name": ""}, "Give their name."),
        ({"role": ""}, "Choose what they are."),
        ({"role": "owner"}, "Choose what they are."),
        ({"pin": "123456", "again": "123456"}, "easy to guess"),
        ({"again": "609419"}, "two different PINs"),
        ({"name": "cara  night"}, "Cara Night is entered already"),
        ({"name": "x" * 61}, "1 to 60 letters"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_done(
    page: StaffPage, said: dict[str, str], words: str
) -> None:
    answer = await page.signed_in(Role.MANAGER).post("/manage/staff-new", data={**NEW, **said})
    assert answer.status_code == 422
    assert words in answer.text
    assert PIN not in answer.text, "a PIN is not sent back"
    assert known(page, "nia new") is None


async def test_an_engineer_enters_engineers_and_nobody_else(page: StaffPage) -> None:
    """Or one who sees nobody's health would make a manager of themselves."""
    engineer = page.signed_in(Role.ENGINEER)
    for role in (Role.CARER, Role.SENIOR, Role.MANAGER):
        answer = await engineer.post("/manage/staff-new", data={**NEW, "role": role.value})
        assert answer.status_code == 422
        for act, sent in (
            ("role", {"role": "engineer"}),
            ("pin", {"pin": PIN, "again": PIN}),
            ("unlock", {}),
            ("remove", {}),
        ):
            assert (await engineer.post(f"{address(page, role)}/{act}", data=sent)).status_code == 409
    own = address(page, Role.ENGINEER)
    for role in (Role.CARER, Role.MANAGER):
        assert (await engineer.post(f"{own}/role", data={"role": role.value})).status_code == 422
    assert page.asked == []
    answer = await engineer.post("/manage/staff-new", data={**NEW, "role": "engineer"})
    assert answer.status_code == 303


async def test_a_role_is_changed_and_they_sign_in_again(page: StaffPage) -> None:
    manager, carer = page.signed_in(Role.MANAGER), page.signed_in(Role.CARER)
    where = address(page, Role.CARER)
    assert "Cara Night" in (await manager.get(where)).text
    assert (await manager.post(f"{where}/role", data={"role": "senior"})).status_code == 303
    found = known(page, "cara night")
    assert found is not None
    assert found.role is Role.SENIOR
    assert (await carer.get("/pin")).status_code == 303


async def test_a_forgotten_pin_is_replaced(page: StaffPage) -> None:
    where = address(page, Role.CARER)
    sent = {"pin": PIN, "again": PIN}
    assert (await page.signed_in(Role.MANAGER).post(f"{where}/pin", data=sent)).status_code == 303
    found = known(page, "cara night")
    assert found is not None
    assert CHEAP.fits(found.pin, PIN)


async def test_who_has_left_is_removed_after_being_asked_again(page: StaffPage) -> None:
    manager, carer = page.signed_in(Role.MANAGER), page.signed_in(Role.CARER)
    where = address(page, Role.CARER)
    assert "Do not remove" in (await manager.get(f"{where}/remove")).text
    assert known(page, "cara night") is not None
    assert (await manager.post(f"{where}/remove")).status_code == 303
    assert known(page, "cara night") is None
    assert (await carer.get("/pin")).status_code == 303
    assert (await manager.get(where)).status_code == 404


async def test_the_last_manager_stays(page: StaffPage) -> None:
    manager, where = page.signed_in(Role.MANAGER), address(page, Role.MANAGER)
    for act, sent in (("remove", {}), ("role", {"role": "carer"})):
        answer = await manager.post(f"{where}/{act}", data=sent)
        assert "the only manager" in answer.text
    found = known(page, MO.casefold())
    assert found is not None
    assert found.role is Role.MANAGER


async def test_no_address_has_a_name(page: StaffPage) -> None:
    text = (await page.signed_in(Role.MANAGER).get("/manage/staff")).text
    addresses = [part.split('"')[0] for part in text.split('href="')[1:]]
    assert sum(each.startswith("/manage/staff/") for each in addresses) == len(NAMES)
    for name in ("Cara", "cara", "Eli", ELI):
        assert not any(name in each for each in addresses)
