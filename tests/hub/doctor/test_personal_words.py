"""How a text is searched for the words of people: what is found, and what is left as it is."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from string import ascii_lowercase
from time import monotonic

import pytest

from hub.configuration.file import load
from hub.doctor.personal_words import REPLACED, words_of
from tests.rigs.house import write_configuration


def hidden(tmp_path: Path, text: str, name: str = "Edith Quincey", room: str = "Rosewood Suite") -> str:
    """The text after the search, in a home where only she lives."""
    path = write_configuration(tmp_path)
    text_of_file = path.read_text().replace('name = "Edith Quincey"', f'name = "{name}"')
    path.write_text(text_of_file.replace('room = "Rosewood Suite"', f'room = "{room}"'))
    return words_of(load(path)).hidden(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "Edith Quincey", "edith quincey", "EDITH", "Quincey's", "edith_quincey", "Edith-Quincey",
        "EdithQuincey", "edith.quincey", "(Quincey)", "Rosewood Suite", "rosewood   suite",
    ],
)  # fmt: skip
def test_a_name_is_found_however_it_is_written(tmp_path: Path, text: str) -> None:
    said = hidden(tmp_path, f"1 {text} 2")
    assert REPLACED in said
    assert not {"edith", "quincey", "rosewood"} & set(said.casefold().replace("'", " ").split())


@pytest.mark.parametrize("written", ["Zo\u00eb", "Zoe\u0308", "ZO\u00cb"])
def test_an_accent_is_found_however_it_is_encoded(tmp_path: Path, written: str) -> None:
    assert hidden(tmp_path, f"{written} is here", name="Zo\u00eb Brontë") == f"{REPLACED} is here"


@pytest.mark.parametrize("text", ["meredith", "editha", "2026-11-23T12:00:12", "12 events", "an hour"])
def test_what_only_contains_a_name_or_a_number_is_left(tmp_path: Path, text: str) -> None:
    assert hidden(tmp_path, text, room="12", name="Edith An") == text


def test_a_room_that_is_a_number_is_found_as_a_room_and_a_short_name_as_it_is_written(tmp_path: Path) -> None:
    assert hidden(tmp_path, "Room 12 and room-12", room="12") == f"{REPLACED} and {REPLACED}"
    assert hidden(tmp_path, "An is up", name="An Li") == f"{REPLACED} is up"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Joan Ward", "Mrs Ward fell in the ward"), ("Joan Ward", "WARD fell in the ward"),
        ("Nurse", "Nurse took it, and no nurse else"), ("Li Xu", "XU, xu and li"), ("Ed Ing", "ED is an ed"),
        ("Mara Weiß", "WEISS"), ("Zoë Brontë", "zoe bronte"), ("Edith Quincey", "edith1 logged in"),
        ("Edith Quincey", "EDITHQUINCEY"), ("Anne-Marie St. John", "ANNE_MARIE, marie, John"),
    ],
)  # fmt: skip
def test_capitals_accents_roles_and_logins_hide_nobody(tmp_path: Path, name: str, text: str) -> None:
    left = set(hidden(tmp_path, text, name=name).replace(",", "").split())
    assert REPLACED in left
    assert not left & {
        "Ward", "WARD", "Nurse", "XU", "xu", "li", "ED", "WEISS", "zoe", "bronte", "edith1", "EDITHQUINCEY",
        "ANNE_MARIE", "marie", "John",
    }  # fmt: skip
    # What is no name there stays: the ward, a nurse, an editor.
    assert left & {"ward", "nurse", "ed"} == set(text.replace(",", "").split()) & {"ward", "nurse", "ed"}


def test_a_long_log_of_a_large_home_is_searched_within_seconds(tmp_path: Path) -> None:
    people = "".join(
        f'[[residents]]\nid = "{first}{last}"\nname = "Na{first}{last}el Wi{last}{first}or"\n'
        for first, last in product(ascii_lowercase, "abcdefghijkl")
    )
    config = load(write_configuration(tmp_path, people))
    line = "2026-11-23T01:00:00 hub carehub[7]: INFO C4:F2:17:00:00:01: {} of 7c66b238-b10e-{} taken\n"
    text = "".join(line.format(each, each) for each in range(10_000))
    began = monotonic()
    said, count = words_of(config).hidden(f"{text}NAABEL was heard\n")
    assert monotonic() - began < 20.0  # a search for each name by itself took a minute
    assert (count, said.endswith(f"{REPLACED} was heard\n")) == (1, True)


@pytest.mark.parametrize("table", ["[[alerts.ladder.high]]", "[[alerts.concern_ladder]]"])
def test_whom_a_ladder_tells_is_found(tmp_path: Path, table: str) -> None:
    path = write_configuration(tmp_path, f'{table}\nafter = "5 min"\ntell = "Margaret Aldous, at night"\n')
    assert words_of(load(path)).hidden("MARGARET took it")[0] == f"{REPLACED} took it"


@pytest.mark.parametrize("tell", ["senior carer", "Nurse in charge", "Mo", "carer mo", "Dr Ward"])
def test_of_whom_a_ladder_tells_a_duty_is_nobodys_name(tmp_path: Path, tell: str) -> None:
    path = write_configuration(tmp_path, f'[[alerts.concern_ladder]]\nafter = "5 min"\ntell = "{tell}"\n')
    somebody = tell not in ("senior carer", "Nurse in charge")
    text = f"{tell}: a battery's charge, a link to the ICS"
    assert (words_of(load(path)).hidden(text)[1] > 0) is somebody


def test_titles_and_roles_are_nobodys_names(tmp_path: Path) -> None:
    said = hidden(tmp_path, "the manager and the nurse and Joy", name="Nurse Joy")
    assert said == f"the manager and the nurse and {REPLACED}"


def test_a_home_without_anybody_has_nothing_to_search_for(tmp_path: Path) -> None:
    path = write_configuration(tmp_path)
    config = load(path).model_copy(update={"residents": (), "sensors": ()})
    assert words_of(config).hidden("Edith") == ("Edith", 0)
