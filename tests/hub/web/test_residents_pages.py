"""Managing residents: only what was changed is sent, and nobody stops being watched by one tap."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from hub.control.control_socket import ControlError
from hub.residents.care import Care
from hub.staff.rights import Role
from hub.store import people
from tests.rigs.house import ILL
from tests.rigs.staff_page import MO, Client, StaffPage, staff_page

DORA = "R-0900"
LIST = "/manage/residents"
WHO = {
    "name": "Dora Hill",
    "room": "12",
    "birth_year": "1944",
    "oxygen_scale": "1",
    "oxygen_scale_prescriber": "",
}
HERE = {"whereabouts": "here", "consent": "given"}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    async with staff_page(tmp_path) as page:
        row = people.ResidentRow(DORA, "Dora Hill", "12", 1944, 1, None, "WB-77", now(), MO)
        people.enter(page.connection, row)
        yield page


def acts(page: StaffPage) -> list[Mapping[str, Any]]:
    """What was asked of the hub."""
    return list(page.asked)


def was(**now_typed: str) -> dict[str, str]:
    """The form of who Dora is, as it was drawn, and what is typed over it."""
    return {f"was_{key}": value for key, value in WHO.items()} | WHO | now_typed


async def test_who_is_listed_is_there_of_whichever_list(manager: Client) -> None:
    shown = (await manager.get(LIST)).text
    assert "Edith Quincey" in shown
    assert "Dora Hill" in shown


async def test_the_code_of_a_wristband_is_shown_nowhere(manager: Client) -> None:
    for path in (LIST, f"{LIST}/{DORA}", f"{LIST}/{DORA}/who"):
        shown = await manager.get(path)
        assert shown.status_code == 200
        assert "WB-77" not in shown.text


@pytest.mark.parametrize("role", [Role.CARER, Role.SENIOR, Role.ENGINEER])
async def test_only_a_manager_may(page: StaffPage, role: Role) -> None:
    async with page.signed_in(role) as client:
        for path in (LIST, f"{LIST}/{DORA}/where", "/manage/residents-new", "/manage/residents-table"):
            assert (await client.get(path)).status_code == 403
        assert (await client.post(f"{LIST}/{DORA}/where", data=HERE)).status_code == 403
    assert acts(page) == []


async def test_somebody_new_is_entered_with_what_was_typed(page: StaffPage, manager: Client) -> None:
    page.answers["resident_add"] = {"resident": "R-123456", "words": "Entered."}
    typed = {**WHO, "name": "Ann New", "birth_year": "", "wristband": "WB-9"}
    went = await manager.post("/manage/residents-new", data=typed)
    assert went.headers["location"] == "/manage/residents/R-123456?done=entered"
    given = {"name": "Ann New", "room": "12", "oxygen_scale": "1", "wristband": "WB-9"}
    assert acts(page) == [{"command": "resident_add", "resident": given, "same_person": False, "by": MO}]


async def test_scale_2_without_a_prescriber_is_not_even_asked_for(page: StaffPage, manager: Client) -> None:
    for path, typed in (
        ("/manage/residents-new", {**WHO, "oxygen_scale": "2"}),
        (f"{LIST}/{DORA}/who", was(oxygen_scale="2")),
    ):
        shown = await manager.post(path, data=typed)
        assert shown.status_code == 409
        assert "who prescribed" in shown.text
    assert acts(page) == []


async def test_what_the_hub_refuses_is_said_and_what_was_typed_stays(
    page: StaffPage, manager: Client
) -> None:
    page.answers["resident_add"] = ControlError("wristband: R-0412 has the same code: give one another")
    shown = await manager.post("/manage/residents-new", data={**WHO, "name": "Ann New"})
    assert shown.status_code == 409
    assert "has the same code" in shown.text
    assert 'value="Ann New"' in shown.text


async def test_only_what_was_changed_is_sent(page: StaffPage, manager: Client) -> None:
    await manager.post(f"{LIST}/{DORA}/who", data=was(room="14"))
    assert acts(page) == [
        {"command": "resident_change", "resident": DORA, "fields": {"room": "14"}, "by": MO}
    ]


async def test_what_another_manager_changed_meanwhile_is_not_undone(page: StaffPage, manager: Client) -> None:
    page.connection.execute("UPDATE resident SET room = '20'")
    await manager.post(f"{LIST}/{DORA}/who", data=was(name="Dora Hills"))
    assert acts(page)[-1]["fields"] == {"name": "Dora Hills"}


async def test_a_form_in_which_nothing_was_changed_asks_for_nothing(page: StaffPage, manager: Client) -> None:
    went = await manager.post(f"{LIST}/{DORA}/who", data=was())
    assert went.headers["location"].endswith("done=unchanged")
    assert acts(page) == []


async def test_a_wristband_is_kept_replaced_or_taken_away(page: StaffPage, manager: Client) -> None:
    await manager.post(f"{LIST}/{DORA}/who", data=was(wristband="WB-78"))
    assert acts(page)[-1]["fields"] == {"wristband": "WB-78"}
    await manager.post(f"{LIST}/{DORA}/who", data=was(wristband_away="yes"))
    assert acts(page)[-1]["fields"] == {"wristband": None}


async def test_who_would_be_watched_no_more_is_asked_of_twice(page: StaffPage, manager: Client) -> None:
    typed = {"whereabouts": "in hospital", "consent": "given"}
    asked = await manager.post(f"{LIST}/{DORA}/where", data=typed)
    assert asked.status_code == 200
    assert "no alert is raised of them" in asked.text
    assert acts(page) == []
    went = await manager.post(f"{LIST}/{DORA}/where", data={**typed, "sure": "yes"})
    assert went.status_code == 303
    care = {"whereabouts": "in hospital"}
    assert acts(page) == [{"command": "resident_care", "resident": DORA, "care": care, "by": MO}]


async def test_that_an_open_alert_is_closed_by_it_is_said_before(page: StaffPage, manager: Client) -> None:
    from tests.rigs.house import oximeter

    page.house.take(oximeter(84, now()))
    page.page.board.load(page.connection)
    asked = await manager.post(f"{LIST}/{ILL}/where", data={"whereabouts": "here", "consent": "withdrawn"})
    assert "They have an open alert. It is closed with this." in asked.text


async def test_who_comes_back_is_watched_at_once(page: StaffPage, manager: Client) -> None:
    body = Care.model_validate({"whereabouts": "in hospital"}).model_dump_json()
    people.note_care(page.connection, people.CareRow(DORA, body, now(), MO))
    went = await manager.post(f"{LIST}/{DORA}/where", data=HERE)
    assert went.status_code == 303
    assert acts(page)[-1]["care"] == {"whereabouts": "here"}


async def test_what_is_normal_and_agreed_on_is_sent_as_typed(page: StaffPage, manager: Client) -> None:
    typed = {
        "escalation_plan": "Not to hospital.",
        "reviewed": "2026-01-05",
        "temperature_lowest": "35,8",
        "temperature_highest": "36.6",
    }
    went = await manager.post(f"{LIST}/{DORA}/care", data=typed)
    assert went.status_code == 303
    assert acts(page)[-1]["care"] == {
        "escalation_plan": "Not to hospital.",
        "reviewed": "2026-01-05",
        "normals": {"temperature": {"lowest": 35.8, "highest": 36.6}},
    }


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"temperature_lowest": "36"}, "give two numbers"),
        ({"temperature_lowest": "37", "temperature_highest": "36"}, "give two numbers"),
        ({"pulse_rate_lowest": "sixty", "pulse_rate_highest": "80"}, "give two numbers"),
        ({"reviewed": "5 January"}, "Give the day as"),
        ({"reviewed": "2999-01-01"}, "has not come yet"),
    ],
)
async def test_what_cannot_be_is_said_beside_its_field(
    page: StaffPage, manager: Client, typed: dict[str, str], says: str
) -> None:
    shown = await manager.post(f"{LIST}/{DORA}/care", data=typed)
    assert shown.status_code == 409
    assert says in shown.text
    assert acts(page) == []


async def test_who_is_in_the_configuration_is_changed_there(manager: Client) -> None:
    shown = (await manager.get(f"{LIST}/{ILL}")).text
    assert "changed there" in shown
    assert f"{LIST}/{ILL}/who" not in shown
    assert f"{LIST}/{ILL}/care" in shown


@pytest.mark.parametrize("path", ["", "/who", "/care", "/where"])
async def test_who_is_not_listed_is_not_found(manager: Client, path: str) -> None:
    assert (await manager.get(f"{LIST}/R-9999{path}")).status_code == 404


CSV = "name;room\nAnn Zed;4\n"
SEEN = {
    "added": 1,
    "changed": 0,
    "unchanged": 0,
    "problems": [],
    "rows": [
        {"line": 2, "what": "added", "resident": None, "name": "Ann Zed", "room": "4", "fields": ["name"]}
    ],
    "words": "1 resident(s) would be entered",
}


async def test_a_table_is_looked_at_before_it_is_taken_in(page: StaffPage, manager: Client) -> None:
    page.answers["residents_import"] = SEEN
    files = {"table": ("people.csv", CSV.encode("utf-8-sig"), "text/csv")}
    seen = await manager.post("/manage/residents-table", data={}, files=files)
    assert acts(page)[-1] == {"command": "residents_import", "csv": CSV, "dry_run": True, "by": MO}
    assert "Ann Zed" in seen.text
    assert "Take it in" in seen.text
    done = await manager.post("/manage/residents-table", data={"table": CSV, "sure": "yes"})
    assert acts(page)[-1]["dry_run"] is False
    assert "The table was taken in" in done.text


async def test_each_problem_of_a_table_has_its_line_and_nothing_can_be_taken_in(
    page: StaffPage, manager: Client
) -> None:
    problems = [{"line": 7, "words": "year of birth: give the year with four digits"}]
    page.answers["residents_import"] = {**SEEN, "problems": problems}
    files = {"table": ("people.csv", CSV.encode(), "text/csv")}
    seen = await manager.post("/manage/residents-table", data={}, files=files)
    assert seen.status_code == 409
    assert ">7<" in seen.text
    assert "four digits" in seen.text
    assert "Take it in" not in seen.text


async def test_no_file_and_an_empty_one_are_said(page: StaffPage, manager: Client) -> None:
    for files in ({"table": ("", b"", "text/csv")}, {"table": ("people.csv", b" \n", "text/csv")}):
        shown = await manager.post("/manage/residents-table", data={}, files=files)
        assert shown.status_code == 409
        assert "not empty" in shown.text
    assert acts(page) == []
