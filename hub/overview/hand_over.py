"""A hand-over by telephone: Situation, Background, Assessment, Recommendation, Decision. Pure.

For whoever rings the GP, 111 or 999 at four in the morning and is asked questions: what the hub knows stands
in the order in which it is asked for, and what it does not know is said, so that nobody takes a silence for a
"no". It has names and rooms in it, for the page and the paper alone: it never leaves the home by the hub.

SBARD is the form that the NHS teaches for it (situation, background, assessment, recommendation, decision).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from hub.alerts.life import Alert, AlertState
from hub.assessment.news2 import PARAMETERS, News2, OxygenScale, in_words
from hub.configuration.file import Resident, Rung
from hub.readings import Breathing, Consciousness, Value, Vital
from hub.residents.care import Care

_MINUTE = timedelta(minutes=1)
_SCORES_TOLD = 6
_ROUND = timedelta(minutes=30)
_LAST_KNOWN_FOR = timedelta(hours=24)
_UNITS = {"/min": " a minute", "%": " %", "mm[Hg]": " mmHg", "Cel": " °C", "kg": " kg", "mmol/L": " mmol/L"}
_CODES: Mapping[Value, str] = {
    Consciousness.ALERT: "alert",
    Consciousness.NEW_CONFUSION: "newly confused",
    Consciousness.VOICE: "responds only to voice",
    Consciousness.PAIN: "responds only to pain",
    Consciousness.UNRESPONSIVE: "unresponsive",
    Breathing.AIR: "breathing air",
    Breathing.OXYGEN: "given oxygen",
}
_TOLD = (*PARAMETERS, Vital.DIASTOLIC_PRESSURE, Vital.GLUCOSE, Vital.BODY_WEIGHT)


class ObservedSet(Protocol):
    """An observation set of a resident; `hub.overview.glance.ScoredSet` is one."""

    @property
    def at(self) -> datetime:
        """Its moment, aware."""

    @property
    def values(self) -> Mapping[Vital, Value]:
        """What was known at that moment, each in its vital's unit."""

    @property
    def news2(self) -> News2:
        """What it was scored."""


@dataclass(frozen=True, slots=True)
class Observed:
    """An `ObservedSet`."""

    at: datetime
    values: Mapping[Vital, Value]
    news2: News2


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did about an alert, in words, with who did it: "acknowledged by Asha"."""

    at: datetime
    words: str


@dataclass(frozen=True, slots=True)
class Known:
    """All that a hand-over is made of. All times are aware.

    `sets` are the resident's observation sets of the last days, in any order, up to now; `questionable` the
    vitals of the newest of them whose sensor doubted its own measurement. `ladder` is
    `AlertPolicy.ladder_of(alert)`, `acts` what was done, oldest first. `by` is who hands over, empty where
    that is not known. `zone` is the home's.
    """

    alert: Alert
    resident: Resident
    care: Care
    now: datetime
    zone: tzinfo
    sets: Sequence[ObservedSet] = ()
    questionable: Collection[Vital] = frozenset()
    ladder: Sequence[Rung] = ()
    acts: Sequence[Act] = field(default_factory=tuple)
    by: str = ""


@dataclass(frozen=True, slots=True)
class HandOver:
    """The five texts; the lines of each are apart by newlines, and each line is a sentence or two."""

    situation: str
    background: str
    assessment: str
    recommendation: str
    decision: str

    def as_text(self) -> str:
        """All of it, to be read out or copied: each part under its heading."""
        parts = (
            ("SITUATION", self.situation),
            ("BACKGROUND", self.background),
            ("ASSESSMENT", self.assessment),
            ("RECOMMENDATION", self.recommendation),
            ("DECISION", self.decision),
        )
        return "\n\n".join(f"{heading}\n{text}" for heading, text in parts) + "\n"


def hand_over(known: Known) -> HandOver:
    """The hand-over of an alert, as far as the hub knows."""
    sets = sorted((each for each in known.sets if each.at <= known.now), key=lambda each: each.at)
    return HandOver(
        situation="\n".join(_situation(known, sets)),
        background="\n".join(_background(known)),
        assessment="\n".join(_assessment(known, sets)),
        recommendation="\n".join(_recommendation(known)),
        decision="\n".join(_decision(known)),
    )


def value_in_words(vital: Vital, value: Value) -> str:
    """A value as it is read out: "24 a minute", "37.2 °C", "responds only to voice"."""
    if not isinstance(value, float | int):
        return _CODES.get(value, value.value)
    number = (
        f"{value:.1f}" if vital in {Vital.TEMPERATURE, Vital.GLUCOSE, Vital.BODY_WEIGHT} else f"{value:g}"
    )
    if value == float("inf"):
        number = "more than the sensor can say"
    elif value == float("-inf"):
        number = "less than the sensor can say"
    return f"{number}{_UNITS.get(vital.unit, '')}" if number[-1].isdigit() else number


def _situation(known: Known, sets: Sequence[ObservedSet]) -> Iterable[str]:
    resident, alert = known.resident, known.alert
    who = resident.name or f"a resident known here as {resident.id}"
    caller = f"This is {known.by}. " if known.by else ""
    room = f", room {resident.room}" if resident.room else ""
    born = f", born {resident.birth_year}" if resident.birth_year else ", year of birth not known to the hub"
    yield f"{caller}I am calling about {who}{room}{born}."
    concern = alert.concern
    if concern is not None and not concern.settled:
        said_by = f" by {concern.by}" if concern.by else ""
        signs = f": {', '.join(sign.told for sign in concern.signs)}" if concern.signs else ""
        yield f"A concern was raised{said_by} at {_when(concern.said_at, known)}{signs}."
        if concern.words:
            yield f'In their words: "{concern.words}"'
    if not alert.of_concern_alone:
        score = alert.news2.describe(alert.questionable)
        yield f"An alert was raised at {_when(alert.raised_at, known)}: {score}."
    if not sets:
        yield "What was measured is not known to the hub any more, or nothing was."
    if alert.state is AlertState.RESOLVED:
        yield "The alert is closed by now."
    elif alert.acknowledged_at is None:
        yield "Nobody has taken the alert on the hub yet."


def _background(known: Known) -> Iterable[str]:
    resident, care = known.resident, known.care
    if resident.oxygen_scale is OxygenScale.SCALE_2:
        yield (
            "Oxygen saturation is scored on scale 2: the prescribed target is 88 to 92 %"
            f" (prescribed by {resident.oxygen_scale_prescriber})."
        )
    else:
        yield "Oxygen saturation is scored on scale 1, the usual one."
    normals = [
        f"{in_words(vital)} {_range(vital, care.normals[vital].lowest, care.normals[vital].highest)}"
        for vital in _TOLD
        if vital in care.normals
    ]
    if normals:
        yield f"Normal for this person: {'; '.join(normals)}."
    else:
        yield "What is normal for this person was not entered."
    if care.escalation_plan:
        reviewed = "review date not known"
        if care.reviewed is not None:
            reviewed = f"last reviewed {care.reviewed.day} {care.reviewed:%B %Y}"
        yield f"Agreed on beforehand ({reviewed}): {care.escalation_plan}"
    else:
        yield (
            "The hub does not know of a treatment escalation plan (ReSPECT, DNACPR):"
            " look in their records before you say that there is none."
        )
    yield "Illnesses, medicines and allergies are not known to the hub: have their records at hand."


def _assessment(known: Known, sets: Sequence[ObservedSet]) -> Iterable[str]:
    if not sets:
        yield "No observations are known. Measure now, if that delays no help."
        return
    newest = sets[-1]
    score = newest.news2.describe(known.questionable)
    yield f"Newest observations, {_when(newest.at, known)} ({_ago(newest.at, known)}): {score}."
    told = [_said(vital, newest, known) for vital in _TOLD if vital in newest.values]
    yield f"Values: {'; '.join(told) or 'none'}."
    if newest.news2.missing:
        yield f"Not known: {', '.join(in_words(vital) for vital in newest.news2.missing)}."
        if last := list(_last_known(sets, known)):
            yield f"Last known of these, and old: {'; '.join(last)}."
    yield from _outside(newest, known.care)
    before = _before(sets)
    if before is None:
        yield "There are no complete observations before these to compare them with."
    else:
        changes = list(_changes(before, newest))
        said = "; ".join(changes) if changes else "no value that is known at both times"
        yield f"Changed since {_when(before.at, known)} (NEWS2 then {_total(before.news2)}): {said}."
    if len(sets) > 1:
        trend = ", ".join(f"{_total(each.news2)} ({_when(each.at, known)})" for each in _apart(sets))
        yield f"NEWS2 in order of time: {trend}."
    doubtful = [in_words(vital) for vital in PARAMETERS if vital in known.alert.doubtful_time]
    if doubtful:
        yield f"When it was measured is doubtful, its sensor's clock may be wrong: {', '.join(doubtful)}."


def _recommendation(known: Known) -> Iterable[str]:
    alert = known.alert
    if alert.concerned:
        yield "Concern counts whatever the score: please assess this person even if the numbers are good."
    if not alert.of_concern_alone:
        yield f"For this score NEWS2 asks for: {alert.band.response}."
    rungs = [f"{rung.tell} after {rung.after / _MINUTE:g} min" for rung in known.ladder]
    if rungs:
        yield f"If nobody takes the alert, this home tells: {', then '.join(rungs)}."
    else:
        yield "This home's ladder for such an alert is not known."
    if known.care.escalation_plan:
        yield "Act within what was agreed on beforehand, as read out above."
    yield (
        "Ask: who comes, and when? What do we do until then? How often do we observe?"
        " What should make us ring again?"
    )
    yield "If you think that this is an emergency, ring 999 first."


def _decision(known: Known) -> Iterable[str]:
    if known.acts:
        yield "Done so far:"
        yield from (f"{_when(act.at, known)}: {act.words}" for act in known.acts)
    else:
        yield "Nothing is noted as done so far."
    yield "Agreed now (write down): who, what, by when, and the name of whom you spoke to."


def _said(vital: Vital, newest: ObservedSet, known: Known) -> str:
    mark = " (its sensor doubted it)" if vital in known.questionable else ""
    return f"{in_words(vital)} {value_in_words(vital, newest.values[vital])}{mark}"


def _last_known(sets: Sequence[ObservedSet], known: Known) -> Iterable[str]:
    """What the newest set lacks and an earlier one had: half a set must not hide what was bad."""
    for vital in sets[-1].news2.missing:
        found = next((each for each in reversed(sets[:-1]) if vital in each.values), None)
        if found is not None and known.now - found.at <= _LAST_KNOWN_FOR:
            value = value_in_words(vital, found.values[vital])
            yield f"{in_words(vital)} {value} at {_when(found.at, known)}"


def _outside(newest: ObservedSet, care: Care) -> Iterable[str]:
    """What lies outside what is normal for this person."""
    found = []
    for vital, normal in care.normals.items():
        value = newest.values.get(vital)
        if isinstance(value, float) and not normal.lowest <= value <= normal.highest:
            where = "below" if value < normal.lowest else "above"
            found.append(f"{in_words(vital)} is {where} their normal")
    if found:
        yield f"Not as usual for this person: {'; '.join(found)}."


def _before(sets: Sequence[ObservedSet]) -> ObservedSet | None:
    """What the newest set is compared with: the last complete one that was made an hour before it or earlier,
    else the last complete one before it."""
    newest = sets[-1]
    complete = [each for each in sets[:-1] if each.news2.complete]
    earlier = [each for each in complete if newest.at - each.at >= timedelta(hours=1)]
    return next(reversed(earlier or complete), None)


def _changes(before: ObservedSet, newest: ObservedSet) -> Iterable[str]:
    for vital in _TOLD:
        if vital not in before.values or vital not in newest.values:
            continue
        was, is_now = before.values[vital], newest.values[vital]
        if was != is_now:
            yield f"{in_words(vital)} from {value_in_words(vital, was)} to {value_in_words(vital, is_now)}"


def _apart(sets: Sequence[ObservedSet]) -> Sequence[ObservedSet]:
    """A few sets that tell the course: the newest, and before it those where the score was another. Half a
    round is none of its own where it was completed within minutes and no more came of it."""
    told: list[ObservedSet] = []
    for each in reversed(sets):
        if told and _completed_by(told[-1], each):
            continue
        if not told or _total(told[-1].news2) != _total(each.news2):
            told.append(each)
        if len(told) == _SCORES_TOLD:
            break
    return told[::-1]


def _completed_by(later: ObservedSet, each: ObservedSet) -> bool:
    soon = later.at - each.at <= _ROUND
    return soon and not each.news2.complete and each.news2.total <= later.news2.total


def _total(news2: News2) -> str:
    if not news2.sub_scores:
        return "unknown"
    return str(news2.total) if news2.complete else f"at least {news2.total}"


def _range(vital: Vital, lowest: float, highest: float) -> str:
    return f"{lowest:g} to {value_in_words(vital, float(highest))}"


def _when(moment: datetime, known: Known) -> str:
    """A time of the home's day: "14:05", "14:05 yesterday", "14:05 on 3 March"."""
    local, today = moment.astimezone(known.zone), known.now.astimezone(known.zone).date()
    clock = f"{local:%H:%M}"
    if local.date() == today:
        return clock
    if local.date() == today - timedelta(days=1):
        return f"{clock} yesterday"
    return f"{clock} on {local.day} {local:%B}"


def _ago(moment: datetime, known: Known) -> str:
    minutes = (known.now - moment) // _MINUTE
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago"
