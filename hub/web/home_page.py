"""The home at a glance: who needs somebody first, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from hub.overview.attention import Standing, Why, in_order, rising_risk
from hub.overview.glance import Glance
from hub.readings import Vital
from hub.web.namesakes import namesakes, told_apart_by
from hub.web.shown_score import ShownScore, shown_score

TREND = timedelta(days=3)
"""How far back the small picture of scores goes."""

_HEADINGS = {
    Why.ALERT: "Alerts: go to them now",
    Why.CONCERN: "Alerts: go to them now",
    Why.ALERT_TAKEN: "Alerts that somebody has taken",
    Why.CONCERN_TAKEN: "Alerts that somebody has taken",
    Why.OVERDUE: "Observation overdue",
    Why.RISK: "Nothing overdue, but the estimated risk is rising",
    Why.NOTHING: "Everybody else",
    Why.NOT_WATCHED: "Not watched by the hub",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One resident, the score that stands for them, and why they stand where they do."""

    glance: Glance
    why: Why
    shown: ShownScore
    namesake: str = ""
    """What tells them from another of the same name; empty where nobody else is called so."""

    @property
    def missing(self) -> tuple[Vital, ...]:
        """What the newest score lacks; nothing where there is no score: that says enough."""
        return () if self.glance.score is None else self.glance.missing

    @property
    def waits(self) -> bool:
        """Whether an open alert is here that nobody has taken."""
        return self.why in {Why.ALERT, Why.CONCERN}


@dataclass(frozen=True, slots=True)
class Group:
    """Those who stand together, in their order, and what they have in common."""

    heading: str
    rows: Sequence[Row]


def groups(glances: Iterable[Glance], now: datetime) -> Sequence[Group]:
    """Everybody, who needs somebody first before the others (`hub/overview/attention.py`). `now` is aware."""
    by_id = {each.id: each for each in glances}
    standings = in_order([_standing(each, now) for each in by_id.values()], now)
    alike = namesakes(each.resident for each in by_id.values())
    rows = [
        Row(
            by_id[each.resident],
            each.why(now),
            shown_score(by_id[each.resident], now),
            told_apart_by(by_id[each.resident].resident) if each.resident in alike else "",
        )
        for each in standings
    ]
    return [
        Group(heading, list(together)) for heading, together in groupby(rows, lambda row: _HEADINGS[row.why])
    ]


def _standing(glance: Glance, now: datetime) -> Standing:
    risks = [(each.at, each.risk) for each in glance.scores if each.risk is not None]
    return Standing(
        resident=glance.id,
        room=glance.room,
        due=glance.due,
        alert=glance.alert,
        risk=rising_risk(risks, now),
        watched=glance.watched,
        unreadable_alert=glance.unreadable_alert is not None,
    )
