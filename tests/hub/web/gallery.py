"""Everything that pages are built of, on one page: `python -m tests.hub.web.gallery` serves it to look at."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from hub.assessment.news2 import Band
from hub.overview.glance import PastScore
from hub.readings import Vital
from hub.residents.care import Normal
from hub.staff.rights import Role
from hub.web import words
from hub.web.charts import Point, chart, score_chart
from hub.web.envelope import Envelope, names_of_this_machine
from hub.web.house import PageSettings
from hub.web.sparkline import sparkline
from hub.web.statics import Statics
from hub.web.visit import Person

TEMPLATES = Path(words.__file__).parent / "templates"
NOW = datetime(2026, 3, 10, 4, 3, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")
_DAY = timedelta(days=1)


def environment(statics: Statics | None = None) -> Environment:
    """Templates as the page has them, at a fixed time."""
    made = Environment(
        loader=FileSystemLoader([TEMPLATES, Path(__file__).parent]),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.globals["static"] = (statics or Statics()).address
    words.install(made, LONDON, lambda: NOW)
    return made


def visit(path: str = "/gallery", *, large: bool = False) -> SimpleNamespace:
    """As much of a visit as templates ask for."""
    request = SimpleNamespace(
        cookies={"type": "large"} if large else {}, url=SimpleNamespace(path=path), method="GET"
    )
    return SimpleNamespace(request=request)


def gallery(*, large: bool = False, role: Role = Role.MANAGER, statics: Statics | None = None) -> str:
    """The page."""
    return (
        environment(statics)
        .get_template("gallery.html")
        .render(
            visit=visit(large=large),
            person=Person("Pat Example", role),
            csrf="not-a-real-token",
            settings=PageSettings("example-home", test_data=True),
            earlier=NOW - timedelta(minutes=12),
            later=NOW + timedelta(hours=6),
            residents=[
                ("Margaret Example", "12", 8, "high"),
                ("John Example", "14", 5, "medium"),
                ("Ada Example", "3", 3, "single_red"),
                ("Bo Example", "5", 1, "low"),
            ],
            spark=sparkline(scores(falling=True), NOW - 3 * _DAY, NOW),
            spark_rising=sparkline(scores(), NOW - 3 * _DAY, NOW),
            spark_none=sparkline((), NOW - 3 * _DAY, NOW),
            charts=charts(),
        )
    )


def waiting(count: int = 2, band: Band | None = Band.HIGH, *, signed_in: bool = True) -> str:
    """The bar at the foot of a page."""
    return (
        environment()
        .get_template("parts/waiting.html")
        .render(
            waiting=SimpleNamespace(count=count, band=band),
            person=Person("Pat Example", Role.CARER) if signed_in else None,
        )
    )


def scores(*, falling: bool = False) -> tuple[PastScore, ...]:
    """Three days of somebody who gets worse, or better."""
    totals = [0, 1, 1, 0, 2, 3, 3, 5, 6, 8]
    bands = {0: Band.ZERO, 5: Band.MEDIUM, 6: Band.MEDIUM, 8: Band.HIGH}
    return tuple(
        PastScore(
            NOW - 3 * _DAY + number * timedelta(hours=7.5), total, bands.get(total, Band.LOW), number != 4
        )
        for number, total in enumerate(reversed(totals) if falling else totals)
    )


def charts() -> list[str]:
    """Each vital, over a day, a week and a month; with too many values, with none, with doubtful ones."""
    saturation = [
        Point(NOW - _DAY + timedelta(hours=number), 96 - number * 0.35, doubtful=number in {7, 20})
        for number in range(24)
        if number not in {11, 12, 13, 14}
    ]
    pulse = [
        Point(NOW - 7 * _DAY + timedelta(minutes=10 * number), 78 + 14 * math.sin(number / 40) + number % 7)
        for number in range(1000)
        if not 300 < number < 420
    ]
    temperature = [
        Point(NOW - 30 * _DAY + timedelta(hours=12 * number), 36.5 + 0.4 * math.sin(number) + number / 40)
        for number in range(60)
    ]
    return [
        score_chart(scores(), NOW - 3 * _DAY, NOW, LONDON),
        chart(
            Vital.OXYGEN_SATURATION, saturation, NOW - _DAY, NOW, LONDON, normal=Normal(lowest=91, highest=95)
        ),
        chart(Vital.PULSE_RATE, pulse, NOW - 7 * _DAY, NOW, LONDON, normal=Normal(lowest=60, highest=85)),
        chart(Vital.TEMPERATURE, temperature, NOW - 30 * _DAY, NOW, LONDON),
        chart(Vital.SYSTOLIC_PRESSURE, [Point(NOW - timedelta(hours=3), 232)], NOW - _DAY, NOW, LONDON),
        chart(Vital.RESPIRATION_RATE, [], NOW - _DAY, NOW, LONDON),
    ]


async def _news(_request: Request) -> Response:
    async def told() -> AsyncIterator[str]:
        while True:
            yield 'data: ["home"]\n\n'
            await asyncio.sleep(10)

    return StreamingResponse(told(), media_type="text/event-stream")


def app(statics: Statics) -> Envelope:
    """The gallery as a server, under the page's own headers."""

    async def page(request: Request) -> Response:
        query = request.query_params
        return HTMLResponse(gallery(large="large" in query, statics=statics))

    async def part(_request: Request) -> Response:
        return HTMLResponse(waiting())

    async def static(request: Request) -> Response:
        return statics.answer(request)

    async def renewed(_request: Request) -> Response:
        return HTMLResponse(f"<p>Renewed at {datetime.now(UTC):%H:%M:%S}.</p>")

    routes = [
        Route("/gallery", page),
        Route("/parts/waiting", part),
        Route("/parts/gallery", renewed),
        Route("/news", _news),
        Route("/static/{name:path}", static),
    ]
    return Envelope(Starlette(routes=routes), names_of_this_machine(), tls=False)


if __name__ == "__main__":
    import uvicorn

    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8099
    print(f"http://127.0.0.1:{port}/gallery and /gallery?large")
    uvicorn.run(app(Statics()), port=port, log_level="warning")
