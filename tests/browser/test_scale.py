"""A home that has been lived in: 60 residents with a year of data; 200 residents; thirty tabs in a flood."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from drivers.recording import line_of
from drivers.virtual import encoding
from hub.clock import now
from hub.readings import Origin, RawPayload
from hub.staff.rights import Role
from tests.browser.conftest import KITCHEN, PHONE, Tab, Tabs
from tests.browser.measured import told
from tests.rigs.carers_home import CarersHome, lived_in_home
from tests.rigs.furnished_home import OXIMETER, pseudonyms

_PAINTED = """() => new Promise((told) => new PerformanceObserver((list) => {
  for (const each of list.getEntries()) if (each.name === 'first-contentful-paint') told(each.startTime);
}).observe({ type: 'paint', buffered: true }))"""
_BYTES = """() => ['resource', 'navigation'].flatMap((kind) => performance.getEntriesByType(kind))
  .reduce((sum, each) => sum + each.encodedBodySize, 0)"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarersHome]:
    """Sixty residents, a year, four rounds a day."""
    with lived_in_home(tmp_path_factory.mktemp("lived-in"), 60, 365, 4) as there:
        yield there


def spot_check(pulse: float) -> RawPayload:
    """What the trolley's oximeter tells now: nobody's, as no round is open."""
    payload = encoding.spot_check(97, pulse)
    return RawPayload(OXIMETER, "pulse_oximeter", payload, now(), "2a5e", Origin.VIRTUAL)


@contextmanager
def flood(
    home: CarersHome, directory: Path, *, readings: int, a_second: float
) -> Iterator[subprocess.Popen[bytes]]:
    """So many readings at the most, evenly, by `carehub replay` in a process of its own; ended at the end."""
    recording = directory / "flood.jsonl"
    recording.write_text("".join(f"{line_of(spot_check(60 + each % 30))}\n" for each in range(readings)))
    feeding = subprocess.Popen(
        [
            sys.executable, "-m", "hub", "replay", str(recording), "--rate", str(a_second), "--restamp",
            "--config", str(home.config_path),
        ],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield feeding
    finally:
        feeding.kill()
        feeding.wait()


def first_views(tabs: Tabs, path: str) -> tuple[list[float], int]:
    """Milliseconds to the first view in five new profiles, and the bytes of the heaviest."""
    painted, weights = [], []
    for _ in range(5):
        tab = tabs.of(Role.CARER, KITCHEN)
        tab.go(path)
        tab.page.wait_for_load_state("load")
        painted.append(float(tab.page.evaluate(_PAINTED)))
        weights.append(int(tab.page.evaluate(_BYTES)))
        tab.context.close()
    return painted, max(weights)


def begin_round(tab: Tab, resident: str) -> None:
    """Their round, with the trolley."""
    tab.go(f"/residents/{resident}/round")
    trolley = tab.page.get_by_role("radio", name="Kit trolley")
    if trolley.count():
        trolley.check()
        tab.page.get_by_role("button", name="Start the round").click()
    tab.page.locator("#turn").wait_for()


def answered(page: Page, path: str) -> float:
    """Milliseconds until the whole of a page, asked for anew, has come."""
    return float(
        page.evaluate(
            "async (path) => { const begun = performance.now(); await (await fetch(path)).text();"
            " return performance.now() - begun; }",
            path,
        )
    )


def test_the_home_is_there_at_once_and_light(tabs: Tabs, home: CarersHome) -> None:
    painted, weight = first_views(tabs, "/")
    told("first view of the home, 60 residents, a year", painted, "ms", 300)
    told("weight of the home with all it needs", [weight / 1000], "kB", 150)
    tab = tabs.of(Role.CARER, KITCHEN)
    tab.go("/")
    tab.picture("home-of-sixty-seen", whole=False)
    tab.check("home-of-sixty")
    rows = tab.page.locator("main").inner_text()
    assert "Basil" in rows
    assert weight < 150_000


def test_a_residents_year_is_there_at_once(tabs: Tabs, home: CarersHome) -> None:
    resident = pseudonyms(60)[4]
    painted, weight = first_views(tabs, f"/residents/{resident}")
    told("first view of a resident", painted, "ms", 300)
    told("weight of a resident's page", [weight / 1000], "kB", 150)
    assert weight < 150_000
    tab = tabs.of(Role.CARER, PHONE)
    tab.go(f"/residents/{resident}")
    tab.check("resident-of-sixty")


def test_what_is_pressed_is_answered(tabs: Tabs, home: CarersHome) -> None:
    tab = tabs.of(Role.MANAGER, PHONE)
    tab.go("/")
    one = pseudonyms(60)[7]
    for path in (
        "/", "/parts/home", f"/residents/{one}", f"/residents/{one}/round", "/round", "/tray", "/hub",
        "/sensors", "/manage/residents",
    ):  # fmt: skip
        told(
            f"answer of {path.replace(one, '...')}", [answered(tab.page, path) for _ in range(10)], "ms", 100
        )


def test_a_new_reading_is_on_the_screen(tabs: Tabs, home: CarersHome) -> None:
    one = pseudonyms(60)[9]
    tab = tabs.of(Role.CARER, PHONE)
    begin_round(tab, one)
    took = []
    for rate in range(13, 23):
        begun = time.monotonic()
        home.ask("observe", resident=one, by="Sam Senior", respiration_rate=str(rate))
        shown = tab.page.locator('[data-vital="respiration_rate"]')
        expect(shown).to_contain_text(f"{rate} ")
        took.append((time.monotonic() - begun) * 1000)
    told("from an observation to the screen", took, "ms", 1000)


def test_thirty_tabs_stay_right_while_two_hundred_readings_a_second_come_in(
    tabs: Tabs, home: CarersHome, tmp_path: Path
) -> None:
    opened = [tabs.of(None, PHONE) for _ in range(30)]
    first = opened[0]
    first.sign_in(Role.CARER)
    cookies = first.context.cookies()
    one = pseudonyms(60)[11]
    for tab in opened:
        tab.context.add_cookies([{**each} for each in cookies])  # type: ignore[typeddict-item]
        tab.go("/")
    asked: list[float] = []
    with flood(home, tmp_path, readings=36_000, a_second=200) as flooding:
        while flooding.poll() is None and len(asked) < 20:
            begun = time.monotonic()
            home.ask("observe", resident=one, by="Sam Senior", respiration_rate="16")
            asked.append((time.monotonic() - begun) * 1000)
            time.sleep(0.5)
        told("the hub's answer to a person, thirty tabs and 200 readings/s", asked, "ms")
        for tab in (opened[0], opened[14], opened[29]):
            begin_round(tab, one)
        shown = []
        for rate in (19, 21, 18, 22, 17):
            sent = time.monotonic()
            home.ask("observe", resident=one, by="Sam Senior", respiration_rate=str(rate))
            for tab in (opened[0], opened[14], opened[29]):
                expect(tab.page.locator('[data-vital="respiration_rate"]')).to_contain_text(f"{rate} ")
            shown.append((time.monotonic() - sent) * 1000)
        assert flooding.poll() is None, "the flood was over before the last tab was looked at"
    told("from an observation to three screens, thirty tabs open", shown, "ms", 1000)
    for tab in opened:
        assert not tab.faults
        expect(tab.page.locator("#page-link")).to_be_hidden()


def test_two_hundred_residents(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    with lived_in_home(tmp_path_factory.mktemp("two-hundred"), 200, 14, 2) as many:
        tabs = Tabs(browser, many)
        try:
            painted, weight = first_views(tabs, "/")
            told("first view of the home, 200 residents", painted, "ms", 300)
            told("weight of the home of 200", [weight / 1000], "kB", 150)
            tab = tabs.of(Role.CARER, PHONE)
            tab.go("/")
            tab.check("home-of-two-hundred")
            tab.go("/round")
            tab.check("round-choose-of-two-hundred")
        finally:
            tabs.close()
