"""Signing in and out. Who stands before the sign-in page is told how many alerts wait, and of nobody."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from hub.alerts.life import AlertState
from hub.assessment.news2 import Band
from hub.staff.rights import Right
from hub.store.errors import StoreError
from hub.store.looking_back import open_alerts_as_kept
from hub.web.guard import let_in, let_out
from hub.web.routes import PageRoute
from hub.web.sign_in import SignedIn
from hub.web.unkept import UnkeptAlert, card_said
from hub.web.visit import Person, Visit

_MOST_ALERTS = 500
_DIGEST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many alerts nobody has acknowledged, and the highest band of them; None where there is none.

    `alerts` tells one from another, and not which: a digest of each id, for a tab to know a new one by.
    """

    count: int
    band: Band | None
    alerts: tuple[str, ...]


def waiting_in(connection: sqlite3.Connection) -> Waiting:
    """What waits, as the database has it. An alert that cannot be read counts as the worst: it must keep
    nobody from signing in, and may be of somebody who is dying."""
    found = [
        (name, alert)
        for name, alert in open_alerts_as_kept(connection, _MOST_ALERTS)
        if alert is None or alert.state != AlertState.ACKNOWLEDGED
    ]
    bands = [
        Band(alert.band) if alert is not None and alert.band in set(Band) else Band.HIGH for _, alert in found
    ]
    digests = tuple(
        hashlib.sha256(name.encode() if alert is None else alert.id.bytes).hexdigest()[:_DIGEST_DIGITS]
        for name, alert in found
    )
    return Waiting(len(found), max(bands, key=lambda band: band.rank, default=None), digests)


def with_unkept(waiting: Waiting, alerts: Sequence[UnkeptAlert]) -> Waiting:
    """What waits, with what the card could not take: it has to be heard all the same."""
    digests = {hashlib.sha256(each.id.bytes).hexdigest()[:_DIGEST_DIGITS]: each.band for each in alerts}
    added = {digest: band for digest, band in digests.items() if digest not in waiting.alerts}
    bands = [*added.values(), *([] if waiting.band is None else [waiting.band])]
    highest = max(bands, key=lambda band: band.rank, default=None)
    return Waiting(waiting.count + len(added), highest, (*waiting.alerts, *added))


async def ask_in(visit: Visit) -> Response:
    """The form, or straight on where somebody is signed in."""
    if visit.signed_in:
        return visit.go(where_to(visit.request.query_params.get("next", ""), visit.person))
    return await _form(visit, visit.request.query_params.get("next", ""))


async def sign_in(visit: Visit) -> Response:
    """Let them in, or say what to do."""
    house, wanted, name = visit.house, visit.field("next"), visit.field("name")
    client = visit.request.client
    said = await house.sign_in.enter(name, visit.field("pin"), "" if client is None else client.host)
    if not isinstance(said, SignedIn):
        response = await _form(visit, wanted, name, said.words, said.status)
        if said.seconds:
            response.headers["Retry-After"] = str(round(said.seconds) + 1)
        return response
    if visit.session is not None:
        house.sign_in.leave(visit.session)
    return let_in(house, visit.go(where_to(wanted, said.session.person)), said.token)


async def sign_out(visit: Visit) -> Response:
    """Let them out."""
    assert visit.session is not None, "the route asks for somebody"
    visit.house.sign_in.leave(visit.session)
    return let_out(visit.house, visit.go("/sign-in"))


async def waiting(visit: Visit) -> Response:
    """How many alerts wait, as a part of every page; and for nobody, that the hub is silent."""
    following = visit.house.following
    card = card_said(following.status)
    found = with_unkept(await visit.look(waiting_in), card.alerts)
    return visit.page(
        "parts/waiting.html", waiting=found, silent_since=following.silent_since, card_trouble=card.trouble
    )


async def choose_type(visit: Visit) -> Response:
    """Large type or the usual, kept in this browser for a year."""
    response = visit.go(safe_path(visit.field("back")))
    response.set_cookie(
        "type",
        "large" if visit.field("type") == "large" else "usual",
        max_age=365 * 24 * 3600,
        path="/",
        secure=visit.house.config.page.tls,
        httponly=True,
        samesite="strict",
    )
    return response


def safe_path(wanted: str) -> str:
    """A path on this very page; the home for anything else."""
    plain = wanted.isascii() and wanted.isprintable() and " " not in wanted and "\\" not in wanted
    return wanted if plain and wanted.startswith("/") and not wanted.startswith("//") else "/"


def where_to(wanted: str, person: Person) -> str:
    """Where to go on after signing in: where they had wanted to, or where their work begins."""
    path = safe_path(wanted)
    if path == "/" or path.startswith(("/sign-", "/parts/", "/news", "/static/", "/type")):
        return "/" if person.may(Right.LOOK) else "/hub"
    return path


async def _form(
    visit: Visit, wanted: str, name: str = "", words: str | None = None, status: int = 200
) -> Response:
    try:
        found: Waiting | None = await visit.look(waiting_in)
    except StoreError:
        found = None
    return visit.page(
        "sign_in.html", status, wanted=safe_path(wanted), name=name, words=words, waiting=found,
        returning=wanted not in {"", "/"},
    )  # fmt: skip


ROUTES: list[PageRoute] = [
    PageRoute("GET", "/sign-in", "nothing", ask_in),
    PageRoute("POST", "/sign-in", "nothing", sign_in),
    PageRoute("POST", "/sign-out", "signed in", sign_out),
    PageRoute("GET", "/parts/waiting", "nothing", waiting),
    PageRoute("POST", "/type", "nothing", choose_type),
]
