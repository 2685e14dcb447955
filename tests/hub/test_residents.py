"""Whose reading is it: known, or left to a person."""

from datetime import datetime

import pytest

from hub.config import Resident, Sensor
from hub.residents import Register, UnknownResidentError, age_at

ANNA, BERT = Resident(id="R-1", name="Anna", birth_year=1940), Resident(id="R-2")
ANNAS_CUFF = Sensor(address="C4:F2:17:00:00:01", driver="blood_pressure", resident="R-1")
SHARED_CUFF = Sensor(address="C4:F2:17:00:00:02", driver="blood_pressure")
STRANGER = "C4:F2:17:00:00:99"


def test_a_personal_sensors_readings_are_its_residents() -> None:
    register = Register([ANNA, BERT], [ANNAS_CUFF, SHARED_CUFF])
    assert register.owner_of(ANNAS_CUFF.address) is ANNA
    assert register.owner_of(ANNAS_CUFF.address.lower()) is ANNA


def test_a_shared_sensors_readings_wait_for_a_person() -> None:
    assert Register([ANNA, BERT], [ANNAS_CUFF, SHARED_CUFF]).owner_of(SHARED_CUFF.address) is None


def test_a_strangers_readings_wait_for_a_person_even_in_a_one_person_home() -> None:
    for residents in ([ANNA, BERT], [ANNA], []):
        register = Register(residents, [SHARED_CUFF], one_person=len(residents) == 1)
        assert register.owner_of(STRANGER) is None
        assert register.sensor(STRANGER) is None


def test_in_a_one_person_home_every_enrolled_sensors_readings_are_that_persons() -> None:
    register = Register([ANNA], [ANNAS_CUFF, SHARED_CUFF], one_person=True)
    assert register.owner_of(SHARED_CUFF.address) is ANNA
    assert register.owner_of(ANNAS_CUFF.address) is ANNA


def test_one_resident_who_is_listed_is_not_taken_for_the_only_one_there_is() -> None:
    assert Register([ANNA], [SHARED_CUFF]).owner_of(SHARED_CUFF.address) is None


def test_a_cuff_that_numbers_people_waits_until_somebody_says_whose_number_it_is() -> None:
    register = Register([ANNA, BERT], [ANNAS_CUFF])
    assert register.owner_of(ANNAS_CUFF.address, user_id=2) is None
    anybody = ANNAS_CUFF.model_copy(update={"user": "any"})
    assert Register([ANNA, BERT], [anybody]).owner_of(anybody.address, user_id=2) is ANNA
    assert Register([ANNA, BERT], [anybody]).owner_of(anybody.address) is ANNA


def test_a_cuff_that_keeps_people_apart_gives_its_resident_only_what_it_measured_of_them() -> None:
    cuff = ANNAS_CUFF.model_copy(update={"user": 1})
    for residents in ([ANNA, BERT], [ANNA]):
        register = Register(residents, [cuff])
        assert register.owner_of(cuff.address, user_id=1) is ANNA
        assert register.owner_of(cuff.address, user_id=2) is None
        assert register.owner_of(cuff.address, user_id=None) is None


def test_in_a_home_with_no_residents_nothing_is_anybodys() -> None:
    assert Register([], [SHARED_CUFF]).owner_of(SHARED_CUFF.address) is None


def test_a_sensor_is_its_residents_from_when_it_is_enrolled_until_it_is_forgotten() -> None:
    register = Register([ANNA, BERT], [])
    register.enrol(ANNAS_CUFF)
    assert register.owner_of(ANNAS_CUFF.address.lower()) is ANNA
    register.forget(ANNAS_CUFF.address.lower())
    assert register.owner_of(ANNAS_CUFF.address) is None
    assert register.sensor(ANNAS_CUFF.address) is None


def test_a_sensor_of_somebody_who_is_not_listed_is_nobodys_also_where_one_person_lives_alone() -> None:
    for one_person in (False, True):
        register = Register([BERT], [], one_person=one_person)
        register.enrol(ANNAS_CUFF)
        assert register.owner_of(ANNAS_CUFF.address) is None


def test_residents_and_sensors_are_found_by_their_ids() -> None:
    register = Register([ANNA, BERT], [SHARED_CUFF])
    assert register.residents == (ANNA, BERT)
    assert register.resident("R-2") is BERT
    assert register.sensor(SHARED_CUFF.address) is SHARED_CUFF


def test_an_unknown_resident_is_named_in_the_error() -> None:
    with pytest.raises(UnknownResidentError, match="R-9") as caught:
        Register([ANNA], []).resident("R-9")
    assert caught.value.resident == "R-9"


def test_the_age_is_known_only_where_the_year_of_birth_is() -> None:
    assert age_at(ANNA, 2026) == 86
    assert age_at(BERT, 2026) is None
    assert age_at(ANNA, 1939) is None


def test_from_when_a_sensor_is_its_residents_is_forgotten_with_it(noon: datetime) -> None:
    register = Register([ANNA, BERT], [SHARED_CUFF])
    register.enrol(ANNAS_CUFF, noon)
    assert register.theirs_since(ANNAS_CUFF.address.lower()) == noon
    assert register.theirs_since(SHARED_CUFF.address) is None
    register.forget(ANNAS_CUFF.address)
    assert register.theirs_since(ANNAS_CUFF.address) is None


def test_a_wristband_is_its_wearers_in_upper_and_lower_case_and_nobody_elses() -> None:
    worn = Resident(id="R-3", wristband="WB-0077-X")
    register = Register([ANNA, worn], [])
    assert register.wearing("WB-0077-X") is worn
    assert register.wearing("wb-0077-x") is worn
    for code in ("", "WB-0077", "WB-0077-XY", "R-3"):
        assert register.wearing(code) is None


def test_a_shared_sensor_is_no_residents_and_of_the_number_that_is_enrolled() -> None:
    numbered = SHARED_CUFF.model_copy(update={"user": 2})
    register = Register([ANNA, BERT], [ANNAS_CUFF, SHARED_CUFF])
    assert register.shared(SHARED_CUFF.address.lower()) is SHARED_CUFF
    assert register.shared(SHARED_CUFF.address, user_id=1) is None
    assert register.shared(ANNAS_CUFF.address) is None
    assert register.shared(STRANGER) is None
    assert [Register([], [numbered]).shared(numbered.address, user) for user in (None, 1, 2)] == [
        None,
        None,
        numbered,
    ]
