"""A round: choose or scan a resident, see what the sensors tell, count breaths, enter the rest, finish.

Two carers may be in the same round. Each observation is a reading of its own, so that neither overwrites the
other's: the newest of each vital counts, both are kept, and both pages show them with who entered them.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from hub.alerts.concern import LONGEST_WORDS, SoftSign
from hub.clock import now
from hub.control.control_socket import ControlError
from hub.errors import CareportError
from hub.residents.household import Listed, residents_of
from hub.residents.register import why_not_watched
from hub.sensors.enrolment import enrolled_sensors
from hub.staff.rights import Right
from hub.web.asking import RefusedError
from hub.web.entering import NUMBERS, Entered, entered
from hub.web.namesakes import namesakes, told_apart_by
from hub.web.once import Once
from hub.web.routes import PageRoute
from hub.web.turn import OpenTurn, turn_of
from hub.web.turn_page import (
    KIT_COOKIE,
    KitChoice,
    Turn,
    by_room,
    find,
    finished,
    kit_choice,
    kit_cookie,
    round_that_was,
    turn,
)
from hub.web.visit import Visit

_YEAR_SECONDS = 365 * 24 * 60 * 60
_TYPED = (*NUMBERS, "consciousness", "breathing", "words", "worried")
_SIGNS = tuple(sign.value for sign in SoftSign)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What became of a round that was finished: what the hub says of what it refused, None of what it took.
    `turn` is the round that was open; `in_vain` where nothing of it was taken, for certain."""

    observation: str | None = None
    concern: str | None = None
    closing: str | None = None
    turn: OpenTurn | None = None
    in_vain: bool = False

    @property
    def whole(self) -> bool:
        return self.observation is None and self.concern is None and self.closing is None


_once: Once[_Kept] = Once()  # one for the process: its keys are made here, and nobody guesses them


async def choose(visit: Visit) -> Response:
    """Whom to observe: by room, or by a scan, for which this page waits."""
    everybody, choice = await _home(visit, visit.request.cookies.get(KIT_COOKIE))
    found = await _waiting(visit, choice, everybody)
    alike = namesakes(each.resident for each in everybody)
    return visit.page(
        "round_choose.html",
        here_now=by_room(everybody),
        choice=choice,
        apart={
            each.resident.id: told_apart_by(each.resident) for each in everybody if each.resident.id in alike
        },
        **found,
    )


async def waiting(visit: Visit) -> Response:
    """Whether a wristband was scanned on the kit since the page that waits was drawn: then it goes on to that
    round."""
    everybody, choice = await _home(visit, visit.request.cookies.get(KIT_COOKIE))
    found = await _waiting(visit, choice, everybody)
    opened, since = found["opened"], visit.request.query_params.get("since", "")
    scanned = isinstance(opened, OpenTurn) and opened.by is None and found["since"] != since
    if scanned and isinstance(opened, OpenTurn) and found["opened_for"] is not None:
        return Response("", headers={"HX-Redirect": f"/residents/{opened.resident}/round"})
    return visit.page("parts/round_waiting.html", choice=choice, **found)


async def _home(visit: Visit, kit: str | None) -> tuple[list[Listed], KitChoice]:
    config = visit.house.config
    everybody, sensors = await visit.look(
        lambda connection: (residents_of(config, connection), enrolled_sensors(config, connection))
    )
    return everybody, kit_choice(kit, [each.sensor for each in sensors], visit.house.config.site.one_person)


async def _waiting(visit: Visit, choice: KitChoice, everybody: list[Listed]) -> Mapping[str, Any]:
    try:
        opened = turn_of(await visit.ask("rounds"), choice.kit) if choice.chosen and choice.kits else None
    except ControlError as error:
        return {"opened": None, "opened_for": None, "silent": str(error), "since": ""}
    return {
        "opened": opened,
        "opened_for": None if opened is None else find(everybody, opened.resident),
        "silent": None,
        "since": "" if opened is None else str(opened.since.timestamp()),
    }


async def choose_kit(visit: Visit) -> Response:
    """This phone or tablet is used with that kit, until another is chosen. A round opens at once."""
    wanted, resident = visit.field("kit"), visit.field("resident")
    everybody, choice = await _home(visit, wanted)
    if not choice.chosen or kit_cookie(choice.kit) != wanted:
        raise RefusedError("That kit is not here any more. Choose another.")
    path = "/round"
    if find(everybody, resident) is not None:
        await visit.ask("round_open", resident=resident, kit=choice.kit)
        path = f"/residents/{resident}/round"
    went = visit.go(path)
    went.set_cookie(
        KIT_COOKIE,
        wanted,
        max_age=_YEAR_SECONDS,
        httponly=True,
        samesite="strict",
        secure=visit.request.url.scheme == "https",
    )
    return went


async def show(visit: Visit) -> Response:
    """The round of a resident."""
    return await _page(visit)


async def part(visit: Visit) -> Response:
    """What of it renews itself: whose turn it is, the values, what may be theirs."""
    return visit.page("parts/round.html", turn=await _turn(visit))


async def open_round(visit: Visit) -> Response:
    """From now on it is this resident's turn on the kit."""
    found = await _turn(visit)
    if found.choice.several and not found.choice.chosen:
        return visit.go(f"/residents/{found.id}/round")  # where the kit is chosen
    trouble = await _asked(visit, "round_open", resident=found.id, kit=found.choice.kit)
    if trouble is None and not visit.field("once"):
        return visit.go(f"/residents/{found.id}/round")  # from another page: nothing is typed yet
    return await _again(visit, trouble)


async def leave(visit: Visit) -> Response:
    """Nothing of what was typed is kept, and the kit is nobody's."""
    found = await _turn(visit)
    await visit.ask("round_close", kit=found.choice.kit, resident=found.id)
    return visit.go(f"/residents/{found.id}")


async def assign(visit: Visit) -> Response:
    """Readings of the kit that are nobody's are this resident's: somebody has said so."""
    found = await _turn(visit)
    named = _ids([each for field in visit.form.getlist("reading") for each in str(field).split(",")])
    trouble = await _asked(visit, "assign", readings=named, resident=found.id)
    return await _again(visit, trouble)


async def finish(visit: Visit) -> Response:
    """Keep what was entered, raise a concern if there is one, close the round."""
    found = await _turn(visit)
    said = entered(visit.field, [str(each) for each in visit.form.getlist("sign")], _SIGNS)
    if said.problems:
        return await _page(visit, status=422, problems=[(each.field, each.words) for each in said.problems])
    # The same page sent again with something else in it is something else.
    what = hashlib.sha256(repr((found.id, said)).encode()).hexdigest()
    once = f"{visit.field('once')} {what}" if visit.field("once") else ""
    kept = await _once.do(visit.person.name, once, lambda: _keep(visit, found, said))
    if kept.in_vain:
        _once.forget(visit.person.name, once)
    if not kept.whole:
        return await _partly_kept(visit, said, kept)
    was = "" if kept.turn is None else f"?began={int(kept.turn.since.timestamp())}&ended={_seconds(now())}"
    return visit.go(f"/residents/{found.id}/round/done{was}")


async def _keep(visit: Visit, found: Turn, said: Entered) -> _Kept:
    """One after the other. A concern is raised whatever became of the observation."""
    observation = concern = closing = None
    refused: list[str] = []
    if said.observation:
        observation = await _asked(visit, "observe", refused, resident=found.id, **said.observation)
    if said.worried:
        concern = await _asked(
            visit, "concern", refused, resident=found.id, signs=list(said.signs), words=said.words
        )
    if observation is None and concern is None and found.turn is not None:
        closing = await _asked(visit, "round_close", kit=found.choice.kit, resident=found.id)
    in_vain = bool(refused) and len(refused) == bool(said.observation) + bool(said.worried)
    return _Kept(observation, concern, closing, found.turn, in_vain)


async def _partly_kept(visit: Visit, said: Entered, kept: _Kept) -> Response:
    """The page again with what is still to be kept, and why it is not. What is kept is not sent twice."""
    problems: list[tuple[str | None, str]] = []
    is_kept: list[str] = []
    left = dict(_typed(visit))
    signs = list(said.signs)
    if kept.observation is not None:
        problems.append((None, f"What you measured is not saved. {kept.observation}"))
    elif said.observation:
        is_kept.append("What you measured is saved.")
        left = {name: text for name, text in left.items() if name not in said.observation}
    if kept.concern is not None:
        problems.append((None, f"Your concern is not saved. {kept.concern}"))
    elif said.worried:
        is_kept.append("Your concern is saved.")
        left = {name: text for name, text in left.items() if name not in {"words", "worried"}}
        signs = []
    if kept.closing is not None:
        problems.append((None, f"The round is still open on the kit. {kept.closing}"))
    return await _page(visit, status=409, problems=problems, is_kept=is_kept, typed=left, signs=signs)


async def done(visit: Visit) -> Response:
    """What the round came to, and what to do now."""
    return await _done(visit, "round_done.html")


async def done_part(visit: Visit) -> Response:
    """The same, as far as it renews itself."""
    return await _done(visit, "parts/round_done.html")


async def assign_late(visit: Visit) -> Response:
    """A reading that came in after the round was finished is this resident's."""
    resident = (await _turn(visit)).id
    await visit.ask("assign", readings=_ids(visit.form.getlist("reading")), resident=resident)
    return visit.go(f"/residents/{resident}/round/done")


async def _done(visit: Visit, template: str) -> Response:
    resident, asked = visit.part("resident"), visit.request.query_params
    was = round_that_was(resident, asked.get("began", ""), asked.get("ended", ""))
    found = await finished(visit, resident, was)
    if found is None:
        raise HTTPException(404)
    query = "" if was is None else f"?began={int(was.since.timestamp())}&ended={_seconds(was.until)}"
    return visit.page(template, done=found, query=query)


async def _turn(visit: Visit) -> Turn:
    found = await turn(visit, visit.part("resident"))
    if found is None:
        raise HTTPException(404)
    return found


async def _asked(
    visit: Visit, command: str, refused: list[str] | None = None, **arguments: object
) -> str | None:
    """Have the hub do it; what it says where it will not, None where it did. What it surely did not do is
    added to what it `refused`."""
    try:
        await visit.ask(command, **arguments)
    except CareportError as error:
        if refused is not None and isinstance(error, RefusedError):
            refused.append(command)
        return str(error)
    return None


async def _again(visit: Visit, trouble: str | None) -> Response:
    """The part alone where a script asks; else the whole page, with what was typed."""
    if visit.request.headers.get("HX-Request"):
        return visit.page("parts/round.html", turn=await _turn(visit), trouble=trouble)
    if trouble is None:
        return await _page(visit)
    return await _page(visit, status=409, problems=[(None, trouble)])


async def _page(
    visit: Visit,
    *,
    status: int = 200,
    problems: Sequence[tuple[str | None, str]] = (),
    is_kept: Sequence[str] = (),
    typed: Mapping[str, str] | None = None,
    signs: Sequence[str] | None = None,
) -> Response:
    found = await _turn(visit)
    care = found.listed.care
    return visit.page(
        "round.html",
        status,
        turn=found,
        problems=problems,
        wrong=dict(problems),
        is_kept=is_kept,
        typed=_typed(visit) if typed is None else typed,
        signs=[str(each) for each in visit.form.getlist("sign")] if signs is None else signs,
        known_signs=list(SoftSign),
        longest_words=LONGEST_WORDS,
        once=secrets.token_urlsafe(16),
        why_not=None if care.watched else why_not_watched(care),
    )


def _typed(visit: Visit) -> Mapping[str, str]:
    return {name: text for name in _TYPED if (text := visit.field(name))}


def _ids(given: Sequence[object]) -> list[str]:
    try:
        return [str(uuid.UUID(str(each))) for each in given]
    except ValueError:
        raise RefusedError("What was chosen is no reading. Load the page again.") from None


def _seconds(at: datetime) -> int:
    return int(at.timestamp())


_OF = "/residents/{resident}/round"
ROUTES: list[PageRoute] = [
    PageRoute("GET", "/round", Right.CARE, choose),
    PageRoute("GET", "/parts/round/waiting", Right.CARE, waiting),
    PageRoute("POST", "/round/kit", Right.CARE, choose_kit),
    PageRoute("GET", _OF, Right.CARE, show),
    PageRoute("POST", _OF, Right.CARE, open_round),
    PageRoute("GET", f"/parts{_OF}", Right.CARE, part),
    PageRoute("POST", f"{_OF}/leave", Right.CARE, leave),
    PageRoute("POST", f"{_OF}/assign", Right.CARE, assign),
    PageRoute("POST", f"{_OF}/finish", Right.CARE, finish),
    PageRoute("GET", f"{_OF}/done", Right.CARE, done),
    PageRoute("GET", f"/parts{_OF}/done", Right.CARE, done_part),
    PageRoute("POST", f"{_OF}/done", Right.CARE, assign_late),
]
