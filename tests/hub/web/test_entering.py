"""What was typed is read as people type it, or said to be wrong: nothing is made up of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hub.web.entering import LONGEST_WORDS, Entered, entered


def read(ticked: Sequence[str] = (), **said: str) -> Entered:
    """What a form with these fields says."""
    return entered(lambda name: said.get(name, ""), ticked, ("tired", "off legs"))


def test_nothing_entered_is_nothing() -> None:
    assert read() == Entered()


@pytest.mark.parametrize(
    ("text", "number"), [("36.7", 36.7), ("36,7", 36.7), ("37", 37), ("37.0", 37), ("+37", 37)]
)
def test_a_temperature_is_read_with_a_point_or_a_comma(text: str, number: float) -> None:
    assert read(temperature=text).observation == {"temperature": number}


@pytest.mark.parametrize(
    "text", ["7o", "72.5", "1_6", "1e2", "nan", "inf", "١٦", "16 a minute", "12/80", "0x10"]
)
def test_what_is_no_whole_number_is_said_and_not_kept(text: str) -> None:
    found = read(pulse_rate=text)
    assert found.observation == {}
    assert [each.field for each in found.problems] == ["pulse_rate"]


@pytest.mark.parametrize("text", ["36..7", "1.234,5", "warm", "nan"])
def test_what_is_no_temperature_is_said_and_not_kept(text: str) -> None:
    assert [each.field for each in read(temperature=text).problems] == ["temperature"]


def test_pressures_that_were_changed_round_are_said() -> None:
    assert [each.field for each in read(systolic_pressure="80", diastolic_pressure="128").problems] == [
        "diastolic_pressure"
    ]


def test_a_lower_pressure_alone_is_half_a_pressure() -> None:
    assert [each.field for each in read(diastolic_pressure="80").problems] == ["systolic_pressure"]


def test_what_is_chosen_is_one_of_the_codes() -> None:
    assert read(consciousness="C", breathing="oxygen").observation == {
        "consciousness": "C",
        "breathing": "oxygen",
    }
    assert [each.field for each in read(consciousness="X", breathing="water").problems] == [
        "consciousness",
        "breathing",
    ]


def test_a_sign_or_words_are_a_concern_though_the_box_was_missed() -> None:
    assert read(["tired"]).worried
    assert read(words="grey").worried
    assert read(worried="yes").worried
    assert not read(pulse_rate="70").worried


def test_a_sign_that_there_is_not_is_left_out_and_one_ticked_twice_is_one() -> None:
    assert read(["tired", "tired", "green"]).signs == ("tired",)


def test_too_many_words_are_said() -> None:
    assert [each.field for each in read(words="x" * (LONGEST_WORDS + 1)).problems] == ["words"]
    assert read(words="x" * LONGEST_WORDS).problems == ()
