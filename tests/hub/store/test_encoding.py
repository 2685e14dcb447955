"""How rows are written: what was said comes back, and a number that was given out means the same for ever."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.assessment.reason import AGE, REASONED, Reason
from hub.clock import ClockQuality
from hub.readings import (
    AbsentReason,
    Breathing,
    Button,
    Code,
    Consciousness,
    Door,
    Measurement,
    Motion,
    Quality,
    Value,
    Vital,
)
from hub.store.encoding import (
    CLOCK_QUALITIES,
    CLOCK_QUALITY_NUMBERS,
    MOST_EVENT_BYTES,
    TIME_QUALITIES,
    TIME_QUALITY_NUMBERS,
    VITAL_NUMBERS,
    VITALS,
    event_bytes,
    event_text,
    measurements_of,
    measurements_text,
    observations_of,
    observations_text,
    reasons_of,
    reasons_text,
)
from hub.timekeeping.timing import TimeQuality


def values(vital: Vital) -> st.SearchStrategy[Value]:
    codes: dict[Vital, type[Code]] = {
        Vital.CONSCIOUSNESS: Consciousness,
        Vital.SUPPLEMENTAL_OXYGEN: Breathing,
        Vital.DOOR: Door,
        Vital.MOTION: Motion,
        Vital.BUTTON: Button,
    }
    if vital in codes:
        return st.sampled_from(list(codes[vital]))
    return st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 300).map(float)


sites = st.none() | st.text(max_size=12)


@st.composite
def measurements(draw: st.DrawFn) -> Measurement:
    vital = draw(st.sampled_from(Vital))
    quality, site = draw(st.sampled_from(Quality)), draw(sites)
    if draw(st.booleans()):
        return Measurement(vital, None, draw(st.sampled_from(AbsentReason)), quality, site)
    return Measurement(vital, draw(values(vital)), None, quality, site)


@given(st.lists(measurements(), max_size=6).map(tuple))
def test_measurements_come_back_as_they_were(said: tuple[Measurement, ...]) -> None:
    back = measurements_of(measurements_text(said))
    assert back == said
    assert [type(each.value) for each in back] == [type(each.value) for each in said]


@given(st.data(), st.sets(st.sampled_from(Vital)), st.integers(1, 2**40))
def test_observations_come_back_with_the_readings_that_said_them(
    data: st.DataObject, vitals: set[Vital], reading: int
) -> None:
    said = {vital: (data.draw(values(vital)), data.draw(st.integers(1, 2 * reading))) for vital in vitals}
    back = observations_of(observations_text(said, reading), reading)
    assert back == said
    assert {vital: type(value) for vital, (value, _) in back.items()} == {
        vital: type(value) for vital, (value, _) in said.items()
    }


def test_a_reading_is_written_short() -> None:
    cuff = (Measurement(Vital.SYSTOLIC_PRESSURE, 128.0), Measurement(Vital.PULSE_RATE, 72.5))
    assert measurements_text(cuff) == "[[4,128],[7,72.5]]"
    observed: dict[Vital, tuple[Value, int]] = {Vital.TEMPERATURE: (36.6, 10), Vital.PULSE_RATE: (72.0, 7)}
    assert observations_text(observed, 10) == "[[9,36.6],[7,72,3]]"
    room = (Measurement(Vital.DOOR, Door.OPEN), Measurement(Vital.ROOM_TEMPERATURE, 21.5))
    assert measurements_text(room) == '[[13,"open"],[12,21.5]]'


@pytest.mark.parametrize(
    "text",
    ["[[99,1]]", '[[4,"high"]]', '[[8,"X"]]', '[[13,"detected"]]', "[[4]]", '[[4,null,"no such"]]', "[", "4"],
)
def test_what_was_never_written_is_refused_and_not_guessed(text: str) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        measurements_of(text)


def test_a_number_that_was_given_out_means_the_same_for_ever() -> None:
    """Databases in homes hold these. Add to them; never change one."""
    assert {number: vital.value for number, vital in VITALS.items()} == {
        1: "respiration_rate",
        2: "oxygen_saturation",
        3: "supplemental_oxygen",
        4: "systolic_pressure",
        5: "diastolic_pressure",
        6: "mean_arterial_pressure",
        7: "pulse_rate",
        8: "consciousness",
        9: "temperature",
        10: "body_weight",
        11: "glucose",
        12: "room_temperature",
        13: "door",
        14: "motion",
        15: "button",
    }
    assert {number: quality.value for number, quality in TIME_QUALITIES.items()} == {
        0: "received",
        1: "agreed",
        2: "sensor",
        3: "doubtful",
    }
    assert {number: quality.value for number, quality in CLOCK_QUALITIES.items()} == {
        0: "synchronised",
        1: "not yet synchronised",
        2: "stepped",
    }


def test_every_word_has_a_number() -> None:
    assert set(VITAL_NUMBERS) == set(Vital)
    assert set(TIME_QUALITY_NUMBERS) == set(TimeQuality)
    assert set(CLOCK_QUALITY_NUMBERS) == set(ClockQuality)
    for numbers in (VITAL_NUMBERS, TIME_QUALITY_NUMBERS, CLOCK_QUALITY_NUMBERS):
        assert len(set(numbers.values())) == len(numbers)


@given(st.text())
def test_an_event_comes_back_as_it_was(text: str) -> None:
    assert event_text(event_bytes(text)) == text


@given(st.binary() | st.binary().map(lambda end: event_bytes("an event") + end))
def test_whatever_the_card_gives_back_is_an_event_or_an_error(kept: bytes) -> None:
    try:
        text = event_text(kept)
    except ValueError:
        return
    assert zlib.decompress(kept).decode(errors="replace") == text


def test_no_bit_that_the_card_flips_makes_another_event() -> None:
    text = "the alert of a resident, " * 9 + random.Random(1).randbytes(99).hex()
    whole = event_bytes(text)
    told = set[str]()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            told.add(event_text(bytes(damaged)))
        except ValueError:
            told.add("nothing")
    assert told == {"nothing"}
    assert event_text(whole) == text


def test_an_event_that_was_cut_off_or_goes_on_is_none() -> None:
    whole = event_bytes("an event")
    for damaged in (whole[:-1], whole[:5], b"", whole + b"x", whole + whole):
        with pytest.raises(ValueError, match="not as it was written"):
            event_text(damaged)


def test_what_swells_beyond_any_event_does_not_fill_the_memory() -> None:
    bomb = zlib.compress(bytes(200 << 20), 1)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="larger than an event can be"):
            event_text(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MOST_EVENT_BYTES
    largest = "x" * MOST_EVENT_BYTES
    assert event_text(event_bytes(largest)) == largest
    with pytest.raises(ValueError, match="larger than an event can be"):
        event_text(event_bytes(largest + "x"))


def test_a_letter_that_was_damaged_before_it_was_compressed_takes_no_event_away() -> None:
    """A hub before the fifth step of the schema kept text, in which SQLite notices no flipped bit."""
    assert (
        event_text(zlib.compress(b'{"words": "R-0412\xff NEWS2 7"}')) == '{"words": "R-0412\ufffd NEWS2 7"}'
    )


def a_value(vital: Vital) -> st.SearchStrategy[Value]:
    if vital is Vital.CONSCIOUSNESS:
        return st.sampled_from(Consciousness)
    if vital is Vital.SUPPLEMENTAL_OXYGEN:
        return st.sampled_from(Breathing)
    return st.floats(0, 300)


@st.composite
def some_reasons(draw: st.DrawFn) -> list[Reason]:
    made = []
    for vital in draw(st.lists(st.sampled_from([None, *sorted(REASONED)]), max_size=3)):
        value = st.floats(16, 120) if vital is None else a_value(vital)
        since = st.none() | st.sampled_from(["Tuesday", "this morning"])
        made.append(
            Reason(AGE if vital is None else vital.value, draw(value), draw(value), draw(st.booleans()),
                   draw(st.floats(0.1, 9)), draw(st.booleans()), draw(since),
                   draw(st.none() | st.integers(-1, 24)))
        )  # fmt: skip
    return made


@given(some_reasons())
def test_reasons_come_back_as_they_were(reasons: list[Reason]) -> None:
    found = reasons_of(reasons_text(reasons))
    assert list(found) == reasons
    assert [each.words for each in found] == [each.words for each in reasons]
    assert [type(each.value) for each in found] == [type(each.value) for each in reasons]


def test_a_reason_is_few_bytes_on_the_card() -> None:
    reason = Reason(Vital.RESPIRATION_RATE, 26.0, 16.0, usual=True, moved=0.73)
    assert reasons_text([reason]) == "[[1,26,16,0.73,1,0]]"


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[[1]]",
        "[[99,1,1,0.5,1,0]]",
        '[[8,"X","A",0.5,1,0]]',
        "[[11,5,6,0.5,1,0]]",
        "[[1,26,[],1,1,0]]",
    ],
)
def test_reasons_that_a_card_has_damaged_are_refused(damaged: str) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        reasons_of(damaged)
