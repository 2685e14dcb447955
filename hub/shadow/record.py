"""The shadow record: what the model would have alerted, beside what NEWS2 did. No alert comes of it."""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy

from hub.alerts.life import Alert
from hub.assessment.budget import QUIET, raised
from hub.clock import from_microseconds, to_microseconds
from hub.telling.summary import Period, ShadowSummary

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class AlertBudget:
    """The threshold that is in force, which `hub/shadow/watch.py` sets; None where there is none."""

    threshold: float | None = None

    def would_alert(self, risk: float | None) -> bool | None:
        """Whether a risk (the model's own probability) reaches it; None where either is not known."""
        threshold = self.threshold  # another thread may set another meanwhile
        return None if risk is None or threshold is None else risk >= threshold


class ShadowTally:
    """Counts what would have alerted, from assessments in any order, those before the period too."""

    def __init__(self) -> None:
        self._residents: dict[str, int] = {}
        self._person, self._at, self._above = array("q"), array("q"), bytearray()

    def add(self, resident: str, at: datetime, would_alert: bool | None) -> None:
        """Count one; of those without a threshold (None) there is nothing to count."""
        if would_alert is not None:
            self._person.append(self._residents.setdefault(resident, len(self._residents)))
            self._at.append(to_microseconds(at))
            self._above.append(would_alert)

    def summary_or_none(self, period: Period, alerts: Iterable[Alert]) -> ShadowSummary | None:
        """As `summary`; None also where it fails: a shadow must not take the hub's summary away."""
        try:
            return self.summary(period, alerts)
        except Exception:  # noqa: BLE001  # as said
            _log.error("the shadow record is in no summary; please report this", exc_info=True)
            return None

    def summary(self, period: Period, alerts: Iterable[Alert]) -> ShadowSummary | None:
        """What was counted; None where no set of the period had a threshold. `alerts` are those of NEWS2."""
        person, at = numpy.array(self._person, numpy.int64), numpy.array(self._at, numpy.int64)
        order = numpy.lexsort((at, person))
        person, at = person[order], at[order]
        above = numpy.frombuffer(bytes(self._above), numpy.uint8)[order] > 0
        since, until = to_microseconds(period.since), to_microseconds(period.until)
        scored = int(((at >= since) & (at < until)).sum())
        if not scored:
            return None
        names = list(self._residents)
        found = [
            (names[whose], from_microseconds(int(moment)))
            for whose, moment in zip(*(each[raised(person, at, above)] for each in (person, at)), strict=True)
        ]
        # What somebody's concern raised, no score has called for: a model is not held to have foreseen it.
        news2 = [alert for alert in alerts if alert.raised_at in period and not alert.of_concern_alone]
        return ShadowSummary(
            scored=scored,
            would_alert=sum(moment in period for _, moment in found),
            news2=len(news2),
            coincided=sum(
                any(
                    whose == alert.resident and abs(moment - alert.raised_at) <= QUIET
                    for whose, moment in found
                )
                for alert in news2
            ),
        )
