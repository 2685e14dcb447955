"""An alert: it comes up on every tab by itself; somebody takes it; it is handed over."""

from __future__ import annotations

import re
import time

from playwright.sync_api import expect

from hub.staff.rights import Role
from tests.browser.conftest import KITCHEN, PHONE, TABLET, Tabs
from tests.rigs.carers_home import ADA, ADAS_OXIMETER, CarersHome


def test_from_the_reading_to_the_hand_over(tabs: Tabs, home: CarersHome) -> None:
    kitchen, nobody = tabs.of(Role.CARER, KITCHEN), tabs.of(None, TABLET)
    carer = tabs.of(Role.SENIOR, PHONE)
    kitchen.go("/")
    nobody.go("/sign-in")
    home.saturation(86, 124, ADAS_OXIMETER)
    expect(kitchen.page.locator("#page-waiting")).to_contain_text("1 alert")
    expect(kitchen.page.locator("main")).to_contain_text(re.compile("Ada Marsh"))
    kitchen.check("home-with-an-alert")
    expect(nobody.page.locator("#page-waiting")).to_contain_text("1 alert", timeout=20_000)
    assert "Ada" not in nobody.page.inner_text("body")
    nobody.check("sign-in-while-an-alert-waits")
    carer.go("/tray")
    carer.page.get_by_role("link", name="See who needs you").click()
    carer.page.locator('main a[href^="/alerts/"]').first.click()
    expect(carer.page.locator("main")).to_contain_text("What to do now")
    carer.page.get_by_text("Take it with a note").click()
    carer.page.get_by_label("What you do").fill("sat her up, called the GP")
    carer.page.get_by_role("button", name="I am with them: take the alert").click()
    expect(carer.page.locator("main")).to_contain_text("sat her up, called the GP")
    expect(carer.page.locator("main")).to_contain_text("Sam Senior")
    carer.check("alert-taken")
    expect(kitchen.page.locator("#page-waiting")).to_be_hidden()
    carer.page.get_by_role("link", name=re.compile("SBAR")).first.click()
    for part in ("S: Situation", "B: Background", "A: Assessment", "R: Recommendation"):
        expect(carer.page.locator("main")).to_contain_text(part)
    expect(carer.page.locator("main")).to_contain_text("86 %")
    carer.page.emulate_media(media="print")
    carer.picture("hand-over-printed")
    (taken,) = home.query(f"SELECT body FROM alert WHERE resident = '{ADA}' AND resolved_at IS NULL")
    assert '"acknowledged_by":"Sam Senior"' in taken[0].replace(": ", ":")


def test_it_sounds_until_somebody_takes_it_or_silences_it(tabs: Tabs, home: CarersHome) -> None:
    """The beeps are counted where the browser makes them."""
    tab = tabs.of(Role.CARER, KITCHEN)
    tab.page.add_init_script(
        "window.beeps = 0; const start = OscillatorNode.prototype.start;"
        "OscillatorNode.prototype.start = function (...a) { window.beeps++; return start.apply(this, a); };"
    )
    tab.go("/")
    tab.page.locator("body").click()
    home.saturation(82, 139, ADAS_OXIMETER)
    home.ask(
        "observe", resident=ADA, by="Sam Senior", consciousness="P", breathing="oxygen", respiration_rate=28,
    )  # fmt: skip
    deadline = time.monotonic() + 15
    while tab.page.evaluate("window.beeps") == 0:
        assert time.monotonic() < deadline, "no sound"
        tab.page.wait_for_timeout(100)
    tab.page.get_by_role("button", name=re.compile("Silence|Quiet")).click()
    tab.page.wait_for_timeout(1_000)  # what had begun to sound
    beeps = tab.page.evaluate("window.beeps")
    tab.page.wait_for_timeout(8_000)
    assert tab.page.evaluate("window.beeps") == beeps
