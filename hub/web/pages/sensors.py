"""Sensors: how each is; to enrol one, and to forget one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from hub.sensors.enrolment import enrolled_sensors
from hub.staff.rights import Right
from hub.web.asking import RefusedError, SilentHubError
from hub.web.failing import Trouble, failed
from hub.web.resident_forms import by_room
from hub.web.routes import PageRoute
from hub.web.sensor_words import enrolled_words, found_devices, kinds_at, sensor_lines
from hub.web.visit import Visit

_FIELDS = ("driver", "resident", "user", "kit", "label", "passkey")
_NO_SUCH_SENSOR = "No such sensor is enrolled. The list may have changed: open it again."


async def show(visit: Visit) -> Response:
    """The page."""
    return await _drawn(visit, "sensors/all.html")


async def part(visit: Visit) -> Response:
    """What of it renews itself."""
    return await _drawn(visit, "parts/sensors.html")


async def scan(visit: Visit) -> Response:
    """What is near and plugged in, to enrol one of it."""
    return await _scanned(visit, "sensors/scan.html")


async def scan_part(visit: Visit) -> Response:
    """What of it renews itself."""
    return await _scanned(visit, "parts/scan.html")


async def enrol_form(visit: Visit) -> Response:
    """The form to enrol one device."""
    address = visit.request.query_params.get("address", "").strip()
    typed = dict.fromkeys(_FIELDS, "") | {"driver": visit.request.query_params.get("driver", "")}
    return _enrol_page(visit, address, typed)


async def enrol(visit: Visit) -> Response:
    """Enrol it, and say whose its readings are from now on."""
    address = visit.field("address")
    given: dict[str, object] = {key: visit.field(key) for key in _FIELDS if visit.field(key)}
    if str(given.get("user", "")).isdecimal() and len(str(given["user"])) < 10:
        given["user"] = int(str(given["user"]))
    try:
        made: Mapping[str, Any] = await visit.ask("enrol", address=address, **given)
    except RefusedError as error:
        return _enrol_page(visit, address, {key: visit.field(key) for key in _FIELDS}, str(error))
    words = enrolled_words(made["sensor"], names=visit.person.may(Right.LOOK))
    return visit.page("sensors/enrolled.html", words=words, notes=made["notes"])


async def forget(visit: Visit) -> Response:
    """Forget one, when somebody has said so twice."""
    address = visit.field("address")
    said = await visit.ask("sensors")
    lines = sensor_lines(said["sensors"], names=visit.person.may(Right.LOOK))
    line = next((each for each in lines if each.address == address), None)
    if line is None:
        return failed(visit, Trouble.NOT_FOUND, _NO_SUCH_SENSOR)
    if visit.field("sure") != "yes":
        return visit.page("sensors/sure.html", line=line)
    await visit.ask("forget", address=address)
    return visit.go("/sensors")


async def _drawn(visit: Visit, template: str) -> Response:
    names = visit.person.may(Right.LOOK)
    silent = ""
    try:
        said: Sequence[Mapping[str, Any]] = (await visit.ask("sensors"))["sensors"]
    except SilentHubError as error:
        silent, said = str(error), await _as_on_the_card(visit)
    return visit.page(
        template,
        lines=sensor_lines(said, names=names),
        silent=silent,
        may_enrol=visit.person.may(Right.SENSORS),
        may_look=names,
    )


async def _as_on_the_card(visit: Visit) -> Sequence[Mapping[str, Any]]:
    """Which sensors are enrolled, where the daemon does not say how they are."""
    config = visit.house.config
    found = await visit.look(lambda connection: enrolled_sensors(config, connection))
    said = []
    for each in found:
        glance = None if each.sensor.resident is None else visit.house.board.glance(each.sensor.resident)
        owner = {} if glance is None else {"name": glance.name, "room": glance.room}
        said.append({**each.sensor.model_dump(exclude={"passkey"}), "trouble": each.trouble, **owner})
    return said


async def _scanned(visit: Visit, template: str) -> Response:
    try:
        said = await visit.ask("scan")
    except RefusedError as error:
        return visit.page(template, found=[], refused=str(error), radio=None, usb=None)
    return visit.page(
        template, found=found_devices(said), refused="", radio=said.get("radio"), usb=said.get("usb")
    )


def _enrol_page(visit: Visit, address: str, typed: Mapping[str, str], refused: str = "") -> Response:
    names = visit.person.may(Right.LOOK)
    listed = sorted(visit.house.board.glances, key=lambda each: (by_room(each.room), each.id))
    residents = [
        (each.id, f"{f'Room {each.room}, ' if each.room else ''}{each.name}" if names else each.id)
        for each in listed
        if each.listed and each.watched
    ]
    return visit.page(
        "sensors/enrol.html",
        409 if refused else 200,
        address=address,
        typed=typed,
        kinds=kinds_at(address),
        residents=residents if names else sorted(residents),
        refused=refused,
        may_look=names,
    )


ROUTES: list[PageRoute] = [
    PageRoute("GET", "/sensors", Right.HUB, show),
    PageRoute("GET", "/parts/sensors", Right.HUB, part),
    PageRoute("GET", "/sensors/new", Right.SENSORS, scan),
    PageRoute("GET", "/parts/sensors/new", Right.SENSORS, scan_part),
    PageRoute("GET", "/sensors/enrol", Right.SENSORS, enrol_form),
    PageRoute("POST", "/sensors/enrol", Right.SENSORS, enrol),
    PageRoute("POST", "/sensors/forget", Right.SENSORS, forget),
]
