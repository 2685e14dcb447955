"""An alert as people read it: what raised it, what was before, what is now, and what was done. Pure, but for
`alert_story`, which reads it from the card."""

from __future__ import annotations

import itertools
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.alerts.assessed import Assessment
from hub.alerts.book import UnreadableAlertError, alert_of
from hub.alerts.life import Alert, Resolution
from hub.assessment.news2 import PARAMETERS
from hub.overview.glance import ScoredSet
from hub.overview.hand_over import Act
from hub.readings import Value, Vital
from hub.store.alert_past import alert_row, sets_back, superseded_by
from hub.store.audit import AuditEntry, AuditError, history
from hub.store.looking_back import first_assessment_since, first_reading_since, known_at, scored
from hub.store.rows import AlertRow, AssessmentRow, assessment_by_number
from hub.telling.teller import KeptReadings, assessment_of
from hub.timekeeping.placed import PlacedReading
from hub.timekeeping.present import Record
from hub.trail import Audited
from hub.web.words import duration_words

LOOKED_BACK = timedelta(days=7)
"""How far back what was before the alert is looked for: what is older says little of a change."""

_MOST_SETS = 2_000
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
_UNREADABLE = (ValueError, TypeError, LookupError, OverflowError)
_OF_CONCERN = (Audited.CONCERN_SAID, Audited.CONCERN_SETTLED)


@dataclass(frozen=True, slots=True)
class AlertStory:
    """All of an alert that the card has.

    `alert` is None where it cannot be read: then `row` says whose it is, and how bad. `raised_by` is the set
    that raised it, `before` the one that it is held against (`_to_compare_with`),
    `newest` the newest one if it is a later one; each is None where there is none or it is lost.
    `followed_by` is the alert that took its place. `sets` are the last days' sets up to now, newest first,
    where asked for.
    """

    row: AlertRow
    alert: Alert | None
    raised_by: Assessment | None
    before: Assessment | None
    newest: Assessment | None
    done: tuple[AuditEntry, ...]
    followed_by: uuid.UUID | None = None
    sets: tuple[ScoredSet, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of one set: its points (None: not scored), when it was measured, and what is to be known of
    it."""

    value: Value
    points: int | None
    measured_at: datetime
    by_hand: bool
    doubtful: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One vital: before the alert, when it was raised, and in the newest set. None: not measured."""

    vital: Vital
    before: Cell | None
    raised: Cell | None
    newest: Cell | None

    @property
    def changed(self) -> bool:
        """Whether its points have risen since before the alert."""
        before = self.before.points if self.before is not None else None
        return self.raised is not None and (self.raised.points or 0) > (before or 0)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an alert: when, in words, and what somebody wrote."""

    at: datetime
    words: str
    note: str = ""


def alert_story(
    connection: sqlite3.Connection, record: Record, alert: uuid.UUID, *, with_sets: bool = False
) -> AlertStory | None:
    """All that is known of an alert; None where this hub has none with that id."""
    row = alert_row(connection, alert)
    if row is None:
        return None
    try:
        whole: Alert | None = alert_of(row)
    except UnreadableAlertError:
        whole = None
    kept = KeptReadings(connection, record.rule)
    after = first_assessment_since(
        connection, first_reading_since(connection, record, row.raised_at - LOOKED_BACK)
    )
    before = sets_back(connection, row.resident, before=row.assessment, after=after)
    earlier = _to_compare_with(itertools.islice(before, _MOST_SETS), row.raised_at)
    raised_by = assessment_by_number(connection, row.assessment)
    since = itertools.islice(
        sets_back(connection, row.resident, after=max(after, row.assessment)), _MOST_SETS
    )
    newest = _newest(since, raised_by)
    return AlertStory(
        row=row,
        alert=whole,
        raised_by=_whole(kept, raised_by),
        before=_whole(kept, earlier),
        newest=_whole(kept, newest),
        done=tuple(_done(connection, row.id)),
        followed_by=_follower(connection, row),
        sets=tuple(_sets(connection, record, row.resident, after)) if with_sets else (),
    )


def _sets(connection: sqlite3.Connection, record: Record, resident: str, after: int) -> Iterator[ScoredSet]:
    for row in itertools.islice(sets_back(connection, resident, after=after), _MOST_SETS):
        try:
            yield scored(row, known_at(connection, record, row))
        except _UNREADABLE:
            continue


def _to_compare_with(rows: Iterable[AssessmentRow], raised_at: datetime) -> AssessmentRow | None:
    """What the alert is held against, of earlier sets, the newest first: the last that was complete and an
    hour older, else the last that was complete, else the last that was an hour older, else the last."""
    complete = older = last = None
    for row in rows:
        last = last or row
        whole = all(vital in row.observations for vital in PARAMETERS)
        if whole and raised_at - row.at >= _HOUR:
            return row
        complete = complete or (row if whole else None)
        older = older or (row if raised_at - row.at >= _HOUR else None)
    return complete or older or last


def _newest(rows: Iterable[AssessmentRow], raised_by: AssessmentRow | None) -> AssessmentRow | None:
    """What is known now: the newest by its moment. What a sensor tells late, of before, is not of now."""
    later = (row for row in rows if raised_by is None or row.at >= raised_by.at)
    return max(later, key=lambda row: (row.at, row.sequence), default=None)


def _whole(kept: KeptReadings, row: AssessmentRow | None) -> Assessment | None:
    try:
        return None if row is None else assessment_of(kept, row)
    except _UNREADABLE:
        return None


def _done(connection: sqlite3.Connection, alert: uuid.UUID) -> Sequence[AuditEntry]:
    try:
        return history(connection, alert)
    except (AuditError, *_UNREADABLE):
        return ()


def _follower(connection: sqlite3.Connection, row: AlertRow) -> uuid.UUID | None:
    for later in superseded_by(connection, row):
        try:
            if alert_of(later).supersedes == row.id:
                return later.id
        except UnreadableAlertError:
            continue
    return None


def lines(story: AlertStory) -> list[Line]:
    """The parameters of NEWS2 in the order of its chart, with what was and is known of each."""
    return [
        Line(vital, _cell(story.before, vital), _cell(story.raised_by, vital), _cell(story.newest, vital))
        for vital in PARAMETERS
    ]


def _cell(assessment: Assessment | None, vital: Vital) -> Cell | None:
    found = None if assessment is None else assessment.observations.observations.get(vital)
    if assessment is None or found is None:
        return None
    source: PlacedReading | None = assessment.sources.get(found.reading_id)
    return Cell(
        found.value,
        assessment.news2.sub_scores.get(vital),
        found.measured_at,
        by_hand=source is not None and source.reading.raw.driver == "manual",
        doubtful=found.doubtful_time or vital in assessment.observations.questionable,
    )


def events(story: AlertStory) -> list[Event]:
    """What happened to an alert, the oldest first, in words."""
    return [Event(entry.at, _words(entry, story.alert), _said(entry)) for entry in story.done]


def acts(story: AlertStory) -> list[Act]:
    """The same for a hand-over: what people did, and that nobody did."""
    told = {Audited.ESCALATED, Audited.ACKNOWLEDGED, Audited.ACKNOWLEDGED_AGAIN, *_OF_CONCERN}
    return [
        Act(entry.at, f"{_words(entry, story.alert)} {_said(entry)}".strip())
        for entry in story.done
        if entry.what in told
    ]


def _said(entry: AuditEntry) -> str:
    return _text(entry.detail, "note") or _text(entry.detail, "words")


def _words(entry: AuditEntry, alert: Alert | None) -> str:
    said = entry.detail
    by = _text(said, "by") or "somebody"
    match entry.what:
        case Audited.RAISED:
            return "The alert was raised."
        case Audited.DELIVERED:
            return "The link took it on its way to the NHS team. That does not say that anybody has seen it."
        case Audited.ESCALATED:
            return f"Nobody had taken it. To be told: {_text(said, 'tell') or 'not known'}."
        case Audited.ACKNOWLEDGED:
            return f"{by} took it, {_via(said)}."
        case Audited.ACKNOWLEDGED_AGAIN:
            return f"{by} said so too, {_via(said)}. Somebody had taken it before."
        case Audited.STEPPED_DOWN:
            return "It came down to a lower band: they have been better for a while."
        case Audited.RESOLVED:
            return f"The alert ended. {_why_ended(alert)}".strip()
        case Audited.UNREADABLE:
            return "The hub closed it, since the card is damaged where it stood. See how they are."
        case Audited.REFUSED:
            return "Somebody outside tried to take it, and the hub could not record that."
        case Audited.CONCERN_SAID:
            return f"{by} said that they are worried{_signs(said)}."
        case Audited.CONCERN_SETTLED:
            return f"{by} settled the concern."
        case _:
            named = f" ({_text(said, 'by')})" if _text(said, "by") else ""
            return f"{entry.what[:1].upper()}{entry.what[1:]}{named}."


def _signs(said: Mapping[str, object]) -> str:
    listed = said.get("signs")
    signs = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    return f": {', '.join(signs)}" if signs else ""


def _via(said: Mapping[str, object]) -> str:
    return "from the NHS team" if said.get("via") == "ics" else "here in the home"


def _why_ended(alert: Alert | None) -> str:
    return "" if alert is None or alert.resolution is None else ended_words(alert.resolution)


def ended_words(resolution: Resolution) -> str:
    """Why an alert is over."""
    known = {
        "recovered": "What was bad has been measured again, and was better for long enough.",
        "superseded": "A newer alert took its place.",
        "settled": "The concern was settled, and nothing measured calls for an alert.",
        "left": "They are not watched by the hub any more.",
        "withdrawn": "It rested on a reading that was not theirs, and nothing else holds it open.",
    }
    return known.get(resolution.value, f"Reason: {resolution.value}.")


def _text(said: Mapping[str, object], key: str) -> str:
    value = said.get(key)
    return value if isinstance(value, str) else ""


def late_words(alert: Alert) -> str:
    """That it was measured a while before the alert was raised; empty where it was not."""
    delay = alert.raised_at - alert.measured_at
    return f"Measured {duration_words(delay)} before the alert was raised." if delay >= _MINUTE else ""
