"""The tray: readings of nobody, for a person to say whose they are or that they are of no use; and a reading
that was given to the wrong resident."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.responses import Response

from hub.clock import now
from hub.configuration.file import Sensor
from hub.errors import CareportError
from hub.residents.household import Listed, residents_of
from hub.sensors.enrolment import enrolled_sensors
from hub.staff.rights import Right
from hub.store.looking_back import first_reading_since, record_of
from hub.store.of_late import of_nobody, open_alert_row, reading_by_id
from hub.store.rows import StoredReading
from hub.timekeeping.present import clock_rule
from hub.web.routes import PageRoute
from hub.web.turn import Offer, offer
from hub.web.turn_page import by_room, find
from hub.web.visit import Visit

SHOWN_FOR = timedelta(days=7)
MOST_SHOWN = 100
MOST_AT_ONCE = 50  # as the hub takes (`hub/attribution/requests.py`)
LONGEST_REASON = 300
REASONS = (
    "Nobody knows whose it is",
    "Somebody tried the sensor",
    "It is of a visitor or of staff",
    "It was measured wrongly",
)
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class _Tray:
    """What waits, the newest first. `newest` is the highest number of a reading among it; `more` is whether
    there are more than are shown."""

    offers: Sequence[Offer]
    everybody: Sequence[Listed]
    newest: int
    more: bool


async def show(visit: Visit) -> Response:
    """What waits for a person."""
    return await _page(visit)


async def part(visit: Visit) -> Response:
    """Whether more came in since the page was drawn."""
    asked = visit.request.query_params.get("newest", "")
    newest = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 19 else 0
    most = MOST_SHOWN + 1

    def question(connection: sqlite3.Connection) -> int:
        record = record_of(connection, clock_rule(visit.house.config))
        return len(of_nobody(connection, record, newest, most=most))

    return visit.page("parts/tray.html", more=await visit.look(question), most=MOST_SHOWN)


async def _page(
    visit: Visit, status: int = 200, problem: str | None = None, chosen: Sequence[uuid.UUID] = ()
) -> Response:
    found = await _tray(visit)
    asked = visit.request.query_params
    given, resident = asked.get("given", ""), asked.get("resident", "")
    theirs = find(found.everybody, resident)
    alert = None
    if theirs is not None:
        alert = await visit.look(lambda connection: open_alert_row(connection, resident))
    return visit.page(
        "tray.html",
        status,
        tray=found,
        here_now=by_room(found.everybody),
        problem=problem,
        chosen=[str(each) for each in chosen],
        chosen_resident=resident if problem else "",
        given=int(given) if given.isascii() and given.isdecimal() and len(given) < 4 else None,
        given_to=None if problem else theirs,
        alert=alert,
        discarded="discarded" in asked,
        most=MOST_SHOWN,
        days=SHOWN_FOR.days,
    )


async def _tray(visit: Visit) -> _Tray:
    config = visit.house.config

    def question(connection: sqlite3.Connection) -> _Tray:
        record = record_of(connection, clock_rule(config))
        after = first_reading_since(connection, record, now() - SHOWN_FOR)
        waiting = of_nobody(connection, record, after, most=MOST_SHOWN + 1)
        sensors = _by_address([each.sensor for each in enrolled_sensors(config, connection)])
        offers = [offer(stored.placed, sensors) for stored in waiting[:MOST_SHOWN]]
        newest = max((stored.sequence for stored in waiting), default=after)
        return _Tray(offers, residents_of(config, connection), newest, len(waiting) > MOST_SHOWN)

    return await visit.look(question)


async def ask_give(visit: Visit) -> Response:
    """Whether those are the readings, and that is the resident: before anything is done."""
    return await _ask(visit, "tray_give.html", resident=visit.request.query_params.get("resident", ""))


async def ask_discard(visit: Visit) -> Response:
    """Why they are of no use."""
    return await _ask(visit, "tray_discard.html", resident=None)


async def _ask(
    visit: Visit,
    template: str,
    resident: str | None,
    problem: str | None = None,
    chosen: Sequence[uuid.UUID] = (),
) -> Response:
    ids = chosen or _ids(visit.request.query_params.getlist("reading"))
    if not ids:
        return await _page(visit, 422, "Tick at least one reading.")
    if len(ids) > MOST_AT_ONCE:
        return await _page(visit, 422, f"Choose {MOST_AT_ONCE} readings at the most.", ids)
    config = visit.house.config

    def question(connection: sqlite3.Connection) -> tuple[list[Listed], list[Offer]]:
        record = record_of(connection, clock_rule(config))
        sensors = _by_address([each.sensor for each in enrolled_sensors(config, connection)])
        kept = [reading_by_id(connection, record, each) for each in ids]
        there = [each for each in kept if each is not None and each.placed.resident is None]
        return residents_of(config, connection), [offer(each.placed, sensors) for each in there]

    everybody, offers = await visit.look(question)
    to = None if resident is None else find(everybody, resident)
    if resident is not None and (to is None or not to.care.watched):
        return await _page(visit, 422, "Choose the resident.", ids)
    if not offers:
        return await _page(visit, 422, "Somebody else has dealt with these by now.")
    status = 200 if problem is None else 422
    return visit.page(template, status, offers=offers, to=to, problem=problem, reasons=REASONS)


async def give(visit: Visit) -> Response:
    """They are this resident's: somebody has said so, and has looked twice."""
    ids, resident = _ids(visit.form.getlist("reading")), visit.field("resident")
    await visit.ask("assign", readings=[str(each) for each in ids], resident=resident)
    return visit.go(f"/tray?given={len(ids)}&resident={resident}")


async def discard(visit: Visit) -> Response:
    """They are of no use."""
    ids = _ids(visit.form.getlist("reading"))
    if not (reason := _reason(visit)):
        return await _ask(visit, "tray_discard.html", None, "Say why.", ids)
    await visit.ask("discard", readings=[str(each) for each in ids], reason=reason)
    return visit.go("/tray?discarded")


def _reason(visit: Visit) -> str:
    chosen = visit.field("reason")
    return visit.field("other")[:LONGEST_REASON] if chosen in {"", _OTHER} else chosen[:LONGEST_REASON]


async def ask_correct(visit: Visit) -> Response:
    """A reading that somebody has, and whose it is said to be."""
    return await _correct_page(visit)


async def correct(visit: Visit) -> Response:
    """It is another resident's, or nobody's: scores, alerts and what others were told follow."""
    to, reason = visit.field("resident"), visit.field("reason")
    stored, everybody, _ = await _reading(visit)
    theirs = stored.placed.resident
    problems = []
    if not to or (to != _NOBODY and find(everybody, to) is None):
        problems.append(("resident", "Say whose it is"))
    elif to == theirs:
        problems.append(("resident", "It is theirs already: choose another, or nobody"))
    if not reason:
        problems.append(("reason", "Say why: it is kept"))
    if problems:
        return await _correct_page(visit, _INCOMPLETE, problems)
    whose = None if to == _NOBODY else to
    try:
        await visit.ask(
            "correct",
            reading=str(stored.placed.reading.id),
            resident=whose,
            reason=reason,
            said_of=visit.field("said_of") or None,
        )
    except CareportError as error:
        return await _correct_page(visit, 409, [(None, str(error))])
    return visit.go("/tray" if whose is None else f"/tray?given=1&resident={whose}")


_NOBODY = "-"  # no pseudonym begins so
_INCOMPLETE = 422


async def _correct_page(
    visit: Visit, status: int = 200, problems: Sequence[tuple[str | None, str]] = ()
) -> Response:
    stored, everybody, shown = await _reading(visit)
    owner = stored.placed.resident or ""
    # What was missing in the form says nothing of whose it has become since; what the hub refuses does.
    said_of = visit.field("said_of") if status == _INCOMPLETE else owner
    return visit.page(
        "correct.html",
        status,
        said_of=said_of or owner,
        offer=shown,
        reading=stored.placed.reading.id,
        theirs=None if stored.placed.resident is None else find(everybody, stored.placed.resident),
        others=[each for each in by_room(everybody) if each.resident.id != stored.placed.resident],
        nobody=_NOBODY,
        problems=problems,
        wrong=dict(problems),
        typed={name: visit.field(name) for name in ("resident", "reason")},
        longest=LONGEST_REASON,
    )


async def _reading(visit: Visit) -> tuple[StoredReading, list[Listed], Offer]:
    ids = _ids([visit.part("reading")])
    config = visit.house.config

    def question(
        connection: sqlite3.Connection,
    ) -> tuple[StoredReading | None, list[Listed], Mapping[str, Sensor]]:
        sensors = _by_address([each.sensor for each in enrolled_sensors(config, connection)])
        record = record_of(connection, clock_rule(config))
        stored = reading_by_id(connection, record, ids[0]) if ids else None
        return stored, residents_of(config, connection), sensors

    stored, everybody, sensors = await visit.look(question)
    if stored is None or stored.placed.resident is None:
        raise HTTPException(404)
    return stored, everybody, offer(stored.placed, sensors)


def _by_address(sensors: Sequence[Sensor]) -> Mapping[str, Sensor]:
    return {sensor.address.upper(): sensor for sensor in sensors}


def _ids(given: Sequence[object]) -> list[uuid.UUID]:
    """What is no id is left out: somebody typed an address."""
    found: dict[uuid.UUID, None] = {}
    for each in given:
        try:
            found[uuid.UUID(str(each))] = None
        except ValueError:
            continue
    return list(found)


ROUTES: list[PageRoute] = [
    PageRoute("GET", "/tray", Right.CARE, show),
    PageRoute("GET", "/parts/tray", Right.CARE, part),
    PageRoute("GET", "/tray/give", Right.CARE, ask_give),
    PageRoute("POST", "/tray/give", Right.CARE, give),
    PageRoute("GET", "/tray/discard", Right.CARE, ask_discard),
    PageRoute("POST", "/tray/discard", Right.CARE, discard),
    PageRoute("GET", "/readings/{reading}/correct", Right.CORRECT, ask_correct),
    PageRoute("POST", "/readings/{reading}/correct", Right.CORRECT, correct),
]
