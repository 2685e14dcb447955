"""What somebody says of a resident: what cannot be is refused in words, and never quoted."""

from __future__ import annotations

from datetime import date

import pytest

from hub.assessment.news2 import OxygenScale
from hub.configuration.file import Resident
from hub.readings import Vital
from hub.residents.care import Care, Consent, Normal, Whereabouts
from hub.residents.fields import NORMALS_OF, ResidentError, care_from, differing, resident_from, tells_who

TODAY = date(2026, 3, 1)
NOBODY = Resident(id="R-0500")
ON_SCALE_2 = Resident(
    id="R-0500",
    name="Vera Example",
    room="12",
    birth_year=1938,
    oxygen_scale=OxygenScale.SCALE_2,
    oxygen_scale_prescriber="Dr Ash",
    wristband="BAND-1",
)


def test_what_is_given_is_taken_and_what_is_not_stays() -> None:
    given = {"name": " Vera Example ", "room": "12", "birth_year": "1938", "wristband": " band-1 ",
             "oxygen_scale": "2", "oxygen_scale_prescriber": "Dr Ash"}  # fmt: skip
    assert resident_from(given, NOBODY, TODAY) == ON_SCALE_2
    assert resident_from({}, ON_SCALE_2, TODAY) == ON_SCALE_2
    changed = resident_from({"room": "14"}, ON_SCALE_2, TODAY)
    assert differing(ON_SCALE_2, changed) == ["room"]


@pytest.mark.parametrize("nothing", ["", "  ", None])
def test_what_is_empty_is_not_known_any_more(nothing: object) -> None:
    given = dict.fromkeys(("name", "room", "birth_year", "wristband", "oxygen_scale"), nothing)
    assert resident_from(given, ON_SCALE_2, TODAY) == NOBODY


def test_who_is_taken_off_scale_2_has_no_prescriber_any_more() -> None:
    made = resident_from({"oxygen_scale": 1}, ON_SCALE_2, TODAY)
    assert (made.oxygen_scale, made.oxygen_scale_prescriber) == (OxygenScale.SCALE_1, None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"oxygen_scale": "2"}, "scale 2 only where a clinician prescribed"),
        ({"oxygen_scale": "2", "oxygen_scale_prescriber": " "}, "scale 2 only where a clinician prescribed"),
        ({"oxygen_scale_prescriber": "Dr Ash"}, "somebody is named, and the scale is 1"),
        ({"oxygen_scale": "3"}, "SpO2 scale: give 1, or 2"),
        ({"oxygen_scale": True}, "SpO2 scale: give 1, or 2"),
        ({"birth_year": "38"}, "year of birth: give the year with four digits"),
        ({"birth_year": 1938.5}, "year of birth: give the year with four digits"),
        ({"birth_year": "١٩٣٨"}, "year of birth: give the year with four digits"),
        ({"birth_year": "1899"}, "year of birth: give a year from 1900 to 2026"),
        ({"birth_year": "2027"}, "year of birth: give a year from 1900 to 2026"),
        ({"name": "x" * 121}, "name: give at most 120 letters"),
        ({"name": "Ve\nra"}, "name: give at most 120 letters, in one line"),
        ({"name": ["Vera"]}, "name: give at most 120 letters, in one line"),
        ({"name": "\u202eareV"}, "in one line"),
        ({"room": "x" * 61}, "room: give at most 60 letters"),
        ({"wristband": "x" * 65}, "wristband: give the code that is printed on it"),
        ({"wristband": 5}, "wristband: give the code that is printed on it"),
        ({"wristband": "a@b"}, "wristband: has a sign"),
        ({"id": "no blanks"}, "pseudonym: give 1 to 64 letters"),
        ({"id": ""}, "pseudonym: give 1 to 64 letters"),
        ({"nhs_number": "1"}, "nhs_number: there is no such field"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(ResidentError) as refused:
        resident_from(given, NOBODY, TODAY)
    assert words in str(refused.value)


def test_all_that_is_wrong_is_said_at_once_and_nothing_of_it_is_quoted() -> None:
    given = {"name": "Secret\nName", "wristband": "SECRET CODE @", "birth_year": "19388"}
    with pytest.raises(ResidentError) as refused:
        resident_from(given, NOBODY, TODAY)
    assert len(refused.value.problems) == 2, "the name and the year; the code once they are right"
    with pytest.raises(ResidentError) as again:
        resident_from({"wristband": "SECRET CODE @"}, NOBODY, TODAY)
    for said in (str(refused.value), str(again.value), repr(again.value.__cause__)):
        assert "ecret" not in said
        assert "SECRET" not in said


@pytest.mark.parametrize(
    ("pseudonym", "name", "wristband", "tells"),
    [
        ("R-0412", "Vera Example", None, False),
        ("vera", "Vera Example", None, True),
        ("R-Example12", "Vera Example", None, True),
        ("R-12", "Al Example", None, False),
        ("ann-12", "Ann Other", None, True),
        ("R-annex", "Ann Other", None, False),
        ("R-9434765919", "Vera Example", "9434765919", True),
        ("R-12", "Vera Example", "12", False),
    ],
)
def test_a_pseudonym_must_not_say_who_it_is(
    pseudonym: str, name: str, wristband: str | None, tells: bool
) -> None:
    assert tells_who(Resident(id=pseudonym, name=name, wristband=wristband)) is tells
    given = {"id": pseudonym, "name": name, "wristband": wristband}
    if tells:
        with pytest.raises(ResidentError, match="must not say who it is"):
            resident_from(given, NOBODY, TODAY)
    else:
        assert resident_from(given, NOBODY, TODAY).id == pseudonym


# --- care


def test_what_is_known_is_taken_and_what_is_not_said_stays() -> None:
    said = {
        "whereabouts": "in hospital",
        "consent": "withdrawn",
        "escalation_plan": " Not to hospital ",
        "reviewed": "2026-02-28",
        "normals": {"pulse_rate": {"lowest": 45, "highest": 60}},
    }
    made = care_from(said, Care(), TODAY)
    assert made == Care(
        whereabouts=Whereabouts.IN_HOSPITAL,
        consent=Consent.WITHDRAWN,
        escalation_plan="Not to hospital",
        reviewed=date(2026, 2, 28),
        normals={Vital.PULSE_RATE: Normal(lowest=45, highest=60)},
    )
    assert care_from({}, made, TODAY) == made
    nothing = care_from({"escalation_plan": "", "reviewed": None, "normals": {}}, made, TODAY)
    assert (nothing.escalation_plan, nothing.reviewed, nothing.normals) == (None, None, {})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"whereabouts": "on holiday"}, "where they are: give one of here, in hospital, moved or deceased"),
        ({"whereabouts": None}, "where they are: say which it is"),
        ({"consent": ""}, "consent: say which it is"),
        ({"escalation_plan": "x" * 501}, "what was agreed on: give at most 500 letters"),
        ({"reviewed": "28/02/2026"}, "give the day as 2026-11-22"),
        ({"reviewed": "2026-03-02"}, "that day has not come yet"),
        ({"normals": {"consciousness": {"lowest": 1, "highest": 2}}}, "consciousness: nothing of it"),
        ({"normals": {"pulse_rate": {"lowest": 60, "highest": 45}}}, "the lowest that is normal is above"),
        ({"normals": {"pulse_rate": {"lowest": 60}}}, "pulse rate: give two numbers"),
        ({"normals": {"pulse_rate": {"lowest": "x", "highest": 2}}}, "pulse rate: give two numbers"),
        ({"normals": {"pulse_rate": {"lowest": float("nan"), "highest": 2}}}, "pulse rate: give two numbers"),
        ({"normals": {"pulse_rate": {"lowest": -1, "highest": 2}}}, "pulse rate: it cannot be below 0"),
        ({"normals": {"oxygen_saturation": {"lowest": 88, "highest": 101}}}, "it cannot be above 100 %"),
        ({"normals": [1]}, "give the lowest and the highest"),
        ({"mood": "good"}, "mood: there is no such field"),
    ],
)
def test_what_cannot_be_known_is_refused(said: dict[str, object], words: str) -> None:
    with pytest.raises(ResidentError) as refused:
        care_from(said, Care(), TODAY)
    assert words in str(refused.value)


def test_something_can_be_normal_of_whatever_is_a_number_of_the_body() -> None:
    assert all(vital.unit for vital in NORMALS_OF)
    said = {vital.value: {"lowest": 1, "highest": 2} for vital in NORMALS_OF}
    assert care_from({"normals": said}, Care(), TODAY).normals.keys() == set(NORMALS_OF)
