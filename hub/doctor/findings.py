"""What `carehub doctor` finds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

LINK = "link to the ICS"
"""The part that says whether alerts get out; provisioning asks for it by this name."""


class Verdict(StrEnum):
    """How a part is."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: how it is, in words, and what to do where something is to be done."""

    part: str
    verdict: Verdict
    words: str
    todo: str = ""

    @property
    def told(self) -> str:
        """All of it, in a line for a person."""
        return f"{self.words}: {self.todo}" if self.todo else self.words

    def data(self) -> dict[str, str]:
        """For machines; these keys stay."""
        return {
            "part": self.part,
            "verdict": self.verdict.value,
            "words": self.words,
            "todo": self.todo,
        }


def summed_up(findings: Iterable[Finding]) -> str:
    """How many are not well, and what to do first: the first failure's, since the parts are in the order from
    causes to what they cause; where nothing fails, the first warning's."""
    found = list(findings)
    counts = {verdict: sum(each.verdict is verdict for each in found) for verdict in Verdict}
    worst = next((each for each in (Verdict.FAIL, Verdict.WARN) if counts[each]), None)
    if worst is None:
        return f"all {len(found)} parts are well"
    first = next(each for each in found if each.verdict is worst)
    many = ", ".join(f"{counts[each]} {each.value}" for each in (Verdict.FAIL, Verdict.WARN) if counts[each])
    return f"{many}: first {first.part}: {first.todo or first.words}"
