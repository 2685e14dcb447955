"""Every route is probed: by nobody, by who was signed in, by each role, from elsewhere, without what only our
own pages know."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response

from hub.errors import CareportError
from hub.staff.rights import Right, Role
from hub.web.asking import RefusedError, SilentHubError
from hub.web.routes import PageRoute, all_routes
from hub.web.visit import Visit
from tests.rigs.staff_page import ADDRESS, CARA, Client, StaffPage, staff_page

ALL = list(all_routes())
OF_NOBODY = {
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/parts/waiting"),
    ("POST", "/type"),
}
"""What anybody on the home's network may have. Whoever adds to this list says why beside the route."""
OF_EVERYBODY_SIGNED_IN = {("POST", "/sign-out"), ("GET", "/pin"), ("POST", "/pin"), ("GET", "/news")}


async def reached(visit: Visit) -> Response:
    """In a page's place: who comes so far has passed the guard."""
    return PlainTextResponse("reached")


@pytest.fixture
async def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StaffPage]:
    """Every route as it is, but for the page behind it."""
    replaced = [replace(route, handler=reached) for route in ALL]
    monkeypatch.setattr("hub.web.app.all_routes", lambda: replaced)
    async with staff_page(tmp_path) as page:
        yield page


def path_of(route: PageRoute) -> str:
    return re.sub(r"\{[^}]*\}", "R-0412", route.path)


async def probe(browser: Client, route: PageRoute, **more: object) -> httpx.Response:
    if route.method == "GET":
        return await browser.get(path_of(route))
    return await browser.post(path_of(route), **more)


def reaches(answer: httpx.Response) -> bool:
    return answer.text == "reached"


def test_the_open_routes_are_these_and_no_others() -> None:
    found = {(route.method, route.path) for route in ALL if route.needs == "nothing"}
    assert found == OF_NOBODY
    signed_in = {(route.method, route.path) for route in ALL if route.needs == "signed in"}
    assert signed_in <= OF_EVERYBODY_SIGNED_IN


def test_no_route_is_there_twice() -> None:
    known = [(route.method, re.sub(r"\{[^}]*\}", "{}", route.path)) for route in ALL]
    assert sorted(known) == sorted(set(known))


def test_a_part_needs_what_its_page_needs() -> None:
    """A part without a page of the same path is told to the newcomer by its route alone."""
    pages = {(route.path): route.needs for route in ALL if route.method == "GET"}
    for route in ALL:
        page = route.path.removeprefix("/parts")
        if route.path.startswith("/parts/") and page in pages:
            assert route.needs == pages[page], route.path


async def test_nobody_reaches_only_what_is_open(page: StaffPage) -> None:
    for route in ALL:
        answer = await probe(page.browser(), route)
        assert reaches(answer) == (route.needs == "nothing"), route
        if route.needs != "nothing":
            is_page = route.method == "GET" and not route.path.startswith("/parts/") and route.path != "/news"
            assert answer.status_code == (303 if is_page or route.path == "/sign-out" else 401), route
            assert "sign-in" in answer.headers.get("location", "sign-in")


async def test_each_role_reaches_what_it_has_a_right_to_and_nothing_else(page: StaffPage) -> None:
    for role in Role:
        browser = page.signed_in(role)
        for route in ALL:
            answer = await probe(browser, route)
            may = not isinstance(route.needs, Right) or route.needs in role.rights
            assert reaches(answer) == may, (role, route)
            if not may:
                assert answer.status_code == (303 if route.path == "/" else 403), (role, route)


async def test_whose_session_ended_reaches_only_what_is_open(page: StaffPage) -> None:
    browser = page.signed_in(Role.MANAGER)
    page.page.sessions._sessions.clear()
    for route in ALL:
        assert reaches(await probe(browser, route)) == (route.needs == "nothing"), route


async def test_a_made_up_token_is_nobodys(page: StaffPage) -> None:
    browser = page.signed_in(Role.MANAGER)
    (name,) = browser.cookies.keys()
    for token in ("", "x", "x" * 43, "%00", "a b"):
        assert not reaches(await page.browser().get("/pin", headers={"Cookie": f"{name}={token}"}))


FORMS: Sequence[PageRoute] = [route for route in ALL if route.method == "POST"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": ADDRESS.replace("8443", "8444")},
        {"Origin": ADDRESS.replace("http", "https")},
        {"Origin": f"{ADDRESS}.elsewhere.example"},
    ],
)
async def test_what_comes_from_elsewhere_is_refused(page: StaffPage, headers: dict[str, str]) -> None:
    manager, engineer = page.signed_in(Role.MANAGER), page.signed_in(Role.ENGINEER)
    for route in FORMS:
        for browser in (manager, engineer):
            answer = await probe(browser, route, headers=headers)
            assert not reaches(answer), route
            assert answer.status_code == 403


async def test_what_does_not_say_where_it_comes_from_is_refused(page: StaffPage) -> None:
    browser = page.signed_in(Role.MANAGER)
    del browser.headers["Origin"]
    for route in FORMS:
        assert not reaches(await probe(browser, route)), route
        assert not reaches(await probe(browser, route, headers={"Sec-Fetch-Site": "cross-site"})), route
        assert not reaches(await probe(browser, route, headers={"Sec-Fetch-Site": "same-site"})), route
    assert reaches(await browser.post("/pin", headers={"Sec-Fetch-Site": "same-origin"}))


async def test_a_form_without_the_sessions_own_secret_is_refused(page: StaffPage) -> None:
    browser, other = page.signed_in(Role.MANAGER), page.signed_in(Role.MANAGER)
    for forged in ("", "x", other.csrf, browser.csrf[:-1], "é"):
        for route in FORMS:
            if route.needs != "nothing":
                answer = await probe(browser, route, data={"csrf": forged})
                assert not reaches(answer), (forged, route)
                assert answer.status_code == 403


async def test_a_script_may_bring_the_secret_as_a_header(page: StaffPage) -> None:
    browser = page.signed_in(Role.CARER)
    answer = await httpx.AsyncClient.post(browser, "/pin", headers={"X-CSRF": browser.csrf})
    assert reaches(answer)


async def test_the_secret_in_the_address_is_none(page: StaffPage) -> None:
    browser = page.signed_in(Role.CARER)
    answer = await httpx.AsyncClient.post(browser, f"/pin?csrf={browser.csrf}")
    assert not reaches(answer)


async def test_another_method_reaches_nothing(page: StaffPage) -> None:
    browser = page.signed_in(Role.MANAGER)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"):
        for path in {path_of(route) for route in ALL}:
            answer = await browser.request(method, path)
            assert not reaches(answer)
            assert answer.status_code == 405, (method, path)


async def test_a_form_that_is_too_large_is_refused(page: StaffPage) -> None:
    browser = page.signed_in(Role.CARER)
    answer = await browser.post("/pin", data={"now": "1" * 70_000})
    assert (answer.status_code, reaches(answer)) == (413, False)


async def test_what_is_no_form_is_refused(page: StaffPage) -> None:
    browser = page.signed_in(Role.CARER)
    kinds = {"application/json": b"{}", "text/plain": b"csrf=x", "multipart/form-data": b"--x"}
    for kind, content in kinds.items():
        answer = await httpx.AsyncClient.post(
            browser, "/pin", content=content, headers={"Content-Type": kind}
        )
        assert not reaches(answer)
        assert answer.status_code in {400, 403}, kind


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "", "[", "a@127.0.0.1"])
async def test_under_another_name_nobody_is_answered(page: StaffPage, host: str) -> None:
    """Or a page from elsewhere, whose name was made to lead here, could read what is shown."""
    answer = await page.signed_in(Role.MANAGER).get("/pin", headers={"Host": host})
    assert (answer.status_code, reaches(answer)) == (421, False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "192.168.1.20:8443", "[fe80::1]:8443", "localhost", "LOCALHOST:1"]
)
async def test_under_its_own_names_and_addresses_it_answers(page: StaffPage, host: str) -> None:
    answer = await page.browser().get("/sign-in", headers={"Host": host})
    assert answer.status_code == 200


async def test_every_answer_says_what_the_browser_may_do_with_it(page: StaffPage) -> None:
    manager = page.signed_in(Role.MANAGER)
    for path in ("/pin", "/sign-in", "/nowhere", "/static/page.css", "/manage/staff"):
        for browser in (manager, page.browser()):
            headers = (await browser.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in policy
            assert headers["referrer-policy"] == "same-origin"
            kept = "no-cache" if path.startswith("/static/") else "no-store"
            assert headers["cache-control"] == kept


async def test_the_probe_finds_a_route_that_anybody_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or all of these would pass whatever the guard does."""
    forgotten = [PageRoute(each.method, each.path, "nothing", reached) for each in ALL]
    monkeypatch.setattr("hub.web.app.all_routes", lambda: forgotten)
    async with staff_page(tmp_path) as page:
        for route in ALL:
            assert reaches(await probe(page.browser(), route)), route


async def failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> httpx.Response:
    """What somebody is told where a page raises that."""

    async def fails(visit: Visit) -> Response:
        raise error

    monkeypatch.setattr("hub.web.app.all_routes", lambda: [PageRoute("GET", "/", Right.LOOK, fails)])
    async with staff_page(tmp_path) as page:
        return await page.signed_in(Role.CARER).get("/")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RefusedError("This round is closed."), 409, "This round is closed."),
        (CareportError("That is so."), 409, "That is so."),
        (SilentHubError("The hub is silent."), 503, "The hub is silent."),
        (KeyError("Edith Quincey"), 500, "There is a fault in this page"),
    ],
)
async def test_what_a_page_raises_becomes_words(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    words: str,
) -> None:
    answer = await failing(tmp_path, monkeypatch, error)
    assert answer.status_code == status
    assert words in answer.text
    assert "Traceback" not in answer.text
    assert "Quincey" not in answer.text + caplog.text, "what an unforeseen error says may be somebody's name"


async def test_where_the_page_for_errors_fails_there_is_a_plainer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staff_page(tmp_path) as page:
        monkeypatch.setattr(page.page.templates, "get_template", lambda name: {}[name])
        answer = await page.browser().get("/nowhere")
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


async def test_where_the_database_cannot_be_read_it_says_so(tmp_path: Path) -> None:
    async with staff_page(tmp_path) as page:
        browser = page.signed_in(Role.CARER)
        page.house.path.unlink()
        answer = await browser.get("/pin")
        assert answer.status_code == 503
        assert "as if there were no hub" in answer.text
        assert "Nobody can sign in now" in (await page.browser().get("/sign-in")).text


async def test_whoever_acts_is_named_to_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def acts(visit: Visit) -> Response:
        await visit.ask("acknowledge", alert="x")
        return visit.go("/")

    monkeypatch.setattr("hub.web.app.all_routes", lambda: [PageRoute("POST", "/", Right.CARE, acts)])
    async with staff_page(tmp_path) as page:
        assert (await page.signed_in(Role.CARER).post("/", data={"by": "Somebody Else"})).status_code == 303
        assert page.asked == [{"command": "acknowledge", "alert": "x", "by": CARA}]


@pytest.mark.parametrize("alphabet", ["unicode_escape", "punycode", "undefined", "utf-16"])
async def test_a_form_in_a_strange_alphabet_is_refused(page: StaffPage, alphabet: str) -> None:
    kind = {"Content-Type": f"multipart/form-data; boundary=x; charset={alphabet}"}
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\\ud800\r\n--x--\r\n'
    assert (await page.browser().request("POST", "/sign-in", content=body, headers=kind)).status_code == 400
    kind["Content-Type"] = "multipart/form-data; boundary=x; charset=UTF-8"
    assert (await page.browser().request("POST", "/sign-in", content=body, headers=kind)).status_code == 200
