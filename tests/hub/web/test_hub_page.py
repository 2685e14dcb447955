"""How the hub is, in words for whoever cares for residents: the worst first, and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.control.control_socket import ControlError
from hub.doctor.findings import Verdict
from hub.staff.rights import Role
from hub.web.health import LEAST_FREE, Facts, Health, health, worst
from tests.rigs.staff_page import CARA, Client, StaffPage, staff_page

WELL: dict[str, Any] = {
    "version": "1.0",
    "broker": {"connected": True, "since": "2026-03-01T09:12:00+00:00", "nobody_listens": False},
    "card": "well",
    "radio": {"usable": True, "words": "works"},
    "usb": None,
    "sensors": [{"trouble": None}],
    "model": None,
    "beacon": None,
}
FACTS = Facts(waiting=0, free=10 * LEAST_FREE, clock_set=True)
DOWN = {**WELL["broker"], "connected": False}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    async with staff_page(tmp_path) as page:
        page.page.board.load(page.connection)
        page.answers["status"] = WELL
        yield page


def part(name: str, facts: Facts = FACTS, **said: object) -> Health:
    return next(each for each in health({**WELL, **said}, facts) if each.part == name)


def test_where_all_is_well_nothing_has_to_be_done() -> None:
    found = health(WELL, FACTS)
    assert worst(found) is Verdict.PASS
    assert not [each for each in found if each.what_to_do]


def test_a_link_that_is_down_says_what_waits_since_when_and_to_telephone() -> None:
    found = part("The link to the NHS", replace(FACTS, waiting=41), broker=DOWN)
    assert found.verdict is Verdict.FAIL
    assert "Nothing is lost: 41 messages wait" in found.words
    assert "telephone" in found.what_to_do
    assert found.since is not None
    assert found.since.hour == 9


def test_how_many_wait_is_not_said_where_nobody_knows() -> None:
    found = part("The link to the NHS", replace(FACTS, waiting=None), broker=DOWN)
    assert "is not known" in found.words
    assert "Nothing is lost" not in found.words


def test_a_link_at_whose_end_nobody_listens_is_no_link() -> None:
    found = part("The link to the NHS", broker={**WELL["broker"], "nobody_listens": True})
    assert found.verdict is Verdict.FAIL
    assert "Alerts reach nobody outside the home" in found.words


def test_a_link_on_which_no_acknowledgement_comes_is_told_with_what_to_do_meanwhile() -> None:
    refused = {"careport/v1/rose-house/hub-1/ack": "Not authorized"}
    found = part("The link to the NHS", broker={**WELL["broker"], "unsubscribed": refused})
    assert found.verdict is Verdict.FAIL
    assert "one way only" in found.words
    assert "Acknowledge alerts here" in found.what_to_do
    no_release = {"careport/v1/rose-house/hub-1/update": "Not authorized"}  # nothing that a carer has to mind
    broker = {**WELL["broker"], "unsubscribed": no_release, "status_refused": None}
    assert part("The link to the NHS", broker=broker).verdict is Verdict.PASS


def test_a_link_at_whose_end_the_hub_is_refused_is_no_link() -> None:
    found = part("The link to the NHS", broker={**WELL["broker"], "status_refused": "Not authorized"})
    assert found.verdict is Verdict.FAIL
    assert "telephone" in found.what_to_do


def test_refused_alerts_are_worse_than_refused_messages() -> None:
    assert part("Refused messages", replace(FACTS, refused=2)).verdict is Verdict.WARN
    found = part("Refused messages", replace(FACTS, refused=2, alerts_refused=1))
    assert found.verdict is Verdict.FAIL
    assert "Hand over open alerts by telephone" in found.what_to_do


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("The card", {"card": "full"}),
        ("Bluetooth", {"radio": {"usable": False, "words": "no adapter"}}),
        ("USB", {"usb": {"usable": False, "words": "no udev"}}),
        ("The beacon", {"beacon": {"calls": None, "trouble": "it is unplugged"}}),
    ],
)
def test_what_does_not_work_says_what_to_do(name: str, said: dict[str, Any]) -> None:
    found = part(name, **said)
    assert found.verdict is Verdict.FAIL
    assert found.what_to_do


def test_sensors_in_trouble_little_room_damage_and_a_clock_that_is_not_set_are_looked_at() -> None:
    assert part("Sensors", sensors=[{"trouble": "lost"}, {"trouble": None}]).verdict is Verdict.WARN
    assert part("The card", replace(FACTS, free=LEAST_FREE - 1)).verdict is Verdict.WARN
    assert part("Damage of the card", replace(FACTS, damages=("lost",))).verdict is Verdict.WARN
    assert part("The clock", replace(FACTS, clock_set=False)).verdict is Verdict.WARN


def test_what_is_not_known_is_not_called_well() -> None:
    found = {each.part: each.verdict for each in health({"version": "1.0", "card": "well"}, Facts())}
    for name in ("The link to the NHS", "Sensors", "The card", "The clock"):
        assert found[name] is Verdict.WARN


def test_the_worst_comes_first() -> None:
    found = health({**WELL, "broker": DOWN}, replace(FACTS, clock_set=False))
    assert [each.part for each in found[:2]] == ["The link to the NHS", "The clock"]


async def test_the_page_says_how_it_is(carer: Client) -> None:
    shown = (await carer.get("/hub")).text
    assert "The link to the NHS" in shown
    assert "It works." in shown


async def test_a_hub_that_does_not_answer_is_said_loudly(tmp_path: Path) -> None:
    async with staff_page(tmp_path, daemon=False) as page, page.signed_in(Role.CARER) as carer:
        for path in ("/hub", "/parts/hub"):
            shown = await carer.get(path)
            assert shown.status_code == 200
            assert "The hub does not answer" in shown.text
            assert "observe by hand" in shown.text


async def test_the_beacon_is_tried_where_there_is_one(page: StaffPage, carer: Client) -> None:
    assert "/hub/try-beacon" not in (await carer.get("/hub")).text
    page.answers["status"] = {**WELL, "beacon": {"calls": None, "trouble": None}}
    assert "/hub/try-beacon" in (await carer.get("/hub")).text
    page.answers["beacon_try"] = {"words": "the beacon blinks for 10 seconds now"}
    shown = await carer.post("/hub/try-beacon")
    assert {"command": "beacon_try", "by": CARA} in page.asked
    assert "beacon blinks for 10 seconds" in shown.text
    page.answers["beacon_try"] = ControlError("it is unplugged")
    refused = await carer.post("/hub/try-beacon")
    assert refused.status_code == 409
    assert "it is unplugged" in refused.text
