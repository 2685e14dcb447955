"""Who judges whom, and the Glasgow Coma Scale as ACVPU."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.train.deterioration.deaths import level
from models.train.deterioration.folds import FOLDS, HELD_BACK, fold_of_each


def test_all_sets_of_a_person_are_in_one_part_and_the_parts_are_alike_in_size() -> None:
    person = np.repeat(np.arange(1000), np.arange(1000) % 7 + 1)
    fold = fold_of_each(person)
    assert all(len(set(fold[person == one].tolist())) == 1 for one in range(1000))
    people = [len(np.unique(person[fold == part])) for part in (*range(FOLDS), HELD_BACK)]
    assert people == [*([950 // FOLDS] * FOLDS), 50]


def test_a_person_is_in_the_same_part_however_many_sets_they_have() -> None:
    once, often = fold_of_each(np.arange(50)), fold_of_each(np.repeat(np.arange(50), 3))
    assert (np.repeat(once, 3) == often).all()


def test_the_coma_scale_is_taken_as_the_tables_of_carehub_score_take_it() -> None:
    sums = np.array([math.nan, 3, 4, 8, 9, 13, 14, 15])
    assert level(sums).tolist() == pytest.approx([math.nan, 4, 3, 3, 2, 2, 1, 0], nan_ok=True)
