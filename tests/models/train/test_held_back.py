"""Whom `python -m models.train.held_back` prints: nobody whom the shipped file has seen."""

from __future__ import annotations

import json

import numpy as np

from hub.readings import Vital
from models.train.deterioration.folds import HELD_BACK
from models.train.deterioration.hospital_stays import Hours
from models.train.deterioration.training import _material, stays_by_phase
from models.train.held_back import held_back

PEOPLE, HOURS = 240, 48
EARLY = (0, 1, 2)


def made_up() -> Hours:
    """Stays of two days, of people of 40 and more, of whom each second has an onset in the 45th hour; and of
    three in the 22nd, who are judged only where the blocks are moved."""
    person = np.repeat(np.arange(PEOPLE), HOURS)
    hour = np.tile(np.arange(1, HOURS + 1), PEOPLE)
    unknown = np.full(len(hour), np.nan)
    charted = dict.fromkeys(Vital, unknown)
    charted[Vital.PULSE_RATE] = 60.0 + person
    charted[Vital.SUPPLEMENTAL_OXYGEN] = np.where(hour > 12, 1.0, np.nan)
    label = ((person % 2 == 1) & (hour >= 39)) | (np.isin(person, EARLY) & (hour >= 16))
    return Hours(person, hour, label.astype(np.int64), 40.5 + person, unknown, charted)


def test_it_prints_the_held_back_people_with_an_onset_and_nobody_whom_the_file_learned_from() -> None:
    hours = made_up()
    by_phase, judged = stays_by_phase(hours)
    assert np.isin(EARLY, by_phase[0].person[judged[0]]).sum() == 0, "else all are dealt in any way"
    material = _material(by_phase, judged)
    learned_from = {40 + person for person in material.person[material.fold != HELD_BACK].tolist()}
    everybody = {41 + 2 * number for number in range(PEOPLE // 2)} - {40 + person for person in EARLY}
    found = [json.loads(json.dumps(each))["age"] for each in held_back(hours)]
    assert found == sorted(everybody - learned_from)
    assert 0 < len(found) < len(everybody) // 10


def test_each_has_all_sets_before_the_onset_and_only_what_was_charted() -> None:
    for each in held_back(made_up()):
        said = json.loads(json.dumps(each))
        assert [one["hours"] for one in said["sets"]] == [6, 12, 18, 24, 30, 36, 42]
        assert said["sets"][0]["values"] == {"pulse_rate": 20.0 + said["age"]}
        assert said["sets"][-1]["values"] == {
            "pulse_rate": 20.0 + said["age"],
            "supplemental_oxygen": "oxygen",
        }
