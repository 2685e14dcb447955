"""Who signs in is let in, and nobody else."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from hub.clock import now
from hub.staff.rights import Role
from hub.store.staff import member, put, remove
from hub.web.lock_out import WRONG_BY_ADDRESS, WRONG_BY_NAME
from hub.web.pages.signing_in import safe_path
from hub.web.sign_in import WRONG
from tests.rigs.house import ILL, WELL, WELL_OXIMETER, cuff, oximeter
from tests.rigs.house import NAMES as RESIDENTS
from tests.rigs.staff_page import CHEAP, NAMES, PINS, Client, StaffPage, staff_page

CARA, CARAS_PIN = NAMES[Role.CARER], PINS[Role.CARER]
ANOTHER = "609418"


async def enter(browser: Client, name: str, pin: str, wanted: str = "") -> tuple[int, str]:
    """Try to sign in: the status, and where it goes on or what is said."""
    answer = await browser.post("/sign-in", data={"name": name, "pin": pin, "next": wanted})
    return answer.status_code, answer.headers.get("location", answer.text)


async def is_in(browser: Client) -> bool:
    return (await browser.get("/pin")).status_code == 200


async def test_somebody_signs_in_and_out(page: StaffPage) -> None:
    browser = page.browser()
    assert (await browser.get("/sign-in")).status_code == 200
    assert not await is_in(browser)
    assert await enter(browser, CARA, CARAS_PIN) == (303, "/")
    assert await is_in(browser)
    (session,) = page.page.sessions._sessions.values()
    browser.csrf = session.csrf
    token = dict(browser.cookies)
    assert (await browser.post("/sign-out")).headers["location"] == "/sign-in"
    assert not browser.cookies
    browser.cookies.update(token)
    assert not await is_in(browser), "the token itself must be good for nothing now"


@pytest.mark.parametrize("name", [" cara   NIGHT ", "Cara Night", "Ｃara Night"])
async def test_capitals_and_blanks_of_a_name_do_not_matter(page: StaffPage, name: str) -> None:
    assert (await enter(page.browser(), name, CARAS_PIN))[0] == 303


async def test_an_engineer_begins_with_the_hub(page: StaffPage) -> None:
    assert await enter(page.browser(), NAMES[Role.ENGINEER], PINS[Role.ENGINEER]) == (303, "/hub")
    answer = await page.signed_in(Role.ENGINEER).get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/hub")


async def test_a_wrong_pin_and_an_unknown_name_get_the_same_words(page: StaffPage) -> None:
    wrong = await enter(page.browser(), CARA, ANOTHER)
    unknown = await enter(page.browser(), "Nobody Here", ANOTHER)
    assert wrong[0] == unknown[0] == 401
    assert WRONG in wrong[1]
    said = [re.sub(r"data-now=\S+|\d\d:\d\d", "", text) for _, text in (wrong, unknown)]
    assert said[0].replace(CARA, "") == said[1].replace("Nobody Here", "")


async def test_an_unknown_name_costs_a_hash_too(page: StaffPage, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str | None] = []
    fits = CHEAP.fits

    def look(kept: str | None, pin: str) -> bool:
        looked.append(kept)
        return fits(kept, pin)

    monkeypatch.setattr(CHEAP, "fits", look)
    await enter(page.browser(), "Nobody Here", ANOTHER)
    assert looked == [None]
    assert not CHEAP.fits(None, "")


async def test_after_five_wrong_pins_even_the_right_one_is_refused(page: StaffPage) -> None:
    browser = page.browser()
    for _ in range(WRONG_BY_NAME - 1):
        assert (await enter(browser, CARA, ANOTHER))[0] == 401
    assert (await enter(browser, CARA, ANOTHER))[0] == 429
    status, words = await enter(browser, CARA, CARAS_PIN)
    assert status == 429
    assert "Wait 1 minute" in words
    assert (await enter(browser, NAMES[Role.SENIOR], PINS[Role.SENIOR]))[0] == 303, "others are not kept out"


async def test_an_unknown_name_is_locked_out_like_a_known_one(page: StaffPage) -> None:
    for name in (CARA, "Nobody Here"):
        said = [(await enter(page.browser(), name, ANOTHER))[0] for _ in range(WRONG_BY_NAME + 1)]
        assert said == [401] * (WRONG_BY_NAME - 1) + [429, 429]


async def test_a_device_that_tries_name_after_name_is_stopped(page: StaffPage) -> None:
    for number in range(WRONG_BY_ADDRESS):
        await enter(page.browser(), f"Somebody {number}", ANOTHER)
    assert (await enter(page.browser(), CARA, CARAS_PIN))[0] == 429


async def test_a_manager_unlocks_a_name(page: StaffPage) -> None:
    for _ in range(WRONG_BY_NAME):
        await enter(page.browser(), CARA, ANOTHER)
    manager = page.signed_in(Role.MANAGER)
    listed = (await manager.get("/manage/staff")).text
    assert listed.count("locked out") == 1
    (address,) = re.findall(r'action="(/manage/staff/\w+/unlock)"', listed)
    assert (await manager.post(address)).status_code == 303
    assert (await enter(page.browser(), CARA, CARAS_PIN))[0] == 303


async def test_of_many_who_try_at_once_only_five_are_looked_at(page: StaffPage) -> None:
    """Each is counted before the next one's PIN is looked at: or all of a thousand could be tried at once."""
    tries = [enter(page.browser(), CARA, ANOTHER) for _ in range(WRONG_BY_NAME + 2)]
    said = [status for status, _ in await asyncio.gather(*tries, enter(page.browser(), CARA, CARAS_PIN))]
    assert sorted(said) == [401] * (WRONG_BY_NAME - 1) + [429] * 4
    assert said[-1] == 429


async def test_a_right_pin_forgets_the_wrong_ones(page: StaffPage) -> None:
    for _ in range(2):
        for _ in range(WRONG_BY_NAME - 1):
            assert (await enter(page.browser(), CARA, ANOTHER))[0] == 401
        assert (await enter(page.browser(), CARA, CARAS_PIN))[0] == 303


async def test_a_session_ends_when_its_person_is_changed_or_removed(page: StaffPage) -> None:
    for change in ("role", "pin", "removed"):
        browser, row = page.signed_in(Role.CARER), page.row(Role.CARER)
        put(page.connection, row)
        assert await is_in(browser)
        if change == "removed":
            remove(page.connection, row.key)
        else:
            other = {"role": Role.SENIOR} if change == "role" else {"pin": CHEAP.of(ANOTHER)}
            put(page.connection, type(row)(**{**{k: getattr(row, k) for k in row.__slots__}, **other}))
        assert not await is_in(browser)


async def test_a_session_ends_when_nobody_does_anything(tmp_path: Path) -> None:
    async with staff_page(tmp_path) as page:
        moment = 0.0
        page.page.sessions._clock = lambda: moment
        browser = page.signed_in(Role.CARER)
        moment = 1700.0
        assert await is_in(browser)
        moment = 3400.0
        assert await is_in(browser), "it is half an hour since they did something that counts"
        moment = 3400.0 + 1799
        assert (await browser.get("/parts/waiting")).status_code == 200
        assert 'data-signed-in="yes"' in (await browser.get("/parts/waiting")).text
        moment = 3400.0 + 1801
        assert 'data-signed-in="no"' in (await browser.get("/parts/waiting")).text, "a part kept them awake"


async def test_what_a_tab_asks_for_by_itself_wakes_nobody(tmp_path: Path) -> None:
    async with staff_page(tmp_path) as page:
        moment = 0.0
        page.page.sessions._clock = lambda: moment
        browser = page.signed_in(Role.CARER)
        moment = 1799.0
        assert (await browser.get("/pin", headers={"X-Live": "1"})).status_code == 200
        assert (await browser.get("/pin?renewed")).status_code == 200, "as without JavaScript"
        moment = 1801.0
        assert not await is_in(browser)


async def test_a_session_ends_after_twelve_hours_whatever_is_done(tmp_path: Path) -> None:
    async with staff_page(tmp_path) as page:
        moment = 0.0
        page.page.sessions._clock = lambda: moment
        browser = page.signed_in(Role.CARER)
        while moment < timedelta(hours=12).total_seconds() - 1000:
            moment += 1000
            assert await is_in(browser)
        moment = timedelta(hours=12).total_seconds()
        assert not await is_in(browser)


async def test_whoever_was_sent_to_sign_in_goes_on_where_they_were(page: StaffPage) -> None:
    browser = page.browser()
    answer = await browser.get("/manage/staff")
    assert answer.headers["location"] == "/sign-in?next=%2Fmanage%2Fstaff"
    name, pin = NAMES[Role.MANAGER], PINS[Role.MANAGER]
    assert await enter(browser, name, pin, "/manage/staff") == (303, "/manage/staff")


@pytest.mark.parametrize(
    "wanted",
    ["", "//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "/\t/x", "/a b"],
)
def test_nobody_is_sent_elsewhere(wanted: str) -> None:
    assert safe_path(wanted) == "/"


async def test_the_trail_is_told_who_signed_in_and_of_an_unknown_name_nothing(page: StaffPage) -> None:
    browser = page.browser()
    await enter(browser, CARA, CARAS_PIN)
    await enter(browser, "493817", ANOTHER)
    noted = [(what, name) for what, name, _, _ in page.page.sign_in.noting._waiting]
    assert noted == [("signed in", CARA), ("refused", None)]


async def test_somebody_chooses_another_pin_and_stays_signed_in(page: StaffPage) -> None:
    here, elsewhere = page.signed_in(Role.CARER), page.signed_in(Role.CARER)

    def change(request: Mapping[str, object]) -> Mapping[str, object]:
        row = page.row(Role.CARER)
        put(page.connection, type(row)(row.name, row.role, str(request["pin"]), row.changed_at, "herself"))
        return {"words": "done"}

    page.answers["staff_change"] = change
    wrong = await here.post("/pin", data={"now": ANOTHER, "pin": ANOTHER, "again": ANOTHER})
    assert wrong.status_code == 422
    assert "not your PIN" in wrong.text
    done = await here.post("/pin", data={"now": CARAS_PIN, "pin": ANOTHER, "again": ANOTHER})
    assert done.headers["location"] == "/pin?saved"
    assert await is_in(here)
    assert not await is_in(elsewhere)
    kept = member(page.connection, "cara night")
    assert kept is not None
    assert CHEAP.fits(kept.pin, ANOTHER)
    assert ANOTHER not in str(page.asked), "the PIN itself never reaches the daemon"


async def test_the_sign_in_page_is_there_while_the_daemon_is_not(tmp_path: Path) -> None:
    async with staff_page(tmp_path, daemon=False) as page:
        assert (await enter(page.browser(), CARA, CARAS_PIN))[0] == 303


async def test_whoever_passes_sees_how_many_alerts_wait_and_of_nobody(page: StaffPage) -> None:
    for reading in (cuff(85, now()), oximeter(95, now(), device=WELL_OXIMETER)):
        page.house.take(reading)
    for browser in (page.browser(), page.signed_in(Role.ENGINEER)):
        for path in ("/sign-in", "/parts/waiting"):
            text = (await browser.get(path)).text
            assert not any(name in text for name in (*RESIDENTS, ILL, WELL)), path
        assert 'data-count="1"' in text
        assert 'data-band="single_red"' in text
        assert str(page.house.open_alerts()[0].id) not in text
    page.connection.execute("UPDATE alert SET state = 'acknowledged'")
    assert 'data-count="0"' in (await page.browser().get("/parts/waiting")).text


async def test_whoever_passes_sees_that_the_hub_does_not_answer(tmp_path: Path) -> None:
    async with staff_page(tmp_path, daemon=False) as page:
        assert "does not answer" not in (await page.browser().get("/parts/waiting")).text
        await page.page.following.ask()
        assert "it raises no alert" in (await page.browser().get("/parts/waiting")).text


@pytest.mark.parametrize(
    ("column", "spoilt"), [("raised_at", "garbage"), ("raised_at", 2**62), ("id", b"\2")]
)
async def test_an_alert_that_cannot_be_read_keeps_nobody_out_and_waits_as_the_worst(
    page: StaffPage, column: str, spoilt: object
) -> None:
    page.house.take(cuff(85, now()))
    page.connection.execute(f"UPDATE alert SET {column} = ?", (spoilt,))
    page.connection.commit()
    browser = page.browser()
    bar = (await browser.get("/parts/waiting")).text
    assert 'data-count="1"' in bar
    assert 'data-band="high"' in bar
    assert (await enter(browser, CARA, CARAS_PIN))[0] == 303


async def test_somebody_signs_out_though_the_card_cannot_be_read(page: StaffPage) -> None:
    browser = page.signed_in(Role.CARER)
    page.connection.execute("ALTER TABLE staff RENAME TO staff_away")
    assert (await browser.get("/pin")).status_code == 503
    assert (await browser.post("/sign-out")).headers["location"] == "/sign-in"
    page.connection.execute("ALTER TABLE staff_away RENAME TO staff")
    assert page.page.sessions._sessions == {}
