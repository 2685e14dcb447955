"""After a round nothing looks better than it is, and nobody is taken for somebody who is called alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now
from hub.staff.rights import Role
from tests.rigs.house import ILL, cuff, entry, oximeter, thermometer
from tests.rigs.staff_page import Client, StaffPage, staff_page

ROUND = f"/residents/{ILL}/round"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    async with staff_page(tmp_path) as page:
        page.answers["rounds"] = {"open": []}
        yield page


async def test_half_a_round_hides_no_whole_set_that_was_worse(page: StaffPage, carer: Client) -> None:
    at = now() - timedelta(hours=2)
    for reading in (cuff(105, at), oximeter(95, at), thermometer(36.7, at), entry(at, rate=10)):
        page.house.take(reading, ILL if reading.raw.driver == "manual" else None)
    assert not page.house.open_alerts()
    page.house.take(oximeter(97, now()))
    shown = (await carer.get(f"{ROUND}/done")).text
    badge = shown[shown.index("round-result") :].split("round-result__words")[0]
    assert "NEWS2 3, low" in badge
    assert "That is half a set. They were scored NEWS2 3, low" in shown
    assert "4 to 6 h" in shown.replace("every 4-6 hours", "4 to 6 h").replace("4 to 6 hours", "4 to 6 h")
    page.house.take(oximeter(97, now()))
    for reading in (cuff(120, now()), thermometer(36.7, now()), entry(now())):
        page.house.take(reading, ILL if reading.raw.driver == "manual" else None)
    assert "half a set" not in (await carer.get(f"{ROUND}/done")).text


async def test_half_a_good_round_makes_no_green_badge(page: StaffPage, carer: Client) -> None:
    page.house.take(oximeter(97, now()))
    assert "page-score--zero" not in (await carer.get(f"{ROUND}/done")).text


async def test_an_alert_that_cannot_be_read_is_an_emergency_at_the_end(
    page: StaffPage, carer: Client
) -> None:
    page.house.take(cuff(85, now()))
    page.connection.execute("UPDATE alert SET body = '{'")
    assert "page-step--emergency" in (await carer.get(f"{ROUND}/done")).text


async def test_two_who_are_called_alike_are_told_apart_before_and_in_a_round(tmp_path: Path) -> None:
    alike = "".join(f'[[residents]]\nid = "{each}"\nname = "Ada Marsh"\n' for each in ("R-0901", "R-0902"))
    async with staff_page(tmp_path, alike) as page:
        page.answers["rounds"] = {"open": []}
        carer = page.signed_in(Role.CARER)
        chosen = (await carer.get("/round")).text
        assert "Ada Marsh (R-0901)" in chosen
        assert "Ada Marsh (R-0902)" in chosen
        assert "This is Ada Marsh, R-0902" in (await carer.get("/residents/R-0902/round")).text
        assert "same name" not in (await carer.get(ROUND)).text
