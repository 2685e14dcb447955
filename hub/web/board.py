"""How everybody is, in memory: the home at a glance, kept in step with what the hub commits.

The page's process reads the last days once at its start, and what was added from then on
(`hub/web/following.py`); a page is drawn from what is here, so that it is there at once whatever the card
does. Where more has happened than that rows were added (a reading was given to another resident, the clock
was set) those days are read again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from time import monotonic

from hub.alerts.book import UnreadableAlertError, alert_of
from hub.alerts.life import Alert
from hub.clock import now
from hub.configuration.file import Config, Resident
from hub.overview.attention import next_due
from hub.overview.glance import Glance, KnownValue, OpenRound, PastScore, RiskSaid, ScoredSet
from hub.residents.listed import Listed, residents_of
from hub.store import looking_back
from hub.store.rows import AlertRow, AssessmentRow, StoredReading
from hub.timekeeping.present import Record, clock_rule
from hub.trail import Audited
from hub.web.remembered import SCORES_KEPT, VALUES_KEPT, Remembered
from hub.web.topics import ALERTS, HOME, HUB, ROUNDS, SENSORS, TRAY, of_resident

__all__ = ["Board", "Glance", "KnownValue", "OpenRound", "PastScore", "RiskSaid", "ScoredSet"]

_OLD_AFTER = 15.0
"""Seconds without a look at the card, after which what is here is said to be old."""

_AHEAD = timedelta(minutes=1)
"""What is said to be of later than that was told by a clock that was ahead, and nobody can put it right: it
must not stand before what is measured now for as long as that clock was ahead."""

_OF_ALERTS = frozenset(
    {
        Audited.RAISED,
        Audited.DELIVERED,
        Audited.ESCALATED,
        Audited.ACKNOWLEDGED,
        Audited.ACKNOWLEDGED_AGAIN,
        Audited.STEPPED_DOWN,
        Audited.RESOLVED,
        Audited.CONCERN_SAID,
        Audited.CONCERN_SETTLED,
        Audited.ALERT_CORRECTED,
        Audited.UNREADABLE,
        Audited.REFUSED,
    }
)
_OF_ROUNDS = frozenset({Audited.ROUND_OPENED, Audited.ROUND_CLOSED})
_OF_RESIDENTS = frozenset(
    {
        Audited.RESIDENT_ENTERED,
        Audited.RESIDENT_CHANGED,
        Audited.RESIDENT_OF_THE_FILE,
        Audited.RESIDENT_CARE,
    }
)
_OF_SENSORS = frozenset({Audited.ENROLLED, Audited.FORGOTTEN})
_OF_THE_HUB = frozenset(
    {
        Audited.BEGUN,
        Audited.TRIMMED,
        Audited.STARTED,
        Audited.STOPPED,
        Audited.CONFIGURATION,
        Audited.MODEL,
        Audited.SOFTWARE,
        Audited.RETENTION,
        Audited.REBOOT,
        Audited.UPDATE_ASKED,
        Audited.UPDATE_ENDED,
        Audited.CARD_FULL,
        Audited.CARD_WRITABLE,
        Audited.SHADOW_THRESHOLD,
        Audited.RECALIBRATED,
    }
)
_OF_STAFF = frozenset(
    {
        Audited.ACCESS,
        Audited.ENTERED,
        Audited.STAFF_ENTERED,
        Audited.STAFF_CHANGED,
        Audited.STAFF_REMOVED,
        Audited.SIGNED_IN,
        Audited.SIGNED_OUT,
        Audited.SIGN_IN_REFUSED,
        Audited.LOCKED_OUT,
        Audited.UNLOCKED,
    }
)
_GIVEN = frozenset({Audited.ASSIGNED, Audited.CORRECTED})
"""A reading is another's: of whom these entries speak, all is read again."""
_ACCOUNTED_FOR = (
    _OF_ALERTS
    | _OF_ROUNDS
    | _OF_RESIDENTS
    | _OF_SENSORS
    | _OF_THE_HUB
    | _OF_STAFF
    | _GIVEN
    | {Audited.DISCARDED}
)
"""After any other entry, as where the clock was set, rows of anybody may be other than they were."""


class Board:
    """Everybody, as far as the hub knows. Any thread may ask; one thread at a time reads the card for it.

    `read_at` is when it was last in step; None before it was. `version` rises with each change; `drawn` has
    parts of pages by name, plain and compressed, each with what it was drawn of: for thirty tabs that ask for
    the same it is drawn once.
    """

    def __init__(self, config: Config, clock: Callable[[], datetime] = now) -> None:
        """`clock` says what time it is: from it the last days are counted back."""
        self._config = config
        self._clock = clock
        self._rule = clock_rule(config)
        self._glances: Mapping[str, Glance] = {}
        self._remembered: dict[str, Remembered] = {}
        self._rounds: Mapping[str, OpenRound] = {}
        self._listed: Sequence[Listed] = ()
        self._alerts: dict[str, tuple[AlertRow, Alert | None]] = {}
        self._record: Record | None = None
        self._latest = clock() + _AHEAD
        self._reading = self._assessment = self._entry = 0
        self.read_at: datetime | None = None
        self._in_step_at: float | None = None
        self._trouble: str | None = "Residents are being read from the hub's card. This takes some seconds."
        self.version = 0
        self.drawn: dict[str, tuple[object, str, bytes]] = {}

    @property
    def trouble(self) -> str | None:
        """In words why what is here may not be what the hub knows by now; None where there is none."""
        if (
            self._trouble is None
            and self._in_step_at is not None
            and monotonic() - self._in_step_at > _OLD_AFTER
        ):
            return "The hub's card has not answered for a while."
        return self._trouble

    @trouble.setter
    def trouble(self, words: str | None) -> None:
        self._trouble = words

    def is_in_step(self) -> None:
        """What is here is what the card says now."""
        self._trouble, self.read_at, self._in_step_at = None, self._clock(), monotonic()

    @property
    def glances(self) -> Sequence[Glance]:
        """Everybody who is listed, in the order of the list; then whoever is not and has an open alert."""
        return tuple(self._glances.values())

    def glance(self, resident: str) -> Glance | None:
        """One of them by their pseudonym, or None."""
        return self._glances.get(resident)

    @property
    def rounds(self) -> Sequence[OpenRound]:
        """The rounds that are open, as the hub last said."""
        return tuple(self._rounds.values())

    def load(self, connection: sqlite3.Connection) -> frozenset[str]:
        """Read the last days; return the topics that are other: all.

        Raises:
            sqlite3.Error: the card, or what is on it.
        """
        connection.execute("BEGIN")  # one state of the database, whatever is committed meanwhile
        try:
            self._load(connection)
        finally:
            connection.execute("ROLLBACK")
        return frozenset(
            {HOME, ALERTS, TRAY, ROUNDS, SENSORS, HUB, *(of_resident(each) for each in self._glances)}
        )

    def follow(self, connection: sqlite3.Connection) -> frozenset[str]:
        """Take in what was added since; return the topics of it.

        Raises:
            sqlite3.Error: the card, or what is on it.
        """
        connection.execute("BEGIN")
        try:
            changed = self._follow(connection)
        finally:
            connection.execute("ROLLBACK")
        return self.load(connection) if changed is None else changed

    def take_rounds(self, rounds: Iterable[OpenRound]) -> frozenset[str]:
        """Take in which rounds are open; return the topics of it."""
        before, self._rounds = self._rounds, {each.resident: each for each in rounds}
        other = {
            each
            for each in {*before, *self._rounds}
            if _turn(before.get(each)) != _turn(self._rounds.get(each))
        }
        if before != self._rounds:
            self._make(other | {each for each in self._rounds if before.get(each) != self._rounds[each]})
        return frozenset({ROUNDS, HOME, *map(of_resident, other)}) if other else frozenset()

    def _load(self, connection: sqlite3.Connection) -> None:
        self._record = record = looking_back.record_of(connection, self._rule)
        numbers = looking_back.newest_numbers(connection)
        self._remembered = {}
        self._read_back(connection, record)
        self._reading, self._assessment, self._entry = numbers
        self._read_alerts(connection)
        self._listed = residents_of(self._config, connection)
        self._glances = {}
        self._make(None)

    def _read_back(self, connection: sqlite3.Connection, record: Record, resident: str | None = None) -> None:
        """Read the last days, of one resident or of all, in place of what is remembered of them."""
        moment = self._clock()
        self._latest = moment + _AHEAD
        if resident is not None:
            self._remembered.pop(resident, None)
        first = looking_back.first_reading_since(connection, record, moment - VALUES_KEPT)
        found = (
            looking_back.readings(connection, record, first, resident=resident, streams=False),
            looking_back.newest_stretches(connection, record, first, resident=resident),
        )
        for stored in chain(*found):
            self._take_reading(stored)
        first = looking_back.first_reading_since(connection, record, moment - SCORES_KEPT)
        first = looking_back.first_assessment_since(connection, first)
        for row in looking_back.assessments(connection, first, resident=resident):
            self._take_set(connection, row)

    def _follow(self, connection: sqlite3.Connection) -> frozenset[str] | None:
        """As `follow`; None where the last days have to be read again."""
        if self._record is None:
            return None
        reading, assessment, entry = looking_back.newest_numbers(connection)
        entries = looking_back.kinds_of_entries(connection, self._entry)
        if not entries <= _ACCOUNTED_FOR:
            return None
        self._latest = self._clock() + _AHEAD
        topics: set[str] = set()
        whose: set[str] = set()
        of_whom: frozenset[str] = frozenset()
        if entries & _GIVEN:
            of = looking_back.residents_of_entries(connection, self._entry, _GIVEN)
            if of is None:
                return None
            of_whom = of
        whose |= of_whom
        if reading > self._reading:
            topics |= self._take_readings(connection, whose)
        if assessment > self._assessment:
            for row in looking_back.assessments(connection, self._assessment):
                self._take_set(connection, row)
                whose.add(row.resident)
        for each in of_whom:
            self._read_back(connection, self._record, each)
        alerted = self._read_alerts(connection)
        whose |= alerted
        if entries & _OF_RESIDENTS:
            self._listed = residents_of(self._config, connection)
            topics |= {HOME, ALERTS, *(of_resident(each) for each in self._glances)}
        self._reading, self._assessment, self._entry = reading, assessment, entry
        if alerted or entries & _OF_ALERTS:
            topics |= {ALERTS, HOME}
        topics |= {ROUNDS} if entries & _OF_ROUNDS else set()
        topics |= {SENSORS} if entries & _OF_SENSORS else set()
        topics |= {HUB} if entries & _OF_THE_HUB else set()
        topics |= {TRAY} if entries & {*_GIVEN, Audited.DISCARDED} else set()
        if whose:
            topics |= {HOME, *map(of_resident, whose)}
        if topics:
            self._make(None if entries & _OF_RESIDENTS else whose)
        return frozenset(topics)

    def _take_readings(self, connection: sqlite3.Connection, whose: set[str]) -> set[str]:
        """Take in what was measured since, and note whose it is; return the topics of what is nobody's."""
        assert self._record is not None
        for stored in looking_back.readings(connection, self._record, self._reading):
            self._take_reading(stored)
            if stored.placed.resident is not None:
                whose.add(stored.placed.resident)
        return {TRAY} if looking_back.any_of_nobody(connection, self._reading) else set()

    def _take_reading(self, stored: StoredReading) -> None:
        if stored.placed.resident is not None and stored.placed.measured_at <= self._latest:
            of = self._remembered.setdefault(stored.placed.resident, Remembered())
            for value in looking_back.values_in(stored):
                of.take_value(value)

    def _take_set(self, connection: sqlite3.Connection, row: AssessmentRow) -> None:
        assert self._record is not None
        try:
            past = looking_back.past_score(row, looking_back.known_at(connection, self._record, row))
        except ValueError:
            return  # damaged, or of another version: the others must be seen
        if past.at <= self._latest:
            self._remembered.setdefault(row.resident, Remembered()).take_set(row, past)

    def _read_alerts(self, connection: sqlite3.Connection) -> set[str]:
        """Read the open alerts; return whose have changed."""
        found: dict[str, tuple[AlertRow, Alert | None]] = {}
        for row in looking_back.open_alerts(connection):
            known = self._alerts.get(row.resident)
            found[row.resident] = known if known is not None and known[0] == row else (row, _read(row))
        before, self._alerts = self._alerts, found
        return {each for each in {*before, *found} if before.get(each) != found.get(each)}

    def _make(self, whose: Iterable[str] | None) -> None:
        """Make the glances of these anew; of everybody where it is None."""
        since = self._clock() - SCORES_KEPT
        if whose is None:
            listed = {each.resident.id: self._glance(each, since) for each in self._listed}
            alone = {each: self._unlisted(each, since) for each in self._alerts if each not in listed}
            self._glances = {**listed, **alone}
        else:
            of_list = {each.resident.id: each for each in self._listed}
            changed = dict(self._glances)
            for each in whose:
                if each in of_list:
                    changed[each] = self._glance(of_list[each], since)
                elif each in self._alerts:
                    changed[each] = self._unlisted(each, since)
                else:
                    changed.pop(each, None)
            self._glances = changed
        self.version += 1

    def _glance(self, listed: Listed, since: datetime) -> Glance:
        pseudonym = listed.resident.id
        of = self._remembered.get(pseudonym) or Remembered()
        row, alert = self._alerts.get(pseudonym, (None, None))
        return Glance(
            resident=listed.resident,
            care=listed.care,
            newest=dict(of.newest),
            score=_scored(of.newest_set),
            complete=_scored(of.complete_set),
            scores=of.scores(since),
            due=next_due(of.asking, self._config.observation_sets.due),
            alert=alert,
            unreadable_alert=row.id if row is not None and alert is None else None,
            round=self._rounds.get(pseudonym),
            by_configuration=listed.entered_by is None,
            trouble=listed.trouble,
        )

    def _unlisted(self, pseudonym: str, since: datetime) -> Glance:
        return replace(self._glance(Listed(Resident(id=pseudonym)), since), listed=False)


def _scored(found: tuple[datetime, AssessmentRow] | None) -> ScoredSet | None:
    return None if found is None else looking_back.scored(found[1], found[0])


def _read(row: AlertRow) -> Alert | None:
    try:
        return alert_of(row)
    except UnreadableAlertError:
        return None


def _turn(each: OpenRound | None) -> tuple[str | None, datetime] | None:
    """What of a round others need be told at once: not that it goes on for longer."""
    return None if each is None else (each.kit, each.since)
