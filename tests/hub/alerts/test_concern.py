"""A concern as a reading: what was said, kept whole, and understood even by a hub that knows fewer signs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from hub.alerts.concern import Concern, ConcernError, SoftSign, concern_of, concern_reading, joined
from hub.intake.manual import observation
from hub.readings import Breathing, Origin


def test_a_concern_is_a_manual_reading_that_measures_nothing(noon: datetime) -> None:
    reading = concern_reading("Asha", noon, [SoftSign.TIRED, SoftSign.OFF_LEGS], "  not \n herself ")
    assert (reading.measurements, reading.raw.origin) == ((), Origin.MANUAL)
    assert concern_of(reading) == Concern(noon, (SoftSign.OFF_LEGS, SoftSign.TIRED), "not herself", "Asha")


def test_neither_signs_nor_words_are_needed(noon: datetime) -> None:
    assert concern_of(concern_reading("Asha", noon, [])) == Concern(noon, by="Asha")


def test_two_who_say_the_same_at_the_same_moment_are_two(noon: datetime) -> None:
    assert concern_reading("Asha", noon, []).id != concern_reading("Asha", noon, []).id


@pytest.mark.parametrize(
    ("by", "words", "wanted"), [(" ", "", "say who"), ("Asha", "a" * 501, "501 letters")]
)
def test_what_cannot_be_kept_is_refused(noon: datetime, by: str, words: str, wanted: str) -> None:
    with pytest.raises(ConcernError, match=wanted):
        concern_reading(by, noon, [], words)


def test_an_observation_is_no_concern(noon: datetime) -> None:
    assert concern_of(observation("Asha", noon, breathing=Breathing.AIR)) is None


@pytest.mark.parametrize(
    "payload", [b"\xff", b"[]", b"{}", b'{"signs": 3}', b'{"signs": ["of a newer hub"]}']
)
def test_what_cannot_be_read_of_it_is_still_a_concern(noon: datetime, payload: bytes) -> None:
    reading = concern_reading("Asha", noon, [])
    found = concern_of(replace(reading, raw=replace(reading.raw, payload=payload)))
    assert found is not None
    assert (found.said_at, found.signs) == (noon, ())


def test_what_leaves_the_hub_names_nobody_and_quotes_nobody(noon: datetime) -> None:
    found = concern_of(concern_reading("Asha", noon, [SoftSign.FAMILY], "her son Tom rang"))
    assert found is not None
    assert found.told == "somebody who cares for them is concerned: the family is worried"


def test_one_that_was_settled_adds_nothing_to_the_next(noon: datetime) -> None:
    over = Concern(noon, (SoftSign.FALL,), "fell", settled_at=noon)
    new = Concern(noon + timedelta(hours=1), (SoftSign.TIRED,), by="Asha")
    assert joined(over, new) == joined(None, new) == new


def test_every_sign_has_its_words() -> None:
    assert all(sign.words and sign.told for sign in SoftSign)
    assert len({sign.words for sign in SoftSign}) == len(SoftSign)


def test_the_payload_says_it_in_words_that_stay(noon: datetime) -> None:
    """What is on a card is read by later hubs: the values never change."""
    said = json.loads(concern_reading("Asha", noon, SoftSign).raw.payload)["signs"]
    assert said == [
        "breathless", "unsteady", "off legs", "withdrawn", "tired", "restless", "new confusion",
        "eating less", "drinking less", "passing less urine", "pain", "skin", "fall", "family concern",
        "not right",
    ]  # fmt: skip
