"""NEWS2 of the training sets."""

from __future__ import annotations

import math

import numpy as np

from hub.readings import Vital
from models.train.deterioration.comparison import news2
from models.train.deterioration.sets import Sets


def test_news2_is_partial_where_a_vital_is_missing() -> None:
    values = {
        Vital.RESPIRATION_RATE: np.array([26.0, math.nan]),
        Vital.PULSE_RATE: np.array([95.0, 95.0]),
        Vital.SUPPLEMENTAL_OXYGEN: np.array([1.0, math.nan]),
    }
    sets = Sets(
        person=np.array([0, 1]),
        block=np.array([3, 3]),
        hour=np.array([24, 24]),
        label=np.array([0, 0]),
        onset=np.array([math.inf, math.inf]),
        age=np.array([84.0, 84.0]),
        male=np.array([0.0, 1.0]),
        values=values,
    )
    assert news2(sets).tolist() == [3 + 1 + 2, 1]
    assert news2(sets, lacking=(Vital.SUPPLEMENTAL_OXYGEN,)).tolist() == [3 + 1, 1]
