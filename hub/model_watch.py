"""Watches the deterioration model from the side: the threshold of its alert budget, and whether what it is
given has drifted. At a start and then once a day, from the card, on a thread and a connection of its own.

What it finds is kept as a fact in the database, for the command line, the doctor and the next start; a
threshold that changes is noted in the trail. It decides about no alert: the model is a shadow.

**The first month.** What the model was given in the home's first four weeks with it is kept as counts, with
no value of a person, and later months are compared with it. It needs a clock that is synchronised, and begins
anew with another model.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hub import trail
from hub.assessment.budget import (
    LEAST_DAYS,
    LEAST_RESIDENT_DAYS,
    Basis,
    History,
    Threshold,
    threshold,
)
from hub.assessment.deterioration import HASH_PREFIX, SHIPPED_MODEL, DeteriorationModel, ModelError
from hub.assessment.drift import RISK, Counted, InputDrift, Tally, as_number, drift
from hub.assessment.expectations import Expectations
from hub.assessment.features import out_of_range
from hub.clock import ClockQuality, now, stamp
from hub.config import Config
from hub.shadow import AlertBudget
from hub.store.database import open_for_reading
from hub.store.errors import NotCommittedError
from hub.store.rows import ModelName
from hub.store.scores import RecentSet, recent_risks, recent_sets
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.trail import Moment

WINDOW = timedelta(days=28)
"""How far back risks and inputs are looked at; and how long the first month is."""

MOST_SETS = 5_000
"""Sets whose inputs are counted, the newest."""

_FACT = "model watch"
_FIRST_MONTH = "model watch: first month"
_EVERY_SECONDS = 24 * 3600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watched:
    """What was found. `budget` is in alerts per 100 resident-days; `inputs` are empty where the card has no
    histograms; `lacking` is what the card lacks, in words."""

    model: ModelName
    at: datetime
    budget: float
    threshold: Threshold
    inputs: tuple[InputDrift, ...]
    lacking: tuple[str, ...]

    @property
    def differing(self) -> tuple[str, ...]:
        """The inputs that are much unlike what the model was trained on."""
        return tuple(each.name for each in self.inputs if each.differs)

    @property
    def changed(self) -> tuple[str, ...]:
        """The inputs that are much unlike the home's own first month."""
        return tuple(each.name for each in self.inputs if each.changed)

    @property
    def threshold_words(self) -> str:
        """From which risk on it would alert, and why."""
        found, budget = self.threshold, f"{self.budget:g} per 100 resident-days"
        short = (
            f"this home has {found.resident_days} resident-days of risks on {found.days} days of the last"
            f" {WINDOW.days}; {LEAST_RESIDENT_DAYS} on {LEAST_DAYS} are needed"
        )
        match found.basis:
            case Basis.HISTORY:
                return (
                    f"would alert from a risk of {found.value:.1%} on, by the risks of this home: in the last"
                    f" {WINDOW.days} days {found.alerts} alerts in {found.resident_days} resident-days,"
                    f" {found.alerts_per_100_days:.1f} per 100; the budget is {budget}"
                )
            case Basis.CARD:
                return (
                    f"would alert from a risk of {found.value:.1%} on, by the model's card, as measured where"
                    f" it was trained; {short}; the budget is {budget}"
                )
            case Basis.NOTHING:
                return f"no threshold: the model's card gives none, and {short}"

    @property
    def inputs_words(self) -> str:
        """Whether the inputs differ, in one line."""
        if not self.inputs:
            return "that inputs differ is not found out: the model's card has no training histograms"
        differ = f"inputs differ from training: {_names(self.differing)}" if self.differing else ""
        changed = f"changed since this home's first month: {_names(self.changed)}" if self.changed else ""
        return "; ".join(filter(None, (changed, differ))) or "inputs as in training, as far as can be told"

    def to_json(self) -> str:
        """For `of_json`."""
        return json.dumps(
            {
                "model": asdict(self.model),
                "at": self.at.isoformat(),
                "budget": self.budget,
                "threshold": asdict(self.threshold),
                "inputs": [asdict(each) for each in self.inputs],
                "lacking": self.lacking,
            }
        )

    @classmethod
    def of_json(cls, text: str) -> Watched:
        """What `to_json` wrote. Raises `ValueError`, `TypeError` or `LookupError` for something else."""
        said = json.loads(text)
        found = said["threshold"]
        return cls(
            ModelName(**said["model"]),
            datetime.fromisoformat(said["at"]),
            float(said["budget"]),
            Threshold(**{**found, "basis": Basis(found["basis"])}),
            tuple(InputDrift(**each) for each in said["inputs"]),
            tuple(said["lacking"]),
        )


@dataclass(frozen=True, slots=True)
class FirstMonth:
    """The home's first month with a model: since when it is waited for, and, when it is over, what it was."""

    model: ModelName
    since: datetime
    until: datetime | None = None
    inputs: Mapping[str, Sequence[int]] | None = None  # the counts of the bins

    def tally(self, expectations: Expectations) -> Tally | None:
        """As it can be compared with; None while it is not over, or where the card has other bins by now."""
        if self.inputs is None or self.inputs.keys() != expectations.histograms.keys():
            return None
        counted = {name: Counted(list(counts)) for name, counts in self.inputs.items()}
        return Tally(expectations.histograms, counted)

    def to_json(self) -> str:
        """For `of_json`."""
        return json.dumps(
            {
                "model": asdict(self.model),
                "since": self.since.isoformat(),
                "until": None if self.until is None else self.until.isoformat(),
                "inputs": self.inputs,
            }
        )

    @classmethod
    def of_json(cls, text: str) -> FirstMonth:
        """What `to_json` wrote. Raises as `Watched.of_json`."""
        said = json.loads(text)
        until = said["until"]
        return cls(
            ModelName(**said["model"]),
            datetime.fromisoformat(said["since"]),
            None if until is None else datetime.fromisoformat(until),
            said["inputs"],
        )


def load_model(config: Config) -> DeteriorationModel | None:
    """The deterioration model, or None where it is off or cannot be used: the hub goes on without it."""
    if config.model.mode == "off":
        return None
    try:
        model = DeteriorationModel.configured(config.model.file, config.model.recalibration)
    except ModelError as error:
        _log.error("%s The hub goes on without it; NEWS2 and its alerts do not need it.", error)
        return None
    how = "recalibrated" if model.recalibration else "not recalibrated"
    _log.info("deterioration model %s %s loaded, in shadow mode, %s", model.name, model.version, how)
    if model.refused is not None:
        _log.error("%s. The hub tells the model's own risks, not recalibrated", model.refused)
    return model


def watched(connection: sqlite3.Connection) -> Watched | None:
    """What was last found; None where nothing was, or it cannot be read."""
    text = _fact(connection, _FACT)
    try:
        return None if text is None else Watched.of_json(text)
    except (ValueError, TypeError, LookupError):
        return None


def first_month(connection: sqlite3.Connection) -> FirstMonth | None:
    """The home's first month; None where none was begun, or it cannot be read."""
    text = _fact(connection, _FIRST_MONTH)
    try:
        return None if text is None else FirstMonth.of_json(text)
    except (ValueError, TypeError, LookupError):
        return None


def look(
    connection: sqlite3.Connection,
    model: ModelName,
    expectations: Expectations,
    budget: float,
    moment: datetime,
    *,
    believed: bool,
) -> tuple[Watched, FirstMonth | None]:
    """Look at what the store has of a model; `believed` is whether the clock that says `moment` is."""
    risks = History(recent_risks(connection, model, moment - WINDOW, moment))
    found = threshold(risks, expectations.budget, budget)
    month = first_month(connection)
    if month is not None and month.model != model:
        month = None
    if believed and (month is None or month.since > moment):
        month = FirstMonth(model, moment)
    inputs: tuple[InputDrift, ...] = ()
    if expectations.histograms:
        if believed and month is not None and month.until is None and moment - month.since >= WINDOW:
            whole = _tally(connection, model, expectations, moment - WINDOW, moment)
            month = FirstMonth(
                model, month.since, moment, {name: each.counts for name, each in whole.inputs.items()}
            )
        before = None if month is None else month.tally(expectations)
        since = moment - WINDOW
        if before is not None and month is not None and month.until is not None and month.until < moment:
            since = max(since, month.until)  # what is compared with it is not of it
        inputs = drift(_tally(connection, model, expectations, since, moment), before)
    return Watched(model, moment, budget, found, inputs, expectations.lacking), month


class ModelWatch:
    """Watches one model, and sets the threshold that is `in_force`. `last` is what was last found."""

    def __init__(self, path: Path, writer: Writer, model: ModelName, card: Path, budget: float) -> None:
        self._path = path
        self._writer = writer
        self._model = model
        self._expectations = Expectations.read(card)
        self._budget = budget
        self.in_force = AlertBudget()
        self.last: Watched | None = None

    @classmethod
    def of(
        cls, config: Config, path: Path, writer: Writer, model: DeteriorationModel | None
    ) -> ModelWatch | None:
        """The watch of a hub's model; None where it has none."""
        if model is None:
            return None
        name = ModelName(model.name, model.version, model.sha256[:HASH_PREFIX])
        card = (config.model.file or SHIPPED_MODEL).with_suffix(".json")
        return cls(path, writer, name, card, config.model.alerts_per_100_resident_days)

    def begin(self, transaction: Transaction) -> None:
        """Before the first reading: the threshold that was in force, or the card's."""
        last = watched(transaction.connection)
        if last is not None and (last.model, last.budget) == (self._model, self._budget):
            self.last, self.in_force.threshold = last, last.threshold.value
        else:
            of_card = threshold(History(()), self._expectations.budget, self._budget)
            self.in_force.threshold = of_card.value

    async def run(self) -> None:
        """Look at once and then once a day, until cancelled."""
        while True:
            await self.turn(now(), believed=stamp().quality is ClockQuality.SYNCHRONISED)
            await asyncio.sleep(_EVERY_SECONDS)

    async def turn(self, moment: datetime, *, believed: bool) -> None:
        """Look, put the threshold in force, and note what was found.

        Raises:
            StoreError: the database cannot be read.
        """
        found, month = await asyncio.to_thread(self._look, moment, believed=believed)
        before, self.last = self.last, found
        self.in_force.threshold = found.threshold.value
        if found.changed and (before is None or before.changed != found.changed):
            _log.warning("what the model is given has changed: %s", found.inputs_words)
        try:
            await self._writer.write(lambda transaction: _note(transaction, found, month))
        except NotCommittedError as error:
            _log.warning("the shadow threshold is not noted, and is in force all the same: %s", error)

    def _look(self, moment: datetime, *, believed: bool) -> tuple[Watched, FirstMonth | None]:
        with closing(open_for_reading(self._path)) as connection:
            return look(connection, self._model, self._expectations, self._budget, moment, believed=believed)


def _note(transaction: Transaction, found: Watched, month: FirstMonth | None) -> None:
    before = watched(transaction.connection)
    if before is None or (before.model, before.threshold.value) != (found.model, found.threshold.value):
        transaction.audit(
            trail.shadow_threshold(
                Moment.present(),
                found.threshold.value,
                found.threshold.basis.value,
                found.budget,
                found.model.sha256,
            )
        )
    transaction.set_fact(_FACT, found.to_json())
    if month is not None and month != first_month(transaction.connection):
        transaction.set_fact(_FIRST_MONTH, month.to_json())


def _tally(
    connection: sqlite3.Connection,
    model: ModelName,
    expectations: Expectations,
    since: datetime,
    until: datetime,
) -> Tally:
    tally = Tally(expectations.histograms)
    for each in recent_sets(connection, model, since, until, MOST_SETS):
        tally.add(_known(each), out_of_range(each.values, each.age))
    return tally


def _known(each: RecentSet) -> dict[str, float | None]:
    values: dict[str, float | None] = {vital.value: as_number(value) for vital, value in each.values.items()}
    return {**values, "age": None if each.age is None else float(each.age), RISK: each.risk}


def _fact(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def _names(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
