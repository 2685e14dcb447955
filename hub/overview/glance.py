"""What is known of a resident, as people are shown it. Pure: `hub/store/looking_back.py` reads it from the
card, `hub/web/board.py` keeps it in memory.

All times are put right as people and the ICS are told them (`hub.timekeeping.present.Record`), aware, in UTC.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hub.alerts.life import Alert
from hub.assessment import reason
from hub.assessment.news2 import PARAMETERS, Band, News2
from hub.assessment.reason import Reason
from hub.configuration.file import Resident
from hub.overview.attention import Due
from hub.readings import Flag, Origin, Quality, Value, Vital
from hub.residents.care import Care

_NEVER_OBSERVED = Due(None, Band.ZERO)


@dataclass(frozen=True, slots=True)
class KnownValue:
    """One usable value of a vital, in its vital's unit: who or what said it, and when it was measured.

    `reading` is the id of the reading that said it; `device` the sensor's address, or "manual" where a person
    entered it (`origin`). Of weight and glucose it is infinity, or minus infinity, where it lay beyond what
    the sensor can say. `quality` is GOOD or QUESTIONABLE. Where `doubtful_time` is true it is only known when
    the hub received it. `lowest` and `highest` are of a stretch of a stream, of which `value` is what
    observation sets take: the median.
    """

    vital: Vital
    value: Value
    measured_at: datetime
    received_at: datetime
    reading: uuid.UUID
    device: str
    origin: Origin = Origin.SENSOR
    quality: Quality = Quality.GOOD
    doubtful_time: bool = False
    flags: frozenset[Flag] = frozenset()
    lowest: float | None = None
    highest: float | None = None

    @property
    def by_hand(self) -> bool:
        """Whether a person entered it."""
        return self.origin is Origin.MANUAL


@dataclass(frozen=True, slots=True)
class RiskSaid:
    """What the learned model says of a set. A shadow: it raises no alert and changes no score.

    `probability` is from 0 to 1; `reasons` None where nobody asked why; `would_alert` None where there was no
    threshold.
    """

    probability: float
    model: str
    reasons: tuple[Reason, ...] | None = None
    would_alert: bool | None = None

    @property
    def words(self) -> str:
        """What moved it up, as a carer reads it; empty where that is not known."""
        return "" if self.reasons is None else reason.in_words(self.reasons)


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """What an observation set said: the score, at the moment `at`, by the reading with that id."""

    at: datetime
    news2: News2
    values: Mapping[Vital, Value]
    reading: uuid.UUID
    risk: RiskSaid | None = None

    @property
    def complete(self) -> bool:
        """Whether all seven parameters were scored; else total and band are the least that they can be."""
        return self.news2.complete


@dataclass(frozen=True, slots=True)
class PastScore:
    """The highest score of an hour (UTC) in which there was any, for a picture of the trend.

    Of two that are equally high the complete one, then the later one. `risk` is the highest of that hour.
    """

    at: datetime
    total: int
    band: Band
    complete: bool
    risk: float | None = None


@dataclass(frozen=True, slots=True)
class OpenRound:
    """Whose turn it is on a kit (None: the one of all sensors that name none)."""

    resident: str
    kit: str | None
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Glance:
    """How one resident is, as far as the hub knows.

    `newest` has for each vital the newest usable value of the last 30 days: how old it is must be shown with
    it. `score` is the newest observation set of the last 7 days, which may be partial; `complete` the newest
    complete one. `scores` has these days, oldest first. `due` is when they are to be observed next
    (`hub/overview/attention.py`). `unreadable_alert` is the id of an open alert that cannot be read: it
    counts as one of which nothing is known. `listed` is False of somebody who is in no list any more, and of
    whom there still is an open alert. `by_configuration`: name, room and scale are changed in the file.
    `trouble` says what a person should mend of what is known of them.
    """

    resident: Resident
    care: Care = field(default_factory=Care)
    newest: Mapping[Vital, KnownValue] = field(default_factory=dict)
    score: ScoredSet | None = None
    complete: ScoredSet | None = None
    scores: tuple[PastScore, ...] = ()
    due: Due = _NEVER_OBSERVED
    alert: Alert | None = None
    unreadable_alert: uuid.UUID | None = None
    round: OpenRound | None = None
    listed: bool = True
    by_configuration: bool = False
    trouble: str | None = None

    @property
    def id(self) -> str:
        """The pseudonym: the only thing of them that may stand in a path."""
        return self.resident.id

    @property
    def name(self) -> str:
        """What the home calls them; their pseudonym where it says nothing."""
        return self.resident.name or self.resident.id

    @property
    def room(self) -> str:
        """Their room; empty where nobody said."""
        return self.resident.room

    @property
    def called(self) -> str:
        """Room and name, as the home says them: "Room 12: Ada Alder"; "Garden Suite: Ada Alder"."""
        room = f"Room {self.room}" if self.room[:1].isdigit() else self.room
        return f"{room}: {self.name}" if room else self.name

    @property
    def watched(self) -> bool:
        """Whether readings may be theirs (`Care.watched`)."""
        return self.care.watched

    @property
    def missing(self) -> tuple[Vital, ...]:
        """The parameters of NEWS2 that the newest set did not have, in the order of the chart; all of them
        where there is no set."""
        return PARAMETERS if self.score is None else self.score.news2.missing

    @property
    def risk(self) -> RiskSaid | None:
        """The risk of the newest set; None where there is none."""
        return None if self.score is None else self.score.risk
