"""Sensors: how each is in plain words, enrolled and forgotten; an engineer reads no name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from hub.control.control_socket import ControlError
from hub.staff.rights import Role
from hub.web.sensor_words import How, enrolled_words, found_devices, sensor_lines
from tests.rigs.house import ILL, NAMES
from tests.rigs.staff_page import ELI, SAM, Client, StaffPage, staff_page

CUFF = "C4:F2:17:00:00:01"
SAID: dict[str, Any] = {
    "address": CUFF,
    "driver": "blood_pressure",
    "resident": ILL,
    "name": "Edith Quincey",
    "room": "Rosewood Suite",
    "user": None,
    "label": "Edith's cuff",
    "kit": None,
    "enrolled": "by command",
    "connected": False,
    "last_heard": None,
    "last_payload": None,
    "plugged_in": None,
    "trouble": None,
    "battery": None,
}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    async with staff_page(tmp_path) as page:
        page.page.board.load(page.connection)
        page.answers["sensors"] = {"sensors": [SAID]}
        yield page


def how(**said: object) -> How:
    (line,) = sensor_lines([{**SAID, **said}], names=True)
    return line.how


def test_how_a_sensor_is_goes_by_what_matters_most() -> None:
    at = now().isoformat()
    assert how() is How.SILENT
    assert how(last_heard=at) is How.NEAR
    assert how(last_heard=at, last_payload=at) is How.TOLD
    assert how(last_payload=at, connected=True) is How.CONNECTED
    assert how(plugged_in=True) is How.CONNECTED
    assert how(connected=True, battery=20) is How.LOW_BATTERY
    assert how(connected=True, battery=21) is How.CONNECTED
    assert how(connected=True, battery=5, trouble="its bond is lost") is How.TROUBLE


def test_what_is_in_trouble_comes_first() -> None:
    lines = sensor_lines(
        [{**SAID, "address": "A", "connected": True}, {**SAID, "address": "B", "trouble": "lost"}], names=True
    )
    assert [line.address for line in lines] == ["B", "A"]


def test_who_may_not_see_residents_reads_a_pseudonym_and_no_label() -> None:
    (line,) = sensor_lines([SAID], names=False)
    assert (line.whose, line.label) == (ILL, "")
    assert enrolled_words(SAID, names=False).endswith(f"is of: {ILL}.")


def test_a_scan_leaves_out_what_is_enrolled_and_has_what_can_be_read_first() -> None:
    unknown: dict[str, Any] = {
        "address": "U",
        "name": None,
        "enrolled": False,
        "suggested": [],
        "seconds_ago": 1,
    }
    cuff = {**unknown, "address": "N", "suggested": [{"driver": "blood_pressure", "why": "says so"}]}
    found = found_devices({"devices": [unknown, {**cuff, "address": "E", "enrolled": True}, cuff]})
    assert [each.address for each in found] == ["N", "U"]
    assert found[0].may_be == ("Blood pressure cuff",)


async def test_whose_it_is_its_battery_and_its_trouble_are_said(page: StaffPage, senior: Client) -> None:
    page.answers["sensors"] = {"sensors": [{**SAID, "battery": 12, "trouble": "its bond is lost"}]}
    shown = (await senior.get("/sensors")).text
    assert "Room Rosewood Suite, Edith Quincey: Blood pressure cuff" in shown
    assert "Battery 12 %" in shown
    assert "change it" in shown
    assert "its bond is lost" in shown


async def test_an_engineer_reads_no_name_on_any_of_these_pages(page: StaffPage, engineer: Client) -> None:
    page.answers["scan"] = {"devices": [], "plugged_in": [], "radio": None, "usb": None}
    page.answers["enrol"] = {"sensor": SAID, "words": "of Edith Quincey", "notes": []}
    shown = [
        await engineer.get(path) for path in ("/sensors", "/sensors/new", f"/sensors/enrol?address={CUFF}")
    ]
    shown.append(await engineer.post("/sensors/enrol", data={"address": CUFF, "resident": ILL}))
    shown.append(await engineer.post("/sensors/forget", data={"address": CUFF}))
    for each in shown:
        assert each.status_code == 200
        assert not [name for name in NAMES if name in each.text]
    assert ILL in shown[0].text


async def test_a_carer_looks_and_enrols_nothing(page: StaffPage) -> None:
    async with page.signed_in(Role.CARER) as carer:
        shown = await carer.get("/sensors")
        assert "Enrol a new sensor" not in shown.text
        assert "/sensors/forget" not in shown.text
        for path in ("/sensors/new", "/sensors/enrol"):
            assert (await carer.get(path)).status_code == 403
        for path in ("/sensors/enrol", "/sensors/forget"):
            assert (await carer.post(path, data={"address": CUFF})).status_code == 403
    assert [each["command"] for each in page.asked] == ["sensors"]


async def test_one_is_enrolled_and_it_is_said_whose_it_is(page: StaffPage, senior: Client) -> None:
    page.answers["enrol"] = {"sensor": SAID, "words": "", "notes": ["take a measurement with it"]}
    typed = {"address": CUFF, "driver": "", "resident": ILL, "user": "1", "kit": "", "label": ""}
    shown = await senior.post("/sensors/enrol", data=typed)
    assert page.asked[-1] == {"command": "enrol", "address": CUFF, "resident": ILL, "user": 1, "by": SAM}
    assert "is of: Room Rosewood Suite, Edith Quincey" in shown.text
    assert "take a measurement with it" in shown.text


async def test_what_the_hub_refuses_is_said_and_what_was_chosen_stays(
    page: StaffPage, senior: Client
) -> None:
    page.answers["enrol"] = ControlError(f"{CUFF}: is enrolled already")
    shown = await senior.post("/sensors/enrol", data={"address": CUFF, "resident": ILL, "kit": "ward-a"})
    assert shown.status_code == 409
    assert "is enrolled already" in shown.text
    assert 'value="ward-a"' in shown.text


async def test_one_is_forgotten_after_a_second_look(page: StaffPage, senior: Client) -> None:
    asked = await senior.post("/sensors/forget", data={"address": CUFF})
    assert "Forget this sensor?" in asked.text
    assert "forget" not in [each["command"] for each in page.asked]
    went = await senior.post("/sensors/forget", data={"address": CUFF, "sure": "yes"})
    assert went.status_code == 303
    assert page.asked[-1] == {"command": "forget", "address": CUFF, "by": SAM}


async def test_one_of_the_configuration_is_not_offered_to_be_forgotten(
    page: StaffPage, senior: Client
) -> None:
    page.answers["sensors"] = {"sensors": [{**SAID, "enrolled": "in the configuration"}]}
    assert "/sensors/forget" not in (await senior.get("/sensors")).text


async def test_where_nothing_is_collected_the_scan_says_why(page: StaffPage, engineer: Client) -> None:
    page.answers["scan"] = ControlError("Bluetooth is off on this hub")
    shown = await engineer.get("/sensors/new")
    assert shown.status_code == 200
    assert "Bluetooth is off on this hub" in shown.text
    assert page.asked[-1] == {"command": "scan", "by": ELI}


async def test_a_hub_that_does_not_answer_is_said_and_what_is_enrolled_is_shown(tmp_path: Path) -> None:
    async with staff_page(tmp_path, daemon=False) as page, page.signed_in(Role.CARER) as carer:
        shown = await carer.get("/sensors")
        assert shown.status_code == 200
        assert "How the sensors are is not known" in shown.text
        assert CUFF in shown.text
        assert "Works" not in shown.text


async def test_a_number_that_nobody_can_read_is_for_the_hub_to_refuse(page: StaffPage) -> None:
    page.answers["enrol"] = ControlError("user: no such number")
    sent = {"address": "C4:F2:17:00:00:01", "user": "9" * 5000}
    answer = await page.signed_in(Role.SENIOR).post("/sensors/enrol", data=sent)
    assert answer.status_code == 409
    assert "no such number" in answer.text
