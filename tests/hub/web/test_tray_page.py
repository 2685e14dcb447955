"""The tray: who says whose a reading is looks twice, and nothing is done by looking."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from hub.clock import now
from hub.control.control_socket import ControlError
from tests.rigs.house import ILL, SHARED, WELL, cuff, oximeter
from tests.rigs.staff_page import CARA, SAM, Client, StaffPage

ANY = "00000000-0000-8000-8000-000000000000"


def acts(page: StaffPage) -> list[Mapping[str, Any]]:
    """What was asked of the hub."""
    return [each for each in page.asked if each["command"] != "note_sign_in"]


def nobodys(page: StaffPage, *saturations: float) -> list[str]:
    """Readings of a shared sensor: their ids, oldest first."""
    readings = []
    for count, each in enumerate(saturations):
        reading = oximeter(each, now() - timedelta(minutes=len(saturations) - count), device=SHARED)
        page.house.take(reading)
        readings.append(str(reading.id))
    return readings


async def test_what_is_nobodys_waits_and_what_is_somebodys_does_not(page: StaffPage, carer: Client) -> None:
    page.house.take(cuff(128, now()))
    nobodys(page, 91, 92)
    shown = await carer.get("/tray")
    assert len(re.findall(r'name="reading"', shown.text)) == 2
    assert "91 %" in shown.text
    assert "128 mmHg" not in shown.text


async def test_an_empty_tray_says_so(carer: Client) -> None:
    assert "Nothing waits" in (await carer.get("/tray")).text


async def test_a_reading_is_given_after_a_second_look(page: StaffPage, carer: Client) -> None:
    first, second = nobodys(page, 91, 92)
    asked = await carer.get("/tray/give", params={"reading": [first, second], "resident": ILL})
    assert "Are these Edith Quincey’s?" in asked.text
    assert acts(page) == [], "to look is not to do"
    named = re.findall(r'name="reading" value="([^"]+)"', asked.text)
    went = await carer.post("/tray/give", data={"reading": named, "resident": ILL})
    assert acts(page) == [{"command": "assign", "readings": [first, second], "resident": ILL, "by": CARA}]
    said = await carer.get(went.headers["location"])
    assert "2 readings went to Edith Quincey" in said.text


async def test_an_alert_that_is_open_for_whom_it_was_given_to_is_said(page: StaffPage, carer: Client) -> None:
    page.house.take(cuff(85, now()))
    (alert,) = page.house.open_alerts()
    said = await carer.get(f"/tray?given=1&resident={ILL}")
    assert f"/alerts/{alert.id}" in said.text


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"resident": ILL}, "Tick at least one reading."),
        ({"reading": "nonsense", "resident": ILL}, "Tick at least one reading."),
        ({"reading": ANY, "resident": ""}, "Choose the resident."),
        ({"reading": ANY, "resident": "R-9999"}, "Choose the resident."),
        ({"reading": ANY, "resident": ILL}, "Somebody else has dealt with these by now."),
    ],
)
async def test_what_is_not_said_is_asked_for(carer: Client, asked: Mapping[str, str], words: str) -> None:
    answer = await carer.get("/tray/give", params=asked)
    assert answer.status_code == 422
    assert words in answer.text


async def test_what_was_ticked_stays_ticked_where_the_resident_was_forgotten(
    page: StaffPage, carer: Client
) -> None:
    first, _ = nobodys(page, 91, 92)
    answer = await carer.get("/tray/give", params={"reading": first, "resident": ""})
    assert re.findall(r'value="([^"]+)" checked', answer.text) == [first]


async def test_what_is_somebodys_by_now_is_not_asked_of_again(page: StaffPage, carer: Client) -> None:
    reading = cuff(128, now())
    page.house.take(reading)
    answer = await carer.get("/tray/give", params={"reading": str(reading.id), "resident": WELL})
    assert "Somebody else has dealt with these by now." in answer.text


async def test_what_the_hub_refuses_is_said_in_its_words(page: StaffPage, carer: Client) -> None:
    page.answers["assign"] = ControlError("It is Mortimer's by now.")
    answer = await carer.post("/tray/give", data={"reading": ANY, "resident": ILL})
    assert answer.status_code == 409
    assert "It is Mortimer&#39;s by now." in answer.text


async def test_a_reading_is_discarded_with_why(page: StaffPage, carer: Client) -> None:
    (reading,) = nobodys(page, 91)
    asked = await carer.get("/tray/discard", params={"reading": reading})
    assert "Why?" in asked.text
    without = await carer.post("/tray/discard", data={"reading": reading})
    assert (without.status_code, acts(page)) == (422, [])
    went = await carer.post("/tray/discard", data={"reading": reading, "reason": "other", "other": "a trial"})
    assert went.headers["location"] == "/tray?discarded"
    assert acts(page) == [{"command": "discard", "readings": [reading], "reason": "a trial", "by": CARA}]


async def test_a_tab_is_told_of_more_and_does_not_lose_what_is_ticked_in_it(
    page: StaffPage, carer: Client
) -> None:
    nobodys(page, 91)
    (path,) = re.findall(r'hx-get="(/parts/tray[^"]*)"', (await carer.get("/tray")).text)
    assert "came in since" not in (await carer.get(path)).text
    nobodys(page, 92)
    told = (await carer.get(path)).text
    assert "1 reading more came in since" in told
    assert "<input" not in told


async def test_a_wrongly_given_reading_is_put_right_by_a_senior_with_why(
    page: StaffPage, senior: Client
) -> None:
    reading = cuff(85, now())
    page.house.take(reading)
    path = f"/readings/{reading.id}/correct"
    shown = await senior.get(path)
    assert "Not Edith Quincey’s?" in shown.text
    assert "85 mmHg" in shown.text
    for said in ({}, {"resident": WELL}, {"reason": "wrong wristband"}, {"resident": ILL, "reason": "x"}):
        assert (await senior.post(path, data=said)).status_code == 422
    assert acts(page) == []
    went = await senior.post(path, data={"resident": WELL, "reason": "wrong wristband"})
    assert "1 reading went to Mortimer Zed" in (await senior.get(went.headers["location"])).text
    told = {
        "command": "correct",
        "reading": str(reading.id),
        "resident": WELL,
        "reason": "wrong wristband",
        "said_of": None,
        "by": SAM,
    }
    assert acts(page) == [told]


async def test_what_was_looked_at_is_told_so_that_nobodys_correction_is_undone_unseen(
    page: StaffPage, senior: Client
) -> None:
    reading = cuff(85, now())
    page.house.take(reading)
    path = f"/readings/{reading.id}/correct"
    assert f'name="said_of" value="{ILL}"' in (await senior.get(path)).text
    again = await senior.post(path, data={"resident": WELL, "said_of": "R-OF-BEFORE"})
    assert 'name="said_of" value="R-OF-BEFORE"' in again.text
    await senior.post(path, data={"resident": WELL, "reason": "x", "said_of": ILL})
    assert acts(page)[-1]["said_of"] == ILL


async def test_a_wrongly_given_reading_may_be_nobodys(page: StaffPage, senior: Client) -> None:
    reading = cuff(85, now())
    page.house.take(reading)
    await senior.post(f"/readings/{reading.id}/correct", data={"resident": "-", "reason": "unknown"})
    (told,) = acts(page)
    assert told["resident"] is None


async def test_a_carer_may_not_take_a_reading_from_somebody(page: StaffPage, carer: Client) -> None:
    reading = cuff(85, now())
    page.house.take(reading)
    path = f"/readings/{reading.id}/correct"
    assert (await carer.get(path)).status_code == 403
    assert (await carer.post(path, data={"resident": WELL, "reason": "x"})).status_code == 403
    assert acts(page) == []


async def test_there_is_nothing_to_put_right_of_what_is_nobodys(page: StaffPage, senior: Client) -> None:
    (reading,) = nobodys(page, 91)
    assert (await senior.get(f"/readings/{reading}/correct")).status_code == 404
    assert (await senior.get(f"/readings/{ANY}/correct")).status_code == 404
    assert (await senior.get("/readings/nonsense/correct")).status_code == 404
