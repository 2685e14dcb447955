"""Why a risk is what it is: which inputs moved it up, found by occlusion, whatever the model is inside.

An input that is noticeably other than it usually is (`NOTICEABLE`) is replaced by what is usual for this
person, the median of the sets before, in each set since it has been so; the risk is computed again, and by
how much the log-odds fall is what the input moved. Where fewer than two earlier sets know it, or where it has
been so all along, it is compared with what is typical, and replaced by that throughout; that is said only of
a value for which NEWS2 has points (`NOT_REMARKABLE`).

What moved the risk down is not said, nor is a reassuring value: words of comfort beside a score may be taken
for more than the score says. A saturation above the usual is one, though it may move the risk up: intensive
care taught that of people whose oxygen had been raised. Nothing is said where the risk is not higher than
with all of them replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import isfinite, log
from statistics import median
from typing import TypeVar, cast

from hub.assessment.features import AGE_SCALE, BASELINE_SETS, CARRIED_SETS, LEVELS, NORMAL, SCALES
from hub.assessment.reason import AGE, Reason
from hub.readings import Breathing, Consciousness, Value, Vital

MOST_REASONS = 3
LEAST_MOVED = 0.1
"""Log-odds: what multiplies the odds by less than 1.1 is no reason."""

NOTICEABLE: Mapping[Vital, float] = {
    Vital.RESPIRATION_RATE: 3,
    Vital.OXYGEN_SATURATION: 2,
    Vital.SYSTOLIC_PRESSURE: 15,
    Vital.DIASTOLIC_PRESSURE: 10,
    Vital.PULSE_RATE: 10,
    Vital.TEMPERATURE: 0.5,
}
"""From which difference on a value is other than usual, in its unit. Ours: about what two readings of a
person who is well may differ by; no paper fixes them."""

NOT_REMARKABLE: Mapping[Vital, tuple[float, float]] = {
    **NORMAL,
    Vital.SYSTOLIC_PRESSURE: (NORMAL[Vital.SYSTOLIC_PRESSURE][0], 219),
    Vital.DIASTOLIC_PRESSURE: (50, 100),
}
"""From and to: 0 points of NEWS2, also beyond the model's scale. The chart has no diastolic pressure: of it
what is neither low nor high for most."""

_ALERT, _GIVEN, _AIR = Consciousness.ALERT, Breathing.OXYGEN, Breathing.AIR
_ALMOST = 1e-6
_A_DAY = timedelta(days=1)

Values = Mapping[Vital, Value]
Probability = Callable[[Values, Sequence[Values], int | None], float | None]
"""The model's probability of a set, the sets before it (oldest first), and an age in years."""
_Known = TypeVar("_Known")


@dataclass(frozen=True, slots=True)
class Times:
    """When the judged set was, and when each value of the earlier ones was measured; all aware.

    The first in the home's own time zone: "yesterday" is the home's.
    """

    at: datetime
    earlier: Sequence[Mapping[Vital, datetime]]

    def of(self, number: int, vital: Vital) -> datetime:
        """When a set's vital was measured, in the home's own time zone; the sets newest first, the judged one
        is 0, whose values are of its own time."""
        return self.at if number == 0 else self.earlier[-number][vital].astimezone(self.at.tzinfo)


@dataclass(frozen=True, slots=True)
class _Window:
    """What is known: the judged set and those before it, the newest first, and when their values are of."""

    sets: Sequence[Values]
    age_years: int | None
    carried: int
    times: Times | None

    def known(self, vital: Vital) -> list[tuple[int, Value]]:
        """In which sets a vital is known and as what, the newest first; none where the newest is too old."""
        found = [
            (number, each[vital])
            for number, each in enumerate(self.sets)
            if vital in each and (not isinstance(each[vital], float) or isfinite(cast(float, each[vital])))
        ]
        return found if found and found[0][0] <= self.carried else []

    def hours_old(self, vital: Vital, number: int) -> int | None:
        """How old that set's value is, as `Reason.hours_old`."""
        if number == 0:
            return None
        if self.times is None:
            return -1
        # Not within one zone: there a difference is of what the clock shows, which is changed twice a year.
        age = self.times.at.astimezone(UTC) - self.times.of(number, vital).astimezone(UTC)
        return round(age / timedelta(hours=1))

    def since(self, vital: Vital, run: Sequence[object], known: Sequence[tuple[int, object]]) -> str | None:
        """From when on it has been so, in words: in a `run` of the newest sets that are `known` to have it.

        "at least" where that is all of them: before the window nobody looked. None where it is so only now,
        or that is not known.
        """
        if self.times is None or len(run) < 2:
            return None
        words = since_words(self.times.of(known[len(run) - 1][0], vital), self.times.at)
        return words if len(run) < len(known) else f"at least {words}"


@dataclass(frozen=True, slots=True)
class _Suspect:
    """An input that may have moved the risk: the reason that it would be, and in which sets it is replaced.

    All that is known of a person's age is replaced.
    """

    reason: Reason
    sets: frozenset[int]

    def replaced(self, sets: Sequence[Values]) -> list[Values]:
        """The sets with it replaced by what it was compared with."""
        if self.reason.input == AGE:
            return list(sets)
        with_this = {Vital(self.reason.input): self.reason.against}
        return [{**each, **with_this} if number in self.sets else each for number, each in enumerate(sets)]

    def age(self, age_years: int | None) -> int | None:
        """The age with it replaced likewise."""
        return int(cast(float, self.reason.against)) if self.reason.input == AGE else age_years


def reasons(
    probability: Probability,
    current: Values,
    earlier: Sequence[Values],
    age_years: int | None,
    *,
    carried: int = CARRIED_SETS,
    times: Times | None = None,
    known: float | None = None,
) -> tuple[Reason, ...]:
    """What moved the risk of a set up, the most first: `MOST_REASONS` at the most; none where it is not up.

    The arguments are those of `hub.assessment.features.features`. `times` has the times of each earlier set;
    without it nothing is said of "since". `known` is the probability of the set, if it was asked for before.
    Where nothing stands out no inference is asked for; otherwise two at the most, and one for each input that
    does. An age is asked about only beside others: it is no news.

    Raises:
        ValueError: `times` has another number of times.
    """
    if times is not None and len(times.earlier) != len(earlier):
        raise ValueError(f"times: {len(times.earlier)} for {len(earlier)} earlier sets")
    sets = [current, *earlier[: -BASELINE_SETS - 1 : -1]]
    window = _Window(sets, age_years, carried, times)
    suspects = [each for each in _suspects(window) if each is not None]
    if not suspects:
        return ()
    if (old := _age(window)) is not None:
        suspects.append(old)

    def asked(these: Sequence[Values], age: int | None) -> float:
        return _log_odds(probability(these[0], these[:0:-1], age))

    risk = asked(sets, age_years) if known is None else _log_odds(known)
    found: list[Reason] = []
    without, age_without = list[Values](sets), age_years
    for suspect in suspects:
        moved = round(risk - asked(suspect.replaced(sets), suspect.age(age_years)), 2)
        without, age_without = suspect.replaced(without), suspect.age(age_without)
        if moved >= LEAST_MOVED:
            found.append(replace(suspect.reason, moved=moved))
    if not found or not risk - asked(without, age_without) >= LEAST_MOVED:  # so that not a number is none
        return ()
    found.sort(key=lambda each: -each.moved)  # stable: of two alike the one that the features have first
    return tuple(found[:MOST_REASONS])


def _suspects(window: _Window) -> Iterable[_Suspect | None]:
    for vital in SCALES:
        yield _numeric(window, vital)
    yield _oxygen(window)
    yield _consciousness(window)


def _age(window: _Window) -> _Suspect | None:
    typical = int(AGE_SCALE.centre)
    if window.age_years is None or window.age_years <= typical:
        return None
    return _Suspect(Reason(AGE, float(window.age_years), float(typical), False, 0.0), frozenset())


def _numeric(window: _Window, vital: Vital) -> _Suspect | None:
    known = cast(list[tuple[int, float]], window.known(vital))
    if not known:
        return None
    first, value = known[0]
    hours = window.hours_old(vital, first)
    before = [each for _, each in known[1:]]
    if len(before) >= 2:
        usual = median(before)
        reassuring = vital is Vital.OXYGEN_SATURATION and value > usual
        if abs(value - usual) >= NOTICEABLE[vital] and not reassuring:
            sign = 1 if value > usual else -1
            run = _run(known, lambda each: (each - usual) * sign >= NOTICEABLE[vital])
            way = [each * sign for _, each in reversed(run)]
            steady = len(way) > 1 and way == sorted(set(way))
            since = window.since(vital, run, known)
            return _suspect(Reason(vital, value, usual, True, 0.0, steady, since, hours), run)
    lowest, highest = NOT_REMARKABLE[vital]
    typical = float(SCALES[vital].centre)
    if lowest <= value <= highest or (value > highest) != (value > typical):
        return None
    run = _run(known, lambda each: each > highest if value > highest else each < lowest)
    since = window.since(vital, run, known)
    return _suspect(Reason(vital, value, typical, False, 0.0, False, since, hours), known)


def _oxygen(window: _Window) -> _Suspect | None:
    vital = Vital.SUPPLEMENTAL_OXYGEN
    known = window.known(vital)
    if not known or known[0][1] is not _GIVEN:
        return None
    run = _run(known, lambda each: each is _GIVEN)
    newly = len(known) > 2 and 2 * (len(run) - 1) <= len(known) - 1  # in most of the sets before it was air
    hours, since = window.hours_old(vital, known[0][0]), window.since(vital, run, known)
    reason = Reason(vital, _GIVEN, _AIR, newly, 0.0, False, since, hours)
    return _suspect(reason, run if newly else known)


def _consciousness(window: _Window) -> _Suspect | None:
    vital = Vital.CONSCIOUSNESS
    known = cast(list[tuple[int, Consciousness]], window.known(vital))
    if not known or known[0][1] is _ALERT:
        return None
    first, value = known[0]
    hours = window.hours_old(vital, first)
    before = sorted((each for _, each in known[1:]), key=LEVELS.__getitem__)
    if len(before) >= 2 and LEVELS[value] > LEVELS[usual := before[(len(before) - 1) // 2]]:
        run = _run(known, lambda each: LEVELS[each] > LEVELS[usual])
        since = window.since(vital, run, known)
        return _suspect(Reason(vital, value, usual, True, 0.0, False, since, hours), run)
    run = _run(known, lambda each: each is not _ALERT)
    since = window.since(vital, run, known)
    return _suspect(Reason(vital, value, _ALERT, False, 0.0, False, since, hours), known)


def _suspect(reason: Reason, sets: Iterable[tuple[int, object]]) -> _Suspect:
    return _Suspect(reason, frozenset([number for number, _ in sets]))


def _run(known: Iterable[tuple[int, _Known]], so: Callable[[_Known], bool]) -> list[tuple[int, _Known]]:
    """The newest of them, as far back as it has been so."""
    run: list[tuple[int, _Known]] = []
    for number, value in known:
        if not so(value):
            break
        run.append((number, value))
    return run


def _log_odds(probability: float | None) -> float:
    """Not a number where there is no such probability."""
    if probability is None or not isfinite(probability):
        return float("nan")
    held = min(max(probability, _ALMOST), 1 - _ALMOST)
    return log(held / (1 - held))


def since_words(since: datetime, at: datetime) -> str:
    """A moment as people say it at another soon after: "this morning", "yesterday", "Tuesday", "3 March".

    Both as the home's clock shows them.
    """
    days = (at.date() - since.date()) / _A_DAY
    if days < 1:
        if since.hour < 6:
            return "last night"
        return "this morning" if since.hour < 12 else "this afternoon" if since.hour < 18 else "this evening"
    if days < 2:
        return "yesterday"
    return f"{since:%A}" if days < 7 else f"{since.day} {since:%B}"
