"""The page of an alert: what to do, why, what was done; it is taken, settled, handed over."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest

from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.concern import SoftSign, concern_reading
from hub.alerts.life import Alert, AlertPolicy
from hub.assessment.news2 import Band
from hub.clock import now
from hub.control.control_socket import ControlError
from hub.staff.rights import Role
from tests.rigs.house import ILL, WELL, cuff, entry, oximeter
from tests.rigs.staff_page import CARA, SAM, Client, StaffPage

MINUTE = timedelta(minutes=1)


def raised(page: StaffPage) -> Alert:
    """Edith was well an hour ago, and is not now."""
    at = now()
    page.house.take(entry(at - 70 * MINUTE), ILL)
    page.house.take(oximeter(97, at - 69 * MINUTE))
    page.house.take(entry(at - 2 * MINUTE, rate=22), ILL)
    page.house.take(oximeter(84, at - MINUTE, pulse=118))
    page.page.board.load(page.connection)
    (alert,) = page.house.open_alerts()
    return alert


def concerned(page: StaffPage) -> Alert:
    """Somebody is worried about Mortimer, of whom nothing was measured."""
    said = concern_reading(CARA, now(), [SoftSign.OFF_LEGS], "He did not know me")
    page.house.take(said, WELL)
    page.page.board.load(page.connection)
    (alert,) = page.house.open_alerts()
    return alert


def take(page: StaffPage, alert: Alert, note: str) -> None:
    config, house = page.house.config, page.house
    policy = AlertPolicy.of(config.alerts, config.observation_sets)
    commands = Commands(AlertBook(house.identity, house.clock), policy, house.follower)
    with house.transaction() as transaction:
        commands.acknowledge(transaction, alert.id, SAM, now(), "hub", note)


async def test_it_says_whom_it_is_about_what_to_do_and_why(page: StaffPage, carer: Client) -> None:
    shown = (await carer.get(f"/alerts/{raised(page).id}")).text
    assert "Alert: room Rosewood Suite, Edith Quincey" in shown
    assert "Nobody has taken it" in shown
    assert "What to do now" in shown
    assert re.search(r"84 %\s*<strong>\(3\)</strong>", shown)
    assert "97 %" in shown, "as it was before"
    assert "The alert was raised." in shown


async def test_what_was_not_measured_is_said(page: StaffPage, carer: Client) -> None:
    shown = (await carer.get(f"/alerts/{raised(page).id}")).text
    assert re.search(r"Not measured now:</strong>[^<]*systolic blood pressure", shown)


async def test_what_was_measured_since_stands_beside_it(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    page.house.take(cuff(91, now()))
    shown = (await carer.get(f"/alerts/{alert.id}")).text
    assert ">Now</th>" in shown
    assert re.search(r"91 mmHg\s*<strong>\(2\)</strong>", shown)


async def test_what_a_sensor_told_late_is_not_how_they_are_now(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    page.house.take(cuff(121, now(), measured=now() - 50 * MINUTE))
    shown = (await carer.get(f"/alerts/{alert.id}")).text
    assert ">Now</th>" not in shown
    assert "Nothing was measured since" in shown
    page.house.take(oximeter(83, now(), pulse=119))
    assert re.search(r"83 %\s*<strong>\(3\)</strong>", (await carer.get(f"/alerts/{alert.id}")).text)


async def test_a_band_that_came_down_makes_no_high_score_look_medium(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    assert alert.news2.band is Band.HIGH
    page.connection.execute(
        "UPDATE alert SET band = 'medium', body = json_set(body, '$.band', 'medium') WHERE id = ?",
        (alert.id.bytes,),
    )
    shown = (await carer.get(f"/parts/alerts/{alert.id}/head")).text
    assert "page-score--high" in shown
    assert "It has come down to medium since." in shown


async def test_it_can_be_taken_near_the_top_with_one_tap_until_somebody_has(
    page: StaffPage, carer: Client
) -> None:
    alert = raised(page)
    shown = (await carer.get(f"/alerts/{alert.id}")).text
    assert shown.index('form="take-it"') < shown.index("What to do now")
    assert f'id="take-it" method="post" action="/alerts/{alert.id}/acknowledge"' in shown
    take(page, alert, "with her")
    assert 'form="take-it"' not in (await carer.get(f"/parts/alerts/{alert.id}/head")).text


async def test_it_is_taken_in_the_name_of_who_is_signed_in(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    went = await carer.post(f"/alerts/{alert.id}/acknowledge", data={"note": "with her"})
    assert (went.status_code, went.headers["location"]) == (303, f"/alerts/{alert.id}")
    assert page.asked[-1] == {
        "command": "acknowledge",
        "alert": str(alert.id),
        "note": "with her",
        "by": CARA,
    }


async def test_once_it_is_taken_the_page_says_by_whom_and_offers_it_to_nobody(
    page: StaffPage, carer: Client
) -> None:
    alert = raised(page)
    take(page, alert, "sat her up")
    shown = (await carer.get(f"/alerts/{alert.id}")).text
    assert f"<strong>{SAM}</strong> took it" in shown
    assert "sat her up" in shown
    assert "/acknowledge" not in shown


async def test_what_was_typed_is_not_lost_where_the_hub_refuses(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    page.answers["acknowledge"] = ControlError("the card is full")
    shown = await carer.post(f"/alerts/{alert.id}/acknowledge", data={"note": "with her"})
    assert shown.status_code == 409
    assert "the card is full" in shown.text
    assert "with her" in shown.text


async def test_a_note_that_is_too_long_is_not_sent(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    shown = await carer.post(f"/alerts/{alert.id}/acknowledge", data={"note": "x" * 501})
    assert shown.status_code == 409
    assert "too long by 1 letters" in shown.text
    assert page.asked == []


async def test_a_concern_is_told_with_its_words_and_a_carer_cannot_settle_it(
    page: StaffPage, carer: Client
) -> None:
    alert = concerned(page)
    shown = (await carer.get(f"/alerts/{alert.id}")).text
    assert "Off their legs" in shown
    assert "He did not know me" in shown
    assert "Nothing was measured when the concern was said. Take a full set" in shown
    assert "/settle" not in shown
    refused = await carer.post(f"/alerts/{alert.id}/settle", data={"found": "well"})
    assert refused.status_code == 403
    assert page.asked == []


async def test_a_senior_settles_it_and_has_to_say_what_they_found(page: StaffPage, senior: Client) -> None:
    alert = concerned(page)
    refused = await senior.post(f"/alerts/{alert.id}/settle", data={"found": " "})
    assert refused.status_code == 409
    assert "Say what you found" in refused.text
    assert page.asked == []
    went = await senior.post(f"/alerts/{alert.id}/settle", data={"found": "drank, and stands"})
    assert went.status_code == 303
    assert page.asked[-1] == {
        "command": "settle",
        "alert": str(alert.id),
        "note": "drank, and stands",
        "by": SAM,
    }


async def test_it_is_handed_over_on_paper_and_as_text(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    shown = (await carer.get(f"/alerts/{alert.id}/hand-over")).text
    for part in ("Situation", "Background", "Assessment", "Recommendation", "Decision"):
        assert part in shown
    text = await carer.get(f"/alerts/{alert.id}/hand-over.txt")
    assert text.headers["content-type"].startswith("text/plain")
    assert "I am calling about Edith Quincey, room Rosewood Suite" in text.text
    assert f"This is {CARA}" in text.text


async def test_what_people_did_is_part_of_the_hand_over(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    take(page, alert, "sat her up")
    text = (await carer.get(f"/alerts/{alert.id}/hand-over.txt")).text
    assert f"{SAM} took it" in text
    assert "sat her up" in text


async def test_an_alert_that_cannot_be_read_is_shown_as_one(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    page.connection.execute("UPDATE alert SET body = '{}'")
    shown = await carer.get(f"/alerts/{alert.id}")
    assert shown.status_code == 200
    assert "This alert cannot be read" in shown.text
    assert "Edith Quincey" in shown.text
    assert (await carer.get(f"/alerts/{alert.id}/hand-over")).status_code == 503


async def test_one_that_ended_says_why_and_what_came_after_it(page: StaffPage, carer: Client) -> None:
    alert = concerned(page)
    page.house.take(entry(now(), rate=26), WELL)
    (later,) = page.house.open_alerts()
    shown = (await carer.get(f"/alerts/{alert.id}")).text
    assert "This alert is over" in shown
    assert f'href="/alerts/{later.id}"' in shown


@pytest.mark.parametrize("named", ["nonsense", str(uuid.UUID(int=1))])
async def test_one_that_there_is_not_is_said(page: StaffPage, carer: Client, named: str) -> None:
    page.answers["acknowledge"] = ControlError("no such alert")
    for path in (f"/alerts/{named}", f"/parts/alerts/{named}", f"/alerts/{named}/hand-over"):
        assert (await carer.get(path)).status_code == 404
    assert (await carer.post(f"/alerts/{named}/acknowledge")).status_code == 404


async def test_an_engineer_sees_none_of_it(page: StaffPage) -> None:
    alert = raised(page)
    async with page.signed_in(Role.ENGINEER) as engineer:
        for path in (
            f"/alerts/{alert.id}",
            f"/alerts/{alert.id}/hand-over",
            f"/parts/alerts/{alert.id}/head",
        ):
            assert (await engineer.get(path)).status_code == 403


async def test_its_parts_have_no_field_that_somebody_may_be_typing_in(
    page: StaffPage, senior: Client
) -> None:
    alert = concerned(page)
    for path in (f"/parts/alerts/{alert.id}", f"/parts/alerts/{alert.id}/head"):
        shown = await senior.get(path)
        assert shown.status_code == 200
        assert "<input" not in shown.text
        assert "<textarea" not in shown.text


async def test_what_the_card_lost_of_it_is_said_to_be_lost(page: StaffPage, carer: Client) -> None:
    alert = raised(page)
    page.connection.execute("DELETE FROM assessment")
    shown = (await carer.get(f"/alerts/{alert.id}")).text
    assert "Nothing was measured" not in shown
    assert "not on the card any more" in shown
