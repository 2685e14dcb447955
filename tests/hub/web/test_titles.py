"""What a page is called in the browser's tab: browsers keep it in their history, and may send it away."""

from __future__ import annotations

import html
import re
from pathlib import Path

from hub.clock import now
from hub.staff.rights import Role
from hub.store.rows import SELECT_READING, StoredReading
from hub.web.pages.staff import address_of
from hub.web.routes import all_routes
from tests.rigs.house import ILL, cuff
from tests.rigs.staff_page import CARA, staff_page

_WITHOUT_TITLE = ("/parts/", "/news", "/alerts/{alert}/hand-over.txt")


async def test_no_title_names_anybody_nor_their_room(tmp_path: Path) -> None:
    async with staff_page(tmp_path) as page:
        page.house.take(cuff(85, now()))
        stored = StoredReading.of(page.connection.execute(SELECT_READING).fetchone())
        (alert,) = page.house.open_alerts()
        assert page.page.following.look()
        parts = {
            "resident": ILL,
            "alert": str(alert.id),
            "reading": str(stored.placed.reading.id),
            "member": address_of(page.row(Role.CARER)).rpartition("/")[2],
        }
        residents = [each for each in page.house.config.residents if each.id == ILL]
        secrets = {CARA, *(each.name for each in residents), *(f"oom {each.room}" for each in residents)}
        manager = page.signed_in(Role.MANAGER)
        seen = 0
        for route in all_routes():
            if route.method != "GET" or route.path.startswith(_WITHOUT_TITLE):
                continue
            path = re.sub(r"\{(\w+)\}", lambda found: parts[found[1]], route.path)
            answer = await manager.get(path)
            if answer.status_code != 200:
                continue
            seen += any(secret and secret in answer.text for secret in secrets)
            (title,) = re.findall(r"<title>(.*?)</title>", html.unescape(answer.text))
            assert not any(secret and secret in title for secret in secrets), (path, title)
        assert seen >= 8, "the pages must have the names that their titles are held against"
