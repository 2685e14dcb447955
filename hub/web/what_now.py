"""What to do now, after a round, by the home's own ladder. Pure.

It says what NEWS2's chart 4 asks for at the least, and whom the home's ladder tells, when. It adds nothing of
its own: what is to be done for this person a clinician or their agreed plan says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from hub.alerts.life import Alert
from hub.assessment.news2 import Band, News2
from hub.configuration.file import Rung
from hub.residents.care import Care

Urgency = Literal["routine", "urgent", "emergency"]
NOT_KNOWN_PLAN = (
    "No treatment escalation plan is recorded here: ask the senior carer, or look in their notes."
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `at` is when, where it is not yet: nobody need do it before."""

    words: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WhatNow:
    """How urgent it is, and what to do, first things first."""

    urgency: Urgency
    steps: tuple[Step, ...]


def what_now(
    news2: News2 | None,
    alert: Alert | None,
    ladder: Sequence[Rung],
    care: Care,
    now: datetime,
    *,
    shown: Band | None = None,
    unreadable_alert: bool = False,
) -> WhatNow:
    """What to do for a resident after a round.

    Args:
        news2: the score; None where there is none.
        alert: their open alert; None where there is none.
        ladder: the home's, of that alert.
        now: the hub's clock, aware.
        shown: the band that stands in the badge (`shown_score`): half a set asks for no less.
        unreadable_alert: an alert is open of which nothing can be read; it counts as the highest.
    """
    bands = [] if news2 is None or not news2.sub_scores else [news2.band]
    if alert is not None:
        bands.append(alert.band)
    if shown is not None:
        bands.append(shown)
    band = max(bands, key=lambda each: each.rank, default=None)
    steps: list[Step] = []
    if alert is not None:
        steps += _of_alert(alert, ladder, now)
        if alert.concern is not None and alert.concerned:
            steps.append(Step(f"Whatever the score, look at them: {alert.concern.told}."))
        steps.append(Step(_plan_words(care)))
    if band is None:
        steps.append(Step("There is no score. Measure what is missing."))
        urgency: Urgency = "urgent" if alert is not None else "routine"
        return WhatNow("emergency" if unreadable_alert else urgency, tuple(steps))
    if news2 is None or not news2.complete:
        steps.append(Step("Measure what is missing: the score may be higher than it looks."))
    steps.append(Step(f"NEWS2 asks for: {band.response}."))
    return WhatNow("emergency" if unreadable_alert else _urgency(band, alert), tuple(steps))


def _urgency(band: Band, alert: Alert | None) -> Urgency:
    if band is Band.HIGH:
        return "emergency"
    return "urgent" if alert is not None or band.rank >= Band.SINGLE_RED.rank else "routine"


def _of_alert(alert: Alert, ladder: Sequence[Rung], now: datetime) -> list[Step]:
    if alert.acknowledged_at is not None:
        return [Step(f"{alert.acknowledged_by} has taken this alert. Tell them what you found.")]
    due = [rung for rung in ladder if now >= alert.raised_at + rung.after]
    later = [rung for rung in ladder if now < alert.raised_at + rung.after]
    # The highest that is due comes first: it is what has been waited for longest.
    steps = [Step(f"Tell now, since nobody has taken the alert: {rung.tell}.") for rung in reversed(due)]
    steps.append(Step("Take the alert, so that everybody knows that somebody is with them."))
    steps += [
        Step(f"If nobody has taken it by then, tell: {rung.tell}.", alert.raised_at + rung.after)
        for rung in later
    ]
    return steps


def _plan_words(care: Care) -> str:
    if care.escalation_plan is None:
        return NOT_KNOWN_PLAN
    return f"Agreed on for them: {care.escalation_plan}"
