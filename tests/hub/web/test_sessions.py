"""Who is signed in, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse, Response

from hub.staff.rights import Role
from hub.store.staff import StaffRow, remove
from hub.web.routes import PageRoute
from hub.web.sessions import MOST_OF_ALL, MOST_OF_ONE, Sessions
from hub.web.visit import Visit
from tests.rigs.staff_page import staff_page

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)


def row(name: str = "Cara Night") -> StaffRow:
    return StaffRow(name, Role.CARER, "hash", NOW, "Mo")


def made() -> Sessions:
    return Sessions(timedelta(hours=12), timedelta(minutes=30))


def test_a_token_is_told_once_and_is_not_kept() -> None:
    sessions = made()
    token, session = sessions.begin(row())
    assert sessions.find(token) is session
    assert sessions.find(token + "x") is None
    assert token not in repr(sessions._sessions)
    assert session.csrf != token
    assert sessions.begin(row())[0] != token


def test_of_one_person_the_oldest_ends_where_there_are_too_many() -> None:
    sessions = made()
    tokens = [sessions.begin(row())[0] for _ in range(MOST_OF_ONE + 1)]
    assert sessions.find(tokens[0]) is None
    assert all(sessions.find(token) is not None for token in tokens[1:])


def test_of_all_there_are_so_many_at_the_most() -> None:
    sessions = made()
    for number in range(MOST_OF_ALL + 5):
        token, _ = sessions.begin(row(f"name {number}"))
    assert len(sessions._sessions) == MOST_OF_ALL
    assert sessions.find(token) is not None


async def test_an_answer_that_goes_on_can_ask_whether_they_still_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `/news` does for a tab that is left open over night."""
    visits: list[Visit] = []

    async def keeps(visit: Visit) -> Response:
        visits.append(visit)
        return PlainTextResponse("")

    monkeypatch.setattr("hub.web.app.all_routes", lambda: [PageRoute("GET", "/news", "signed in", keeps)])
    async with staff_page(tmp_path) as page:
        moment = 0.0
        page.page.sessions._clock = lambda: moment
        for end in ("idle", "signed out", "removed"):
            moment = 0.0
            await page.signed_in(Role.CARER).get("/news")
            visit = visits[-1]
            assert await visit.still_signed_in()
            if end == "idle":
                moment = 1801.0
            elif end == "signed out":
                assert visit.session is not None
                page.page.sessions.end(visit.session)
            else:
                remove(page.connection, "cara night")
            assert not await visit.still_signed_in(), end
