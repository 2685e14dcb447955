"""What stands before every page: is it asked of this hub, from one of its own pages, by somebody who may?

In this order: the session, who may have the route, where a form comes from (`Origin`), how large it is, and
whether it brings what only our own pages know (`csrf`); then the page. So nobody without a session learns
whether a form would have been taken. What a page raises becomes words for whoever asked.

**What a tab asks for by itself keeps nobody signed in:** the stream of news (`/news`), every part
(`/parts/...`), whatever has the header `X-Live`, and a page that loads itself anew where there is no
JavaScript (`?renewed`).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from hub.errors import CareportError
from hub.staff.rights import Right
from hub.store.errors import StoreError
from hub.store.staff import member
from hub.web.asking import SilentHubError
from hub.web.failing import Trouble, failed
from hub.web.routes import PageRoute
from hub.web.sessions import Session
from hub.web.visit import Visit

if TYPE_CHECKING:
    from hub.web.house import House

_log = logging.getLogger(__name__)
COOKIE, COOKIE_OF_TLS = "carehub", "__Host-carehub"
LIVE_HEADER, RENEWED = "X-Live", "renewed"
_LONGEST_SENDING_SECONDS = 20.0
_MOST_FIELDS, _MOST_FILES = 300, 2
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_NOTHING = FormData()

Endpoint = Callable[[Request], Awaitable[Response]]


class TooLargeError(CareportError):
    """More was sent than the route takes."""


class Guard:
    """Makes of a route what the server calls for it."""

    def __init__(self, house: House) -> None:
        self._house = house

    def endpoint(self, route: PageRoute) -> Endpoint:
        """What answers on a route, for whoever may have it."""

        async def answer(request: Request) -> Response:
            visit = Visit(request, self._house, None, "", _NOTHING)
            try:
                session = await self._session(request)
                if session is not None:
                    visit = Visit(request, self._house, session.person, session.csrf, _NOTHING, session)
                refused = self._refuse(route, visit)
                if refused is not None:
                    return refused
                if session is not None and not is_live(request):
                    self._house.sessions.wake(session)
                if route.method == "POST":
                    visit.form = await _form(request, route.largest)
                    if route.needs != "nothing" and not _is_own(visit):
                        return failed(visit, Trouble.FORGED)
                try:
                    return await route.handler(visit)
                finally:
                    await visit.form.close()
            except Exception as error:  # noqa: BLE001  # whatever it is, whoever asked gets words
                return _said(visit, error)

        return answer

    async def _session(self, request: Request) -> Session | None:
        token = request.cookies.get(cookie_of(self._house))
        session = None if token is None else self._house.sessions.find(token)
        if session is None:
            return None
        key = session.row.key
        if request.url.path == "/sign-out":
            return session  # whatever has become of the card: nobody leaves a tablet that stays signed in
        row = await self._house.looking.ask(lambda connection: member(connection, key))
        if session.is_of(row):
            return session
        self._house.sessions.end(session)
        return None

    def _refuse(self, route: PageRoute, visit: Visit) -> Response | None:
        request = visit.request
        if route.needs != "nothing":
            if not visit.signed_in:
                return _to_sign_in(visit)
            if isinstance(route.needs, Right) and not visit.person.may(route.needs):
                if route.path == "/" and visit.person.may(Right.HUB):
                    return RedirectResponse("/hub", 303)
                return failed(visit, Trouble.NO_RIGHT)
        if route.method == "POST" and not _is_from_here(request):
            return failed(visit, Trouble.FORGED)
        return None


def cookie_of(house: House) -> str:
    """What the cookie is called; with TLS browsers see to it that no other machine can have set it."""
    return COOKIE_OF_TLS if house.config.page.tls else COOKIE


def let_in(house: House, response: Response, token: str) -> Response:
    """Have the browser keep the token until it is closed."""
    tls = house.config.page.tls
    response.set_cookie(cookie_of(house), token, path="/", secure=tls, httponly=True, samesite="strict")
    return response


def let_out(house: House, response: Response) -> Response:
    """Have the browser forget it."""
    tls = house.config.page.tls
    response.delete_cookie(cookie_of(house), path="/", secure=tls, httponly=True, samesite="strict")
    return response


def is_live(request: Request) -> bool:
    """Whether a tab asks by itself, and nobody does."""
    path = request.url.path
    by_itself = request.headers.get(LIVE_HEADER) is not None or RENEWED in request.query_params
    return path == "/news" or path.startswith("/parts/") or by_itself


def _to_sign_in(visit: Visit) -> Response:
    request = visit.request
    if request.url.path == "/sign-out":
        return RedirectResponse("/sign-in", 303)  # it is as they wanted it
    if request.method not in {"GET", "HEAD"} or is_live(request):
        return failed(visit, Trouble.SIGNED_OUT)
    path = request.url.path
    return RedirectResponse("/sign-in" if path == "/" else f"/sign-in?next={quote(path, safe='')}", 303)


def _is_from_here(request: Request) -> bool:
    """Whether a form comes from a page of ours: browsers say so themselves (Fetch Standard, 3.1 and 4.8)."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin == f"{request.url.scheme}://{request.headers.get('host', '')}"


def _is_own(visit: Visit) -> bool:
    sent = visit.form.get("csrf")
    if not isinstance(sent, str):
        sent = visit.request.headers.get("x-csrf", "")
    return bool(visit.csrf) and hmac.compare_digest(sent.encode(), visit.csrf.encode())


async def _form(request: Request, largest: int) -> FormData:
    """What was sent. Raises `TooLargeError`, TimeoutError, or `HTTPException` where it cannot be read."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind and request.headers.get("content-length", "0") == "0":
        return FormData()
    if kind not in _FORMS or _alphabet(request) not in {"", "utf-8"}:
        raise HTTPException(415)
    received = 0
    receive = request.receive

    async def counted() -> dict[str, object]:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > largest:
            raise TooLargeError("too large")
        return dict(message)

    async with asyncio.timeout(_LONGEST_SENDING_SECONDS):
        limited = Request(request.scope, counted)
        return await limited.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS, max_part_size=largest)


def _alphabet(request: Request) -> str:
    """How the form says that it is written; of Python's own codecs some are no alphabet at all."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    return options.get(b"charset", b"").decode("latin-1").lower()


def _said(visit: Visit, error: Exception) -> Response:
    """The page for what a page raised."""
    match error:
        case SilentHubError():
            return failed(visit, Trouble.SILENT, str(error))
        case StoreError():
            _log.error("the database cannot be read: %s", error)
            return failed(visit, Trouble.UNREADABLE)
        case TooLargeError():
            return failed(visit, Trouble.TOO_LARGE)
        case CareportError():
            return failed(visit, Trouble.REFUSED, str(error))
        case TimeoutError() | ClientDisconnect():
            return failed(visit, Trouble.SLOW)
        case HTTPException(status_code=404):
            return failed(visit, Trouble.NOT_FOUND)
        case HTTPException():
            return failed(visit, Trouble.MALFORMED)
    # Where it happened, and not what was said: that may be somebody's name.
    places = "; ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
    )
    _log.error("%s failed: %s at %s", visit.request.scope.get("method"), type(error).__name__, places)
    return failed(visit, Trouble.FAULT)
