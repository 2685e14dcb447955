"""The learned model is asked beside the score, and can take nothing away from it.

Whatever it does (an error, no number, an answer that is long in coming), a set is scored, stored, told and
alerted as without a model; then it has no risk. Nothing that is decided about an alert knows of a risk.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from time import monotonic, thread_time
from typing import Protocol
from zoneinfo import ZoneInfo

from hub.assessment.deterioration import HASH_PREFIX, DeteriorationModel
from hub.assessment.earlier import Earlier, chosen
from hub.assessment.observation_set import ObservationSet
from hub.assessment.reason import Reason
from hub.assessment.reasons import Times
from hub.clock import Clock, ClockQuality
from hub.store.encoding import reasons_text
from hub.store.rows import ModelName
from hub.store.transaction import Transaction

_log = logging.getLogger(__name__)
PATIENCE_SECONDS = 0.5
"""Of the processor, of which an answer takes a thousandth; that a machine is busy with something else does
not count. A commit, and so an alert, waits longer once; then the model rests."""
REST_SECONDS = 600.0


class Budget(Protocol):
    """What alerts the home could afford (`hub/shadow/record.py`)."""

    def would_alert(self, risk: float | None) -> bool | None:
        """Whether a risk, the model's own probability, would alert; None where that is not known."""


@dataclass(frozen=True, slots=True)
class AskedRisk:
    """What the model says of a set, as the store keeps it (`hub.store.rows.AssessmentRow`)."""

    probability: float
    model: ModelName
    uncalibrated: float | None = None
    reasons: tuple[Reason, ...] | None = None
    would_alert: bool | None = None


Columns = tuple[float | None, ModelName | None, tuple[Reason, ...] | None, float | None, bool | None]


def kept_columns(risk: AskedRisk | None) -> Columns:
    """The last arguments of `Transaction.add_assessment`."""
    if risk is None:
        return None, None, None, None, None
    return risk.probability, risk.model, risk.reasons, risk.uncalibrated, risk.would_alert


class Risks:
    """Asks the model; for the writer's thread alone."""

    def __init__(
        self, model: DeteriorationModel | None, zone: ZoneInfo, clock: Clock, budget: Budget | None = None
    ) -> None:
        """Without a model there is no risk, and without a `budget` none that would alert."""
        self._model = model
        self._name = (
            None if model is None else ModelName(model.name, model.version, model.sha256[:HASH_PREFIX])
        )
        self._zone = zone
        self._clock = clock
        self._budget = budget
        self._fails = False
        self._rests_until = 0.0

    def of(
        self,
        transaction: Transaction,
        resident: str,
        observations: ObservationSet,
        age_years: int | None,
        *,
        explain: bool,
    ) -> AskedRisk | None:
        """The risk of a set that is not stored yet, with reasons where they are wanted; None without one."""
        if self._model is None or self._name is None or monotonic() < self._rests_until:
            return None
        begun = thread_time()
        try:
            # Of what is remembered: the card is not asked, whose faults are the writer's to answer.
            earlier = chosen(transaction.hours(resident), observations)
            before, values = earlier.sets, observations.values
            found = self._model.probabilities(values, before, age_years, carried=earlier.carried)
            if found is None:
                return None
            told, own = float(found.told), float(found.own)  # what is no float the card would take for bytes
            if not (0 <= told <= 1 and 0 <= own <= 1):  # so that not a number is none
                raise ValueError("the model's answer is no probability")
            reasons = self._reasons(observations, earlier, age_years, own) if explain else None
            would_alert = None if self._budget is None else self._budget.would_alert(own)
            uncalibrated = None if found.uncalibrated is None else own
            return AskedRisk(told, self._name, uncalibrated, reasons, would_alert)
        except Exception:  # noqa: BLE001  # the model may add, never take away: no fault of it costs an alert
            self._say_once_that_the_model_fails()
            return None
        finally:
            self._rest_if_slow(thread_time() - begun)

    def _reasons(
        self, observations: ObservationSet, earlier: Earlier, age_years: int | None, own: float
    ) -> tuple[Reason, ...] | None:
        assert self._model is not None
        try:
            times = None
            if self._clock.stamp().quality is not ClockQuality.NOT_YET:  # else no weekday is known
                times = Times(observations.at.astimezone(self._zone), earlier.times)
            found = self._model.reasons(
                observations.values,
                earlier.sets,
                age_years,
                carried=earlier.carried,
                times=times,
                known=own,
            )
            return _storable(tuple(found))
        except Exception:  # noqa: BLE001  # as above; and a risk without its reasons is still one
            self._say_once_that_the_model_fails()
            return None

    def _rest_if_slow(self, seconds: float) -> None:
        if seconds > PATIENCE_SECONDS:
            self._rests_until = monotonic() + REST_SECONDS
            _log.error(
                "the deterioration model computed %.1f s for an answer; it is not asked for %.0f minutes, "
                "and NEWS2 and its alerts go on without it",
                seconds,
                REST_SECONDS / 60,
            )

    def _say_once_that_the_model_fails(self) -> None:
        if not self._fails:
            self._fails = True
            _log.error(
                "the deterioration model failed; NEWS2 and its alerts go on without it; please report this",
                exc_info=True,
            )


def _storable(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """Reasons that can be stored. What cannot raises here, and not where it would cost the alert."""
    reasons_text(reasons).encode()
    return reasons
