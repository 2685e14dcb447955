"""Watches the deterioration model from the side: the threshold of its alert budget, and whether what it is
given has drifted. At a start, as soon as the clock is synchronised, and then once a day, from the card, on a
thread and a connection of its own. A site's recalibration that is made meanwhile is taken within a minute.

What it finds is kept as a fact in the database, for the command line, the doctor and the next start; a
threshold or a recalibration that changes is noted in the trail. It decides about no alert: the model is a
shadow.

**The first month.** What the model was given in the home's first four weeks with it is kept as counts, with
no value of a person, and later months are compared with it. It needs a clock that is synchronised, and begins
anew with another model.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TypeVar

from pydantic import TypeAdapter

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
from hub.assessment.model_file import beside
from hub.clock import ClockQuality, now, stamp
from hub.configuration.file import Config
from hub.running import progress
from hub.shadow import thresholds as shadow_thresholds
from hub.shadow.record import AlertBudget
from hub.store.database import open_for_reading
from hub.store.errors import NotCommittedError
from hub.store.rows import ModelName, fact_of
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
_EVERY_SECONDS = 60.0
_TURN_WITHIN_SECONDS = 900.0  # it reads weeks of what was scored
_A_DAY_SECONDS = 24 * 3600.0
Found = TypeVar("Found")
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

    def is_of(self, model: ModelName, budget: float) -> bool:
        """Whether it was found of this model and for this budget."""
        return (self.model, self.budget) == (model, budget)

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
        """As it is kept."""
        return _WATCHED.dump_json(self).decode()


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
        """As it is kept."""
        return _MONTH.dump_json(self).decode()


_WATCHED = TypeAdapter(Watched)
_MONTH = TypeAdapter(FirstMonth)


def load_model(config: Config) -> DeteriorationModel | None:
    """The deterioration model, or None where it is off or cannot be used: the hub goes on without it."""
    if config.model.mode == "off":
        return None
    try:
        model = DeteriorationModel.configured(config.model.file, config.model.recalibration)
    except ModelError as error:
        _log.error("%s The hub goes on without it; NEWS2 and its alerts do not need it.", error)
        return None
    except Exception:  # noqa: BLE001  # no fault of a model may keep a hub from starting
        _log.exception("no deterioration model, since it cannot be loaded; please report this")
        return None
    _log.info("deterioration model %s %s loaded, in shadow mode", model.name, model.version)
    level = logging.INFO if model.refused is None else logging.ERROR
    _log.log(level, "the site's recalibration: %s", recalibration_words(model))
    return model


def watched(connection: sqlite3.Connection) -> Watched | None:
    """What was last found; None where nothing was, or it cannot be read."""
    return _kept(connection, _FACT, _WATCHED)


def forget_watched(transaction: Transaction) -> None:
    """Of a hub that runs no model nothing is found: what was of the last one is not told as if it were."""
    transaction.connection.execute("DELETE FROM fact WHERE name = ?", (_FACT,))


def first_month(connection: sqlite3.Connection) -> FirstMonth | None:
    """The home's first month; None where none was begun, or it cannot be read."""
    return _kept(connection, _FIRST_MONTH, _MONTH)


def _kept(connection: sqlite3.Connection, name: str, kind: TypeAdapter[Found]) -> Found | None:
    kept = fact_of(connection, name)
    try:
        return None if kept is None else kind.validate_json(kept)
    except ValueError:
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
    """Look at what the store has of a model; `believed` is whether the clock that says `moment` is.

    One that is not may be years from the home's own risks: then it takes no threshold away that was found.
    """
    risks = History(recent_risks(connection, model, moment - WINDOW, moment))
    found = threshold(risks, expectations.budget, budget)
    last = watched(connection)
    if not believed and not risks.is_enough and last is not None and last.is_of(model, budget):
        found = last.threshold
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

    def __init__(
        self, path: Path, writer: Writer, model: DeteriorationModel, card: Path, budget: float
    ) -> None:
        self._path = path
        self._writer = writer
        self._watched = model
        self._model = ModelName(model.name, model.version, model.sha256[:HASH_PREFIX])
        self._expectations = Expectations.read(card)
        self._budget = budget
        self._looked: tuple[float, bool] | None = None
        self.in_force = AlertBudget()
        self.last: Watched | None = None

    @classmethod
    def of(
        cls, config: Config, path: Path, writer: Writer, model: DeteriorationModel | None
    ) -> ModelWatch | None:
        """The watch of a hub's model; None where it has none."""
        if model is None:
            return None
        card = beside(config.model.file or SHIPPED_MODEL, ".json")
        return cls(path, writer, model, card, config.model.alerts_per_100_resident_days)

    def begin(self, transaction: Transaction) -> None:
        """Before the first reading: the threshold that was in force, or the card's; what is used is noted."""
        last = watched(transaction.connection)
        if last is not None and last.is_of(self._model, self._budget):
            self.last, found = last, last.threshold
        else:
            found = threshold(History(()), self._expectations.budget, self._budget)
        present = Moment.present()
        shadow_thresholds.note(transaction, self._model, found, self._budget, present)
        trail.recalibrated(transaction.connection, present, self._watched)
        self.in_force.threshold = found.value

    async def run(self) -> None:
        """Look at once, as soon as the clock is believed, and once a day; and each minute at the site's
        recalibration. Until cancelled."""
        while True:
            progress.turn(_TURN_WITHIN_SECONDS)
            await self.take_recalibration()
            believed = stamp().quality is ClockQuality.SYNCHRONISED
            if self._is_due(believed=believed) and await self.turn(now(), believed=believed):
                self._looked = monotonic(), believed
            await asyncio.sleep(_EVERY_SECONDS)

    def _is_due(self, *, believed: bool) -> bool:
        if self._looked is None:
            return True
        at, believed_then = self._looked
        return monotonic() - at >= _A_DAY_SECONDS or (believed and not believed_then)

    async def turn(self, moment: datetime, *, believed: bool) -> bool:
        """Look, and put the threshold in force, once it is noted; return whether it is.

        Raises:
            StoreError: the database cannot be read.
        """
        found, month = await asyncio.to_thread(self._look, moment, believed=believed)
        try:
            await self._writer.write(lambda transaction: _note(transaction, found, month))
        except NotCommittedError as error:
            _log.info("the shadow threshold cannot be noted, and stays what it was: %s", error)
            return False
        before, self.last = self.last, found
        self.in_force.threshold = found.threshold.value
        if found.changed and (before is None or before.changed != found.changed):
            _log.warning("what the model is given has changed: %s", found.inputs_words)
        return True

    async def take_recalibration(self) -> None:
        """Have the model take a recalibration that was made, changed or removed since it was last read."""
        model = self._watched
        if not await asyncio.to_thread(model.recalibrate):
            return
        _log.warning("the site's recalibration of the model has changed: %s", recalibration_words(model))
        with suppress(NotCommittedError):  # then at the next start
            await self._writer.write(
                lambda transaction: trail.recalibrated(transaction.connection, Moment.present(), model)
            )

    def _look(self, moment: datetime, *, believed: bool) -> tuple[Watched, FirstMonth | None]:
        with closing(open_for_reading(self._path)) as connection:
            return look(connection, self._model, self._expectations, self._budget, moment, believed=believed)


def _note(transaction: Transaction, found: Watched, month: FirstMonth | None) -> None:
    shadow_thresholds.note(transaction, found.model, found.threshold, found.budget, Moment.present())
    transaction.set_fact(_FACT, found.to_json())
    if month is not None and month != first_month(transaction.connection):
        transaction.set_fact(_FIRST_MONTH, month.to_json())


def recalibration_words(model: DeteriorationModel) -> str:
    """Whether a site's recalibration makes what is told, in one line."""
    if model.refused is not None:
        return f"not used: {model.refused}; the hub tells the model's own risks"
    if (made := model.recalibration) is None:
        return "none: the hub tells the model's own risks"
    return f"the one of {made.at:%Y-%m-%d} is used"


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


def _names(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)
