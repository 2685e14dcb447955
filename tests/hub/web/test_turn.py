"""What a round shows: which values count, what is offered, what is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.assessment.observation_set import Observation, ObservationSet
from hub.clock import stamp
from hub.configuration.file import ObservationSets, Sensor
from hub.intake.manual import observation
from hub.readings import Flag, Quality, Reading, Vital
from hub.store.rows import StoredReading
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.timing import TimeQuality
from hub.web.turn import (
    OFFERED_BEFORE,
    OpenTurn,
    entered_by,
    kits_of,
    missing,
    offer,
    offers,
    shown,
    source_words,
    turn_of,
)
from hub.web.turn_page import KitChoice, kit_choice, kit_cookie, round_that_was
from tests.rigs.house import SHARED, cuff, oximeter

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
TURN = OpenTurn("R-0412", NOON, NOON + 10 * MINUTE)
OXIMETER = Sensor(address=SHARED, driver="pulse_oximeter")
UPSTAIRS = Sensor(address="C4:F2:17:00:00:2A", driver="pulse_oximeter", kit="upstairs", label="Red oximeter")
PERSONAL = Sensor(address="C4:F2:17:00:00:12", driver="pulse_oximeter", resident="R-0077")
SENSORS = {each.address: each for each in (OXIMETER, UPSTAIRS, PERSONAL)}


def placed(reading: Reading, resident: str | None = None) -> PlacedReading:
    """A reading as the store keeps it."""
    return PlacedReading(reading, resident, reading.raw.received_at, TimeQuality.RECEIVED, stamp())


def nobodys(at: datetime, device: str = SHARED) -> StoredReading:
    """A saturation of nobody."""
    return StoredReading(1, placed(oximeter(91, at, device=device)))


def test_only_what_the_kit_told_since_shortly_before_the_round_is_offered() -> None:
    readings = [
        nobodys(NOON + SECOND),
        nobodys(NOON - OFFERED_BEFORE),
        nobodys(NOON - OFFERED_BEFORE - SECOND),
        nobodys(NOON + SECOND, UPSTAIRS.address),
        nobodys(NOON + SECOND, PERSONAL.address),
        nobodys(NOON + SECOND, "C4:F2:17:00:00:99"),
    ]
    found = offers(readings, TURN, None, SENSORS)
    assert [(each.received_at, each.before) for each in found] == [
        (NOON + SECOND, False),
        (NOON - OFFERED_BEFORE, True),
    ]


def test_nothing_is_offered_without_a_round() -> None:
    assert offers([nobodys(NOON)], None, None, SENSORS) == []


def test_an_offer_says_what_a_score_may_take_and_no_mean_pressure() -> None:
    said = dict(offer(placed(cuff(128, NOON)), SENSORS).values)
    assert (said[Vital.SYSTOLIC_PRESSURE], said[Vital.PULSE_RATE]) == (128.0, 72.0)
    assert Vital.MEAN_ARTERIAL_PRESSURE not in said


def test_what_cannot_be_used_says_why() -> None:
    reading = cuff(128, NOON)
    unusable = tuple(replace(each, quality=Quality.UNUSABLE) for each in reading.measurements)
    loose = replace(reading, measurements=unusable, flags=frozenset({Flag.CUFF_TOO_LOOSE}))
    found = offer(placed(loose), SENSORS)
    assert (found.values, found.trouble) == ((), "cuff too loose")


def seen(at: datetime, *, doubtful: bool = False, quality: Quality = Quality.GOOD) -> ObservationSet:
    """A set with a saturation that was measured then."""
    reading = oximeter(91, at)
    return ObservationSet(at, {Vital.OXYGEN_SATURATION: Observation(91.0, at, reading.id, quality, doubtful)})


@pytest.mark.parametrize(("age", "there"), [(30 * MINUTE, True), (30 * MINUTE + SECOND, False)])
def test_a_value_counts_as_long_as_a_set_would_have_it(age: timedelta, there: bool) -> None:
    values = shown(seen(NOON), {}, ObservationSets(), NOON + age, None, {})
    assert (Vital.OXYGEN_SATURATION not in missing(values)) is there


def test_a_value_that_is_in_doubt_is_marked() -> None:
    values = shown(
        seen(NOON, doubtful=True, quality=Quality.QUESTIONABLE), {}, ObservationSets(), NOON, None, {}
    )
    (found,) = (each for each in values if each.value is not None)
    assert (found.questionable, found.doubtful_time) == (True, True)


def test_a_value_of_this_round_is_told_from_one_of_before() -> None:
    for at, in_turn in ((NOON - SECOND, False), (NOON + SECOND, True)):
        reading = oximeter(91, at)
        values = shown(
            seen(at), {reading.id: placed(reading, "R-0412")}, ObservationSets(), NOON + MINUTE, TURN, {}
        )
        (found,) = (each for each in values if each.value is not None)
        assert found.in_turn is in_turn


def test_the_lower_pressure_is_never_missing() -> None:
    lacking = missing(shown(None, {}, ObservationSets(), NOON, None, {}))
    assert len(lacking) == 7
    assert Vital.DIASTOLIC_PRESSURE not in lacking


def test_who_entered_it_is_said() -> None:
    reading = observation("Ann Other", NOON, respiration_rate=16)
    assert source_words(reading, {}) == "entered by Ann Other"


@pytest.mark.parametrize("payload", [b"\xff", b"[]", json.dumps({"by": 3}).encode(), b"{}"])
def test_what_does_not_say_who_entered_it_was_entered_by_hand(payload: bytes) -> None:
    reading = observation("Ann", NOON, respiration_rate=16)
    nameless = replace(reading, raw=replace(reading.raw, payload=payload))
    assert entered_by(nameless) is None
    assert source_words(nameless, {}) == "entered by hand"


def test_a_sensor_is_called_by_its_label_or_by_what_it_is() -> None:
    assert source_words(oximeter(91, NOON, device=UPSTAIRS.address), SENSORS) == "Red oximeter"
    assert source_words(oximeter(91, NOON, device=SHARED), SENSORS) == "oximeter"


def test_whose_turn_it_is_is_of_one_kit() -> None:
    said = {"resident": "R-0412", "since": NOON.isoformat(), "until": (NOON + 10 * MINUTE).isoformat()}
    answer = {"open": [{**said, "kit": "upstairs"}, {**said, "kit": None, "resident": "R-0077", "by": "Ann"}]}
    assert turn_of(answer, "upstairs") == TURN
    assert turn_of(answer, None) == OpenTurn("R-0077", NOON, NOON + 10 * MINUTE, "Ann")
    assert turn_of(answer, "cellar") is None
    assert turn_of({}, None) is None


def test_kits_are_those_of_shared_sensors() -> None:
    assert kits_of(SENSORS.values()) == [None, "upstairs"]
    assert kits_of([PERSONAL]) == []


def test_a_kit_is_chosen_by_a_person_where_there_are_several() -> None:
    several = list(SENSORS.values())
    assert not kit_choice(None, several).chosen
    assert not kit_choice("cellar", several).chosen
    for kit in (None, "upstairs"):
        assert kit_choice(kit_cookie(kit), several) == KitChoice([None, "upstairs"], kit)


def test_the_only_kit_needs_no_choice() -> None:
    assert kit_choice(None, [OXIMETER]) == KitChoice([None], None)
    assert kit_choice("cellar", [UPSTAIRS]) == KitChoice(["upstairs"], "upstairs")


def test_who_lives_alone_has_no_rounds() -> None:
    assert kit_choice(None, [OXIMETER, UPSTAIRS], one_person=True) == KitChoice()


@pytest.mark.parametrize("text", ["", "soon", "-1", "99999999999999", "1", "١"])
def test_an_address_that_names_no_round_of_just_now_names_none(text: str) -> None:
    assert round_that_was("R-0412", text, text) is None
