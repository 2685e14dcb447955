"""What came of a replay, beside what had to come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.assessment.deterioration import Risk
from hub.assessment.features import INPUT_VITALS
from hub.assessment.reason import in_words
from hub.demo.record import Check
from hub.readings import Vital
from hub.uplink.contract import AlertChange
from hub.uplink.heard import HeardAlert, HeardObservation
from tests.model_replay.person import Person
from tests.model_replay.stage import Played

TOLD_TO = 5e-5
"""A risk is told to four decimal places."""
_DECIDED = frozenset({AlertChange.RAISED, AlertChange.STEPPED_DOWN, AlertChange.RESOLVED})


@dataclass(frozen=True)
class Account:
    """One person's rounds with the model and without it, and what the model says of them beside the hub."""

    person: Person
    expected: Sequence[Risk | None]
    with_model: Played
    without_model: Played

    def checks(self) -> list[Check]:
        """What had to happen, and whether it did."""
        told = [self.with_model.of_round(number) for number in range(len(self.person.rounds))]
        return [
            Check("each round was told with exactly what was measured", self._values_are_right(told)),
            Check(
                "each risk is the model's own, of the same values and the rounds before", self._risks(told)
            ),
            Check("each risk was told with its reasons in words", self._words(told)),
            Check(
                "the shadow record has each risk, and `carehub model history` exports it", self._kept(told)
            ),
            Check("whether it would have alerted is in the shadow record", self._would_alert_is_known()),
            Check("without the model no risk is told", not any(map(_risk, self.without_model.observations))),
            Check(
                "the alerts are those that NEWS2 raises without the model",
                self._decided(self.with_model) == self._decided(self.without_model),
            ),
            Check(
                "each alert says a score that is due in its band",
                all(each.assessment.news2.band is each.band for each in _raised(self.with_model)),
            ),
        ]

    def _values_are_right(self, told: Sequence[HeardObservation | None]) -> bool:
        return all(
            heard is not None and _values(heard) == dict(each.values)
            for heard, each in zip(told, self.person.rounds, strict=True)
        )

    def _risks(self, told: Sequence[HeardObservation | None]) -> bool:
        for heard, risk in zip(told, self.expected, strict=True):
            found = _risk(heard)
            if (found is None) != (risk is None):
                return False
            if found is not None and risk is not None and not abs(found - risk.probability) <= TOLD_TO:
                return False
        return True

    def _words(self, told: Sequence[HeardObservation | None]) -> bool:
        return all(
            risk is None
            or heard is None
            or heard.assessment.risk is None
            or (risk.reasons is not None and heard.assessment.risk.reasons == in_words(risk.reasons))
            for heard, risk in zip(told, self.expected, strict=True)
        )

    def _kept(self, told: Sequence[HeardObservation | None]) -> bool:
        for heard, risk in zip(told, self.expected, strict=True):
            if risk is None or heard is None:
                continue
            row = self.with_model.history.get(heard.assessment.at)
            if row is None or not abs(float(row["risk"]) - risk.probability) <= TOLD_TO:
                return False
        return not self.without_model.history

    def _would_alert_is_known(self) -> bool:
        history = self.with_model.history.values()
        return bool(history) and all(row["would_alert"] in ("0", "1") for row in history)

    @staticmethod
    def _decided(played: Played) -> list[tuple[int, AlertChange, str]]:
        """In which round each alert was raised, stepped down or resolved."""
        return [
            (played.round_at(each.at), each.change, each.band.value)
            for each in played.alerts
            if each.change in _DECIDED
        ]


def _values(heard: HeardObservation) -> dict[Vital, object]:
    return {
        vital: each.value for vital, each in heard.assessment.observations.items() if vital in INPUT_VITALS
    }


def _risk(heard: HeardObservation | None) -> float | None:
    if heard is None or heard.assessment.risk is None:
        return None
    return heard.assessment.risk.probability


def _words(heard: HeardObservation | None) -> str:
    risk = None if heard is None else heard.assessment.risk
    return "" if risk is None or risk.reasons is None else risk.reasons


def _would_alert(played: Played, heard: HeardObservation | None) -> str:
    row = None if heard is None else played.history.get(heard.assessment.at)
    return "not known" if row is None else {"": "not known", "0": "no", "1": "yes"}[row["would_alert"]]


def _raised(played: Played) -> list[HeardAlert]:
    return [each for each in played.alerts if each.change is AlertChange.RAISED]


def rows(account: Account) -> list[dict[str, str]]:
    """A row of the table for each round."""
    played = account.with_model
    return [_row(account, number, time) for number, time in enumerate(played.times)]


def _row(account: Account, number: int, time: datetime) -> dict[str, str]:
    played = account.with_model
    heard = played.of_round(number)
    risk = _risk(heard)
    alerts = [
        f"{each.change.value.replace('_', ' ')} ({each.band.words})"
        for each in played.alerts
        if each.change in _DECIDED and played.round_at(each.at) == number
    ]
    return {
        "time": time.astimezone().strftime("%d %b %H:%M"),
        "NEWS2": "not told" if heard is None else heard.assessment.news2.words,
        "risk": "none" if risk is None else f"{risk:.1%}",
        "in words": _words(heard),
        "would have alerted": _would_alert(played, heard),
        "alerts": ", ".join(alerts),
    }
