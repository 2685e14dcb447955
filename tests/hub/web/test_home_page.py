"""The home at a glance: who needs somebody first is first, and what is not known is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from hub.assessment.news2 import Band
from hub.clock import now
from hub.configuration.file import Resident
from hub.overview.attention import Due, Why
from hub.overview.glance import Glance, OpenRound
from hub.residents.care import Care, Whereabouts
from hub.staff.rights import Role
from hub.web.home_page import groups
from hub.web.pages import home
from tests.rigs.house import ILL, WELL, oximeter
from tests.rigs.staff_page import StaffPage, staff_page


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    async with staff_page(tmp_path) as page:
        page.page.following.look()
        yield page
        page.page.following.close()


def look(page: StaffPage) -> None:
    """Have the page take in what was committed, as it does by itself five times a second."""
    page.page.following.look()


def test_they_stand_in_the_order_in_which_they_need_somebody() -> None:
    at = now()
    due, overdue = Due(at + timedelta(hours=1), Band.LOW), Due(at - timedelta(hours=1), Band.LOW)
    everybody = [
        Glance(Resident(id="R-1", room="1"), due=due),
        Glance(Resident(id="R-2", room="2"), Care(whereabouts=Whereabouts.IN_HOSPITAL), due=overdue),
        Glance(Resident(id="R-10", room="10"), due=overdue),
        Glance(Resident(id="R-9", room="9"), due=overdue),
        Glance(Resident(id="R-3", room="3")),
    ]
    found = [(each.why, each.glance.id) for group in groups(everybody, at) for each in group.rows]
    assert found == [
        (Why.OVERDUE, "R-9"),
        (Why.OVERDUE, "R-10"),
        (Why.OVERDUE, "R-3"),
        (Why.NOTHING, "R-1"),
        (Why.NOT_WATCHED, "R-2"),
    ]


@pytest.mark.parametrize(("room", "called"), [("12", "Room 12: Ada"), ("Attic", "Attic: Ada"), ("", "Ada")])
def test_a_room_is_said_as_people_say_it(room: str, called: str) -> None:
    assert Glance(Resident(id="R-1", name="Ada", room=room)).called == called


def test_two_who_are_called_alike_are_told_apart() -> None:
    everybody = [
        Glance(Resident(id="R-1", name="Ada Marsh", birth_year=1938)),
        Glance(Resident(id="R-2", name="ada  marsh")),
        Glance(Resident(id="R-3", name="Bert Lamb")),
        Glance(Resident(id="R-4")),
        Glance(Resident(id="R-5")),
    ]
    found = {row.glance.id: row.namesake for group in groups(everybody, now()) for row in group.rows}
    assert found == {"R-1": "born 1938, R-1", "R-2": "R-2", "R-3": "", "R-4": "", "R-5": ""}


async def test_an_alert_comes_first(page: StaffPage) -> None:
    page.house.take(oximeter(80, now()), WELL)
    look(page)
    text = (await page.signed_in(Role.CARER).get("/")).text
    assert "Alerts: go to them now (1)" in text
    assert text.index("Mortimer Zed") < text.index("Edith Quincey")
    (alert,) = page.house.open_alerts()
    assert f"/alerts/{alert.id}" in text
    assert "Missing: Breaths" in text


async def test_nobody_was_ever_observed_and_it_says_so(page: StaffPage) -> None:
    text = (await page.signed_in(Role.CARER).get("/parts/home")).text
    assert "never observed completely" in text
    assert "No score in the last 7 days" in text


async def test_it_is_drawn_once_for_all_who_ask(page: StaffPage) -> None:
    carer, senior = page.signed_in(Role.CARER), page.signed_in(Role.SENIOR)
    await carer.get("/parts/home")
    drawn = page.page.board.drawn["home"]
    await senior.get("/parts/home")
    assert page.page.board.drawn["home"] is drawn
    page.house.take(oximeter(97, now()), ILL)
    look(page)
    await senior.get("/parts/home")
    assert page.page.board.drawn["home"] is not drawn


async def test_the_part_has_nothing_of_who_asked(page: StaffPage) -> None:
    carer = page.signed_in(Role.CARER)
    text = (await carer.get("/parts/home")).text
    assert carer.csrf not in text
    assert "<input" not in text


async def test_a_list_that_may_be_old_says_so_loudly(page: StaffPage) -> None:
    page.page.board.trouble = "The card cannot be read."
    text = (await page.signed_in(Role.CARER).get("/")).text
    assert "This list may be old" in text
    assert "The card cannot be read." in text


async def test_a_silent_hub_is_said_loudly(page: StaffPage) -> None:
    page.page.following.silent_since = now()
    assert "The hub does not answer" in (await page.signed_in(Role.CARER).get("/")).text


@pytest.mark.parametrize("path", ["/", f"/residents/{ILL}", "/parts/waiting"])
async def test_while_the_card_takes_nothing_no_page_looks_well(page: StaffPage, path: str) -> None:
    carer = page.signed_in(Role.CARER)
    page.page.following.status = {"card": "well", "alerts_in_memory": []}
    assert "card is full" not in (await carer.get(path)).text.replace("\u2019", "'")
    page.page.following.status = {"card": "full", "alerts_in_memory": []}
    assert "card is full" in (await carer.get(path)).text.replace("\u2019", "'")


async def test_an_alert_that_the_card_could_not_take_is_on_the_page_and_is_heard(page: StaffPage) -> None:
    unkept = {"alert": str(UUID(int=7)), "resident": ILL, "band": "high", "raised_at": now().isoformat()}
    page.page.following.status = {"card": "full", "alerts_in_memory": [unkept, {"alert": "no alert"}]}
    carer = page.signed_in(Role.CARER)
    text = (await carer.get("/parts/home")).text
    ill = page.page.board.glance(ILL)
    assert ill is not None
    assert f"{ill.called}</strong>: NEWS2 high" in text
    assert "Go to them now" in (await carer.get(f"/parts/residents/{ILL}")).text
    assert "Go to them now" not in (await carer.get(f"/parts/residents/{WELL}")).text
    bar = (await page.browser().get("/parts/waiting")).text
    assert 'data-count="1"' in bar
    assert 'data-band="high"' in bar
    assert ILL not in bar
    page.house.take(oximeter(80, now()), WELL)
    assert 'data-count="2"' in (await carer.get("/parts/waiting")).text


async def test_an_open_page_of_a_resident_is_told_that_the_card_or_the_hub_fails(page: StaffPage) -> None:
    text = (await page.signed_in(Role.CARER).get(f"/residents/{ILL}")).text
    assert "news:hub from:body" in text[text.index('id="resident-now"') :].split(">")[0]


async def test_engineers_see_nobody(page: StaffPage) -> None:
    engineer = page.signed_in(Role.ENGINEER)
    for path in ("/", "/parts/home"):
        answer = await engineer.get(path)
        assert answer.status_code in {303, 403}
        assert "Quincey" not in answer.text


async def test_a_page_is_compressed_for_who_can_read_that(page: StaffPage) -> None:
    page.house.take(oximeter(80, now()), ILL)
    page.house.take(oximeter(81, now()), WELL)
    look(page)
    carer = page.signed_in(Role.CARER)
    packed = await carer.get("/parts/home", headers={"Accept-Encoding": "gzip"})
    plain = await carer.get("/parts/home", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.text == plain.text


async def test_news_begin_at_once_and_name_what_changed(page: StaffPage) -> None:
    visit = Listening(page)
    stream = home._told(visit, tab := page.page.following.open_tab())  # type: ignore[arg-type]
    assert await anext(stream) == "data: []\n\n"
    page.page.following.tell({"home", "resident/R-1"})
    assert await anext(stream) == 'data: ["home", "resident/R-1"]\n\n'
    await stream.aclose()  # type: ignore[attr-defined]
    assert tab not in page.page.following._tabs


async def test_news_end_with_the_session(page: StaffPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "_SESSION_LOOKED_AT_EVERY", 0.0)
    visit = Listening(page)
    stream = home._told(visit, page.page.following.open_tab())  # type: ignore[arg-type]
    await anext(stream)
    visit.on = False
    page.page.following.tell({"home"})
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert page.page.following.tabs == 0


async def test_nobody_without_a_session_is_told_anything(page: StaffPage) -> None:
    answer = await asyncio.wait_for(page.browser().get("/news"), 5)
    assert answer.status_code == 401
    assert page.page.following.tabs == 0


class Listening:
    """A visit whose session a test ends."""

    def __init__(self, page: StaffPage) -> None:
        self.house = page.page
        self.on = True

    async def still_signed_in(self) -> bool:
        return self.on


async def test_observe_opens_the_sensors_at_once_unless_a_round_is_open_somewhere(page: StaffPage) -> None:
    carer = page.signed_in(Role.CARER)
    at_once = f'form="observe" formaction="/residents/{WELL}/round"'
    text = (await carer.get("/")).text
    assert '<form id="observe" method="post"' in text
    assert at_once in text
    turn = OpenRound(ILL, None, now(), now() + timedelta(minutes=10))
    page.page.board.take_rounds([turn])
    text = (await carer.get("/parts/home")).text
    assert at_once not in text  # one tap must not take the sensors off somebody
    assert f'href="/residents/{WELL}/round"' in text
