"""`carehub rhythm`: what the hub would have made of a table of beats."""

from __future__ import annotations

from pathlib import Path

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


@click.command(short_help="Look for an irregular pulse in a table of beats.")
@csv_option
@out_option
@model_option
@click.option(
    "--by",
    type=click.Choice(["window", "day"]),
    default="window",
    show_default=True,
    help="One row for each window, of 60 beats at the most, or for each day.",
)
@strict_option
def command(csv_path: Path, out_path: Path, model_file: Path | None, by: str, strict: bool) -> None:
    """Look for an irregular pulse in a table of beats, as the hub does in those of a heart-rate strap.

    One row is the time from one beat to the next. The order of a patient's rows must be that of time; rows of
    other patients may stand between. Nothing here is a diagnosis, and a pulse that is not found irregular may
    be so all the same.

    \b
    Columns (others are ignored):
      patient   any text, the same for all rows of a person
      rr_ms     milliseconds from a beat to the next
      at        may be missing: when the later beat was, as 2026-03-01T14:05:00.250Z; UTC where no zone is
                given. A gap ends a run of beats, and no window reaches over it.

    Without "at" each interval follows on the one before. A cell that is empty or not understood is no
    interval and ends the run, as does a time that goes backwards. How many, and where the first was, is
    said on standard error.

    \b
    Written, --by window:
      patient, window    its number, from 1 for each patient
      first_beat         the number of its first row among the patient's rows, from 1
      beats              how many intervals it has
      quality            share of them that can be believed, 0 to 1
      af_probability     that its rhythm is atrial fibrillation, 0 to 1; empty where it has too few beats
      finding            irregular, not irregular, or why it counts for neither
    --by day:
      patient, day       the date (UTC), or without "at" the number of the 24 hours, from 1
      beats, windows, good, irregular
                         how many intervals and windows, and how many of these count and are irregular
      af_probability     of the rule against a single noisy minute; empty where there are too few windows
      mean_probability   of all windows together, however few
      finding            in words

    The table is comma-separated text in UTF-8 with a header, and not packed. It is read to its end before
    anything is written: 8 bytes of memory for each row, 16 with "at". A model that is refused ends it with
    1; the windows and their quality are written all the same.
    """
    from hub.assessment.rhythm import RhythmModel
    from hub.tables.beats import Beats, write_days, write_windows
    from hub.tables.cells import Account
    from hub.tables.csv_text import Table, UnreadableCellError
    from hub.tables.files import lines_of, writing

    refuse_the_same(csv_path, out_path)
    model = loaded(RhythmModel.configured, model_file)
    account = Account(strict=strict)
    try:
        beats = Beats(Table(lines_of(csv_path), name_of(csv_path)), account)
    except UnreadableCellError as error:
        raise NotUnderstoodError(str(error)) from error
    with writing(out_path) as out:
        (write_windows if by == "window" else write_days)(beats, model, out)
    say([*account.lines(), f"{beats.rows} rows read, of {len(beats.people)} patients"])
    if model is None:
        raise WithoutModelError("no probability and no finding, since the model is refused")
