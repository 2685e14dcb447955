"""Whose reading is it: known, or left to a person."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.configuration.file import Resident, Sensor
from hub.residents.care import Care, Consent, Whereabouts
from hub.residents.register import NotWatchedError, Register, UnknownResidentError, age_at

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


# --- who is not watched

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AWAY = [
    Care(whereabouts=Whereabouts.IN_HOSPITAL),
    Care(whereabouts=Whereabouts.MOVED),
    Care(whereabouts=Whereabouts.DECEASED),
    Care(consent=Consent.WITHDRAWN),
]
BANDED = ANNA.model_copy(update={"wristband": "BAND-1"})


@pytest.mark.parametrize("care", AWAY)
def test_who_is_not_watched_owns_nothing(care: Care) -> None:
    register = Register([BANDED, BERT], [ANNAS_CUFF])
    assert register.wearing("band-1") == BANDED
    register.list_resident(BANDED, care)
    assert register.owner_of(ANNAS_CUFF.address) is None
    assert register.wearing("band-1") is None, "a scan of it opens no round"
    assert register.find_watched("R-1") is None
    assert register.watched == (BERT,)
    assert register.residents == (BANDED, BERT), "and is listed all the same"
    assert register.resident("R-1") == register.find("R-1") == BANDED
    with pytest.raises(NotWatchedError) as refused:
        register.watched_resident("R-1")
    assert "R-1" in str(refused.value)
    assert "Anna" not in str(refused.value)
    assert register.watched_resident("R-2") == BERT
    with pytest.raises(UnknownResidentError):
        register.watched_resident("R-9")


def test_back_again_only_what_was_measured_since_is_theirs() -> None:
    """Their cuff stayed here, and served others."""
    register = Register([ANNA, BERT], [ANNAS_CUFF, SHARED_CUFF])
    register.list_resident(ANNA, Care(whereabouts=Whereabouts.IN_HOSPITAL))
    register.list_resident(ANNA, Care(), NOON)
    assert register.owner_of(ANNAS_CUFF.address) is ANNA
    assert register.theirs_since(ANNAS_CUFF.address) == NOON
    assert register.theirs_since(SHARED_CUFF.address) is None
    for enrolled_at in (NOON - timedelta(days=1), NOON + timedelta(days=1)):
        register.enrol(ANNAS_CUFF, enrolled_at)
        assert register.theirs_since(ANNAS_CUFF.address) == max(enrolled_at, NOON)


def test_in_a_one_person_home_nothing_is_theirs_while_they_are_away() -> None:
    register = Register([ANNA], [SHARED_CUFF], one_person=True)
    register.list_resident(ANNA, Care(whereabouts=Whereabouts.IN_HOSPITAL))
    assert register.alone is None
    assert register.owner_of(SHARED_CUFF.address) is None
    register.list_resident(ANNA, Care(), NOON)
    assert register.owner_of(SHARED_CUFF.address) is ANNA
    assert register.theirs_since(SHARED_CUFF.address) == NOON


def test_nobody_is_taken_for_the_only_one_where_two_are_listed() -> None:
    register = Register([ANNA], [SHARED_CUFF], one_person=True)
    register.list_resident(BERT, Care())
    assert register.alone is None
    register.list_resident(ANNA, Care(whereabouts=Whereabouts.DECEASED))
    assert register.alone is BERT


def test_a_code_that_two_have_opens_a_round_for_neither() -> None:
    register = Register([BANDED, BERT], [])
    both = BERT.model_copy(update={"wristband": "BAND-1"})
    register.list_resident(both, Care())
    assert register.wearing("BAND-1") is None
    register.list_resident(BANDED, Care(whereabouts=Whereabouts.MOVED))
    assert register.wearing("BAND-1") == both, "it may be given to another when somebody has left"
    assert register.worn_by("band-1") == "R-2"
    register.list_resident(BANDED, Care(whereabouts=Whereabouts.IN_HOSPITAL))
    assert register.wearing("BAND-1") is None, "who is in hospital comes back with it"


def test_who_is_taken_out_is_nobody() -> None:
    register = Register([BANDED, BERT], [ANNAS_CUFF])
    register.take_out("R-1")
    assert register.residents == (BERT,)
    assert register.owner_of(ANNAS_CUFF.address) is None
    assert register.wearing("BAND-1") is None


def test_why_a_personal_sensors_readings_are_nobodys_is_said_without_what_they_have() -> None:
    register = Register([ANNA], [ANNAS_CUFF, SHARED_CUFF])
    assert register.why_nobodys(ANNAS_CUFF) is register.why_nobodys(SHARED_CUFF) is None
    register.list_resident(ANNA, Care(whereabouts=Whereabouts.DECEASED))
    words = register.why_nobodys(ANNAS_CUFF)
    assert words is not None
    assert "R-1 is not here, or not watched" in words
    register.take_out("R-1")
    assert "R-1 is not listed any more" in str(register.why_nobodys(ANNAS_CUFF))
