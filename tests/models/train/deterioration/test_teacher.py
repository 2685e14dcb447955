"""From which sets is learned, and what may never be reassuring."""

from __future__ import annotations

import numpy as np

from hub.assessment.features import BEYOND, NAMES
from hub.readings import Vital
from models.train.deterioration.teacher import (
    KNOWN,
    NEGATIVES_FOR_EACH_POSITIVE,
    NEVER_REASSURING,
    OF_CONSCIOUSNESS,
    OF_VITALS,
    time_matched,
)


def test_negatives_are_drawn_in_proportion_to_the_positives_of_their_block() -> None:
    block = np.repeat([3, 4, 5], 20_000)
    label = np.zeros(60_000, dtype=np.int64)
    label[:100] = label[20_000:20_050] = 1
    rows = time_matched(label, block, np.ones(60_000, dtype=bool), np.random.default_rng(0))
    assert len(set(rows.tolist())) == len(rows)
    positives = [int(label[rows][block[rows] == number].sum()) for number in (3, 4, 5)]
    assert positives == [100, 50, 0]
    for number, count in zip((3, 4, 5), positives, strict=True):
        negatives = int((block[rows] == number).sum()) - count
        assert (
            abs(negatives - count * NEGATIVES_FOR_EACH_POSITIVE) <= 0.1 * count * NEGATIVES_FOR_EACH_POSITIVE
        )


def test_nobody_is_learned_from_who_is_to_judge() -> None:
    label, block = np.ones(100, dtype=np.int64), np.zeros(100, dtype=np.int64)
    among = np.arange(100) < 40
    assert set(time_matched(label, block, among, np.random.default_rng(0)).tolist()) == set(range(40))


def test_every_feature_that_tells_of_what_is_beyond_normal_is_held() -> None:
    for names in BEYOND.values():
        assert all(NEVER_REASSURING[name] == 1 for name in names)
    assert "oxygen_saturation below" in NEVER_REASSURING
    assert NEVER_REASSURING[Vital.SUPPLEMENTAL_OXYGEN] == 1
    assert set(NEVER_REASSURING) <= set(NAMES)


def test_vitals_and_consciousness_are_told_apart() -> None:
    assert sorted((*OF_VITALS, *OF_CONSCIOUSNESS)) == list(range(len(NAMES)))
    assert NAMES[KNOWN] == "consciousness known"
    assert NAMES[KNOWN] not in NEVER_REASSURING  # that it is known is neither good nor bad
