"""The home at a glance, and the news that open tabs are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from time import monotonic

from markupsafe import Markup
from starlette.responses import Response, StreamingResponse

from hub.clock import now
from hub.overview.attention import Why
from hub.overview.glance import Glance
from hub.staff.rights import Right
from hub.store.errors import StoreError
from hub.web.following import Tab
from hub.web.home_page import TREND, groups
from hub.web.house import House
from hub.web.packing import compressed, packed
from hub.web.routes import PageRoute
from hub.web.sparkline import sparkline
from hub.web.unkept import card_said
from hub.web.visit import Visit

_DRAWN_AGAIN_AFTER = 15.0
"""Seconds: what it says of ages is put right by the browser, but who is overdue is not."""
_WORD_EVERY = 10.0
_SESSION_LOOKED_AT_EVERY = 5.0


async def show(visit: Visit) -> Response:
    """The home."""
    return packed(visit.request, visit.page("home.html", part=_drawn(visit.house)[0]))


async def part(visit: Visit) -> Response:
    """The part of it that renews itself."""
    text, known = _drawn(visit.house)
    return packed(visit.request, Response(text, media_type="text/html"), known)


def _drawn(house: House) -> tuple[Markup, bytes]:
    """What everybody who may look is shown alike, plain and compressed; made once for all tabs that ask."""
    board, following = house.board, house.following
    card = card_said(following.status)
    of = (
        board.version, board.trouble, following.silent_since, card, int(monotonic() / _DRAWN_AGAIN_AFTER),
    )  # fmt: skip
    drawn = board.drawn.get("home")
    if drawn is None or drawn[0] != of:
        at = now()

        def trend(glance: Glance) -> Markup:
            return sparkline(glance.scores, at - TREND, at)

        text = house.templates.get_template("parts/home.html").render(
            groups=groups(board.glances, at),
            why=Why,
            trend=trend,
            trouble=board.trouble,
            read_at=board.read_at,
            silent_since=following.silent_since,
            said_of_card=card,
            glance_of=board.glance,
            moment=at,
        )
        board.drawn["home"] = drawn = (of, text, compressed(text))
    return Markup(drawn[1]), drawn[2]


async def news(visit: Visit) -> Response:
    """What changed, as server-sent events: a list of topics each, an empty one every ten seconds.

    It ends when the session does. Raises `TooManyTabsError` where too many listen already.
    """
    tab = visit.house.following.open_tab()
    return StreamingResponse(
        _told(visit, tab), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _told(visit: Visit, tab: Tab) -> AsyncIterator[str]:
    looked = -_SESSION_LOOKED_AT_EVERY
    topics: frozenset[str] = frozenset()
    try:
        while True:
            if monotonic() - looked >= _SESSION_LOOKED_AT_EVERY:
                if not await _still_signed_in(visit):
                    return
                looked = monotonic()
            yield f"data: {json.dumps(sorted(topics))}\n\n"
            topics = await tab.next(_WORD_EVERY)
    finally:
        tab.close()


async def _still_signed_in(visit: Visit) -> bool:
    try:
        return await visit.still_signed_in()
    except StoreError:
        return False  # nobody can say: whoever listens asks again, and is told what the matter is


ROUTES: list[PageRoute] = [
    PageRoute("GET", "/", Right.LOOK, show),
    PageRoute("GET", "/parts/home", Right.LOOK, part),
    PageRoute("GET", "/news", "signed in", news),
]
