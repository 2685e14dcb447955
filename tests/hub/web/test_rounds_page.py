"""A round on the page: what is shown, what is asked of the hub, and that nothing that was typed is lost."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.clock import now
from hub.control.control_socket import ControlError
from hub.staff.rights import Role
from tests.rigs.house import ILL, SHARED, WELL, cuff, entry, oximeter, thermometer
from tests.rigs.staff_page import CARA, SAM, Client, StaffPage, staff_page

ONCE = partial(secrets.token_hex, 8)
ROUND = f"/residents/{ILL}/round"
TWO_KITS = """
[[sensors]]
address = "C4:F2:17:00:00:2A"
driver = "pulse_oximeter"
kit = "upstairs"
"""
WHOLE = {
    "respiration_rate": "16",
    "consciousness": "A",
    "breathing": "air",
    "oxygen_saturation": "97",
    "systolic_pressure": "128",
    "diastolic_pressure": "80",
    "pulse_rate": "72",
    "temperature": "36,7",
}


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[StaffPage]:
    async with staff_page(tmp_path) as page:
        page.answers["rounds"] = {"open": []}
        yield page


def open_round(
    page: StaffPage,
    resident: str = ILL,
    *,
    since: datetime | None = None,
    kit: str | None = None,
    by: str | None = CARA,
) -> datetime:
    """The hub says that it is this resident's turn."""
    began = since or now()
    until = began + timedelta(minutes=10)
    said = {
        "resident": resident,
        "kit": kit,
        "since": began.isoformat(),
        "until": until.isoformat(),
        "by": by,
    }
    page.answers["rounds"] = {"open": [said]}
    return began


def acts(page: StaffPage) -> list[Mapping[str, Any]]:
    """What was asked of the hub, but for whose turn it is."""
    return [each for each in page.asked if each["command"] not in {"rounds", "note_sign_in"}]


async def test_a_round_that_is_not_open_is_opened_by_a_tap_in_the_name_of_who_is_signed_in(
    page: StaffPage, carer: Client
) -> None:
    shown = await carer.get(ROUND)
    assert "The sensors are not open for Edith Quincey yet" in shown.text
    went = await carer.post(ROUND)
    assert (went.status_code, went.headers["location"]) == (303, ROUND)
    assert acts(page) == [{"command": "round_open", "resident": ILL, "kit": None, "by": CARA}]


async def test_who_has_the_sensors_is_said_where_it_is_somebody_else(page: StaffPage, carer: Client) -> None:
    open_round(page, WELL)
    shown = await carer.get(ROUND)
    assert "The sensors are on somebody else now" in shown.text
    assert "Mortimer Zed" in shown.text
    assert "Measure now" not in shown.text


async def test_what_is_hers_is_shown_with_who_said_it_and_what_is_missing_is_named(
    page: StaffPage, carer: Client
) -> None:
    page.house.take(cuff(128, now()))
    page.house.take(entry(now(), rate=18, consciousness=None, breathing=None, by="Ann Other"), ILL)
    open_round(page)
    shown = await carer.get(f"/parts{ROUND}")
    assert "128 mmHg" in shown.text
    assert "18 a minute" in shown.text
    assert "Entered by Ann Other" in shown.text
    assert missing(shown.text) == ["oxygen_saturation", "supplemental_oxygen", "consciousness", "temperature"]


def missing(text: str) -> list[str]:
    """The vitals that a page says are not measured yet."""
    return re.findall(r'round-value--missing[^"]*" data-vital="(\w+)"', text)


async def test_what_is_nobodys_is_offered_and_not_shown_as_hers(page: StaffPage, carer: Client) -> None:
    page.house.take(oximeter(91, now(), device=SHARED))
    open_round(page, since=now() - timedelta(seconds=5))
    shown = await carer.get(f"/parts{ROUND}")
    assert "Yes, this is Edith Quincey’s" in shown.text
    assert "oxygen_saturation" in missing(shown.text)
    assert acts(page) == []


async def test_what_came_in_long_before_the_round_is_not_offered(page: StaffPage, carer: Client) -> None:
    page.house.take(oximeter(91, now() - timedelta(minutes=5), device=SHARED))
    open_round(page)
    assert "Yes, this is" not in (await carer.get(f"/parts{ROUND}")).text


async def test_nothing_is_offered_while_it_is_nobodys_or_somebody_elses_turn(
    page: StaffPage, carer: Client
) -> None:
    page.house.take(oximeter(91, now(), device=SHARED))
    assert "Yes, this is" not in (await carer.get(f"/parts{ROUND}")).text
    open_round(page, WELL)
    assert "Yes, this is" not in (await carer.get(f"/parts{ROUND}")).text


async def test_what_is_offered_goes_to_her_by_one_tap_and_what_was_typed_stays(
    page: StaffPage, carer: Client
) -> None:
    reading = page.house.take(oximeter(91, now(), device=SHARED))
    assert reading is not None
    open_round(page, since=now() - timedelta(seconds=5))
    shown = await carer.get(ROUND)
    named = re.findall(r'name="reading" value="([^"]+)"', shown.text)
    sent = {"reading": named[0], "once": "x", "respiration_rate": "19", "words": "Not herself"}
    after = await carer.post(f"{ROUND}/assign", data=sent)
    assert acts(page) == [{"command": "assign", "readings": named, "resident": ILL, "by": CARA}]
    assert 'value="19"' in after.text
    assert "Not herself" in after.text


async def test_a_script_gets_the_part_alone_with_what_the_hub_refused(page: StaffPage, carer: Client) -> None:
    page.answers["assign"] = ControlError("It is Mortimer's by now.")
    sent = {"reading": "00000000-0000-8000-8000-000000000000"}
    after = await carer.post(f"{ROUND}/assign", data=sent, headers={"HX-Request": "true"})
    assert after.status_code == 200, "htmx shows nothing of an error"
    assert "It is Mortimer&#39;s by now." in after.text
    assert "<html" not in after.text


async def test_a_finished_round_is_kept_and_closed_and_goes_on_to_the_score(
    page: StaffPage, carer: Client
) -> None:
    open_round(page)
    went = await carer.post(f"{ROUND}/finish", data={**WHOLE, "once": ONCE()})
    assert went.status_code == 303
    assert went.headers["location"].startswith(f"{ROUND}/done")
    observed = {
        "command": "observe",
        "resident": ILL,
        "respiration_rate": 16,
        "oxygen_saturation": 97,
        "systolic_pressure": 128,
        "diastolic_pressure": 80,
        "pulse_rate": 72,
        "temperature": 36.7,
        "consciousness": "A",
        "breathing": "air",
        "by": CARA,
    }
    closed = {"command": "round_close", "kit": None, "resident": ILL, "by": CARA}
    assert acts(page) == [observed, closed]


async def test_a_thumb_that_taps_twice_enters_one_observation(page: StaffPage, carer: Client) -> None:
    sent = {**WHOLE, "once": ONCE()}
    both = await asyncio.gather(*(carer.post(f"{ROUND}/finish", data=sent) for _ in range(2)))
    assert [each.status_code for each in both] == [303, 303]
    assert [each["command"] for each in acts(page)] == ["observe"]


async def test_what_the_hub_refused_is_tried_again_when_it_is_sent_again(
    page: StaffPage, carer: Client
) -> None:
    sent = {**WHOLE, "once": ONCE()}
    page.answers["observe"] = ControlError("The card is full.")
    assert (await carer.post(f"{ROUND}/finish", data=sent)).status_code == 409
    del page.answers["observe"]
    assert (await carer.post(f"{ROUND}/finish", data=sent)).status_code == 303
    assert [each["command"] for each in acts(page)] == ["observe", "observe"]


async def test_two_carers_in_one_round_enter_an_observation_each(page: StaffPage, carer: Client) -> None:
    open_round(page)
    same = ONCE()
    async with page.signed_in(Role.SENIOR) as senior:
        await asyncio.gather(
            carer.post(f"{ROUND}/finish", data={"respiration_rate": "16", "once": same}),
            senior.post(f"{ROUND}/finish", data={"respiration_rate": "22", "once": same}),
        )
    observed = {each["by"]: each["respiration_rate"] for each in acts(page) if each["command"] == "observe"}
    assert observed == {CARA: 16, SAM: 22}


async def test_what_is_no_number_is_said_beside_its_field_and_nothing_is_kept(
    page: StaffPage, carer: Client
) -> None:
    answer = await carer.post(
        f"{ROUND}/finish", data={**WHOLE, "pulse_rate": "7o", "words": "grey", "once": ONCE()}
    )
    assert answer.status_code == 422
    assert "“7o” is not a whole number" in answer.text
    assert 'value="36,7"' in answer.text
    assert "grey" in answer.text
    assert acts(page) == []


async def test_a_concern_is_raised_with_nothing_else_entered(page: StaffPage, carer: Client) -> None:
    went = await carer.post(f"{ROUND}/finish", data={"worried": "yes", "once": ONCE()})
    assert went.status_code == 303
    assert acts(page) == [{"command": "concern", "resident": ILL, "signs": [], "words": "", "by": CARA}]


async def test_signs_are_told_as_they_were_ticked(page: StaffPage, carer: Client) -> None:
    await carer.post(
        f"{ROUND}/finish", data={"sign": ["off legs", "tired", "made up"], "words": "pale", "once": ONCE()}
    )
    (told,) = acts(page)
    assert (told["signs"], told["words"]) == (["off legs", "tired"], "pale")


async def test_a_concern_is_raised_though_the_observation_is_refused_and_is_not_sent_again(
    page: StaffPage, carer: Client
) -> None:
    open_round(page)
    page.answers["observe"] = ControlError("A pulse of 400 is not possible.")
    answer = await carer.post(f"{ROUND}/finish", data={"pulse_rate": "400", "words": "grey", "once": ONCE()})
    assert answer.status_code == 409
    assert "A pulse of 400 is not possible." in answer.text
    assert "Your concern is saved." in answer.text
    assert 'value="400"' in answer.text
    assert "grey" not in answer.text
    assert [each["command"] for each in acts(page)] == ["observe", "concern"], "the round stays open"


async def test_an_observation_is_kept_though_the_concern_is_refused(page: StaffPage, carer: Client) -> None:
    page.answers["concern"] = ControlError("The card is full.")
    answer = await carer.post(f"{ROUND}/finish", data={"pulse_rate": "70", "words": "grey", "once": ONCE()})
    assert answer.status_code == 409
    assert "What you measured is saved." in answer.text
    assert 'value="70"' not in answer.text
    assert "grey" in answer.text


async def test_a_hub_that_does_not_answer_costs_nothing_of_what_was_typed(tmp_path: Path) -> None:
    async with staff_page(tmp_path, daemon=False) as page, page.signed_in(Role.CARER) as carer:
        shown = await carer.get(ROUND)
        assert shown.status_code == 200
        assert "The hub does not answer" in shown.text
        answer = await carer.post(f"{ROUND}/finish", data={**WHOLE, "once": ONCE()})
    assert answer.status_code == 409
    assert "What you measured is not saved." in answer.text
    assert 'value="128"' in answer.text


async def test_leaving_closes_the_round_and_keeps_nothing(page: StaffPage, carer: Client) -> None:
    went = await carer.post(f"{ROUND}/leave", data=WHOLE)
    assert went.headers["location"] == f"/residents/{ILL}"
    assert acts(page) == [{"command": "round_close", "kit": None, "resident": ILL, "by": CARA}]


async def test_the_kit_is_asked_for_once_and_remembered(tmp_path: Path) -> None:
    async with staff_page(tmp_path, TWO_KITS) as page, page.signed_in(Role.CARER) as carer:
        page.answers["rounds"] = {"open": []}
        assert "Which kit do you have with you?" in (await carer.get(ROUND)).text
        assert (await carer.post(ROUND)).headers["location"] == ROUND
        assert acts(page) == [], "no kit is guessed"
        went = await carer.post("/round/kit", data={"kit": "upstairs", "resident": ILL})
        assert went.headers["location"] == ROUND
        assert acts(page)[-1] == {"command": "round_open", "resident": ILL, "kit": "upstairs", "by": CARA}
        assert "Which kit do you have with you?" not in (await carer.get(ROUND)).text
        await carer.post(ROUND)
        assert acts(page)[-1]["kit"] == "upstairs"


async def test_a_kit_that_is_not_here_is_refused(tmp_path: Path) -> None:
    async with staff_page(tmp_path, TWO_KITS) as page, page.signed_in(Role.CARER) as carer:
        assert (await carer.post("/round/kit", data={"kit": "cellar"})).status_code == 409


async def test_a_scan_takes_the_page_that_waits_to_the_round(page: StaffPage, carer: Client) -> None:
    shown = await carer.get("/round")
    assert "Scan a wristband" in shown.text
    (path,) = re.findall(r'hx-get="(/parts/round/waiting[^"]*)"', shown.text)
    assert "HX-Redirect" not in (await carer.get(path)).headers
    open_round(page, WELL, by=None)
    assert (await carer.get(path)).headers["HX-Redirect"] == f"/residents/{WELL}/round"


async def test_a_round_that_was_open_before_or_that_a_person_opened_takes_no_page_anywhere(
    page: StaffPage, carer: Client
) -> None:
    open_round(page, WELL, by=None)
    (path,) = re.findall(r'hx-get="(/parts/round/waiting[^"]*)"', (await carer.get("/round")).text)
    assert "HX-Redirect" not in (await carer.get(path.replace("&amp;", "&"))).headers
    open_round(page, ILL, by=SAM)
    assert "HX-Redirect" not in (await carer.get(path)).headers


async def test_the_end_says_the_score_what_to_do_and_when_next(page: StaffPage, carer: Client) -> None:
    at = now()
    for reading in (cuff(128, at), oximeter(88, at), thermometer(36.7, at), entry(at)):
        page.house.take(reading, ILL if reading.raw.driver == "manual" else None)
    shown = await carer.get(f"{ROUND}/done")
    (alert,) = page.house.open_alerts()
    assert f"/alerts/{alert.id}" in shown.text
    assert "NEWS2 3, 3 in one parameter" in shown.text
    assert "Take the alert" in shown.text
    assert "senior carer" in shown.text
    assert "observe at least every hour" in shown.text
    assert "Next observation:" in shown.text
    assert "Not measured" not in shown.text


async def test_a_scan_goes_on_from_the_end_of_a_round_but_not_from_an_alert(
    page: StaffPage, carer: Client
) -> None:
    waits = "/parts/round/waiting?since=done"
    assert waits in (await carer.get(f"{ROUND}/done")).text
    page.house.take(cuff(85, now()))
    assert waits not in (await carer.get(f"{ROUND}/done")).text


async def test_who_is_to_be_watched_all_the_time_is_not_left_until_the_next_observation(
    page: StaffPage, carer: Client
) -> None:
    at = now()
    for reading in (cuff(85, at), oximeter(84, at), entry(at, rate=30)):
        page.house.take(reading, ILL if reading.raw.driver == "manual" else None)
    assert "watch them all the time" in (await carer.get(f"{ROUND}/done")).text


async def test_half_a_set_is_said_to_be_half_at_the_end(page: StaffPage, carer: Client) -> None:
    page.house.take(cuff(128, now()))
    shown = await carer.get(f"{ROUND}/done")
    assert "Respiration rate, Oxygen saturation, Air or oxygen, Consciousness, Temperature." in shown.text
    assert "at least" in shown.text


async def test_what_the_cuff_told_late_is_offered_at_the_end_unless_somebody_else_has_the_kit(
    page: StaffPage, carer: Client
) -> None:
    began = now() - timedelta(minutes=1)
    page.house.take(oximeter(97, now(), device=SHARED))
    path = f"{ROUND}/done?began={int(began.timestamp())}&ended={int(now().timestamp())}"
    assert "This came in late" in (await carer.get(path)).text
    open_round(page, WELL)
    assert "This came in late" not in (await carer.get(path)).text


async def test_who_is_not_watched_has_no_round(page: StaffPage, carer: Client) -> None:
    page.connection.execute(
        "INSERT INTO resident_care VALUES (?, '{\"whereabouts\": \"in hospital\"}', 0, 'the rig')", (ILL,)
    )
    shown = await carer.get(ROUND)
    assert "is in hospital" in shown.text
    assert "Finish" not in shown.text
    assert "Edith" not in (await carer.get("/round")).text


async def test_nobody_has_a_round_who_is_not_listed(page: StaffPage, carer: Client) -> None:
    assert (await carer.get("/residents/R-9999/round")).status_code == 404
    assert (await carer.post("/residents/R-9999/round/finish", data=WHOLE)).status_code == 404
    assert acts(page) == []
