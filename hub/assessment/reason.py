"""A reason for a risk: a vital that moved it up, in words that a carer reads.

`hub/assessment/reasons.py` finds them. A reason says what the model made of a number, and no cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from hub.readings import Consciousness, Value, Vital

AGE = "age"
NOTHING = "nothing stands out"

_SAID_OF: Mapping[Vital, tuple[str, str, str, str]] = {
    Vital.RESPIRATION_RATE: ("breathing", "faster", "slower", " a minute"),
    Vital.OXYGEN_SATURATION: ("oxygen saturation", "higher", "lower", " %"),
    Vital.SYSTOLIC_PRESSURE: ("blood pressure", "higher", "lower", " mmHg systolic"),
    Vital.DIASTOLIC_PRESSURE: ("blood pressure", "higher", "lower", " mmHg diastolic"),
    Vital.PULSE_RATE: ("pulse", "faster", "slower", " a minute"),
    Vital.TEMPERATURE: ("temperature", "higher", "lower", " °C"),
}
"""What it is called, the two ways in which it may be other, and the unit as it is spoken."""

REASONED = frozenset({*_SAID_OF, Vital.SUPPLEMENTAL_OXYGEN, Vital.CONSCIOUSNESS})
"""The vitals that can be a reason."""

_AWAKE = {
    Consciousness.ALERT: "alert",
    Consciousness.NEW_CONFUSION: "newly confused",
    Consciousness.VOICE: "responds to voice",
    Consciousness.PAIN: "responds only to pain",
    Consciousness.UNRESPONSIVE: "unresponsive",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """An input that moved the risk up.

    `input` is one of `hub.assessment.features.INPUTS`; `value` what it is, `against` what it was compared
    with: what is `usual` for the person, else what is typical. `moved` is by how much the log-odds are higher
    for it, above 0. `steady` is whether it went that way from each set to the next. `since` are words: from
    when on it has been so ("yesterday"), or, where nobody knows how it was before, from when on at the latest
    ("at least yesterday"); None where neither is known. `hours_old` is how old the value is where the judged
    set has none: None where it has one, -1 where that is not known.
    """

    input: str
    value: Value
    against: Value
    usual: bool
    moved: float
    steady: bool = False
    since: str | None = None
    hours_old: int | None = None

    @property
    def words(self) -> str:
        """As a carer reads it: "breathing faster than usual since Tuesday (26 a minute, usually 16)"."""
        if self.input == AGE:
            return f"age ({_number(self.value)})"
        since = f" since {self.since}" if self.since else ""
        details = ", ".join(each for each in self._details if each)
        return f"{self._what}{since} ({details})" if details else f"{self._what}{since}"

    @property
    def _what(self) -> str:
        match Vital(self.input):
            case Vital.SUPPLEMENTAL_OXYGEN:
                return "oxygen newly given" if self.usual else "oxygen given"
            case Vital.CONSCIOUSNESS if self.value is Consciousness.NEW_CONFUSION:
                return "newly confused"
            case Vital.CONSCIOUSNESS:
                return "less awake than usual" if self.usual else "less than fully awake"
            case vital:
                what, higher, lower, _ = _SAID_OF[vital]
                is_higher = cast(float, self.value) > cast(float, self.against)
                if self.steady and higher == "higher":
                    return f"{what} {'rising' if is_higher else 'falling'}"
                return f"{what} {higher if is_higher else lower} than {'usual' if self.usual else 'typical'}"

    @property
    def _details(self) -> tuple[str, str, str]:
        """The value, how old it is, and what is usual, as far as each is to be said."""
        usually = f"usually {_spoken(self.against)}" if self.usual else ""
        match Vital(self.input):
            case Vital.SUPPLEMENTAL_OXYGEN:
                return "", self._age, ""
            case Vital.CONSCIOUSNESS if self.value is Consciousness.NEW_CONFUSION:
                return "", self._age, ""
            case Vital.CONSCIOUSNESS:
                return _spoken(self.value), self._age, usually
            case vital:
                return f"{_spoken(self.value)}{_SAID_OF[vital][3]}", self._age, usually

    @property
    def _age(self) -> str:
        if self.hours_old is None:
            return ""
        if self.hours_old < 0:
            return "from an earlier set"
        return f"from {self.hours_old} h ago" if self.hours_old else "from less than an hour ago"


def in_words(reasons: Iterable[Reason]) -> str:
    """All of them, in their order; `NOTHING` where there is none."""
    return "; ".join(reason.words for reason in reasons) or NOTHING


def _spoken(value: Value) -> str:
    if isinstance(value, Consciousness):
        return _AWAKE[value]
    return value if isinstance(value, str) else _number(value)


def _number(value: Value) -> str:
    return f"{round(cast(float, value), 1):g}"
