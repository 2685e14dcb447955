"""What may be asked of the running daemon about residents: to enter them, to change what is known of them, to
take in a table of them. The staff page asks it, and `carehub residents`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.configuration.file import Resident
from hub.control.control_socket import ControlError, Handler
from hub.residents.care import Consent, Whereabouts
from hub.residents.fields import CARE_FIELDS, FIELDS
from hub.residents.household import CareSaid, Household
from hub.residents.listed import Listed, care_data
from hub.residents.table import Plan, Planned

Request = Mapping[str, object]
_STILL_AWAY = (
    "What is known of them is as it was, and nothing is taken of them until you say that they are here."
)
_SINCE = "watched_since"  # what follows from where they are, and nobody says


class ResidentRequests:
    """The commands about residents, by name in `handlers`."""

    def __init__(self, household: Household) -> None:
        self._household = household
        self.handlers: Mapping[str, Handler] = {
            "resident_add": self.add,
            "resident_change": self.change,
            "resident_care": self.care,
            "residents_import": self.take_table,
        }

    async def add(self, request: Request) -> Mapping[str, object]:
        """Enter a resident: `resident` has their fields; without an id the hub makes a pseudonym. With one of
        somebody of whom something is kept, `same_person` must be true.

        Raises:
            CareportError: it cannot be; says why, and what to do.
        """
        given = _mapping(request, "resident")
        same_person = request.get("same_person") is True
        listed = await self._household.add(given, _by(request), same_person=same_person)
        resident = listed.resident
        words = f"Entered. The pseudonym is {resident.id}: what leaves the hub goes by it alone."
        if not listed.care.watched:
            words += f" {_STILL_AWAY}"
        return {"resident": resident.id, "words": words}

    async def change(self, request: Request) -> Mapping[str, object]:
        """Change who an entered resident is: `fields` has those that change.

        Raises:
            CareportError: it cannot be; says why, and what to do.
        """
        pseudonym, by = _text(request, "resident"), _by(request)
        listed, changed = await self._household.change(pseudonym, _mapping(request, "fields"), by)
        return {
            "resident": pseudonym,
            "changed": changed,
            "words": _changed_words(changed, FIELDS) + (_scale_hint(listed.resident, changed)),
        }

    async def care(self, request: Request) -> Mapping[str, object]:
        """Say what is known of a resident: `care` has the fields of `hub.residents.care.Care` that change.

        Raises:
            CareportError: it cannot be; says why, and what to do.
        """
        pseudonym, by = _text(request, "resident"), _by(request)
        said = await self._household.care(pseudonym, _mapping(request, "care"), by)
        data = care_data(said.listed)
        changed = [each for each in said.changed if each != _SINCE]
        return {
            "resident": pseudonym,
            "changed": changed,
            "care": {key: data[key] for key in CARE_FIELDS},
            "watched": said.listed.care.watched,
            "words": _care_words(said, changed),
        }

    async def take_table(self, request: Request) -> Mapping[str, object]:
        """Take in a table of residents: `csv` is its text. With `dry_run` nothing is changed, and what would
        be is said. Where there is a problem nothing is taken in.

        `added`, `changed` and `unchanged` count; `rows` has a line for each resident of the table.

        Raises:
            CareportError: the card takes nothing, or nobody is named.
        """
        dry_run = request.get("dry_run") is True
        made = await self._household.take_table(_text(request, "csv"), _by(request), dry_run=dry_run)
        return {
            "added": len(made.added),
            "changed": len(made.changed),
            "unchanged": len(made.unchanged),
            "problems": [{"line": each.line, "words": each.words} for each in made.problems],
            "rows": _rows(made, dry_run=dry_run),
            "words": _table_words(made, dry_run=dry_run),
        }


def _rows(made: Plan, *, dry_run: bool) -> list[Mapping[str, object]]:
    """Who of the table is who, for the person who looks at it. A pseudonym that would be made is not one"
    " yet."""

    def row(what: str, each: Planned) -> Mapping[str, object]:
        not_yet = what == "added" and "id" not in each.fields and (dry_run or bool(made.problems))
        return {
            "line": each.line,
            "what": what,
            "resident": None if not_yet else each.resident.id,
            "name": each.resident.name,
            "room": each.resident.room,
            "fields": list(each.fields),
        }

    kinds: Sequence[tuple[str, Sequence[Planned]]] = (
        ("added", made.added),
        ("changed", made.changed),
        ("unchanged", made.unchanged),
    )
    rows = [row(what, each) for what, several in kinds for each in several]
    return sorted(rows, key=lambda each: int(str(each["line"])))


def _table_words(made: Plan, *, dry_run: bool) -> str:
    if made.problems:
        return (
            f"Nothing is taken in: {len(made.problems)} problem(s). Put them right in the table, and give"
            " it again."
        )
    would = "would be " if dry_run else ""
    were = "" if dry_run else "were "
    return (
        f"{len(made.added)} resident(s) {would or were}entered, {len(made.changed)} {would or were}changed;"
        f" {len(made.unchanged)} are as the table has them. Who is not in the table stays as they are."
    )


def _changed_words(changed: Sequence[str], names: Mapping[str, str]) -> str:
    if not changed:
        return "Nothing was changed: it was so already."
    return f"Changed: {', '.join(names[each] for each in changed)}."


def _scale_hint(resident: Resident, changed: Sequence[str]) -> str:
    if "oxygen_scale" not in changed:
        return ""
    scale = int(resident.oxygen_scale)
    return f" From the next observation on they are scored on SpO2 scale {scale}; scores until now stay."


def _care_words(said: CareSaid, changed: Sequence[str]) -> str:
    words, care = _changed_words(changed, CARE_FIELDS), said.listed.care
    if said.was_watched and not care.watched:
        return f"{words} {_leaving_words(said.listed)}"
    if care.watched and not said.was_watched:
        return f"{words} What is measured from now on is theirs. What was measured meanwhile is not."
    if not care.watched and "whereabouts" in changed and care.whereabouts is Whereabouts.HERE:
        return f"{words} They have withdrawn their consent: nothing is taken of them all the same."
    return words


def _leaving_words(listed: Listed) -> str:
    words = (
        "From now on nothing that is measured is theirs, nothing is scored, and no alert is raised of"
        " them. Their"
        " round is closed, and so is their open alert."
    )
    if listed.care.consent is Consent.WITHDRAWN:
        return f"{words} What was kept until now stays until its time is over."
    if listed.care.whereabouts is Whereabouts.IN_HOSPITAL:
        return f"{words} Say so as soon as they are back."
    return f"{words} Forget the sensors that are theirs alone, or give them to somebody else."


def _mapping(request: Request, key: str) -> Mapping[str, object]:
    value = request.get(key)
    if not isinstance(value, Mapping):
        raise ControlError(f"{key}: missing")
    return value


def _text(request: Request, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str):
        raise ControlError(f"{key}: missing")
    return value


def _by(request: Request) -> str:
    return str(request.get("by") or "")
