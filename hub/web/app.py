"""The staff page's parts, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from hub.configuration.file import Config
from hub.running.supervision import keep_running
from hub.store.database import FILE_NAME
from hub.web import words
from hub.web.asking import Asking
from hub.web.board import Board
from hub.web.envelope import Envelope, names_of_this_machine
from hub.web.failing import Trouble, failed
from hub.web.following import Following
from hub.web.guard import Guard
from hub.web.house import House, PageSettings
from hub.web.lock_out import LockOut
from hub.web.looking import Looking
from hub.web.noting import Noting
from hub.web.pins import Hashes
from hub.web.routes import all_routes
from hub.web.sessions import Sessions
from hub.web.sign_in import SignIn
from hub.web.statics import Statics
from hub.web.visit import Visit

TEMPLATES = Path(__file__).parent / "templates"


def put_together(config: Config, *, hashes: Hashes | None = None) -> House:
    """The parts, of which none runs yet (`running` does that). `hashes` are the usual ones unless given."""
    looking = Looking(config.hub.data_directory / FILE_NAME)
    asking = Asking(config.hub.control_socket)
    sessions = Sessions(config.page.signed_in_for, config.page.idle)
    statics = Statics()
    board = Board(config)
    return House(
        config=config,
        looking=looking,
        asking=asking,
        sessions=sessions,
        board=board,
        following=Following(config, board, asking),
        templates=templates(config, statics),
        settings=PageSettings(config.site.id, config.site.test_data),
        sign_in=SignIn(looking, sessions, hashes or Hashes(), LockOut(), Noting(asking)),
        statics=statics,
    )


def templates(config: Config, statics: Statics) -> Environment:
    """The templates. What they show is escaped."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["static"] = statics.address
    words.install(environment, ZoneInfo(config.site.timezone))
    return environment


def application(house: House) -> ASGIApp:
    """What the server calls for each request."""
    config = house.config
    guard = Guard(house)

    async def static(request: Request) -> Response:
        return house.statics.answer(request)

    async def not_found(request: Request, _error: Exception) -> Response:
        return failed(_nobodys(request, house), Trouble.NOT_FOUND)

    async def wrong_method(request: Request, _error: Exception) -> Response:
        return failed(_nobodys(request, house), Trouble.WRONG_METHOD)

    routes = [Route(each.path, guard.endpoint(each), methods=[each.method]) for each in all_routes()]
    app = Starlette(
        routes=[Route("/static/{name:path}", static, methods=["GET"]), *routes],
        exception_handlers={404: not_found, 405: wrong_method},
    )
    app.router.redirect_slashes = False
    return Envelope(app, names_of_this_machine(config.page.names), tls=config.page.tls)


@asynccontextmanager
async def running(house: House) -> AsyncIterator[None]:
    """Have the parts run that go on by themselves: who follows the database, who tells the trail."""
    parts: dict[str, Callable[[], Awaitable[None]]] = {
        "following": house.following.run,
        "noting": house.sign_in.noting.run,
    }
    tasks = [asyncio.create_task(keep_running(name, run), name=name) for name, run in parts.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        house.sign_in.close()
        house.looking.close()


def _nobodys(request: Request, house: House) -> Visit:
    return Visit(request, house, None, "", FormData())
