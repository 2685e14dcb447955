"""What a stretch of a stream comes to: for each vital its range, for how long it could be used, and was low.

A value speaks for the time since the sample before it, in that stretch or the one before, but never for
more than an eighth of `observation_sets.stream`, as in `stream.py`; the first one after a gap for none. So
the times of stretches add up to those of a day, and no gap counts as anything.

What is low: a saturation below `observation_sets.low_saturation` (90 % unless set, the usual limit of
hypoxaemia), or for a resident on scale 2 of NEWS2, whose target is 88 to 92 %, below
`low_saturation_on_scale_2` (88 %). No other vital has a threshold. The rules are ours, not the charts'.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from hub.assessment.stream import Sample, covers_at_most, median_of
from hub.readings import AbsentReason, Measurement, Quality, Vital
from hub.stretch import Stretch, StretchedVital

_NONE = timedelta(0)
_MILLISECOND = timedelta(milliseconds=1)


def summed_up(
    samples: Sequence[Sample], since: datetime, over: timedelta, thresholds: Mapping[Vital, float]
) -> tuple[Stretch, tuple[Measurement, ...]]:
    """Sum up a stretch; what it measured is the median of each vital's usable values, or why there is none.

    Args:
        samples: one at the least, in order.
        since: the moment of the sample before the first, where it is the next of an unbroken stream; else
            the moment of the first.
        over: `observation_sets.stream`.
        thresholds: of the vitals that have one: what lies below it is low.
    """
    values: dict[Vital, list[tuple[float, timedelta, bool]]] = defaultdict(list)
    others: dict[Vital, list[Measurement]] = defaultdict(list)
    before, at_most = since, covers_at_most(over)
    for sample in samples:
        spoken_for, before = min(sample.at - before, at_most), sample.at
        for said in sample.measurements:
            if said.usable and isinstance(said.value, float):
                values[said.vital].append((said.value, spoken_for, said.quality is Quality.GOOD))
            else:
                others[said.vital].append(said)
    stretch = Stretch(
        duration=_whole(before - since),
        samples=len(samples),
        vitals=tuple(
            _range(vital, values[vital], thresholds.get(vital)) for vital in Vital if vital in values
        ),
    )
    measured = tuple(
        median_of(vital, [(value, good) for value, _, good in values[vital]])
        if vital in values
        else _none(vital, others[vital])
        for vital in Vital
        if vital in values or vital in others
    )
    return stretch, measured


def _range(
    vital: Vital, said: Sequence[tuple[float, timedelta, bool]], threshold: float | None
) -> StretchedVital:
    numbers = [value for value, _, _ in said]
    middle = median_of(vital, [(value, good) for value, _, good in said]).value
    assert isinstance(middle, float)
    return StretchedVital(
        vital,
        min(numbers),
        middle,
        max(numbers),
        usable=_whole(sum((time for _, time, _ in said), _NONE)),
        below=None
        if threshold is None
        else _whole(sum((time for value, time, _ in said if value < threshold), _NONE)),
        threshold=threshold,
    )


def _none(vital: Vital, said: Sequence[Measurement]) -> Measurement:
    """Why there was no usable number: what was mostly said; a code is no number, and the last one stays."""
    if said[-1].usable:
        return said[-1]
    reasons = Counter(each.absent or AbsentReason.ERROR for each in said)
    return Measurement(vital, None, reasons.most_common(1)[0][0])


def _whole(time: timedelta) -> timedelta:
    return time // _MILLISECOND * _MILLISECOND
