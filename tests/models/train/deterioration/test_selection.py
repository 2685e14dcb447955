"""How the teacher is chosen: those who judge a model have no say in what it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.train.deterioration import teacher, training
from models.train.deterioration.folds import FOLDS, HELD_BACK
from models.train.deterioration.selection import CANDIDATES, JOBS, judge, select
from models.train.measures.arrays import Booleans, Floats, Vectors

areas = st.floats(0.5, 0.8)
any_results = st.lists(st.tuples(areas, areas), min_size=len(JOBS), max_size=len(JOBS))


@settings(max_examples=30)
@given(any_results, st.data(), st.integers(0, FOLDS - 1))
def test_what_is_judged_on_a_part_or_learned_from_it_has_no_say_in_its_choice(
    results: list[tuple[float, float]], data: st.DataObject, part: int
) -> None:
    other = list(results)
    for number, (_, pair) in enumerate(JOBS):
        one, two = other[number]
        if part not in pair:  # learned from this part
            other[number] = data.draw(st.tuples(areas, areas))
        elif part == pair[0]:
            other[number] = (data.draw(areas), two)
        else:
            other[number] = (one, data.draw(areas))
    before, after = (select(zip(JOBS, each, strict=True)) for each in (results, other))
    assert before.chosen(part) == after.chosen(part)


@given(st.integers(0, FOLDS - 1), st.sampled_from(tuple(CANDIDATES)))
def test_the_candidate_that_does_best_with_the_other_parts_is_chosen(part: int, best: str) -> None:
    def result(name: str, pair: tuple[int, int]) -> tuple[float, float]:
        good = 0.7 if name == best and part in pair else 0.6
        return (0.6, good) if part == pair[0] else (good, 0.6)

    selected = select((job, result(*job)) for job in JOBS)
    assert selected.chosen(part) == best == selected.chosen(HELD_BACK)


def test_each_part_is_chosen_for_by_the_mean_of_its_two_neighbours() -> None:
    selected = select(((name, (one, two)), (one / 10, two / 10)) for name, (one, two) in JOBS)
    for seen in selected.seen.values():
        assert seen == pytest.approx(
            [((part + 1) % FOLDS + (part - 1) % FOLDS) / 20 for part in range(FOLDS)]
        )


def test_a_candidate_learns_from_neither_of_the_two_parts_and_is_judged_on_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fold = np.tile(np.arange(FOLDS + 1), 40)
    label = np.repeat([0, 1], len(fold) // 2)
    features = np.stack([label, fold], axis=1).astype(np.float32)
    stays = training.Material(
        np.arange(len(fold)),
        np.full(len(fold), 24),
        label,
        fold,
        np.ones(len(fold), dtype=bool),
        features,
        features,
    )
    learned: list[set[int]] = []

    class OnlyOfTheHigherPart:
        def logit(self, features: Vectors) -> Floats:
            return np.asarray(features[:, 0] * (features[:, 1] == 2), dtype=np.float64)

    def teach(material: training.Material, among: Booleans, trees: teacher.Trees, seed: int) -> object:
        learned.append(set(material.fold[among].tolist()))
        assert trees.seeds == 1
        return OnlyOfTheHigherPart()

    monkeypatch.setattr(training, "teach", teach)  # LightGBM is there in training alone
    assert judge(stays, (next(iter(CANDIDATES)), (1, 2))) == (0.5, 1.0)
    assert learned == [{0, 3, 4}]
