"""Which score stands in the badge. Pure.

The newest set may be half of one: a lone pulse after a round makes "at least 0", which would stand there in
green for somebody whose alert is open. So a partial set takes no place of what says more: of the newest set,
the newest complete one and the one that raised the open alert, the highest is shown with its age, until a
complete set says otherwise. What is older than a day is no score of now, but of an open
alert; nor is "at least 0".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.assessment.news2 import Band, News2
from hub.overview.glance import Glance

SHOWN_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class ShownScore:
    """What the badge says: `total` None where there is no score of now.

    `at` is when it was scored; `partly_since` when it was last measured in part, where that is later;
    `of_alert` whether it is what raised the open alert.
    """

    total: int | None = None
    band: Band | None = None
    complete: bool = True
    at: datetime | None = None
    partly_since: datetime | None = None
    of_alert: bool = False


def shown_score(glance: Glance, now: datetime) -> ShownScore:
    """The score that stands for somebody now (aware)."""
    newest, complete, alert = glance.score, glance.complete, glance.alert
    found = [_shown(each.news2, each.at) for each in (complete, newest) if each is not None]
    if newest is not None and newest.complete:
        found = [_shown(newest.news2, newest.at)]
    elif alert is not None and not alert.of_concern_alone:
        found.append(_shown(alert.news2, alert.measured_at, of_alert=True))
    of_now = [each for each in found if each.at is not None and (now - each.at <= SHOWN_FOR or each.of_alert)]
    if not of_now:
        return ShownScore(at=None if newest is None else newest.at)
    best = max(of_now, key=_height)
    if not best.complete and not best.total:
        return ShownScore(complete=False, at=best.at)
    if newest is None or best.at is None or newest.at <= best.at:
        return best
    return ShownScore(best.total, best.band, best.complete, best.at, newest.at, best.of_alert)


def _shown(news2: News2, at: datetime, *, of_alert: bool = False) -> ShownScore:
    return ShownScore(news2.total, news2.band, news2.complete, at, of_alert=of_alert)


def _height(shown: ShownScore) -> tuple[int, int, bool, bool, datetime]:
    """By band, then total; of equal ones one of a set, a complete one, the later one."""
    assert shown.band is not None
    assert shown.at is not None
    return shown.band.rank, shown.total or 0, not shown.of_alert, shown.complete, shown.at
