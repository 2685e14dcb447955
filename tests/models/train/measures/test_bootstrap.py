"""People are drawn, never single sets; what cannot be told is said so."""

from __future__ import annotations

import numpy as np
import pytest

from models.train.measures.arrays import Floats
from models.train.measures.bootstrap import bootstrap, interval, person_weights


def test_the_bootstrap_draws_people_with_all_their_sets() -> None:
    person = np.array([7, 7, 9, 12, 12, 12])
    drawn = person_weights(person, rounds=50, seed=1)
    assert len(drawn) == 50
    for weight in drawn:
        assert weight[0] == weight[1]
        assert weight[3] == weight[4] == weight[5]
        assert weight[0] + weight[2] + weight[3] == 3  # as many people as there are
    assert len({tuple(weight) for weight in drawn}) > 1


def test_the_rounds_can_be_gone_through_again_and_are_the_same() -> None:
    drawn = person_weights(np.array([1, 2, 3]), rounds=4, seed=1)
    assert [weight.tolist() for weight in drawn] == [weight.tolist() for weight in drawn]


def test_the_interval_is_the_middle_of_the_samples() -> None:
    assert interval([float(i) for i in range(1001)]) == (25, 975)


def test_a_mean_has_the_interval_that_the_theory_gives() -> None:
    # 400 people of one set each: mean 0.5, standard error 0.5 / sqrt(400) = 0.025.
    values = np.tile([0.0, 1.0], 200)
    found = bootstrap(
        lambda weight: {"mean": float(weight @ values / weight.sum())}, person_weights(np.arange(400), 400, 2)
    )["mean"]
    assert found.value == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.008)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.008)


def test_sets_of_one_person_widen_the_interval_and_do_not_narrow_it() -> None:
    values = np.repeat(np.tile([0.0, 1.0], 50), 20)  # 100 people, twenty equal sets each

    def mean(weight: Floats) -> dict[str, float]:
        return {"mean": float(weight @ values / weight.sum())}

    by_person = bootstrap(mean, person_weights(np.repeat(np.arange(100), 20), 300, 2))["mean"]
    by_set = bootstrap(mean, person_weights(np.arange(2000), 300, 2))["mean"]
    assert by_person.high - by_person.low > 3 * (by_set.high - by_set.low)


def test_a_figure_that_cannot_be_told_in_many_rounds_has_no_interval() -> None:
    def share_of_the_only_one(weight: Floats) -> dict[str, float]:
        return {"value": 1.0 if weight[0] else float("nan"), "other": float(weight.sum())}

    found = bootstrap(share_of_the_only_one, person_weights(np.arange(9), 100, 3))
    assert found["value"].value == 1
    assert not found["value"].known
    assert np.isnan(found["value"].low)
    assert found["other"].known
