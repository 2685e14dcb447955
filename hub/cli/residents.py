"""`carehub residents`: who lives here and how they are; to enter them, and to say what is known of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub.cli.devices import by_option
from hub.cli.options import config_option, json_option, one_line

if TYPE_CHECKING:
    from hub.configuration.file import Config
    from hub.residents.listed import Listed

_NORMAL = re.compile(r"([A-Za-z_-]+)=(?:([0-9]+(?:\.[0-9]+)?)-([0-9]+(?:\.[0-9]+)?))?", re.ASCII)
_TEXTS = ("name", "room", "birth_year", "oxygen_scale", "oxygen_scale_prescriber", "wristband")


class Normal(click.ParamType["tuple[str, dict[str, float] | None]"]):
    """What is normal of a vital: "pulse_rate=45-60", or "pulse_rate=" for nothing any more."""

    name = "vital"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, dict[str, float] | None]:
        """The vital, and from what to what."""
        if isinstance(value, tuple):
            return value
        found = _NORMAL.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r}: give it as pulse_rate=45-60", param, ctx)
        vital = found[1].replace("-", "_").lower()
        return vital, None if found[2] is None else {"lowest": float(found[2]), "highest": float(found[3])}


_FIELDS = (
    click.option("--name", help="As staff know them; stays on the hub."),
    click.option("--room", help="Stays on the hub."),
    click.option("--birth-year", metavar="YEAR", help="The model goes by their age."),
    click.option("--oxygen-scale", type=click.Choice(["1", "2"]), help="2 only where prescribed."),
    click.option("--prescriber", "oxygen_scale_prescriber", metavar="NAME", help="Who prescribed scale 2."),
    click.option("--wristband", metavar="CODE", help="What a reader scans; shown nowhere."),
)


def _fields(command: Any) -> Any:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


@click.group(
    invoke_without_command=True,
    short_help="List, enter and change residents.",
)
@config_option
@json_option
@click.pass_context
def command(context: click.Context, config_path: Path, as_json: bool) -> None:
    """Without a command: as 'list', those who are here.

    Residents are listed in the configuration ([[residents]]), or entered here or on the staff page; the hub
    takes up at once what is entered, and keeps it over restarts. Who is in the configuration is named there;
    what is known of them (care) is said here. Names and rooms are shown here and nowhere else.

    \b
    A new resident, and a table of all of them:
      carehub residents add --name "Vera Example" --room 12 --birth-year 1938 --by "Sam Field"
      carehub residents import residents.csv --dry-run --by "Sam Field"

    \b
    Somebody goes to hospital, and comes back:
      carehub residents care R-0412 --whereabouts "in hospital" --by "Sam Field"
      carehub residents care R-0412 --whereabouts here --by "Sam Field"
    """
    if context.invoked_subcommand is None:
        _list(config_path, everybody=False, as_json=as_json)
        return
    for option in ("config_path", "as_json"):
        if context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"give options after '{context.invoked_subcommand}': it has its own")


@command.command("list", short_help="List the residents with their newest score.")
@click.option("--all", "everybody", is_flag=True, help="Also who has moved away or died.")
@config_option
@json_option
def list_residents(everybody: bool, config_path: Path, as_json: bool) -> None:
    """List the residents with their newest score, and what was found of their rhythm in the last 24 hours.

    Names and rooms are shown here and nowhere else.
    """
    _list(config_path, everybody=everybody, as_json=as_json)


@command.command("add", short_help="Enter a resident.")
@click.argument("pseudonym", required=False)
@_fields
@click.option("--same-person", is_flag=True, help="What is kept by this pseudonym is theirs, and goes on.")
@by_option
@config_option
@json_option
def add(
    pseudonym: str | None, same_person: bool, by: str, config_path: Path, as_json: bool, **said: str | None
) -> None:
    """Enter a resident. Without PSEUDONYM the hub makes one: it is what leaves the hub, and says nothing of
    them.

    Somebody who was in the configuration, and is to be entered instead: take them out there, restart the hub,
    and add them here with their pseudonym and --same-person.
    """
    resident = {key: said[key] for key in _TEXTS if said[key] is not None}
    if pseudonym is not None:
        resident["id"] = pseudonym
    _tell(config_path, as_json, "resident_add", by=by, resident=resident, same_person=same_person)


@command.command("change", short_help="Change who an entered resident is.")
@click.argument("pseudonym")
@_fields
@by_option
@config_option
@json_option
def change(pseudonym: str, by: str, config_path: Path, as_json: bool, **said: str | None) -> None:
    """Change who the resident PSEUDONYM is. What is not given stays; "" takes it away.

    Who is in the configuration is changed there.
    """
    fields = {key: said[key] for key in _TEXTS if said[key] is not None}
    if not fields:
        raise click.UsageError("say what is to be changed")
    _tell(config_path, as_json, "resident_change", by=by, resident=pseudonym, fields=fields)


@command.command("care", short_help="Say where a resident is, whether they consent, what is normal for them.")
@click.argument("pseudonym")
@click.option(
    "--whereabouts",
    type=click.Choice(["here", "in hospital", "moved", "deceased"]),
    help="Only who is here is observed, scored and alerted of.",
)
@click.option("--consent", type=click.Choice(["given", "withdrawn"]), help="To be watched by the hub.")
@click.option("--plan", "escalation_plan", metavar="TEXT", help="What was agreed on for when they get worse.")
@click.option("--reviewed", metavar="YYYY-MM-DD", help="When that was last looked at.")
@click.option(
    "--normal",
    "normals",
    type=Normal(),
    multiple=True,
    metavar="VITAL=LOW-HIGH",
    help="What is usual for them, as pulse_rate=45-60; VITAL= takes it away. It changes no score.",
)
@by_option
@config_option
@json_option
def care(
    pseudonym: str,
    normals: tuple[tuple[str, dict[str, float] | None], ...],
    by: str,
    config_path: Path,
    as_json: bool,
    **said: str | None,
) -> None:
    """Say what is known of the resident PSEUDONYM. What is not given stays as it is.

    Of whoever is in hospital, has moved, has died or has withdrawn consent nothing is taken from that moment
    on: their round is closed, and their open alert.
    """
    from hub.configuration.file import load

    known: dict[str, object] = {key: text for key, text in said.items() if text is not None}
    if normals:
        known["normals"] = _with_normals(_find(load(config_path), pseudonym), dict(normals))
    if not known:
        raise click.UsageError("say what is known")
    _tell(config_path, as_json, "resident_care", by=by, resident=pseudonym, care=known)


@command.command("import", short_help="Take in a table of residents (CSV).")
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would be, and what is the matter with it.")
@by_option
@config_option
@json_option
def take_table(table: Path, dry_run: bool, by: str, config_path: Path, as_json: bool) -> None:
    """Take in the CSV file TABLE: all of it, or nothing where any line is wrong, which is then named.

    The first line names the columns, in any order: name (or first name and surname), room, year of birth (or
    date of birth), SpO2 scale, prescriber, wristband; and id, the pseudonym, for who is listed already. An
    empty cell changes nothing. Whoever is not in the table stays as they are.
    """
    from hub.residents.table import decoded

    try:
        text = decoded(table.read_bytes())
    except OSError as error:
        raise click.FileError(str(table), error.strerror or str(error)) from error
    answer = _ask(config_path, "residents_import", csv=text, dry_run=dry_run, by=by)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
    else:
        for problem in answer["problems"]:
            click.echo(f"line {problem['line']}: {one_line(str(problem['words']))}")
        for row in answer["rows"] if dry_run and not answer["problems"] else ():
            who = ", ".join(part for part in (row["resident"], row["name"], row["room"]) if part)
            click.echo(f"line {row['line']}: {row['what']}: {one_line(who)}")
        click.echo(one_line(str(answer["words"])))
    if answer["problems"]:
        raise SystemExit(1)


def _with_normals(listed: Listed, said: dict[str, dict[str, float] | None]) -> dict[str, object]:
    """All that is normal for them, with what is said now."""
    known = listed.care.model_dump(mode="json")["normals"]
    return {vital: bounds for vital, bounds in {**known, **said}.items() if bounds is not None}


def _find(config: Config, pseudonym: str) -> Listed:
    from hub.cli.options import database
    from hub.residents.listed import residents_of
    from hub.residents.register import UnknownResidentError

    with database(config) as connection:
        for each in residents_of(config, connection):
            if each.resident.id == pseudonym:
                return each
    raise UnknownResidentError(pseudonym)


def _tell(config_path: Path, as_json: bool, what: str, **arguments: object) -> None:
    answer = _ask(config_path, what, **arguments)
    click.echo(json.dumps(answer, indent=2) if as_json else one_line(str(answer["words"])))


def _ask(config_path: Path, what: str, **arguments: object) -> dict[str, Any]:
    from hub.configuration.file import load
    from hub.control.control_socket import ask

    return ask(load(config_path).hub.control_socket, what, **arguments)


def _list(config_path: Path, *, everybody: bool, as_json: bool) -> None:
    from datetime import timedelta

    from hub.cli.options import database, local, show
    from hub.cli.words import risk_words
    from hub.clock import now
    from hub.configuration.file import load
    from hub.residents.listed import residents_of
    from hub.store.queries import alerts
    from hub.store.rows import newest_assessment
    from hub.telling.irregular_pulse import pulses_or_none
    from hub.telling.summaries import first_reading
    from hub.telling.summary import Period
    from hub.telling.teller import KeptReadings, assessment_of
    from hub.timekeeping.present import clock_rule
    from hub.uplink.contract import risk_data

    config = load(config_path)
    day = Period(now() - timedelta(days=1), now())
    rows: list[dict[str, object]] = []
    troubles: list[str] = []
    with database(config) as connection:
        pulses = pulses_or_none(connection, day, first_reading(connection, day.since))
        alerting = {alert.resident: alert.state for alert in alerts(connection, resolved=False, most=10_000)}
        for listed in residents_of(config, connection):
            resident = listed.resident
            if listed.trouble is not None:
                troubles.append(f"{resident.id}: {listed.trouble}")
            if listed.gone and not everybody:
                continue
            newest = newest_assessment(connection, resident.id)
            kept = KeptReadings(connection, clock_rule(config))
            whole = assessment_of(kept, newest) if newest else None
            rows.append(
                {
                    "resident": resident.id,
                    "name": resident.name,
                    "room": resident.room,
                    "is": _is(listed),
                    "SpO2 scale": int(resident.oxygen_scale),
                    "NEWS2": whole.news2.describe(whole.observations.questionable)
                    if whole
                    else "never scored",
                    "risk": risk_words(risk_data(whole.risk)) if whole else "",
                    "rhythm": f"{pulse.words} (shadow)" if (pulse := pulses.get(resident.id)) else "",
                    "at": local(whole.observations.at) if whole else "",
                    "alert": alerting.get(resident.id, ""),
                }
            )
    show(rows, as_json, "No residents: list them in the configuration, or enter them with 'add'.")
    for words in troubles:
        click.echo(words, err=True)


def _is(listed: Listed) -> str:
    """Where they are, and that nothing is taken of them, where that is so."""
    where = listed.care.whereabouts.value
    return where if listed.care.consent == "given" else f"{where}, consent withdrawn"
