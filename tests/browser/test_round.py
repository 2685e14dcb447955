"""A round, as carers make it: on a phone, with one hand, in under half a minute."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from hub.staff.rights import Role
from tests.browser.conftest import KITCHEN, PHONE, TABLET, Tab, Tabs
from tests.rigs.carers_home import BERT, CLARA, DORA, CarersHome


def begin(tab: Tab, resident: str) -> None:
    """From the home to a resident's round, with the kit."""
    tab.go("/round")
    tab.page.locator(f'button[formaction="/residents/{resident}/round"]').click()
    expect(tab.page.locator("#round")).to_be_visible()


def enter(tab: Tab, breaths: str = "16") -> None:
    """What no sensor tells."""
    tab.page.get_by_label("Breaths a minute").fill(breaths)
    tab.page.get_by_role("radio", name=re.compile("Awake and as usual")).check()
    tab.page.get_by_role("radio", name=re.compile("Breathes air")).check()


def test_readings_appear_by_themselves_and_the_round_ends_in_a_score(tabs: Tabs, home: CarersHome) -> None:
    tab = tabs.of(Role.CARER, PHONE)
    begin(tab, CLARA)
    home.pass_time_to_settle()
    home.saturation(97, 74)
    expect(tab.page.locator('[data-vital="oxygen_saturation"]')).to_contain_text("97")
    home.pressure(131, 78, 74)
    home.temperature(36.8)
    expect(tab.page.locator('[data-vital="systolic_pressure"]')).to_contain_text("131")
    expect(tab.page.locator('[data-vital="temperature"]')).to_contain_text("36.8")
    enter(tab)
    tab.check("round-filled")
    tab.page.get_by_role("button", name="Finish and see the score").click()
    expect(tab.page.locator("#done")).to_contain_text("What to do now")
    expect(tab.page.locator("#done")).to_contain_text("Next observation")
    tab.check("round-done-well")
    assert home.query(f"SELECT total FROM assessment WHERE resident = '{CLARA}' ORDER BY sequence DESC")[
        0
    ] == (0,)


def test_what_came_before_the_sensors_were_open_is_hers_at_one_tap(tabs: Tabs, home: CarersHome) -> None:
    home.saturation(95, 83)
    tab = tabs.of(Role.CARER, PHONE)
    begin(tab, BERT)
    tab.page.get_by_role("button", name="Yes, this is Bert Lamb’s").first.click()
    expect(tab.page.locator('[data-vital="oxygen_saturation"]')).to_contain_text("95")
    assert (BERT,) in home.query("SELECT resident FROM reading WHERE resident IS NOT NULL")


def test_breaths_are_counted_by_tapping(tabs: Tabs) -> None:
    tab = tabs.of(Role.CARER, PHONE)
    tab.page.clock.install()
    begin(tab, DORA)
    tab.page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))  # from now on time passes as told
    for _ in range(10):
        tab.page.locator("#tap").dispatch_event("pointerdown")
        tab.page.clock.run_for(3_000)
    tab.page.clock.run_for(5_000)
    expect(tab.page.get_by_label("Breaths a minute")).to_have_value(re.compile("20"))


def test_concern_counts_whatever_the_score(tabs: Tabs, home: CarersHome) -> None:
    tab = tabs.of(Role.CARER, PHONE)
    home.well(DORA)
    begin(tab, DORA)
    tab.page.get_by_text("Worried? Say so").click()
    tab.page.get_by_label("I am worried about Dora Hill").check()
    tab.page.get_by_label("In your own words").fill("she is just not right")
    tab.check("round-worried")
    enter(tab)
    tab.page.get_by_role("button", name="Finish and see the score").click()
    expect(tab.page.get_by_role("link", name="To the alert")).to_be_visible()
    tab.page.get_by_role("link", name="To the alert").click()
    expect(tab.page.locator("main")).to_contain_text("just not right")
    tab.check("alert-of-a-concern")


def test_two_carers_in_the_same_round_see_the_same_and_neither_undoes_the_others(
    tabs: Tabs, home: CarersHome
) -> None:
    one, other = tabs.of(Role.CARER, PHONE), tabs.of(Role.SENIOR, TABLET)
    begin(one, BERT)
    begin(other, BERT)
    home.pass_time_to_settle()
    home.temperature(37.4)
    for tab in (one, other):
        expect(tab.page.locator('[data-vital="temperature"]')).to_contain_text("37.4")
    enter(one, "18")
    enter(other, "22")
    one.page.get_by_role("button", name="Finish and see the score").click()
    expect(one.page.locator("#done")).to_contain_text("What to do now")
    expect(other.page.locator('[data-vital="respiration_rate"]')).to_contain_text("18")
    expect(other.page.get_by_label("Breaths a minute")).to_have_value("22")
    other.page.get_by_role("button", name="Finish and see the score").click()
    expect(other.page.locator("#done")).to_contain_text("What to do now")
    entered = [
        bytes(payload).decode()
        for (payload,) in home.query(f"SELECT payload FROM reading WHERE resident = '{BERT}'")
        if bytes(payload).startswith(b"{")
    ]
    assert any('"Cara Night"' in each and "18" in each for each in entered)
    assert any('"Sam Senior"' in each and "22" in each for each in entered)


def test_a_round_for_another_takes_the_sensors_and_the_first_carer_sees_that(tabs: Tabs) -> None:
    one, other = tabs.of(Role.CARER, PHONE), tabs.of(Role.SENIOR, TABLET)
    begin(one, BERT)
    begin(other, CLARA)
    expect(one.page.locator("#turn")).to_contain_text("The sensors are on somebody else now")
    expect(one.page.locator("#turn")).to_contain_text("Clara Fields")


def test_a_value_that_cannot_be_is_said_and_nothing_that_was_entered_is_lost(tabs: Tabs) -> None:
    tab = tabs.of(Role.CARER, PHONE)
    begin(tab, DORA)
    enter(tab, "400")
    tab.page.get_by_role("button", name="Finish and see the score").click()
    expect(tab.page.get_by_role("alert").first).to_contain_text("400")
    expect(tab.page.get_by_label("Breaths a minute")).to_have_value("400")
    expect(tab.page.locator('input[name="consciousness"][value="A"]')).to_be_checked()
    tab.check("round-refused")


def test_observe_on_the_home_opens_the_sensors_with_one_tap(tabs: Tabs, home: CarersHome) -> None:
    for turn in home.ask("rounds")["open"]:
        home.ask("round_close", kit=turn["kit"], by="Sam Senior")
    tab = tabs.of(Role.CARER, PHONE)
    tab.go("/")
    tab.page.get_by_role("button", name=re.compile("Observe .*Dora Hill")).click()
    expect(tab.page.locator("#turn")).to_contain_text("is Dora Hill’s")


def test_it_can_be_made_with_the_keyboard_alone(tabs: Tabs, home: CarersHome) -> None:
    tab = tabs.of(Role.CARER, KITCHEN)
    begin(tab, CLARA)
    page = tab.page
    page.get_by_label("Breaths a minute").focus()
    page.keyboard.type("15")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.evaluate("document.querySelector('input[name=consciousness]:checked').value") == "A"
    assert page.evaluate("document.querySelector('input[name=breathing]:checked').value") == "air"
    page.locator("#finish").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_contain_text("What to do now")


@pytest.mark.parametrize("role", [Role.CARER])
def test_it_can_be_made_without_javascript(tabs: Tabs, home: CarersHome, role: Role) -> None:
    tab = tabs.of(role, PHONE, javascript=False)
    begin(tab, BERT)
    enter(tab, "17")
    tab.page.get_by_role("button", name="Finish and see the score").click()
    expect(tab.page.locator("main")).to_contain_text("What to do now")
