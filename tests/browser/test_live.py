"""An open tab says the time as the hub does, and says so where it has no word from the hub."""

from __future__ import annotations

import re
import signal
from datetime import timedelta

from playwright.sync_api import expect

from hub.clock import now
from hub.staff.rights import Role
from hub.web.words import ago_words, until_words
from tests.browser.conftest import KITCHEN, Tabs
from tests.rigs.carers_home import CarersHome

_LOST_SECONDS, _BACK_SECONDS = 40, 30
_SPANS = [timedelta(seconds=seconds) for seconds in (0, 31, 90, 3_570, 3_630, 7_830, 21_570, 21_690)] + [
    timedelta(hours=hours, minutes=30) for hours in (-50, -7, -1, 23, 47, 48, 73)
]
"""None nearer than half a minute to where the words change."""


def test_it_says_times_as_the_hub_says_them(tabs: Tabs) -> None:
    page = tabs.of(None, KITCHEN).go("/sign-in")
    moment = now()
    times = [(moment - span).isoformat() for span in _SPANS]
    said = page.evaluate(
        """times => {
            const place = document.createElement("p");
            for (const kind of ["data-ago", "data-until"])
                for (const time of times) {
                    const element = document.createElement("time");
                    element.dateTime = time;
                    element.setAttribute(kind, "");
                    place.append(element);
                }
            document.querySelector("main").append(place);
            document.body.dispatchEvent(new CustomEvent("htmx:afterSwap", { detail: { target: place } }));
            return [...place.children].map(element => element.textContent);
        }""",
        times,
    )
    ago = [ago_words(moment - span, moment) for span in _SPANS]
    until = [until_words(moment - span, moment) for span in _SPANS]
    assert said == [*ago, *until]


def test_without_the_page_an_open_tab_says_that_it_is_old_and_comes_back_by_itself(
    tabs: Tabs, home: CarersHome
) -> None:
    tab = tabs.of(Role.CARER, KITCHEN)
    tab.go("/")
    home.stop("page")
    lost = tab.page.locator("#page-link")
    expect(lost).to_contain_text("No word from the hub since", timeout=_LOST_SECONDS * 1000)
    expect(tab.page).to_have_title(re.compile("^! "))
    home.start_page()
    # Who is signed in is in its memory only: after a new start nobody is, and the tab goes to sign in.
    tab.page.wait_for_url("**/sign-in**", timeout=_BACK_SECONDS * 1000)


def test_a_page_that_hangs_and_refuses_nothing_is_said_to_be_silent(tabs: Tabs, home: CarersHome) -> None:
    tab = tabs.of(Role.CARER, KITCHEN)
    tab.go("/")
    home.processes["page"].send_signal(signal.SIGSTOP)  # as a Wi-Fi that leads nowhere: no error ever comes
    try:
        expect(tab.page.locator("#page-link")).to_contain_text(
            "No word from the hub since", timeout=_LOST_SECONDS * 1000
        )
    finally:
        home.processes["page"].send_signal(signal.SIGCONT)
    expect(tab.page.locator("#page-link")).to_be_empty(timeout=_BACK_SECONDS * 1000)


def test_signed_out_in_one_tab_the_other_goes_to_the_sign_in_page(tabs: Tabs) -> None:
    tab = tabs.of(Role.CARER, KITCHEN)
    tab.go("/")
    other = tab.context.new_page()
    other.goto(tab.page.url)
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/sign-in**")
    tab.page.bring_to_front()
    tab.page.wait_for_url("**/sign-in**", timeout=_BACK_SECONDS * 1000)


def test_pressed_twice_a_form_is_sent_once(tabs: Tabs) -> None:
    tab = tabs.of(None, KITCHEN)
    page = tab.go("/sign-in")
    sent: list[str] = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
    page.get_by_label("Your name").fill("Nobody")
    page.get_by_label("Your PIN").fill("918273")
    page.evaluate(
        "const form = document.querySelector('main form'); form.requestSubmit(); form.requestSubmit();"
    )
    expect(page.locator(".nhsuk-error-summary")).to_be_visible()
    assert len(sent) == 1
