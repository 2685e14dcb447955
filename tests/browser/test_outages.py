"""What staff see when a part is away: the link to the ICS, the hub, their own session after a night."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from hub.staff.rights import Role
from tests.browser.conftest import KITCHEN, PHONE, Tabs
from tests.rigs.carers_home import ADA, ADAS_OXIMETER, CarersHome, carers_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarersHome]:
    """One in which a session ends after a minute that nobody has touched anything: the shortest night."""
    night = '[page]\naddress = "127.0.0.1"\nport = {page}\ntls = false\nidle = "1 min"\n'
    with carers_home(tmp_path_factory.mktemp("night"), page=night) as there:
        yield there


def test_the_link_to_the_ics_is_down_and_nothing_is_lost(tabs: Tabs, home: CarersHome) -> None:
    assert home.broker is not None
    tab = tabs.of(Role.CARER, PHONE)
    tab.go("/hub")
    home.broker.stop()
    home.well(ADA)
    expect(tab.page.locator("main")).to_contain_text(re.compile(r"[Nn]othing is lost"), timeout=30_000)
    expect(tab.page.locator("main")).to_contain_text(re.compile(r"\d+ messages? waits?"))
    tab.check("hub-link-down")
    home.broker.start()
    expect(tab.page.locator("main")).not_to_contain_text(re.compile("nothing is lost", re.I), timeout=30_000)


def test_the_hub_is_killed_and_every_page_says_so_until_it_is_back(tabs: Tabs, home: CarersHome) -> None:
    tab = tabs.of(Role.CARER, KITCHEN)
    tab.go("/")
    home.stop("hub", signal.SIGKILL)
    expect(tab.page.locator("body")).to_contain_text(
        re.compile("hub (does not|has not) answer", re.I), timeout=30_000
    )
    tab.check("home-without-a-hub")
    tab.go(f"/residents/{ADA}/round")
    expect(tab.page.locator("main")).to_contain_text("The hub does not answer")
    home.start_hub()
    home.well(ADA)
    tab.go(f"/residents/{ADA}/round")
    expect(tab.page.locator("main")).not_to_contain_text("The hub does not answer", timeout=30_000)


def test_after_a_night_nobody_is_signed_in_and_an_alert_is_said_all_the_same(
    tabs: Tabs, home: CarersHome
) -> None:
    tab = tabs.of(Role.SENIOR, KITCHEN)
    tab.go(f"/residents/{ADA}")
    expect(tab.page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=100_000)
    assert "Ada" not in tab.page.inner_text("body")
    home.saturation(85, 122, ADAS_OXIMETER)
    expect(tab.page.locator("#page-waiting")).to_contain_text("1 alert", timeout=30_000)
    assert "Ada" not in tab.page.inner_text("body")
    tab.check("after-a-night")
    name, pin = "Sam Senior", "730251"
    tab.page.get_by_label("Your name").fill(name)
    tab.page.get_by_label("Your PIN").fill(pin)
    tab.page.get_by_role("button", name="Sign in").click()
    expect(tab.page.locator("main")).to_contain_text("Ada Marsh")
