"""Every page, at three sizes: nothing that axe finds, nothing wider than the screen, no fault."""

from __future__ import annotations

import uuid

import pytest

from hub.staff.rights import Role
from tests.browser.conftest import PHONE, Size, Tabs
from tests.rigs.carers_home import ADA, ADAS_OXIMETER, BERT, CLARA, OXIMETER, CarersHome

PAGES = {
    "home": "/",
    "resident": f"/residents/{ADA}",
    "resident-who-is-well": f"/residents/{BERT}",
    "round": f"/residents/{CLARA}/round",
    "round-choose": "/round",
    "round-done": f"/residents/{ADA}/round/done",
    "alert": "/alerts/{alert}",
    "hand-over": "/alerts/{alert}/hand-over",
    "tray": "/tray",
    "tray-give": f"/tray/give?reading={{reading}}&resident={BERT}",
    "tray-discard": "/tray/discard?reading={reading}",
    "sensors": "/sensors",
    "sensors-new": "/sensors/new",
    "hub": "/hub",
    "residents": "/manage/residents",
    "residents-new": "/manage/residents-new",
    "residents-table": "/manage/residents-table",
    "residents-one": f"/manage/residents/{ADA}",
    "residents-care": f"/manage/residents/{ADA}/care",
    "residents-where": f"/manage/residents/{ADA}/where",
    "staff": "/manage/staff",
    "staff-new": "/manage/staff-new",
    "pin": "/pin",
}


@pytest.fixture(scope="module")
def living_home(home: CarersHome) -> dict[str, str]:
    """One who is ill, one who is well, one of whom nothing is known; what waits in the tray."""
    home.well(BERT)
    home.saturation(88, 121, ADAS_OXIMETER)
    home.ask(
        "observe", resident=ADA, by="Sam Senior", consciousness="C", breathing="air", respiration_rate=26,
        systolic_pressure=98, temperature=38.9,
    )  # fmt: skip
    home.saturation(97, 71, OXIMETER)
    (alert,) = home.query("SELECT id FROM alert WHERE resolved_at IS NULL")
    (reading,) = home.query("SELECT id FROM reading WHERE resident IS NULL")
    return {"alert": str(uuid.UUID(bytes=alert[0])), "reading": str(uuid.UUID(bytes=reading[0]))}


@pytest.mark.parametrize("name", PAGES)
def test_it_is_accessible_and_fits(tabs: Tabs, size: Size, name: str, living_home: dict[str, str]) -> None:
    tab = tabs.of(Role.MANAGER, size)
    tab.go(PAGES[name].format(**living_home))
    tab.check(name)


def test_signing_in_is_accessible_and_fits(tabs: Tabs, size: Size, living_home: dict[str, str]) -> None:
    tab = tabs.of(None, size)
    tab.go("/sign-in")
    tab.check("sign-in")


@pytest.mark.parametrize("name", ["home", "round", "alert", "resident"])
def test_in_large_type_it_fits_too(tabs: Tabs, name: str, living_home: dict[str, str]) -> None:
    tab = tabs.of(Role.CARER, PHONE)
    tab.go("/")
    before = tab.page.evaluate("parseFloat(getComputedStyle(document.querySelector('main')).fontSize)")
    tab.page.get_by_role("button", name="Large type").click()
    tab.go(PAGES[name].format(**living_home))
    tab.check(f"large-type-{name}")
    after = tab.page.evaluate("parseFloat(getComputedStyle(document.querySelector('main')).fontSize)")
    assert after > before


def test_an_engineer_sees_sensors_and_nobodys_name(tabs: Tabs, living_home: dict[str, str]) -> None:
    tab = tabs.of(Role.ENGINEER, PHONE)
    for path in ("/sensors", "/hub"):
        tab.go(path)
        tab.check(f"engineer{path.replace('/', '-')}")
        text = tab.page.inner_text("body")
        assert "Ada" not in text
        assert "Marsh" not in text


def test_what_axe_finds_is_found(tabs: Tabs) -> None:
    """The positive control: a picture without words, and a script's fault, fail a page."""
    tab = tabs.of(None, PHONE)
    tab.go("/sign-in")
    tab.page.evaluate(
        "document.querySelector('main').appendChild(document.createElement('img')).src = '/static/icon.svg'"
    )
    with pytest.raises(AssertionError, match="image-alt"):
        tab.check("control")
    tab.page.evaluate("setTimeout(() => { throw new Error('planted') })")
    tab.page.wait_for_timeout(50)
    assert any("planted" in each for each in tab.faults)
