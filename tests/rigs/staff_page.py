"""The staff page in memory, over a real database and a real control socket, with somebody signed in.

    @pytest.fixture
    async def page(tmp_path):
        async with staff_page(tmp_path) as page:
            yield page

    async def test_a_carer_sees_the_tray(page):
        carer = page.signed_in(Role.CARER)
        answer = await carer.get("/tray")
        ...
        done = await carer.post("/tray/assign", data={"reading": ...})   # csrf and Origin are sent along
        assert page.asked[-1] == {"command": "assign", "by": CARA, ...}

What the daemon answers is played: `page.answers["assign"] = {"words": "kept"}`, or an error to be told, or a
function of the request. `page.handlers(Requests(...).handlers)` asks real ones instead. The database is
`House`'s (`tests/rigs/house.py`): put rows in with `page.house`, or take `page.connection` for your own. PINs
are hashed with parameters that cost nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from hub.clock import now
from hub.control.control_socket import ControlServer, Handler
from hub.errors import CareportError
from hub.staff.rights import Role
from hub.store.staff import StaffRow, put
from hub.web.app import application, put_together
from hub.web.guard import cookie_of
from hub.web.house import House as PageHouse
from hub.web.pins import Hashes
from tests.rigs.house import House

ADDRESS = "http://127.0.0.1:8443"
CARA, SAM, MO, ELI = "Cara Night", "Sam Senior", "Mo Manager", "Eli Engineer"
NAMES: Mapping[Role, str] = {Role.CARER: CARA, Role.SENIOR: SAM, Role.MANAGER: MO, Role.ENGINEER: ELI}
PINS: Mapping[Role, str] = {
    Role.CARER: "481620",
    Role.SENIOR: "730251",
    Role.MANAGER: "926417",
    Role.ENGINEER: "158304",
}
CHEAP = Hashes(passes=1, memory_kib=8)
_KEPT = {role: CHEAP.of(pin) for role, pin in PINS.items()}

Played = Mapping[str, Any] | CareportError | Callable[[Mapping[str, object]], Mapping[str, Any]]
PAGE = '[page]\naddress = "127.0.0.1"\ntls = false\n'


class Client(httpx.AsyncClient):
    """A browser of somebody: sends where a form comes from, and the session's csrf with each."""

    csrf = ""

    async def post(self, url: Any, *, data: Any = None, **more: Any) -> httpx.Response:
        """Send a form, as a page of ours would."""
        return await super().post(url, data={"csrf": self.csrf, **(data or {})}, **more)


@dataclass
class StaffPage:
    """The page, its database and what it asked of the daemon."""

    house: House
    page: PageHouse
    transport: httpx.ASGITransport
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    answers: dict[str, Played] = field(default_factory=dict)
    real: dict[str, Handler] = field(default_factory=dict)

    @property
    def connection(self) -> sqlite3.Connection:
        """The database, to put rows in."""
        return self.house.connection

    def browser(self) -> Client:
        """Nobody's yet. Redirects are not followed, so that a test sees them."""
        return Client(transport=self.transport, base_url=ADDRESS, headers={"Origin": ADDRESS})

    def signed_in(self, role: Role) -> Client:
        """Somebody's of that role."""
        client = self.browser()
        token, session = self.page.sessions.begin(self.row(role))
        client.cookies.set(cookie_of(self.page), token, domain="127.0.0.1")
        client.csrf = session.csrf
        return client

    def row(self, role: Role) -> StaffRow:
        """Who has that role, as the database has them."""
        return StaffRow(NAMES[role], role, _KEPT[role], now(), "the rig")

    def handlers(self, handlers: Mapping[str, Handler]) -> None:
        """Have these answer, in place of what is played."""
        self.real.update(handlers)

    async def answer(self, request: Mapping[str, object]) -> Mapping[str, object]:
        """What the daemon does with a request."""
        self.asked.append(request)
        command = str(request["command"])
        if command in self.real:
            return await self.real[command](request)
        played = self.answers.get(command, {"words": "done"})
        if isinstance(played, CareportError):
            raise played
        return played(request) if callable(played) else played


class _Any(dict[str, Handler]):
    """A handler for every command."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._handler = handler

    def get(self, key: str, default: object = None) -> Handler:
        return self._handler


@asynccontextmanager
async def staff_page(
    directory: Path, further: str = "", *, daemon: bool = True, house: House | None = None
) -> AsyncIterator[StaffPage]:
    """A page with one of each role entered. Without `daemon` nothing answers at the control socket; `further`
    are tables of the configuration beside those of `House`; or give a `house` of your own (PAGE in it)."""
    own = house or House(directory, PAGE + further)
    for role in Role:
        put(own.connection, StaffRow(NAMES[role], role, _KEPT[role], now(), "the rig"))
    page = put_together(own.config, hashes=CHEAP)
    rig = StaffPage(own, page, httpx.ASGITransport(application(page), raise_app_exceptions=True))
    server = asyncio.create_task(ControlServer(own.config.hub.control_socket, _Any(rig.answer)).run())
    if not daemon:
        server.cancel()
    else:
        while not own.config.hub.control_socket.exists():
            await asyncio.sleep(0)
    try:
        yield rig
    finally:
        server.cancel()
        with suppress(asyncio.CancelledError):
            await server
        page.sign_in.close()
        page.looking.close()
        if house is None:
            own.connection.close()
