"""`carehub score`: what the hub would have made of a table of observation sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hub.cli.tables import (
    NotUnderstoodError,
    WithoutModelError,
    csv_option,
    loaded,
    model_option,
    name_of,
    out_option,
    refuse_the_same,
    say,
    strict_option,
)

if TYPE_CHECKING:
    from hub.assessment.deterioration import DeteriorationModel


@click.command(short_help="Score a table of observation sets with NEWS2 and the model.")
@csv_option
@out_option
@model_option
@click.option(
    "--reasons/--no-reasons",
    default=True,
    help="Whether to say what moved each risk, which takes most of the time.",
)
@strict_option
def command(csv_path: Path, out_path: Path, model_file: Path | None, reasons: bool, strict: bool) -> None:
    """Score a table of observation sets with NEWS2 and the deterioration model, as the hub would.

    One row is one set. A row is seen with up to eight earlier ones of the same patient, so the order of a
    patient's rows must be that of time; rows of other patients may stand between. No row sees a later one.

    \b
    Columns (all but patient may be missing; others are kept and ignored, Gender too):
      patient         any text, the same for all rows of a person
      HR, Resp        a minute          SBP, DBP   mmHg
      O2Sat           %                 Temp       degC
      FiO2            fraction, held within 0.21 to 1; above 0.21 is oxygen given
      consciousness   A, C, V, P or U; alert, confusion, new confusion, voice, pain, unresponsive;
                      or the sum of the Glasgow Coma Scale: 15 A, 14 C, 9-13 V, 4-8 P, 3 U
      Age             years
      spo2_scale      1 or 2: NEWS2's scale for O2Sat; 1 where it is empty or the column missing
    Empty, NA, N/A, NaN, null and none are: not measured.

    Added behind each row, all else left as it is:

    \b
      news2           the total, of values rounded as the chart wants; the least that it can be where
                      parameters are missing
      news2_missing   which are missing: no value of this row, for NEWS2 carries none over
      news2_band      zero, low, single_red, medium or high: the least, likewise
      risk            the model's probability, 0 to 1; empty where it knows nothing of the row
      risk_reasons    what moved the risk up, in words

    As with a sensor's, a value counts as not measured beyond what a living body has (SBP 30-300, DBP 10-250
    and below SBP, HR 10-300, O2Sat 20-100, Temp 28-46, Resp 1-80), and so does a cell that is not understood.
    How many, and where the first was, is said on standard error. NEWS2 and the model are not for people
    under 16: their rows are scored, and counted there too.

    The table is comma-separated text in UTF-8 with a header, and not packed (zcat FILE | carehub score
    --csv -). A row with more or fewer cells than the header ends it with 1. So does a model that is refused,
    but then the table is written with NEWS2 and an empty risk. Each patient needs some 3 kB of memory.
    """
    from hub.assessment.deterioration import DeteriorationModel
    from hub.tables.cells import Account
    from hub.tables.csv_text import Table, UnreadableCellError
    from hub.tables.files import lines_of, writing
    from hub.tables.observation_sets import ObservationColumns
    from hub.tables.scoring import Scorer, refuse_added, score_table

    refuse_the_same(csv_path, out_path)
    table = Table(lines_of(csv_path), name_of(csv_path))
    columns = ObservationColumns(table)
    refuse_added(table)
    model = loaded(DeteriorationModel.configured, model_file)
    say(columns.missing)
    if model is not None and model.refused is not None:
        say([f"{model.refused}; risk is the model's own"])
    scorer, account = Scorer(model, with_reasons=reasons), Account(strict=strict)
    try:
        with writing(out_path) as out:
            scored = score_table(table, columns, scorer, out, account)
    except UnreadableCellError as error:
        raise NotUnderstoodError(str(error)) from error
    say([*account.lines(), f"{scored.rows} rows scored, of {scored.people} patients{_with(model)}"])
    if model is None:
        raise WithoutModelError("scored with NEWS2 alone, since the model is refused: risk is empty")


def _with(model: DeteriorationModel | None) -> str:
    """With which model, in words."""
    if model is None:
        return ""
    from hub.assessment.deterioration import HASH_PREFIX

    recalibrated = ", recalibrated" if model.recalibration else ""
    return f", with {model.name} {model.version} ({model.sha256[:HASH_PREFIX]}{recalibrated})"
