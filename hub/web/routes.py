"""Every route of the staff page, with the right that it needs: there is no other way to a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from starlette.responses import Response

from hub.staff.rights import Right

if TYPE_CHECKING:
    from hub.web.visit import Visit

Handler = Callable[["Visit"], Awaitable[Response]]
Needs = Right | Literal["signed in", "nothing"]
"""What a route asks for. "nothing" is for signing in, and for what the page is drawn with."""


@dataclass(frozen=True, slots=True)
class PageRoute:
    """One method of one path ("/residents/{resident}"), who may have it, and what answers.

    `largest` is how much may be sent, in bytes (of a table that is uploaded more than of a form).
    """

    method: Literal["GET", "POST"]
    path: str
    needs: Needs
    handler: Handler
    largest: int = 64 * 1024


def all_routes() -> Sequence[PageRoute]:
    """Every route, of every file in `pages/`."""
    from hub.web.pages import alert, home, hub, resident, residents, rounds, sensors, signing_in, staff, tray

    modules = (signing_in, home, resident, rounds, alert, tray, sensors, hub, residents, staff)
    return [route for module in modules for route in module.ROUTES]
