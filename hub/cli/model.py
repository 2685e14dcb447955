"""`carehub model`: what the deterioration model is, how it does here, and its recalibration to this home."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from hub.cli.options import config_option, json_option
from hub.errors import CareportError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from hub.assessment.deterioration import DeteriorationModel
    from hub.assessment.recalibration import Recalibration
    from hub.configuration.file import Config
    from hub.shadow.judging import CrossChecked, History
    from hub.shadow.thresholds import Thresholds
    from hub.shadow.watch import Watched
    from hub.store.scores import Score
    from hub.telling.summary import ShadowSummary

_SHOWN = 50
_DAYS = timedelta(days=28)


class NotWrittenError(CareportError):
    """A recalibration could not be written."""


@click.group(short_help="Show, judge and recalibrate the deterioration model.")
def command() -> None:
    """The deterioration model: what it is and must not be used for, how it does in this home, what it said,
    and its recalibration to this home. It is a shadow: it raises no alert."""


# --- show


@command.command("show", short_help="Its card, and how it does here.")
@config_option
@json_option
def show_model(config_path: Path, as_json: bool) -> None:
    """Show the model: what it is, its figures, its limits; then how it does in this home: recalibration, from
    which risk on it would have alerted and why, how often it would have, and whether what it is given differs
    from what it was trained on."""
    from hub.assessment.deterioration import SHIPPED_MODEL
    from hub.assessment.model_file import beside
    from hub.configuration.file import load
    from hub.shadow.card_page import page

    config = load(config_path)
    model = _model(config)
    card = json.loads(beside(config.model.file or SHIPPED_MODEL, ".json").read_bytes())
    found, shadow, lacking = _here(config)
    if found is not None and found.model.sha256 != model.sha256[:12]:
        found, lacking = None, "the hub has not looked at this model yet: it does so at its next start"
    if as_json:
        said = {key: value for key, value in card.items() if key != "golden"}
        click.echo(json.dumps({"card": said, "here": _here_data(model, found, shadow)}, indent=2))
        return
    click.echo(page(card))
    click.echo("\nIn this home")
    click.echo(f"  mode: {config.model.mode}; it raises no alert, and changes none")
    click.echo(f"  file: SHA-256 {model.sha256}")
    click.echo(f"  recalibration: {_recalibration_words(model)}")
    if found is None:
        click.echo(f"  {lacking or 'the hub has not looked at its model yet'}")
        return
    click.echo(f"  {found.threshold_words}")
    for each in found.lacking:
        click.echo(f"  its card: {each}")
    click.echo(f"  {_shadow_words(shadow)}")
    click.echo(f"  {found.inputs_words}")
    for drifted in found.inputs:
        click.echo(f"    {drifted.words}")
    if found.differing:
        click.echo(
            "  That a care home differs from intensive care is to be expected, and no fault; what it does to"
            " the model's figures nobody has measured."
        )
    click.echo(f"  looked at {found.at.astimezone():%Y-%m-%d %H:%M}")


def _model(config: Config) -> DeteriorationModel:
    from hub.assessment.deterioration import DeteriorationModel

    return DeteriorationModel.configured(config.model.file, config.model.recalibration)


def _here(config: Config) -> tuple[Watched | None, ShadowSummary | None, str | None]:
    """What the hub found of its model, and what the shadow record has; or why there is nothing."""
    from hub.alerts.book import UnreadableAlertError, alert_of
    from hub.cli.options import database
    from hub.clock import now
    from hub.shadow.record import ShadowTally
    from hub.shadow.watch import watched
    from hub.store.errors import StoreError
    from hub.store.queries import alerts
    from hub.telling.summary import Period

    try:
        tally, moment, raised = ShadowTally(), now(), []
        for score in _scores(config):
            tally.add(score.resident, score.at, score.would_alert)
        with database(config) as connection:
            for row in alerts(connection, resolved=True, most=10_000):
                try:
                    raised.append(alert_of(row))
                except UnreadableAlertError:
                    continue
            return watched(connection), tally.summary(Period(moment - _DAYS, moment), raised), None
    except StoreError as error:
        return None, None, str(error)


def _recalibration_words(model: DeteriorationModel) -> str:
    if model.refused is not None:
        return f"NOT USED: {model.refused}"
    made = model.recalibration
    if made is None:
        return "none: probabilities are those of where it was trained, in this home a rank at best"
    return f"{_of_recalibration(made)}, made {made.at:%Y-%m-%d} by {made.by}"


def _of_recalibration(made: Recalibration) -> str:
    fitted = made.fitted_on
    return (
        f"slope {made.slope:.2f}, intercept {made.intercept:+.2f}, fitted on {fitted.sets} sets,"
        f" {fitted.events} of them before an event"
    )


def _shadow_words(shadow: ShadowSummary | None) -> str:
    if shadow is None:
        return f"shadow record: no set of the last {_DAYS.days} days had a threshold"
    return (
        f"shadow record of the last {_DAYS.days} days: {shadow.would_alert} alert(s) would have been raised;"
        f" NEWS2 raised {shadow.news2}, of which {shadow.coincided} coincided (within 12 hours)"
    )


def _here_data(
    model: DeteriorationModel, found: Watched | None, shadow: ShadowSummary | None
) -> dict[str, object]:
    from dataclasses import asdict

    made = model.recalibration
    return {
        "sha256": model.sha256,
        "recalibration": None if made is None else made.model_dump(mode="json"),
        "recalibration_refused": model.refused,
        "watched": None if found is None else json.loads(found.to_json()),
        "shadow": None if shadow is None else asdict(shadow),
    }


# --- history


@command.command("history", short_help="What it said of whom, to judge it by what happened.")
@click.option("--csv", "as_csv", is_flag=True, help="All of it, as CSV.")
@click.option("--most", type=click.IntRange(1), default=_SHOWN, show_default=True, help="Without --csv.")
@config_option
def show_history(as_csv: bool, most: int, config_path: Path) -> None:
    """What the model said, newest first; with --csv all of it, oldest first.

    One row for each resident and hour: the last set in it. Residents are pseudonyms, as on the wire; ages
    and times are in it, so keep it as what it is, data about people's health. risk is the model's own
    probability, highest_risk the highest of that hour; news2 is the least that it can be where news2_missing
    names a parameter. threshold is from which risk on it would have alerted at that time, as the hub noted;
    would_alert is of any set of the hour. clock other than "synchronised": the time may be wrong.
    """
    from hub.cli.options import database, show
    from hub.configuration.file import load
    from hub.shadow.thresholds import Thresholds, thresholds

    config = load(config_path)
    scores = sorted(_scores(config), key=lambda each: (each.at, each.resident))
    if as_csv:
        with database(config) as connection:
            known = Thresholds(thresholds(connection))
        _write_csv(scores, known, sys.stdout)
        return
    rows: list[dict[str, object]] = [
        {
            "resident": each.resident,
            "at": each.at.astimezone().strftime("%Y-%m-%d %H:%M"),
            "risk": f"{each.risk:.1%}",
            "would alert": {None: "", True: "yes", False: "no"}[each.would_alert],
            "NEWS2": f"{each.total} ({each.band.replace('_', ' ')})",
            "missing": len(_missing(each)),
        }
        for each in scores[: -most - 1 : -1]
    ]
    show(rows, False, "The model has said nothing yet.")


def _scores(config: Config) -> list[Score]:
    import sqlite3

    from hub.cli.options import database
    from hub.store.database import FILE_NAME
    from hub.store.errors import StoreError
    from hub.store.scores import history

    with database(config) as connection:
        try:
            return list(history(connection))
        except sqlite3.Error as error:
            raise StoreError(
                config.hub.data_directory / FILE_NAME,
                f"has no history that can be read: {error}. Has this version of the hub run here?",
            ) from error


def _write_csv(scores: Iterable[Score], thresholds: Thresholds, out: TextIO) -> None:
    import csv

    from hub.assessment.news2 import PARAMETERS

    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["resident", "time", "clock", "risk", "highest_risk", "threshold", "would_alert", "news2",
         "news2_band", "news2_missing", "missing", "age", "model", "version", "sha256"]
    )  # fmt: skip
    for each in scores:
        threshold = thresholds.at(each.at, each.model.sha256)
        writer.writerow(
            [
                each.resident,
                each.at.isoformat(),
                each.clock.value,
                f"{each.risk:.6g}",
                f"{each.highest:.6g}",
                "" if threshold is None else f"{threshold:.6g}",
                "" if each.would_alert is None else int(each.would_alert),
                each.total,
                each.band,
                " ".join(vital.value for vital in PARAMETERS if vital not in each.vitals),
                " ".join(_missing(each)),
                "" if each.age is None else each.age,
                each.model.name,
                each.model.version,
                each.model.sha256,
            ]
        )


def _missing(score: Score) -> list[str]:
    """The inputs that the model lacked."""
    from hub.assessment.features import INPUTS

    known = {*(vital.value for vital in score.vitals), *(() if score.age is None else ("age",))}
    return [name for name in map(str, INPUTS) if name not in known]


# --- recalibrate


@command.command("recalibrate", short_help="Fit its probabilities to what happened in this home.")
@click.option("--outcomes", required=True, type=click.File(encoding="utf-8-sig"),
              help='Events, as CSV: columns "resident" and "time".')  # fmt: skip
@click.option("--hours", type=click.FloatRange(1, 168), default=12.0, show_default=True,
              help="How long after a set an event counts as its.")  # fmt: skip
@click.option("--since", metavar="TIME", help="From when on the events are complete.  [default: all along]")
@click.option("--until", metavar="TIME", help="Up to when they are.  [default: now]")
@click.option("--by", required=True, help="Who answers for it; it is in the file.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              help="Where to write it.  [default: where the hub looks for it]")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what it would be, and write nothing.")
@config_option
def recalibrate(
    outcomes: TextIO,
    hours: float,
    since: str | None,
    until: str | None,
    by: str,
    out: Path | None,
    dry_run: bool,
    config_path: Path,
) -> None:
    """Fit the model's probabilities to what happened in this home: a slope and an intercept on its log-odds.

    It finds no more events than before: it makes the numbers mean here what they say. A set is followed by
    an event where one of the same resident came within the hours after it. What an event is, is yours to say,
    and to say the same for all: an admission to hospital, a call of 999, a death. The list must have all of
    them from --since to --until, for whoever is not on it counts as well.

    The error that is told is measured on residents of whom the recalibration was not made; where it is no
    better, nothing is written. A hub that runs takes the new file within a minute.
    """
    from zoneinfo import ZoneInfo

    from hub.clock import now
    from hub.configuration.file import load
    from hub.shadow.judging import judge, outcomes_of, recalibrated

    config = load(config_path)
    model = _model(config)
    zone = ZoneInfo(config.site.timezone)
    events = outcomes_of(outcomes, zone)
    scores = [
        each
        for each in _scores(config)
        if each.model.sha256 == model.sha256[:12] and each.model.name == model.name
    ]
    moment = now()
    judged = judge(
        scores,
        events,
        timedelta(hours=hours),
        since=_time(since, zone, "--since"),
        until=_time(until, zone, "--until") or moment,
    )
    click.echo(_judged_words(judged, hours))
    made, checked = recalibrated(judged, model_sha256=model.sha256, at=moment.astimezone(UTC), by=by)
    click.echo(f"recalibration: {_of_recalibration(made)}")
    click.echo(_checked_words(checked))
    if dry_run:
        click.echo("Nothing was written (--dry-run).")
        return
    written = _write(made, out or _beside(config))
    click.echo(f"Written to {written}. {_taken_words(written, config)}")


def _taken_words(written: Path, config: Config) -> str:
    if written != _beside(config):
        return "The hub takes it once model.recalibration names it, from its next start on."
    return "The hub takes it within a minute if it runs; 'carehub doctor' says which it would take."


def _time(text: str | None, zone: ZoneInfo, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(
            'give it as "2026-03-01" or "2026-03-01T14:30"', param_hint=option
        ) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _judged_words(judged: History, hours: float) -> str:
    before = sum(each.happened for each in judged.judged)
    words = (
        f"{len(judged.judged)} sets can be judged, {before} of them within {hours:g} hours before one of"
        f" {judged.events} event(s)"
    )
    if judged.without_a_set:
        words += f"; {judged.without_a_set} event(s) had no set in the {hours:g} hours before"
    if judged.of_nobody:
        words += f"; {judged.of_nobody} are of residents whom the model never judged: are the names right?"
    if judged.undated:
        words += f"; {judged.undated} set(s) cannot, since the hub's clock had not been set"
    return words


def _checked_words(checked: CrossChecked) -> str:
    return (
        f"expected calibration error on residents left out: {checked.before:.3f} without it,"
        f" {checked.after:.3f} with it"
    )


def _beside(config: Config) -> Path:
    """Where the hub looks for it."""
    from hub.assessment.deterioration import RECALIBRATION, SHIPPED_MODEL
    from hub.assessment.model_file import beside

    return config.model.recalibration or beside(config.model.file or SHIPPED_MODEL, RECALIBRATION)


def _write(made: Recalibration, path: Path) -> Path:
    """Whole or not at all: a hub that starts meanwhile finds the old one or the new one."""
    import os

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("x", encoding="utf-8") as file:
            file.write(made.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise NotWrittenError(
            f"{path}: cannot be written: {error.strerror}. Give a file with --out, and name it in the"
            " configuration (model.recalibration)"
        ) from error
    return path
