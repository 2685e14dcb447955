"""How the hub is, in plain words."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.responses import Response

from hub.clock import look_at_kernel
from hub.doctor.findings import Verdict
from hub.staff.rights import Right
from hub.store.damage import damages
from hub.store.delivery import set_aside_of
from hub.store.errors import StoreError
from hub.store.queries import outbox_size
from hub.uplink.contract import Channel
from hub.web.asking import RefusedError, SilentHubError
from hub.web.health import Facts, health, worst
from hub.web.routes import PageRoute
from hub.web.visit import Visit


async def show(visit: Visit) -> Response:
    """The page."""
    return await _drawn(visit, "hub.html")


async def part(visit: Visit) -> Response:
    """What of it renews itself."""
    return await _drawn(visit, "parts/hub.html")


async def try_beacon(visit: Visit) -> Response:
    """Have the beacon blink, so that somebody can see whether it works."""
    try:
        said = await visit.ask("beacon_try")
    except RefusedError as error:
        return await _drawn(visit, "hub.html", status=409, refused=str(error))
    return await _drawn(visit, "hub.html", tried=str(said["words"]))


async def _drawn(
    visit: Visit, template: str, status: int = 200, tried: str = "", refused: str = ""
) -> Response:
    said: Mapping[str, Any] | None
    try:
        said = await visit.ask("status")
    except SilentHubError:
        said = None
    found = health(said, await _facts(visit))
    beacon = None if said is None else said.get("beacon")
    return visit.page(
        template,
        status,
        found=found,
        worst=worst(found),
        silent=said is None,
        beacon=beacon is not None,
        tried=tried,
        refused=refused,
        FAIL=Verdict.FAIL,
        WARN=Verdict.WARN,
    )


async def _facts(visit: Visit) -> Facts:
    free, clock_set = await asyncio.to_thread(_of_the_machine, visit)
    try:
        found = await visit.look(_of_the_card)
        trouble = visit.house.board.trouble
    except StoreError:
        found, trouble = Facts(), "the hub's card cannot be read."
    return replace(
        found,
        free=free,
        clock_set=clock_set,
        page_trouble=trouble,
        silent_since=visit.house.following.silent_since,
    )


def _of_the_card(connection: sqlite3.Connection) -> Facts:
    waiting, refused = outbox_size(connection)
    return Facts(
        waiting=waiting,
        refused=refused,
        alerts_refused=set_aside_of(connection, Channel.ALERT),
        damages=tuple(each.words for each in damages(connection)),
    )


def _of_the_machine(visit: Visit) -> tuple[int | None, bool | None]:
    try:
        free: int | None = shutil.disk_usage(visit.house.config.hub.data_directory).free
    except OSError:
        free = None
    try:
        return free, look_at_kernel(once=True).synchronised
    except OSError:
        return free, None


ROUTES: list[PageRoute] = [
    PageRoute("GET", "/hub", Right.HUB, show),
    PageRoute("GET", "/parts/hub", Right.HUB, part),
    PageRoute("POST", "/hub/try-beacon", Right.HUB, try_beacon),
]
