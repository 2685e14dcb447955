"""Residents in a table, as a manager has it: read, and compared with who is listed. Pure.

The first line names the columns, in the words of `COLUMNS`, in any order; a line is a resident. A column that
is not known is named and refused: a code of a wristband under a misspelt word would be passed over in
silence. An empty cell says nothing: of somebody who is listed it changes nothing.

**Who a line is of** is said by the pseudonym (`id`). Without that column it is somebody who is listed with
the same name *and* the same room, year of birth or wristband; the same name alone is refused, since two
people may have it, and nothing is guessed. Anybody else is new. Who is listed and not in the table stays as
they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from hub.configuration.file import Resident
from hub.residents.fields import FIELDS, ResidentError, differing, of_the_file, resident_from

if TYPE_CHECKING:
    from hub.residents.listed import Listed

LONGEST_TABLE = 80_000
"""Letters: some 800 residents."""
COLUMNS: Mapping[str, Sequence[str]] = {
    "id": ("id", "pseudonym", "resident id", "hub id"),
    "name": ("name", "full name", "resident", "resident name", "residents name"),
    "first_name": ("first name", "forename", "given name", "first names", "forenames"),
    "surname": ("surname", "last name", "family name"),
    "room": ("room", "room number", "room no", "room name", "bed"),
    "birth_year": ("birth year", "year of birth", "yob", "born"),
    "birth_date": ("date of birth", "dob", "birth date", "birthday"),
    "oxygen_scale": (
        "spo2 scale", "oxygen scale", "o2 scale", "oxygen saturation scale", "news2 scale", "scale",
    ),
    "oxygen_scale_prescriber": (
        "oxygen scale prescriber", "spo2 scale prescriber", "scale 2 prescriber", "prescriber",
        "prescribed by", "scale 2 prescribed by", "who prescribed scale 2",
    ),
    "wristband": ("wristband", "wristband code", "wrist band", "band code", "barcode"),
}  # fmt: skip
"""Each column with the words that it may have, without regard to capitals and signs."""

_FIELD_OF = {word: field for field, words in COLUMNS.items() for word in words}
_NAMES = ("name", "first_name", "surname")
_KNOWN = (
    "id, name (or first name and surname), room, year of birth (or date of birth), SpO2 scale, prescriber,"
    " wristband"
)
_HINTS = {
    "nhs number": "if it is the code on the wristbands, call the column wristband",
    "nhs no": "if it is the code on the wristbands, call the column wristband",
}
_WITHOUT_A_COLUMN = (
    "there is something in a column that has no name in the first line; or a cell has a comma or semicolon"
    " in it"
    " and no quotation marks around it"
)
_SEPARATORS = ",;\t"
_DAYS = re.compile(r"(?:[0-9]{1,2}[./-][0-9]{1,2}[./-]([0-9]{4})|([0-9]{4})-[0-9]{1,2}-[0-9]{1,2})")
_SCALES = {"scale 1": "1", "scale 2": "2"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is the matter with a line (from 1: the one that names the columns), in words."""

    line: int
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what it says of a resident, by `hub.residents.fields.FIELDS`; nothing of empty"
    " cells."""

    line: int
    given: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a line comes to: the resident as they will be, and which fields differ; all of them of"
    " somebody new."""

    line: int
    resident: Resident
    fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a table comes to. Where there is a problem, nothing of it may be done."""

    added: Sequence[Planned] = ()
    changed: Sequence[Planned] = ()
    unchanged: Sequence[Planned] = ()
    problems: Sequence[Problem] = ()

    def with_problems(self, more: Sequence[Problem]) -> Plan:
        """With these as well, in the order of lines."""
        return replace(self, problems=sorted([*self.problems, *more], key=lambda each: each.line))


def decoded(data: bytes) -> str:
    """The text of a file, as programs of tables write it: UTF-8, UTF-16 with a mark, or Windows-1252.

    Raises:
        ResidentError: it is none of them.
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ResidentError(
        "this file is no text: save the table as CSV (in Excel: Save as, CSV UTF-8), and give that file"
    )


def rows_of(text: str) -> tuple[list[Row], list[Problem]]:
    """The lines of a table with something in them, and what is the matter with it; no lines where it cannot
    be read."""
    text = text.removeprefix("\ufeff")
    if len(text) > LONGEST_TABLE:
        return [], [Problem(1, "the table is too large: give it in parts of some 500 residents")]
    rows: list[Row] = []
    problems: list[Problem] = []
    columns: list[str] | None = None
    line = 1
    for line, cells in _lines(text):
        if cells is None:
            problems.append(Problem(line, "cannot be read: is a quotation mark missing?"))
        elif columns is None:
            columns, wrong = _columns(cells)
            if wrong:
                return [], [Problem(line, words) for words in wrong]
        elif isinstance(row := _row(line, columns, cells), Row):
            rows.append(row)
        else:
            problems.append(row)
    if columns is None and not problems:
        problems.append(Problem(line, f"the table is empty: its first line names the columns: {_KNOWN}"))
    elif not rows and not problems:
        problems.append(Problem(line, "no resident is in the table: one line for each, below the columns"))
    return rows, problems


def _lines(text: str) -> Iterator[tuple[int, list[str] | None]]:
    """The lines with something in them, each with its number; None, and no more, where one cannot be read."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    while True:
        line = lines.line_num + 1
        try:
            cells = next(lines, None)
        except csv.Error:
            yield line, None
            return
        if cells is None:
            return
        plain = [" ".join(cell.split()) for cell in cells]
        if any(plain):
            yield line, plain


def _separator(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", first)
    return max(_SEPARATORS, key=lambda each: (outside.count(each), -_SEPARATORS.index(each)))


def _columns(cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """The field of each column ("" where it has no word and must be empty), and what is the matter."""
    fields, wrong = [], []
    for cell in cells:
        word = " ".join(re.sub(r"['’]", "", re.sub(r"[₂]", "2", cell)).casefold().replace("_", " ").split())
        word = " ".join(re.sub(r"[^a-z0-9]+", " ", word).split())
        field = _FIELD_OF.get(word, "")
        if cell and not field:
            hint = _HINTS.get(word, f"take it out, or call it one of: {_KNOWN}")
            wrong.append(f"the column {cell!r} is not known: {hint}")
        fields.append(field)
    for field, times in Counter(each for each in fields if each).items():
        if times > 1:
            wrong.append(
                f"there are {times} columns of the {FIELDS.get(field, field.replace('_', ' '))}: leave one"
            )
    for one, other in (("birth_year", "birth_date"), ("name", "first_name"), ("name", "surname")):
        if one in fields and other in fields:
            both = " and one of the ".join(each.replace("_", " ") for each in (one, other))
            wrong.append(f"there is a column of the {both}: leave one")
    if not wrong and not {*_NAMES, "id"} & set(fields):
        wrong.append(f"no column says who the residents are: the first line names the columns: {_KNOWN}")
    return fields, wrong


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row | Problem:
    more = [cell for cell in cells[len(columns) :] if cell]
    if more or any(cell for field, cell in zip(columns, cells, strict=False) if not field):
        return Problem(line, _WITHOUT_A_COLUMN)
    said = {field: cell for field, cell in zip(columns, cells, strict=False) if field and cell}
    name = " ".join(part for part in (said.pop("first_name", ""), said.pop("surname", "")) if part)
    if name:
        said["name"] = name
    if (born := said.pop("birth_date", None)) is not None:
        found = _DAYS.fullmatch(born)
        if found is None:
            return Problem(line, "date of birth: give it as 31/05/1938, with all four digits of the year")
        said["birth_year"] = found[1] or found[2]
    if "oxygen_scale" in said:
        said["oxygen_scale"] = _SCALES.get(said["oxygen_scale"].casefold(), said["oxygen_scale"])
    return Row(line, said)


def plan(
    rows: Sequence[Row],
    listed: Sequence[Listed],
    new_pseudonym: Callable[[], str],
    today: date,
    *,
    one_person: bool = False,
) -> Plan:
    """What the lines come to for a home in which these are listed.

    Args:
        new_pseudonym: makes one that nobody has who is listed, for somebody new; another each time, most
        times. one_person: whether it is said that only one person lives here, so that nobody is added.
    """
    by_id = {each.resident.id: each for each in listed}
    made: dict[str, list[Planned]] = {"added": [], "changed": [], "unchanged": []}
    problems: list[Problem] = []
    taken: dict[str, int] = {}
    for row in rows:
        try:
            what, planned = _planned(row, listed, by_id, taken, new_pseudonym, today)
            if what == "added" and one_person:
                raise ResidentError(ONE_PERSON)
            if (other := taken.get(planned.resident.id)) is not None:
                raise ResidentError(f"is of the same resident as line {other}")
        except ResidentError as error:
            problems.extend(Problem(row.line, words) for words in error.problems)
            continue
        taken[planned.resident.id] = row.line
        made[what].append(planned)
    problems += _named_alike(rows, made["added"])
    problems += _codes(listed, [each for several in made.values() for each in several])
    return Plan(made["added"], made["changed"], made["unchanged"]).with_problems(problems)


ONE_PERSON = (
    "site.one_person = true: one person lives here, and is listed in the configuration. To list more, set"
    " it to"
    " false there and restart the hub"
)
"""What to say to whoever enters another."""


def _planned(
    row: Row,
    listed: Sequence[Listed],
    by_id: Mapping[str, Listed],
    taken: Mapping[str, int],
    new_pseudonym: Callable[[], str],
    today: date,
) -> tuple[str, Planned]:
    """Raises `ResidentError`."""
    known = by_id.get(row.given["id"]) if "id" in row.given else _same(row, listed)
    if known is None:
        if "name" not in row.given:
            raise ResidentError("the name is missing")
        pseudonym = row.given.get("id") or new_pseudonym()
        while "id" not in row.given and pseudonym in taken:
            pseudonym = new_pseudonym()
        resident = resident_from({**row.given, "id": pseudonym}, Resident(id="R"), today)
        return "added", Planned(row.line, resident, tuple(row.given))
    resident = resident_from(row.given, known.resident, today)
    fields = differing(known.resident, resident)
    if fields and known.entered_by is None:
        raise ResidentError(of_the_file(known.resident.id))
    return "changed" if fields else "unchanged", Planned(row.line, resident, fields)


def _same(row: Row, listed: Sequence[Listed]) -> Listed | None:
    """Who is listed and meant by a line without a pseudonym; None where it is somebody new.

    Raises:
        ResidentError: nobody can say.
    """
    named = [
        each
        for each in listed
        if not each.gone and _plain(each.resident.name) == _plain(row.given.get("name"))
    ]
    if not named or "name" not in row.given:
        return None
    agreeing = [each for each in named if _agrees(row, each.resident)]
    if len(agreeing) == 1 == len(named):
        return agreeing[0]
    raise ResidentError(
        "somebody of this name is listed, and the table does not say whether it is the same person: give the"
        " pseudonym in a column 'id', as the hub shows it; for somebody else, one of their own"
    )


def _agrees(row: Row, resident: Resident) -> bool:
    given = row.given
    born, year = given.get("birth_year"), resident.birth_year
    if born is not None and year is not None and born != str(year):
        return False
    band = given.get("wristband")
    return (
        (born is not None and born == str(year))
        or ("room" in given and bool(resident.room) and _plain(given["room"]) == _plain(resident.room))
        or (band is not None and resident.wristband is not None and band.upper() == resident.wristband)
    )


def _named_alike(rows: Sequence[Row], added: Sequence[Planned]) -> list[Problem]:
    """The lines that may be of somebody who is new by a line before: the same name, and nothing that says
    that they are two."""
    of_line = {row.line: row for row in rows}
    problems, before = [], dict[str, list[Planned]]()
    for line in added:
        alike = before.setdefault(_plain(line.resident.name), [])
        for other in alike:
            told_apart = "id" in of_line[line.line].given and "id" in of_line[other.line].given
            years = {line.resident.birth_year, other.resident.birth_year}
            if not told_apart and (None in years or len(years) == 1):
                words = f"has the same name as line {other.line}: give both a pseudonym in a column 'id',"
                " or their"
                problems.append(
                    Problem(line.line, f"{words} years of birth if they are two; else leave one out")
                )
                break
        alike.append(line)
    return problems


def _codes(listed: Sequence[Listed], planned: Sequence[Planned]) -> list[Problem]:
    """The lines with a code that another will have as well."""
    of_table = {each.resident.id: each for each in planned}
    worn: dict[str, list[str]] = {}
    for each in listed:
        if not each.gone and each.resident.id not in of_table and each.resident.wristband is not None:
            worn.setdefault(each.resident.wristband, []).append(f"{each.resident.id} has")
    problems = []
    for line in planned:
        code = line.resident.wristband
        if code is None:
            continue
        if code in worn:
            problems.append(Problem(line.line, f"{FIELDS['wristband']}: {worn[code][0]} the same code"))
        worn.setdefault(code, []).append(f"line {line.line} has")
    return problems


def _plain(text: str | None) -> str:
    return " ".join((text or "").casefold().split())
