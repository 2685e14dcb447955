"""Residents: who is listed, to enter somebody, to change what is known, to take in a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from starlette.datastructures import UploadFile
from starlette.responses import Response

from hub.clock import now
from hub.residents.care import Consent, Whereabouts
from hub.residents.fields import NORMALS_OF, ResidentError
from hub.residents.listed import Listed, residents_of
from hub.residents.table import LONGEST_TABLE, decoded
from hub.staff.rights import Right
from hub.web.asking import RefusedError
from hub.web.failing import Trouble, failed
from hub.web.resident_forms import (
    WHO,
    Wrong,
    as_typed,
    by_room,
    changed_care,
    changed_resident,
    leaves,
    new_resident,
    normals_typed,
)
from hub.web.routes import PageRoute
from hub.web.visit import Visit

LARGEST_TABLE = 4 * LONGEST_TABLE
"""Bytes of a file, as browsers send it."""
_NOBODY = "Nobody with this pseudonym is listed. The list may have changed: open it again."
_DONE = {
    "entered": "Entered.",
    "changed": "Saved.",
    "moved": "Saved. What is measured counts by this from now on.",
    "unchanged": "Nothing was changed: it was so already.",
}


async def show_all(visit: Visit) -> Response:
    """Everybody who is listed, whether they are here or not."""
    listed = await _all(visit)
    return visit.page(
        "residents/all.html",
        people_here=[each for each in listed if not each.gone],
        gone=[each for each in listed if each.gone],
        one_person=visit.house.config.site.one_person,
    )


async def show(visit: Visit) -> Response:
    """All that is known of one resident, and what can be changed."""
    listed = await _one(visit)
    if listed is None:
        return failed(visit, Trouble.NOT_FOUND, _NOBODY)
    done = _DONE.get(visit.request.query_params.get("done", ""), "")
    return visit.page("residents/one.html", listed=listed, done=done, vitals=NORMALS_OF)


async def enter_form(visit: Visit) -> Response:
    """The form for somebody new."""
    return _enter_page(visit, dict.fromkeys((*WHO, "id", "wristband"), "") | {"oxygen_scale": "1"})


async def enter(visit: Visit) -> Response:
    """Enter somebody new."""
    given, wrong = new_resident(visit.field)
    if not wrong:
        same_person = visit.field("same_person") == "yes"
        try:
            made = await visit.ask("resident_add", resident=dict(given), same_person=same_person)
        except RefusedError as error:
            wrong = _refused(error)
        else:
            return visit.go(f"/manage/residents/{made['resident']}?done=entered")
    return _enter_page(visit, {key: visit.field(key) for key in (*WHO, "id", "wristband")}, wrong)


async def who_form(visit: Visit) -> Response:
    """The form of who somebody is."""
    listed = await _one(visit)
    if listed is None:
        return failed(visit, Trouble.NOT_FOUND, _NOBODY)
    typed = as_typed(listed.resident)
    return _who_page(visit, listed, typed, typed)


async def who(visit: Visit) -> Response:
    """Change who somebody is."""
    listed = await _one(visit)
    if listed is None:
        return failed(visit, Trouble.NOT_FOUND, _NOBODY)
    given, wrong = changed_resident(visit.field)
    if not wrong:
        if not given:
            return visit.go(f"/manage/residents/{listed.resident.id}?done=unchanged")
        try:
            await visit.ask("resident_change", resident=listed.resident.id, fields=dict(given))
        except RefusedError as error:
            wrong = _refused(error)
        else:
            return visit.go(f"/manage/residents/{listed.resident.id}?done=changed")
    was = {key: visit.field(f"was_{key}") for key in WHO}
    return _who_page(visit, listed, {key: visit.field(key) for key in WHO}, was, wrong)


async def care_form(visit: Visit) -> Response:
    """The form of what is agreed on, and of what is normal for them."""
    listed = await _one(visit)
    if listed is None:
        return failed(visit, Trouble.NOT_FOUND, _NOBODY)
    reviewed = listed.care.reviewed
    typed = {
        "escalation_plan": listed.care.escalation_plan or "",
        "reviewed": "" if reviewed is None else reviewed.isoformat(),
        **normals_typed(listed.care),
    }
    return _care_page(visit, listed, typed)


async def care(visit: Visit) -> Response:
    """Change them."""
    listed = await _one(visit)
    if listed is None:
        return failed(visit, Trouble.NOT_FOUND, _NOBODY)
    today = now().astimezone(ZoneInfo(visit.house.config.site.timezone)).date()
    said, wrong = changed_care(visit.field, listed.care, today)
    if not wrong:
        if not said:
            return visit.go(f"/manage/residents/{listed.resident.id}?done=unchanged")
        try:
            await visit.ask("resident_care", resident=listed.resident.id, care=dict(said))
        except RefusedError as error:
            wrong = _refused(error)
        else:
            return visit.go(f"/manage/residents/{listed.resident.id}?done=changed")
    names = ("escalation_plan", "reviewed", *normals_typed(listed.care))
    return _care_page(visit, listed, {name: visit.field(name) for name in names}, wrong)


async def where_form(visit: Visit) -> Response:
    """The form of where somebody is, and whether they consent."""
    listed = await _one(visit)
    if listed is None:
        return failed(visit, Trouble.NOT_FOUND, _NOBODY)
    return _where_page(visit, listed, listed.care.whereabouts, listed.care.consent)


async def where(visit: Visit) -> Response:
    """Say where they are. Who would be watched no more is asked of twice."""
    listed = await _one(visit)
    if listed is None:
        return failed(visit, Trouble.NOT_FOUND, _NOBODY)
    try:
        whereabouts, consent = Whereabouts(visit.field("whereabouts")), Consent(visit.field("consent"))
    except ValueError:
        wrong = [Wrong("whereabouts", "Choose where they are, and whether they consent")]
        return _where_page(visit, listed, listed.care.whereabouts, listed.care.consent, wrong)
    if leaves(listed.care, whereabouts, consent) and visit.field("sure") != "yes":
        glance = visit.house.board.glance(listed.resident.id)
        return visit.page(
            "residents/sure.html",
            listed=listed,
            whereabouts=whereabouts,
            consent=consent,
            open_alert=glance is not None and glance.alert is not None,
        )
    changed: dict[str, object] = {}
    if whereabouts is not listed.care.whereabouts:
        changed["whereabouts"] = whereabouts.value
    if consent is not listed.care.consent:
        changed["consent"] = consent.value
    if not changed:
        return visit.go(f"/manage/residents/{listed.resident.id}?done=unchanged")
    try:
        await visit.ask("resident_care", resident=listed.resident.id, care=changed)
    except RefusedError as error:
        return _where_page(visit, listed, whereabouts, consent, _refused(error))
    return visit.go(f"/manage/residents/{listed.resident.id}?done=moved")


async def table_form(visit: Visit) -> Response:
    """The form to send a table by."""
    return visit.page("residents/table.html", errors=[])


async def table(visit: Visit) -> Response:
    """A table was sent: show what it would come to, or, when that was looked at, take it in."""
    sure = visit.field("sure") == "yes"
    text = visit.form.get("table")
    try:
        csv = text if sure and isinstance(text, str) else await _sent(visit)
    except ResidentError as error:
        return visit.page("residents/table.html", 409, errors=[("table", str(error))])
    if not csv.strip():
        return visit.page("residents/table.html", 409, errors=[("table", "Choose a file that is not empty")])
    try:
        made: Mapping[str, Any] = await visit.ask("residents_import", csv=csv, dry_run=not sure)
    except RefusedError as error:
        return visit.page("residents/table.html", 409, errors=[("table", str(error))])
    if made["problems"] or not sure:
        status = 409 if made["problems"] else 200
        return visit.page("residents/table_seen.html", status, made=made, csv=csv)
    return visit.page("residents/table_done.html", made=made)


async def _sent(visit: Visit) -> str:
    """The text of the file. Raises `ResidentError`."""
    sent = visit.form.get("table")
    data = await sent.read() if isinstance(sent, UploadFile) else b""
    return decoded(data)


async def _all(visit: Visit) -> Sequence[Listed]:
    config = visit.house.config
    found = await visit.look(lambda connection: residents_of(config, connection))
    return sorted(found, key=lambda each: (by_room(each.resident.room), each.resident.id))


async def _one(visit: Visit) -> Listed | None:
    pseudonym = visit.part("resident")
    return next((each for each in await _all(visit) if each.resident.id == pseudonym), None)


def _refused(error: RefusedError) -> list[Wrong]:
    return [Wrong(None, words) for words in str(error).split("; ")]


def _form(visit: Visit, template: str, wrong: Sequence[Wrong], **shown: object) -> Response:
    """A form, drawn again with what is wrong with it where anything is."""
    return visit.page(
        f"residents/{template}",
        409 if wrong else 200,
        wrong=[(each.field, each.words) for each in wrong],
        errors={each.field: each.words for each in wrong if each.field is not None},
        **shown,
    )


def _enter_page(visit: Visit, typed: Mapping[str, str], wrong: Sequence[Wrong] = ()) -> Response:
    known = any("same person" in each.words for each in wrong)
    return _form(visit, "enter.html", wrong, typed=typed, known=known)


def _who_page(
    visit: Visit,
    listed: Listed,
    typed: Mapping[str, str],
    was: Mapping[str, str],
    wrong: Sequence[Wrong] = (),
) -> Response:
    return _form(visit, "who.html", wrong, listed=listed, typed=typed, was=was)


def _care_page(
    visit: Visit, listed: Listed, typed: Mapping[str, str], wrong: Sequence[Wrong] = ()
) -> Response:
    return _form(visit, "care.html", wrong, listed=listed, typed=typed, vitals=NORMALS_OF)


def _where_page(
    visit: Visit,
    listed: Listed,
    whereabouts: Whereabouts,
    consent: Consent,
    wrong: Sequence[Wrong] = (),
) -> Response:
    return _form(visit, "where.html", wrong, listed=listed, whereabouts=whereabouts, consent=consent)


ROUTES: list[PageRoute] = [
    PageRoute("GET", "/manage/residents", Right.RESIDENTS, show_all),
    PageRoute("GET", "/manage/residents-new", Right.RESIDENTS, enter_form),
    PageRoute("POST", "/manage/residents-new", Right.RESIDENTS, enter),
    PageRoute("GET", "/manage/residents-table", Right.RESIDENTS, table_form),
    PageRoute("POST", "/manage/residents-table", Right.RESIDENTS, table, LARGEST_TABLE),
    PageRoute("GET", "/manage/residents/{resident}", Right.RESIDENTS, show),
    PageRoute("GET", "/manage/residents/{resident}/who", Right.RESIDENTS, who_form),
    PageRoute("POST", "/manage/residents/{resident}/who", Right.RESIDENTS, who),
    PageRoute("GET", "/manage/residents/{resident}/care", Right.RESIDENTS, care_form),
    PageRoute("POST", "/manage/residents/{resident}/care", Right.RESIDENTS, care),
    PageRoute("GET", "/manage/residents/{resident}/where", Right.RESIDENTS, where_form),
    PageRoute("POST", "/manage/residents/{resident}/where", Right.RESIDENTS, where),
]
