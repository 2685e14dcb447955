"""A table of residents, as a manager has it: read whatever program wrote it, and never half."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.configuration.file import Resident
from hub.residents.care import Care, Whereabouts
from hub.residents.fields import ResidentError
from hub.residents.listed import Listed
from hub.residents.table import LONGEST_TABLE, Plan, decoded, plan, rows_of

TODAY = date(2026, 3, 1)
VERA = Resident(id="R-1", name="Vera Example", room="12", birth_year=1938, wristband="BAND-1")
OF_FILE = Resident(id="R-2", name="Walter Made-Up", room="14")
LISTED = [Listed(VERA, entered_by="Sam"), Listed(OF_FILE)]


def planned(text: str, listed: list[Listed] | None = None) -> Plan:
    made: Iterator[str] = (f"R-{100 + number}" for number in itertools.count())
    rows, problems = rows_of(text)
    return plan(rows, LISTED if listed is None else listed, lambda: next(made), TODAY).with_problems(problems)


def problems(text: str) -> list[tuple[int, str]]:
    return [(each.line, each.words) for each in planned(text).problems]


def given_by(text: str) -> list[dict[str, str]]:
    rows, wrong = rows_of(text)
    assert wrong == []
    return [dict(row.given) for row in rows]


# --- the text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_text_is_read_whatever_program_wrote_it(encoding: str) -> None:
    assert decoded("name\r\nZoë Müller\r\n".encode(encoding)) == "name\r\nZoë Müller\r\n"


@pytest.mark.parametrize("data", [b"PK\x03\x04\0\0\x81", b"\xff\xfe\0", b"\x81\x8d"])
def test_what_is_no_text_is_refused_with_what_to_do(data: bytes) -> None:
    with pytest.raises(ResidentError, match="save the table as CSV"):
        decoded(data)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_ends_and_marks_are_as_programs_write_them(separator: str, end: str, mark: str) -> None:
    lines = ["name;room", "Vera Example;12", '"Made;Up, Walter";14', ";"]
    text = mark + "".join(line.replace(";", separator) + end for line in lines)
    assert given_by(text) == [
        {"name": "Vera Example", "room": "12"},
        {"name": " ".join(f"Made{separator}Up, Walter".split()), "room": "14"},
    ]


def test_columns_are_named_as_a_manager_would() -> None:
    text = (
        "Resident ID,First Name,SURNAME,Room No.,Date of Birth,SpO₂ scale,Prescribed by,Wristband code\n"
        "R-7,Vera,Example,12,31/05/1938,Scale 2,Dr Ash,BAND-7\n"
    )
    assert given_by(text) == [
        {"id": "R-7", "name": "Vera Example", "room": "12", "birth_year": "1938", "oxygen_scale": "2",
         "oxygen_scale_prescriber": "Dr Ash", "wristband": "BAND-7"}
    ]  # fmt: skip


@pytest.mark.parametrize("born", ["31/05/1938", "31.5.1938", "1938-05-31", "31-05-1938"])
def test_of_a_date_of_birth_the_year_is_taken(born: str) -> None:
    assert given_by(f"name,dob\nVera Example,{born}\n")[0]["birth_year"] == "1938"


@pytest.mark.parametrize("born", ["31/05/38", "May 1938", "1938"])
def test_of_what_may_be_another_year_nothing_is_taken(born: str) -> None:
    ((line, words),) = problems(f"name,dob\nVera Example,{born}\n")
    assert line == 2
    assert "31/05/1938" in words


# --- what is the matter with it


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "the table is empty"),
        ("\n\n", 1, "the table is empty"),
        ("name,room\n", 1, "no resident is in the table"),
        ("name,GP surgery\nVera,x\n", 1, "the column 'GP surgery' is not known"),
        ("name,NHS Number\nVera,x\n", 1, "call the column wristband"),
        ("room,birth year\n12,1938\n", 1, "no column says who the residents are"),
        ("name,room,room number\nVera,1,2\n", 1, "there are 2 columns of the room"),
        ("name,dob,year of birth\nVera,,\n", 1, "leave one"),
        ("name,surname\nVera,Example\n", 1, "leave one"),
        ("\nname,room\nVera Example,12,spare\n", 3, "no name in the first line"),
        ("name,\nVera Example,spare\n", 2, "no name in the first line"),
        ('name,room\nVera,"12\n', 2, "is a quotation mark missing?"),
        ('name,room\n"New One",1\n"Ve"ra,2\n', 3, "is a quotation mark missing?"),
        ('name,room\n"Two\nLines",1\n,2\n', 4, "the name is missing"),
        ("name,room\nNew One,1\n\n\n,2\n", 5, "the name is missing"),
        ("name,birth year\nNew One,38\n", 2, "year of birth: give the year with four digits"),
        ("name,scale\nNew One,2\n", 2, "scale 2 only where a clinician prescribed"),
        ("name,scale,prescriber\nNew One,1,Dr Ash\n", 2, "somebody is named, and the scale is 1"),
        ("id,name\nno blanks,New One\n", 2, "pseudonym: give"),
        ("id,name\nnew-7,New One\n", 2, "must not say who it is"),
        ("name,wristband\nNew One,band-1\n", 2, "R-1 has the same code"),
        ("name,wristband\nNew One,B\nNew Two,b\n", 3, "line 2 has the same code"),
        ("id,name\nR-7,New One\nR-7,New Two\n", 3, "the same resident as line 2"),
        ("id,room\nR-1,13\nR-1,14\n", 3, "the same resident as line 2"),
        ("name,room\nNew One,1\nnew  one,2\n", 3, "has the same name as line 2"),
        ("name,room\nVera Example,13\n", 2, "does not say whether it is the same person"),
        ("name,birth year\nVera Example,1940\n", 2, "does not say whether it is the same person"),
        ("name,room,birth year\nVera Example,12,1940\n", 2, "does not say whether it is the same person"),
        ("id,room\nR-2,15\n", 2, "[[residents]]"),
        ("name,room,wristband\nWalter Made-Up,14,B\n", 2, "[[residents]]"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, words: str) -> None:
    found = problems(text)
    assert [each for each, _ in found] == [line]
    assert words in found[0][1]


def test_all_lines_that_are_wrong_are_said() -> None:
    text = "name,birth year,scale\nNew One,38,3\n,,\nNew Two,1938,\n,1940,\n"
    assert [line for line, _ in problems(text)] == [2, 2, 5]


def test_what_is_wrong_is_said_without_what_is_written_there() -> None:
    text = "name,wristband,birth year\nSecret Name,SECRET@CODE,19a8\nVera Example,x,\nSecret Name,y,\n"
    said = " ".join(words for _, words in problems(text))
    assert len(problems(text)) >= 2
    for private in ("Secret", "SECRET", "Vera", "19a8"):
        assert private not in said


def test_a_table_that_is_too_large_is_not_read() -> None:
    assert "too large" in problems("name\n" + "x" * LONGEST_TABLE)[0][1]


# --- who is meant


def test_who_is_new_is_added_and_has_a_pseudonym_of_their_own() -> None:
    made = planned("id,name,room\n,New One,1\nR-7,New Two,2\n,New Three,3\n")
    assert made.problems == []
    assert [each.resident for each in made.added] == [
        Resident(id="R-100", name="New One", room="1"),
        Resident(id="R-7", name="New Two", room="2"),
        Resident(id="R-101", name="New Three", room="3"),
    ]


def test_two_who_are_new_never_get_one_pseudonym() -> None:
    rows, _ = rows_of("name\nNew One\nNew Two\n")
    made = iter(["R-5", "R-5", "R-6"])
    assert [each.resident.id for each in plan(rows, [], lambda: next(made), TODAY).added] == ["R-5", "R-6"]


@pytest.mark.parametrize(
    "text",
    [
        "id,room\nR-1,13\n",
        "name,birth year,room\nvera  EXAMPLE,1938,13\n",
        "name,wristband,room\nVera Example,band-1,13\n",
    ],
)
def test_who_is_listed_is_changed_where_the_table_says_who_it_is(text: str) -> None:
    made = planned(text)
    assert made.problems == []
    assert made.added == []
    (changed,) = made.changed
    assert changed.fields[-1:] == ["room"]
    assert changed.resident.wristband == "BAND-1", "what the table does not say stays"


def test_an_empty_cell_changes_nothing() -> None:
    made = planned("id,name,room,birth year,wristband,scale\nR-1,,,,,\n")
    assert [each.resident for each in made.unchanged] == [VERA]
    assert made.changed == []


def test_who_is_in_the_configuration_may_be_in_the_table_as_they_are() -> None:
    assert len(planned("name,room\nWalter Made-Up,14\n").unchanged) == 1


def test_two_of_one_name_are_two_where_their_pseudonyms_or_years_say_so() -> None:
    assert len(planned("name,birth year\nNew One,1938\nNew One,1940\n").added) == 2
    assert len(planned("id,name\nR-7,New One\nR-8,New One\n").added) == 2


def test_somebody_who_has_left_is_not_meant_by_a_name() -> None:
    moved = Listed(VERA, Care(whereabouts=Whereabouts.MOVED), entered_by="Sam")
    made = planned("name,room,wristband\nVera Example,12,BAND-1\n", [moved])
    assert (len(made.added), made.problems) == (1, [])


_cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200) | st.lists(st.lists(_cells, max_size=4), max_size=4).map(
    lambda rows: "name,room,dob,wristband\n" + "\n".join(",".join(cells) for cells in rows)
))  # fmt: skip
def test_whatever_it_is_it_is_read_or_said_what_is_wrong(text: str) -> None:
    made = planned(text)
    lines = [
        each.line for several in (made.added, made.changed, made.unchanged, made.problems) for each in several
    ]
    assert lines
    assert all(
        1 <= line <= max(text.count("\n") + text.count("\r"), len(text.splitlines())) + 2 for line in lines
    )
