"""What the hub makes of a table's observation sets: NEWS2 and the model's risk of each, as text to add.

A person's row is seen with that person's rows before it, at most the last `BASELINE_SETS` that measured
anything the model knows, and with none after it: whose rows stand between them changes nothing. A table has
no times: a value that a row lacks is carried from the last `CARRIED_SETS` of those, a day of sets six hours
apart as in the training data (on a hub, for a day).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.features import BASELINE_SETS, INPUT_VITALS
from hub.assessment.news2 import score
from hub.assessment.reason import in_words
from hub.readings import Value, Vital
from hub.tables.cells import Account
from hub.tables.csv_text import Table, TableError, text_of
from hub.tables.observation_sets import ObservationColumns, ObservedRow

ADDED = ("news2", "news2_missing", "news2_band", "risk", "risk_reasons")
"""The columns that are added."""

Values = Mapping[Vital, Value]


@dataclass(frozen=True, slots=True)
class Scored:
    """How many rows were scored, and of how many people anything was measured."""

    rows: int
    people: int


class Scorer:
    """Scores rows, one after the other, and remembers of each person what the next row is compared with.

    Without a model, risk and reasons stay empty; with `with_reasons` false the reasons alone.
    """

    def __init__(self, model: DeteriorationModel | None, *, with_reasons: bool = True) -> None:
        self._model = model
        self._with_reasons = with_reasons
        self._earlier: dict[str, list[Values]] = {}

    @property
    def people(self) -> int:
        """Of how many people anything was measured so far."""
        return len(self._earlier)

    def added(self, row: ObservedRow) -> tuple[str, str, str, str, str]:
        """The texts of `ADDED` for a row.

        NEWS2's total and band are the least that they can be, where parameters are missing. The risk has the
        nine digits that tell any two of its numbers apart (IEEE 754, single precision); it is empty where the
        model has none.
        """
        news2 = score(row.values, row.scale)
        earlier = self._earlier.get(row.patient, ())
        risk, words = self._risk(row, earlier)
        if row.patient and not INPUT_VITALS.isdisjoint(row.values):
            self._earlier[row.patient] = [*earlier[1 - BASELINE_SETS :], row.values]
        return str(news2.total), " ".join(news2.missing), news2.band.value, risk, words

    def _risk(self, row: ObservedRow, earlier: Sequence[Values]) -> tuple[str, str]:
        if self._model is None:
            return "", ""
        found = self._model.probabilities(row.values, earlier, row.age_years)
        if found is None:
            return "", ""
        words = ""
        if self._with_reasons:
            why = self._model.reasons(row.values, earlier, row.age_years, known=found.own)
            words = in_words(why)
        return f"{found.told:.9g}", words


def score_table(
    table: Table, columns: ObservationColumns, scorer: Scorer, out: TextIO, account: Account
) -> Scored:
    """Write the table to `out` as it is, with `ADDED` behind each row; `account` is told what was remarkable.

    Raises:
        TableError: a row cannot be read, or a cell that must be.
    """
    rows = 0
    out.write(f"{table.header.text},{text_of(ADDED)}{table.header.ending}")
    for row in table:
        if not row.cells:
            out.write(row.text + row.ending)
            continue
        rows += 1
        observed = columns.read(row)
        for column, remark, text in observed.remarkable:
            account.note(column, remark, row, text)
        out.write(f"{row.text},{text_of(scorer.added(observed))}{row.ending}")
    return Scored(rows, scorer.people)


def refuse_added(table: Table) -> None:
    """Raises `TableError` where the table has a column of `ADDED` already: two would bear one name."""
    for name in ADDED:
        if name in table.columns:
            raise TableError(f"{table.name}: has a column {name} already: rename it or leave it out")
