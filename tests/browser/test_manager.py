"""A manager takes in a table of residents with mistakes in it, and says what is normal for somebody."""

from __future__ import annotations

import re

from playwright.sync_api import FilePayload, expect

from hub.staff.rights import Role
from tests.browser.conftest import TABLET, Tab, Tabs
from tests.rigs.carers_home import ADA, CarersHome

_WRONG = """name,room,year of birth,SpO2 scale,prescriber
Edna Example,11,1939,1,
Fred Example,12,39,1,
Gwen Example,13,1940,2,
"""
_RIGHT = """name,room,year of birth,SpO2 scale,prescriber
Edna Example,11,1939,1,
Fred Example,12,1939,1,
Gwen Example,13,1940,2,Dr Sloe
"""


def look_at_table(tab: Tab, text: str) -> None:
    """Choose a file with this in it."""
    tab.go("/manage/residents-table")
    tab.page.get_by_label("The file").set_input_files(
        FilePayload(name="residents.csv", mimeType="text/csv", buffer=text.encode())
    )
    tab.page.get_by_role("button", name="Look at it").click()


def test_a_wrong_table_is_refused_by_its_lines_and_a_right_one_taken_in(tabs: Tabs, home: CarersHome) -> None:
    tab = tabs.of(Role.MANAGER, TABLET)
    look_at_table(tab, _WRONG)
    rows = tab.page.get_by_role("row")
    expect(rows.filter(has_text=re.compile(r"^\s*3\s*year of birth"))).to_have_count(1)
    expect(rows.filter(has_text=re.compile(r"^\s*4\s*SpO2 scale"))).to_have_count(1)
    tab.check("table-wrong")
    assert home.query("SELECT count(*) FROM resident") == [(0,)]
    look_at_table(tab, _RIGHT)
    tab.check("table-seen")
    tab.page.locator("main form button[type=submit]").first.click()
    expect(tab.page.locator("main")).to_contain_text("3")
    assert home.query("SELECT count(*) FROM resident") == [(3,)]
    tab.go("/round")
    expect(tab.page.locator("main")).to_contain_text("Gwen Example")


def test_what_is_normal_for_somebody_stands_beside_what_is_measured(tabs: Tabs, home: CarersHome) -> None:
    tab = tabs.of(Role.MANAGER, TABLET)
    home.well(ADA)
    tab.go(f"/manage/residents/{ADA}/care")
    fields = tab.page.get_by_role("group", name=re.compile("pulse", re.IGNORECASE)).get_by_role("textbox")
    fields.nth(0).fill("60")
    fields.nth(1).fill("80")
    tab.page.locator("main form button[type=submit]").last.click()
    tab.go(f"/residents/{ADA}")
    expect(tab.page.locator("main")).to_contain_text(re.compile("60 (to|–) 80"))
    tab.check("resident-with-a-normal")
