"""The browser, the home that it looks at, and what is asked of every page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from hub.staff.rights import Role
from tests.rigs.carers_home import PINS, CarersHome, carers_home

expect.set_options(timeout=15_000)  # a machine may be busy; what is quick is not made slower by it

PICTURES = Path("build/browser")
CHROMIUM = Path("/usr/bin/chromium")
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@dataclass(frozen=True)
class Size:
    """What the page is looked at on: CSS pixels."""

    name: str
    width: int
    height: int
    touch: bool


PHONE, TABLET, KITCHEN = (
    Size("phone", 390, 844, True),
    Size("tablet", 820, 1180, True),
    Size("kitchen", 1366, 768, False),
)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Plays the browser."""
    with sync_playwright() as playing:
        yield playing


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium. Without it the run fails, and says what to install."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is not there: apt-get install chromium", pytrace=False)
    arguments = [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--autoplay-policy=no-user-gesture-required",
    ]  # fmt: skip
    launched = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
    yield launched
    launched.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarersHome]:
    """A home of its own for each file of tests."""
    with carers_home(tmp_path_factory.mktemp("home")) as there:
        yield there


class Tab:
    """A tab of somebody; what is wrong with a page is noticed whatever the test is about."""

    def __init__(self, context: BrowserContext, home: CarersHome, size: Size) -> None:
        self.home = home
        self.size = size
        self.context = context
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda said: self._said(said.type, said.text))
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("request", lambda asked: self._asked(asked.url))

    def _said(self, kind: str, text: str) -> None:
        # A status that the test has provoked (401, 409) is logged by the browser and by htmx as an error too.
        provoked = text.startswith(("Failed to load resource", "Response Status Error Code 4"))
        if kind == "error" and not provoked:
            self.faults.append(f"console: {text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.home.address, "data:", "blob:")):
            self.faults.append(f"asked of another machine: {url}")

    def go(self, path: str) -> Page:
        """Open a path of the staff page."""
        self.page.goto(self.home.address + path)
        return self.page

    def sign_in(self, role: Role) -> None:
        """Sign in as whoever has this role."""
        name, pin = PINS[role]
        self.go("/sign-in")
        self.page.get_by_label("Your name").fill(name)
        self.page.get_by_label("Your PIN").fill(pin)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: "/sign-in" not in url)

    def picture(self, name: str, *, whole: bool = True) -> Path:
        """Keep how it looks now."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}-{self.size.name}.png"
        self.page.screenshot(path=path, full_page=whole)
        return path

    def check(self, name: str) -> None:
        """Keep a picture, and hold the page to what every page is held to: nothing that axe finds, nothing
        wider than the screen, no fault of a script, no request to another machine."""
        assert not self.faults, "\n".join(self.faults)
        self.picture(name)
        found = Axe().run(self.page, options=_RULES).response["violations"]
        self.faults.clear()  # the picture and axe write styles into the page, which it refuses
        told = [
            f"{each['id']}: {each['help']}: {[node['html'] for node in each['nodes'][:3]]}" for each in found
        ]
        assert not told, "\n".join(told)
        wide = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert wide <= 0, f"{name} is {wide} px wider than a {self.size.name}"


class Tabs:
    """Opens tabs, each in a browser profile of its own, and closes them."""

    def __init__(self, browser: Browser, home: CarersHome) -> None:
        self._browser = browser
        self._home = home
        self._open: list[BrowserContext] = []

    def of(self, role: Role | None, size: Size = TABLET, *, javascript: bool = True) -> Tab:
        """A tab of somebody who is signed in; None: of nobody."""
        context = self._browser.new_context(
            viewport={"width": size.width, "height": size.height},
            has_touch=size.touch,
            locale="en-GB",
            java_script_enabled=javascript,
        )
        context.set_default_timeout(30_000)
        self._open.append(context)
        tab = Tab(context, self._home, size)
        if role is not None:
            tab.sign_in(role)
        return tab

    def close(self) -> None:
        """Close all of them."""
        for each in self._open:
            each.close()


@pytest.fixture
def tabs(browser: Browser, home: CarersHome) -> Iterator[Tabs]:
    """Those of one test."""
    opened = Tabs(browser, home)
    yield opened
    opened.close()


@pytest.fixture(params=[PHONE, TABLET, KITCHEN], ids=lambda size: size.name)
def size(request: pytest.FixtureRequest) -> Size:
    """Each size in turn."""
    chosen: Size = request.param
    return chosen
