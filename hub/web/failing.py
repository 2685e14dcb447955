"""What is said where a page cannot be had: in words for a carer, with what to do."""

from __future__ import annotations

import html
import logging
from enum import Enum
from typing import TYPE_CHECKING

from jinja2 import TemplateError
from starlette.responses import Response

if TYPE_CHECKING:
    from hub.web.visit import Visit

_log = logging.getLogger(__name__)


class Trouble(Enum):
    """What is the matter: status, title, words, what to do (or None)."""

    SIGNED_OUT = (
        401,
        "You are signed out",
        "Nobody is signed in here any more. What you sent was not saved.",
        "Sign in, then do it again.",
    )
    NO_RIGHT = (
        403,
        "This is not yours to do",
        "Your role may not open this page or do this.",
        "Ask a senior carer or the manager.",
    )
    FORGED = (
        403,
        "That was not saved",
        "The page that this was sent from is too old, or is not of this hub.",
        "Open the page again, and do it once more.",
    )
    NOT_FOUND = (
        404,
        "There is no such page",
        "What you looked for is not here. It may have been closed or moved.",
        None,
    )
    WRONG_METHOD = (405, "There is no such page", "This page cannot be asked for like that.", None)
    MALFORMED = (400, "That was not saved", "The hub cannot read what was sent.", "Go back, and try again.")
    SLOW = (
        408,
        "That was not saved",
        "What you sent did not arrive whole: the network is slow.",
        "Go back, and try again.",
    )
    REFUSED = (409, "That was not done", "The hub did not say why.", None)
    TOO_LARGE = (413, "That was not saved", "What was sent is too large.", "Go back, and send less at once.")
    FAULT = (
        500,
        "This page does not work",
        "There is a fault in this page. It is not known whether what you sent was saved.",
        "Go back and look. If it stays so, tell whoever looks after the hub, and write on paper meanwhile.",
    )
    SILENT = (503, "The hub does not answer", "The hub does not answer.", None)
    UNREADABLE = (
        503,
        "The hub's memory cannot be read",
        "This page cannot show how residents are.",
        "Look after residents as if there were no hub, and call whoever looks after it.",
    )

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return int(self.value[0])


def failed(visit: Visit, trouble: Trouble, words: str | None = None) -> Response:
    """The page that says so. `words` are the hub's own, if it said any. A part is told in plain text."""
    status, title, usual, what_to_do = trouble.value
    said = words or usual
    path = visit.request.url.path
    if path.startswith("/parts/") or path == "/news":
        return Response(said, status, media_type="text/plain")
    back = "/sign-in" if trouble is Trouble.SIGNED_OUT else None
    try:
        return visit.page(
            "error.html", status, title=title, words=said, what_to_do=what_to_do, back=back, failure=status
        )
    except (TemplateError, ValueError, TypeError, LookupError, AttributeError) as error:
        _log.error("the page for an error has a fault itself: %s", type(error).__name__)
        return Response(plain(title, f"{said} {what_to_do or ''}"), status, media_type="text/html")


def plain(title: str, words: str) -> str:
    """A page that needs nothing."""
    return (
        '<!DOCTYPE html><html lang="en-GB"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title></head><body><main><h1>{html.escape(title)}</h1>"
        f'<p>{html.escape(words)}</p><p><a href="/">Go on</a></p></main></body></html>'
    )
