"""Whose reading is it: what is nobody's is given, discarded, and put right where it was given wrongly."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from hub.staff.rights import Role
from tests.browser.conftest import PHONE, Tabs
from tests.rigs.carers_home import BERT, CLARA, CarersHome


def test_given_to_the_wrong_resident_and_put_right(tabs: Tabs, home: CarersHome) -> None:
    home.saturation(84, 128)
    tab = tabs.of(Role.SENIOR, PHONE)
    tab.go("/tray")
    tab.page.get_by_role("checkbox", name=re.compile("84")).check()
    tab.page.get_by_label("Whose are they?").select_option(BERT)
    tab.page.get_by_role("button", name="Give to this resident").click()
    tab.check("tray-sure")
    tab.page.get_by_role("button", name="Yes, they are Bert Lamb’s").click()
    expect(tab.page.locator("main")).to_contain_text("went to Bert Lamb")
    expect(tab.page.locator("main")).to_contain_text("An alert is open")
    assert home.query(f"SELECT count(*) FROM alert WHERE resident = '{BERT}' AND resolved_at IS NULL") == [
        (1,)
    ]
    tab.go(f"/residents/{BERT}")
    tab.page.locator('a[href*="/correct"]').first.click()
    tab.page.get_by_label(re.compile("Whose")).select_option(CLARA)
    tab.page.get_by_label(re.compile("why|what happened|reason", re.IGNORECASE)).fill("the wrong finger")
    tab.check("correct")
    tab.page.locator("main form button[type=submit]").first.click()
    if "correct" in tab.page.url:
        tab.page.locator("main form button[type=submit]").first.click()
    expect(tab.page.locator("main")).to_contain_text("Clara Fields")
    assert home.query(f"SELECT count(*) FROM alert WHERE resident = '{BERT}' AND resolved_at IS NULL") == [
        (0,)
    ]
    assert home.query(f"SELECT count(*) FROM alert WHERE resident = '{CLARA}' AND resolved_at IS NULL") == [
        (1,)
    ]


def test_discarded_it_waits_no_more(tabs: Tabs, home: CarersHome) -> None:
    home.temperature(36.1)
    tab = tabs.of(Role.SENIOR, PHONE)
    tab.go("/tray")
    tab.page.get_by_role("checkbox", name=re.compile("36.1")).check()
    tab.page.get_by_role("button", name="Discard").click()
    tab.page.get_by_label("It was measured wrongly").check()
    tab.page.locator("main form button[type=submit]").first.click()
    expect(tab.page.locator("main")).to_contain_text("Discarded")
    assert "36.1" not in tab.page.inner_text("main")
