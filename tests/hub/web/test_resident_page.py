"""A resident's page: what is known, what it is worth, and who said it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.alerts.concern import SoftSign, concern_reading
from hub.clock import now
from hub.readings import Vital
from hub.residents.care import Care, Consent, Normal
from hub.staff.rights import Role
from hub.store.people import CareRow, note_care
from hub.web.resident_past import MOST_ENTRIES, now_lines, past_of
from tests.rigs.desk import Desk
from tests.rigs.house import ILL, WELL, cuff, entry, oximeter, thermometer
from tests.rigs.staff_page import StaffPage, staff_page

PAGE = f"/residents/{ILL}"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    async with staff_page(tmp_path) as page:
        page.page.following.look()
        yield page
        page.page.following.close()


def observe(page: StaffPage, saturation: float = 97, by: str = "Ann Carer") -> None:
    at = now()
    page.house.take(cuff(120, at))
    page.house.take(oximeter(saturation, at))
    page.house.take(thermometer(37.0, at))
    page.house.take(entry(at, by=by), ILL)
    page.page.following.look()


def care(page: StaffPage, said: Care) -> None:
    note_care(page.connection, CareRow(ILL, said.model_dump_json(), now(), "Mo"))
    page.page.board.load(page.connection)


async def test_their_values_and_who_entered_them(page: StaffPage) -> None:
    observe(page)
    text = (await page.signed_in(Role.CARER).get(PAGE)).text
    for said in ("Edith Quincey", "97 %", "37.0 °C", "entered by Ann Carer", "Edith&#39;s cuff", "<svg"):
        assert said in text


async def test_nothing_is_known_and_it_says_so(page: StaffPage) -> None:
    text = (await page.signed_in(Role.CARER).get(PAGE)).text
    for said in ("No score in the last 7 days", "not measured in 30 days", "No alerts are kept.",
                 "Nothing was measured in this period.", "None is recorded here"):  # fmt: skip
        assert said in text


async def test_what_is_usual_for_them_stands_beside(page: StaffPage) -> None:
    normals = {
        Vital.OXYGEN_SATURATION: Normal(lowest=88, highest=92),
        Vital.PULSE_RATE: Normal(lowest=60, highest=80),
    }
    care(page, Care(normals=normals, escalation_plan="Not to hospital <b>"))
    observe(page)
    glance = page.page.board.glance(ILL)
    assert glance is not None
    usual = {line.vital: line.usual for line in now_lines(glance, {})}
    assert (usual[Vital.OXYGEN_SATURATION], usual[Vital.PULSE_RATE], usual[Vital.TEMPERATURE]) == (
        False,
        True,
        None,
    )
    text = (await page.signed_in(Role.CARER).get(PAGE)).text
    assert "88 to 92" in text
    assert "Not usual" in text
    assert "Not to hospital &lt;b&gt;" in text


async def test_who_is_not_watched_is_said_to_be_so(page: StaffPage) -> None:
    care(page, Care(consent=Consent.WITHDRAWN))
    text = (await page.signed_in(Role.CARER).get(PAGE)).text
    assert "Not watched by the hub" in text
    assert "consent is withdrawn" in text
    assert "start their round" not in text


async def test_an_open_alert_stands_at_the_top_and_in_the_history(page: StaffPage) -> None:
    observe(page, saturation=80)
    (alert,) = page.house.open_alerts()
    text = (await page.signed_in(Role.CARER).get(PAGE)).text
    assert text.count(f"/alerts/{alert.id}") == 2
    assert "Nobody has taken it yet." in text
    assert "still open" in text


async def test_an_alert_that_cannot_be_read_hides_nothing(page: StaffPage) -> None:
    observe(page, saturation=80)
    page.connection.execute("UPDATE alert SET body = '{'")
    page.page.following.look()
    answer = await page.signed_in(Role.CARER).get(PAGE)
    assert answer.status_code == 200
    assert "An alert is open that cannot be read" in answer.text


async def test_a_concern_is_among_what_was_said(page: StaffPage) -> None:
    said = concern_reading("Ann Carer", now(), [SoftSign.OFF_LEGS], "not <herself>")
    page.house.take(said, ILL)
    page.page.following.look()
    text = (await page.signed_in(Role.CARER).get(PAGE)).text
    assert SoftSign.OFF_LEGS.words in text
    assert "not &lt;herself&gt;" in text


async def test_only_who_may_correct_is_offered_to(page: StaffPage) -> None:
    observe(page)
    assert "/correct" not in (await page.signed_in(Role.CARER).get(PAGE)).text
    assert "/correct" in (await page.signed_in(Role.SENIOR).get(PAGE)).text


@pytest.mark.parametrize("path", ["/residents/R-9999", f"{PAGE}?period=99y", "/parts/residents/R-9999"])
async def test_there_is_no_such_page(page: StaffPage, path: str) -> None:
    assert (await page.signed_in(Role.CARER).get(path)).status_code == 404


async def test_while_residents_are_read_nobody_is_said_not_to_exist(tmp_path: Path) -> None:
    async with staff_page(tmp_path) as page:
        answer = await page.signed_in(Role.CARER).get(PAGE)
    assert answer.status_code == 409
    assert "Try again in a moment" in answer.text


@pytest.mark.parametrize("period", ["24h", "7d", "30d"])
async def test_a_period_has_what_is_of_it(page: StaffPage, period: str) -> None:
    days = {"24h": 1, "7d": 7, "30d": 30}
    for ago, saturation in ((0.5, 90), (5, 89), (25, 88), (40, 87)):
        page.house.take(oximeter(saturation, now() - timedelta(days=ago)))
    past = past_of(page.house.config, page.connection, ILL, now() - timedelta(days=days[period]))
    found = [each.value for each in past.values[Vital.OXYGEN_SATURATION]]
    assert found == {"24h": [90], "7d": [90, 89], "30d": [90, 89, 88]}[period]
    assert len(past.entries) == len(found)
    assert (await page.signed_in(Role.CARER).get(f"{PAGE}?period={period}")).status_code == 200


def test_the_newest_entries_come_first_and_there_is_an_end_to_them(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    begun = now() - timedelta(minutes=100)
    for minute in range(MOST_ENTRIES + 3):
        desk.take(oximeter(97, begun + timedelta(minutes=minute)))
    past = past_of(desk.house.config, desk.house.connection, ILL, begun)
    assert len(past.entries) == MOST_ENTRIES
    assert past.entries[0].at == begun + timedelta(minutes=MOST_ENTRIES + 2)
    desk.house.connection.close()


def test_who_said_whose_it_is_stands_beside_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    reading, at = desk.shared(97, 0), desk.clock.at
    desk.assign(WELL, reading)
    (given,) = past_of(desk.house.config, desk.house.connection, WELL, at - timedelta(days=1)).entries
    assert given.given == "given to them by Sam Senior"
    desk.correct(reading, ILL)
    (corrected,) = past_of(desk.house.config, desk.house.connection, ILL, at - timedelta(days=1)).entries
    assert corrected.given == "corrected by Sam Senior: it had been given to somebody else"
    assert not past_of(desk.house.config, desk.house.connection, WELL, at - timedelta(days=1)).entries
    desk.house.connection.close()
