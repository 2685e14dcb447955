"""A resident's page: how they are now, and how they were."""

from __future__ import annotations

from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response

from hub.clock import now
from hub.errors import CareportError
from hub.overview.attention import rising_risk
from hub.overview.glance import Glance
from hub.readings import Breathing, Vital
from hub.residents.fields import NORMALS_OF
from hub.staff.rights import Right
from hub.web.charts import chart, point_of, score_chart
from hub.web.packing import packed
from hub.web.points import beyond_of
from hub.web.resident_past import PERIODS, now_lines, past_of, sensors_of
from hub.web.routes import PageRoute
from hub.web.shown_score import shown_score
from hub.web.topics import HUB, of_resident
from hub.web.unkept import card_said
from hub.web.visit import Visit

_ALWAYS_CHARTED = frozenset(NORMALS_OF[:6])


class NotReadYetError(CareportError):
    """Somebody is asked for while the page does not know who lives here."""


async def show(visit: Visit) -> Response:
    """Everything of a resident."""
    glance = _glance(visit)
    period = visit.request.query_params.get("period", "24h")
    if period not in PERIODS:
        raise HTTPException(404)
    until = now()
    since = until - PERIODS[period]
    config, whose = visit.house.config, glance.id
    past = await visit.look(lambda connection: past_of(config, connection, whose, since))
    zone = ZoneInfo(config.site.timezone)
    breathing = glance.score.values.get(Vital.SUPPLEMENTAL_OXYGEN) if glance.score is not None else None
    charts = [
        chart(
            vital,
            [point for each in past.values.get(vital, ()) if (point := point_of(each)) is not None],
            since,
            until,
            zone,
            scale=glance.resident.oxygen_scale,
            breathing=breathing if isinstance(breathing, Breathing) else None,
            normal=glance.care.normals.get(vital),
            beyond=beyond_of(past.values.get(vital, ())),
        )
        for vital in NORMALS_OF
        if vital in _ALWAYS_CHARTED or vital in past.values
    ]
    page = visit.page(
        "resident.html",
        **await _of_now(visit, glance),
        past=past,
        charts=[score_chart(past.scores, since, until, zone), *charts],
        period=period,
        periods=tuple(PERIODS),
        topics=[of_resident(glance.id), HUB],  # that the card or the daemon fails is said at once
        may_correct=visit.person.may(Right.CORRECT),
        may_manage=visit.person.may(Right.RESIDENTS),
    )
    return packed(visit.request, page)


async def part(visit: Visit) -> Response:
    """How they are now: the part that renews itself."""
    return visit.page("parts/resident.html", **await _of_now(visit, _glance(visit)))


async def _of_now(visit: Visit, glance: Glance) -> dict[str, Any]:
    sensors = await visit.look(partial(sensors_of, visit.house.config))
    moment = now()
    risks = [(each.at, each.risk) for each in glance.scores if each.risk is not None]
    return {
        "glance": glance,
        "shown": shown_score(glance, moment),
        "lines": now_lines(glance, sensors),
        "overdue": glance.watched and glance.due.overdue(moment),
        "rising": rising_risk(risks, moment),
        "trouble": visit.house.board.trouble,
        "read_at": visit.house.board.read_at,
        "silent_since": visit.house.following.silent_since,
        "said_of_card": card_said(visit.house.following.status),
    }


def _glance(visit: Visit) -> Glance:
    board = visit.house.board
    glance = board.glance(visit.part("resident"))
    if glance is not None:
        return glance
    if board.read_at is None and board.trouble is not None:
        raise NotReadYetError(f"{board.trouble} Try again in a moment.")
    raise HTTPException(404)


ROUTES: list[PageRoute] = [
    PageRoute("GET", "/residents/{resident}", Right.LOOK, show),
    PageRoute("GET", "/parts/residents/{resident}", Right.LOOK, part),
]
