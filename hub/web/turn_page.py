"""Puts together what the pages of a round show: of the hub's card, of whose turn it is, of who is asking."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hub.alerts.assessed import Assessment
from hub.alerts.book import UnreadableAlertError, alert_of
from hub.alerts.life import Alert, AlertPolicy
from hub.assessment.news2 import PARAMETERS, Band
from hub.clock import now
from hub.configuration.file import Config, Sensor
from hub.control.control_socket import ControlError
from hub.overview.attention import Done, Due, Scored, Standing, in_order, next_due
from hub.overview.glance import Glance
from hub.residents.household import Listed, residents_of
from hub.sensors.enrolment import enrolled_sensors
from hub.store.looking_back import first_reading_since, record_of, scored
from hub.store.of_late import assessments_of_late, of_nobody, open_alert_row
from hub.store.rows import AssessmentRow, newest_assessment, numbered
from hub.telling.teller import KeptReadings, assessment_of
from hub.timekeeping.present import clock_rule
from hub.web.namesakes import namesakes, told_apart_by
from hub.web.shown_score import ShownScore, shown_score
from hub.web.turn import OFFERED_BEFORE, Offer, OpenTurn, Shown, kits_of, missing, offers, shown, turn_of
from hub.web.what_now import WhatNow, what_now

if TYPE_CHECKING:
    from hub.readings import Vital
    from hub.web.visit import Visit

KIT_COOKIE = "kit"
_WITHOUT_NAME = "."  # no kit is named so
_MOST_OFFERED = 50
_DIGITS = 11  # of seconds since 1970
_SCORES_LOOKED_AT = 2_000
_AHEAD = timedelta(minutes=1)
_TOLD_LATE = timedelta(minutes=1)
"""A cuff looks for the hub for up to a minute after it has measured; later it is more likely another's."""
_OFFERED_AFTER = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class KitChoice:
    """The kits that there are, and the one that this phone or tablet is used with.

    `chosen` is false where there are several and nobody has said which.
    """

    kits: Sequence[str | None] = ()
    kit: str | None = None
    chosen: bool = True

    @property
    def several(self) -> bool:
        """Whether there is anything to choose."""
        return len(self.kits) > 1


@dataclass(frozen=True, slots=True)
class Turn:
    """All that the page of a round shows.

    `turn` is the resident's own open round on the kit, `other` somebody else's. `silent` is what to say where
    the hub does not answer; `namesake` what tells the resident from another of the same name.
    """

    listed: Listed
    choice: KitChoice
    turn: OpenTurn | None = None
    other: OpenTurn | None = None
    other_listed: Listed | None = None
    values: Sequence[Shown] = ()
    offers: Sequence[Offer] = ()
    silent: str | None = None
    at: datetime = field(default_factory=now)
    namesake: str = ""

    @property
    def missing(self) -> tuple[Vital, ...]:
        """What has to be measured yet for a complete score."""
        return missing(self.values)

    @property
    def id(self) -> str:
        """The pseudonym."""
        return self.listed.resident.id

    @property
    def name(self) -> str:
        """What the home calls them; their pseudonym where it says nothing."""
        return self.listed.resident.name or self.listed.resident.id


@dataclass(frozen=True, slots=True)
class Finished:
    """What a round came to. `unreadable_alert` is an open alert that cannot be read; `old` is whether
    the score is of before the round, since nothing was measured in it. `shown` is what stands in the badge:
    half a round hides no whole one that was worse."""

    listed: Listed
    assessment: Assessment | None
    missing: tuple[Vital, ...]
    alert: Alert | None
    unreadable_alert: uuid.UUID | None
    now: WhatNow
    due: Due
    shown: ShownScore
    offers: Sequence[Offer] = ()
    old: bool = False


def kit_choice(cookie: str | None, sensors: Sequence[Sensor], one_person: bool = False) -> KitChoice:
    """Which kit a page is used with, by its cookie; without one, or with that of a kit which is no more, the
    only one that there is."""
    if one_person:
        return KitChoice()  # whatever the sensors measure is theirs: there are no rounds
    kits = kits_of(sensors)
    wanted = None if cookie == _WITHOUT_NAME else cookie
    if cookie is not None and wanted in kits:
        return KitChoice(kits, wanted)
    if len(kits) > 1:
        return KitChoice(kits, None, chosen=False)
    return KitChoice(kits, kits[0] if kits else None)


def kit_cookie(kit: str | None) -> str:
    """What the cookie says of a kit."""
    return _WITHOUT_NAME if kit is None else kit


def find(listed: Sequence[Listed], resident: str) -> Listed | None:
    """The resident with this pseudonym, or None."""
    return next((each for each in listed if each.resident.id == resident), None)


def by_room(everybody: Sequence[Listed]) -> list[Listed]:
    """Who is here, as people count rooms."""
    here = {each.resident.id: each for each in everybody if each.care.watched}
    nobody_first = Due(datetime.max.replace(tzinfo=UTC), Band.ZERO)
    standings = [Standing(each.resident.id, each.resident.room, nobody_first) for each in here.values()]
    return [here[each.resident] for each in in_order(standings, now())]


async def turn(visit: Visit, resident: str) -> Turn | None:
    """What the page of a resident's round shows now; None where nobody has that pseudonym."""
    answer: Mapping[str, object] = {}
    silent = None
    try:
        answer = await visit.ask("rounds")
    except ControlError as error:
        silent = str(error)
    config, cookie = visit.house.config, visit.request.cookies.get(KIT_COOKIE)
    return await visit.look(lambda connection: _turn(connection, config, resident, cookie, answer, silent))


def _turn(
    connection: sqlite3.Connection,
    config: Config,
    resident: str,
    cookie: str | None,
    answer: Mapping[str, object],
    silent: str | None,
) -> Turn | None:
    everybody = residents_of(config, connection)
    listed = find(everybody, resident)
    if listed is None:
        return None
    sensors = [each.sensor for each in enrolled_sensors(config, connection)]
    by_address = {sensor.address.upper(): sensor for sensor in sensors}
    choice = kit_choice(cookie, sensors, config.site.one_person)
    at = now()
    open_turn = turn_of(answer, choice.kit) if choice.chosen and choice.kits else None
    theirs = open_turn if open_turn is not None and open_turn.resident == resident else None
    other = open_turn if theirs is None else None
    assessment = newest(connection, config, resident)
    values = shown(
        None if assessment is None else assessment.observations,
        {} if assessment is None else assessment.sources,
        config.observation_sets,
        at,
        theirs,
        by_address,
    )
    return Turn(
        listed=listed,
        choice=choice,
        turn=theirs,
        other=other,
        other_listed=None if other is None else find(everybody, other.resident),
        values=values,
        offers=_offers(connection, config, theirs, choice.kit, by_address),
        silent=silent,
        at=at,
        namesake=told_apart_by(listed.resident)
        if resident in namesakes(each.resident for each in everybody)
        else "",
    )


def _offers(
    connection: sqlite3.Connection,
    config: Config,
    theirs: OpenTurn | None,
    kit: str | None,
    sensors: Mapping[str, Sensor],
) -> list[Offer]:
    if theirs is None:
        return []
    record = record_of(connection, clock_rule(config))
    after = first_reading_since(connection, record, theirs.since - OFFERED_BEFORE)
    return offers(of_nobody(connection, record, after, most=_MOST_OFFERED), theirs, kit, sensors)


def newest(connection: sqlite3.Connection, config: Config, resident: str) -> Assessment | None:
    """The resident's newest observation set whole; None where there is none, or it cannot be read."""
    try:
        row = newest_assessment(connection, resident)
        if row is not None and row.at > now() + _AHEAD:
            row = next(reversed(_scored_rows(connection, resident, now())), None)
            row = None if row is None else numbered(connection, row)
        kept = KeptReadings(connection, clock_rule(config))
        return None if row is None else assessment_of(kept, row)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


async def finished(visit: Visit, resident: str, was: OpenTurn | None) -> Finished | None:
    """What a resident's round came to; None where nobody has that pseudonym.

    Args:
        was: their round, where readings that came in late are to be offered.
    """
    config, cookie = visit.house.config, visit.request.cookies.get(KIT_COOKIE)
    answer: Mapping[str, object] = {}
    if was is not None:
        try:
            answer = await visit.ask("rounds")
        except ControlError:
            was = None  # whose turn it is by now is not known
    return await visit.look(lambda connection: _finished(connection, config, resident, cookie, was, answer))


def _finished(
    connection: sqlite3.Connection,
    config: Config,
    resident: str,
    cookie: str | None,
    was: OpenTurn | None,
    answer: Mapping[str, object],
) -> Finished | None:
    listed = find(residents_of(config, connection), resident)
    if listed is None:
        return None
    at = now()
    assessment = newest(connection, config, resident)
    values = shown(
        None if assessment is None else assessment.observations, {}, config.observation_sets, at, None, {}
    )
    alert, unreadable = _open_alert(connection, resident)
    rows = _scored_rows(connection, resident, at)
    shown_now = _shown(listed, rows, alert, at)
    ladder = () if alert is None else AlertPolicy.of(config.alerts, config.observation_sets).ladder_of(alert)
    sensors = [each.sensor for each in enrolled_sensors(config, connection)]
    by_address = {sensor.address.upper(): sensor for sensor in sensors}
    kit = kit_choice(cookie, sensors, config.site.one_person).kit
    if was is not None and turn_of(answer, kit) is not None:
        was = None  # what comes in now is of whoever has the kit
    return Finished(
        listed=listed,
        assessment=assessment,
        missing=missing(values),
        alert=alert,
        unreadable_alert=unreadable,
        now=what_now(
            None if assessment is None else assessment.news2,
            alert,
            ladder,
            listed.care,
            at,
            shown=shown_now.band,
            unreadable_alert=unreadable is not None,
        ),
        due=_due(rows, config),
        shown=shown_now,
        old=assessment is not None and at - assessment.observations.at > config.observation_sets.recent,
        offers=[
            each
            for each in _offers(connection, config, was, kit, by_address)
            if was is not None and each.received_at <= was.until + _TOLD_LATE
        ],
    )


def _open_alert(connection: sqlite3.Connection, resident: str) -> tuple[Alert | None, uuid.UUID | None]:
    row = open_alert_row(connection, resident)
    if row is None:
        return None, None
    try:
        return alert_of(row), None
    except UnreadableAlertError:
        return None, row.id


def _scored_rows(connection: sqlite3.Connection, resident: str, at: datetime) -> list[AssessmentRow]:
    """The last sets of a resident, in the order of their moments, without what a clock was ahead in."""
    rows = assessments_of_late(connection, resident, _SCORES_LOOKED_AT)
    of_before = [row for row in rows if row.is_of_a_score and row.at <= at + _AHEAD]
    return sorted(of_before, key=lambda row: (row.at, row.sequence))


def _shown(listed: Listed, rows: Sequence[AssessmentRow], alert: Alert | None, at: datetime) -> ShownScore:
    """What stands for them now, of the card itself: the board may be a moment behind."""
    newest = rows[-1] if rows else None
    complete = next(
        (row for row in reversed(rows) if all(each in row.observations for each in PARAMETERS)), None
    )
    glance = Glance(
        listed.resident,
        score=None if newest is None else scored(newest, newest.at),
        complete=None if complete is None else scored(complete, complete.at),
        alert=alert,
    )
    return shown_score(glance, at)


def _due(rows: Sequence[AssessmentRow], config: Config) -> Due:
    done = Done()
    scores = [Scored(row.at, Band(row.band), done.counts(row.observations)) for row in rows]
    return next_due(scores, config.observation_sets.due)


def round_that_was(resident: str, began: str, ended: str) -> OpenTurn | None:
    """A round that was finished just now, as an address says it (seconds since 1970); None where it does not
    say so, or it was finished minutes ago."""
    since, until = _moment(began), _moment(ended)
    if since is None or until is None or not timedelta(0) <= now() - until <= _OFFERED_AFTER:
        return None
    return OpenTurn(resident, since, until)


def _moment(text: str) -> datetime | None:
    known = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return datetime.fromtimestamp(int(text), UTC) if known else None
