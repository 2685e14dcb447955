"""What a person typed and chose in a round, before the hub is asked to keep it. Pure.

What cannot be read is said beside its field, and nothing is kept meanwhile: half a round that looks like a
whole one would be worse than none. Whether a number is possible the hub says (`hub/intake/manual.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.readings import Breathing, Consciousness, Vital

LONGEST_WORDS = 500
"""Letters of what somebody says in their own words."""

NUMBERS: Mapping[str, Vital] = {
    "respiration_rate": Vital.RESPIRATION_RATE,
    "oxygen_saturation": Vital.OXYGEN_SATURATION,
    "systolic_pressure": Vital.SYSTOLIC_PRESSURE,
    "diastolic_pressure": Vital.DIASTOLIC_PRESSURE,
    "pulse_rate": Vital.PULSE_RATE,
    "temperature": Vital.TEMPERATURE,
}
"""The fields that take a number, by the argument of "observe" that each is."""

_WITH_A_POINT = {"temperature", "oxygen_saturation"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a field, for whoever typed it."""

    field: str
    words: str


@dataclass(frozen=True, slots=True)
class Entered:
    """What was entered. `observation` are the arguments of "observe"; `problems` must be mended first.

    `signs` are soft signs that were ticked; `worried` is whether a concern is to be raised.
    """

    observation: Mapping[str, object] = field(default_factory=dict)
    signs: tuple[str, ...] = ()
    words: str = ""
    worried: bool = False
    problems: tuple[Problem, ...] = ()


def entered(said: Callable[[str], str], ticked: Sequence[str], known_signs: Sequence[str]) -> Entered:
    """What a form says.

    Whoever ticks a sign, says to be worried or says something in words is worried: a concern is not lost
    because a box was missed.

    Args:
        said: what the form says of a field, without blanks around it; "" where it says nothing.
        ticked: the signs that were ticked.
        known_signs: those that there are.
    """
    observation: dict[str, object] = {}
    problems: list[Problem] = []
    for name in NUMBERS:
        if not (text := said(name)):
            continue
        number = _number(text, name in _WITH_A_POINT)
        if number is None:
            problems.append(Problem(name, _NOT_A_NUMBER[name in _WITH_A_POINT].format(text=text[:20])))
        else:
            observation[name] = number
    lower, upper = observation.get("diastolic_pressure"), observation.get("systolic_pressure")
    if lower is not None and not said("systolic_pressure"):
        problems.append(Problem("systolic_pressure", "Type the upper blood pressure too"))
    if isinstance(lower, int) and isinstance(upper, int) and lower >= upper:
        problems.append(Problem("diastolic_pressure", "The lower blood pressure must be below the upper"))
    for name, codes in (("consciousness", Consciousness), ("breathing", Breathing)):
        if not (text := said(name)):
            continue
        if text in {code.value for code in codes}:
            observation[name] = text
        else:
            problems.append(Problem(name, "Choose one of these"))
    signs = tuple(sign for sign in dict.fromkeys(ticked) if sign in known_signs)
    words = said("words")
    if len(words) > LONGEST_WORDS:
        problems.append(Problem("words", f"Use {LONGEST_WORDS} letters at the most"))
    worried = bool(signs or words or said("worried"))
    return Entered(observation, signs, words, worried, tuple(problems))


_NOT_A_NUMBER = {
    False: "“{text}” is not a whole number: type digits only",
    True: "“{text}” is not a number: type it like 37.2",
}


def _number(text: str, with_a_point: bool) -> int | float | None:
    """A number as people type it; None where it is none. A comma is taken for the decimal point."""
    plain = text.replace(",", ".")
    if not plain.isascii() or "_" in plain or "e" in plain.lower():
        return None
    try:
        number = float(plain)
    except ValueError:
        return None
    if not math.isfinite(number) or (not with_a_point and number != int(number)):
        return None
    return number if with_a_point and number != int(number) else int(number)
