"""`carehub alerts`: list, show, acknowledge."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from hub.cli.options import config_option, json_option
from hub.errors import CareportError
from hub.readings import Origin, RawPayload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hub.alerts.life import Alert
    from hub.configuration.file import Config
    from hub.store.audit import AuditEntry
    from hub.store.rows import AlertRow


class WhichAlertError(CareportError):
    """What was given names no alert, or more than one."""


_FIRST_DIGITS = re.compile(r"[0-9A-Fa-f]{4}[0-9A-Fa-f-]{0,32}")


@click.group(invoke_without_command=True, short_help="List, show and acknowledge alerts.")
@click.option("--all", "resolved", is_flag=True, help="Those that are over, too.")
@click.option(
    "--most", type=click.IntRange(1), default=50, show_default=True, help="How many, the newest first."
)
@config_option
@json_option
@click.pass_context
def command(context: click.Context, resolved: bool, most: int, config_path: Path, as_json: bool) -> None:
    """List the alerts that are open; 'show' tells one whole, 'acknowledge' takes it."""
    from hub.cli.options import database, local, show
    from hub.configuration.file import load
    from hub.store.queries import alerts

    if context.invoked_subcommand is not None:
        if any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in context.params):
            raise click.UsageError(
                f"give options behind '{context.invoked_subcommand}', not before it", context
            )
        return
    with database(load(config_path)) as connection:
        found = list(_readable(alerts(connection, resolved=resolved, most=most)))
    rows: list[dict[str, object]] = [
        {
            "alert": str(row.id) if as_json else str(row.id)[:8],
            "raised": alert.raised_at.isoformat() if as_json else local(alert.raised_at),
            "state": alert.state.value,
            "band": alert.band.words,
            "by": alert.acknowledged_by or "",
            "words": alert.words,
        }
        for row, alert in found
    ]
    show(rows, as_json, "No alerts." if resolved else "No open alerts.")


@command.command("show", short_help="Tell all of one alert.")
@click.argument("alert")
@config_option
@json_option
def show_one(alert: str, config_path: Path, as_json: bool) -> None:
    """Tell all of ALERT (its id or the first digits of it): from which bytes it came, and what happened."""
    from hub.alerts.book import alert_of
    from hub.cli.options import database, local
    from hub.cli.words import observations_words, risk_words
    from hub.configuration.file import load
    from hub.store.audit import history
    from hub.store.rows import assessment_by_number
    from hub.telling.teller import KeptReadings, alert_alone, assessment_of
    from hub.timekeeping.present import clock_rule
    from hub.uplink.contract import assessment_data

    config = load(config_path)
    with database(config) as connection:
        row = _find(config, alert)
        events = history(connection, row.id)
        kept = KeptReadings(connection, clock_rule(config))
        raised_by, stored = assessment_by_number(connection, row.assessment), kept.reading(row.reading)
        whole = alert_of(row)
        # What raised an alert is kept as long as the alert, unless the card has lost it.
        whole_set = alert_alone(whole) if raised_by is None else assessment_of(kept, raised_by)
    body = assessment_data(whole_set.observations, whole_set.news2, whole_set.risk)
    cause = None if stored is None else stored.placed.reading
    if as_json:
        document = {
            "alert": str(row.id),
            **json.loads(row.body),
            "assessment": body,
            "reading": None
            if cause is None
            else {"id": str(cause.id), "device": cause.raw.device, "payload": cause.raw.payload.hex()},
            "history": [
                {"at": entry.at.isoformat(), "what": _what(entry), **entry.detail} for entry in events
            ],
        }
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(f"alert     {row.id}  ({whole.state.value})")
    click.echo(f"          {whole.words}")
    click.echo(f"respond   {whole.response}")
    click.echo(f"measured  {observations_words(body['observations'])}")
    model = f" by {body['risk']['model']} {body['risk']['version']}" if body["risk"] else ""
    click.echo(f"risk      {risk_words(body['risk'])}{model}")
    if stored is None or cause is None:
        click.echo("raised by a reading that was lost with a damaged database")
    else:
        click.echo(
            f"raised by {cause.raw.device} ({cause.raw.driver}), payload {_payload(cause.raw)}, "
            f"received {local(cause.raw.received_at)}, time {stored.placed.time_quality}"
        )
    for entry in events:
        detail = ", ".join(f"{key} {value}" for key, value in entry.detail.items() if value)
        click.echo(f"  {local(entry.at)}  {_what(entry)}{': ' + detail if detail else ''}")


@command.command("acknowledge", short_help="Take an alert: it climbs its ladder no further.")
@click.argument("alert")
@click.option("--by", required=True, help="Who has taken it; stays on the hub.")
@click.option("--note", help="What was done.")
@config_option
def acknowledge(alert: str, by: str, note: str | None, config_path: Path) -> None:
    """Take ALERT (its id or the first digits of it): it climbs its ladder no further, and the ICS is told."""
    from hub.configuration.file import load
    from hub.control.control_socket import ask

    config = load(config_path)
    row = _find(config, alert)
    result = ask(config.hub.control_socket, "acknowledge", alert=str(row.id), by=by, note=note)
    click.echo(str(result["words"]))


def _what(entry: AuditEntry) -> str:
    return entry.what.removeprefix("alert ")


def _payload(raw: RawPayload) -> str:
    """A sensor's bytes in hexadecimal; what a person entered as the text that it is."""
    return raw.payload.decode() if raw.origin is Origin.MANUAL else raw.payload.hex()


def _readable(rows: Iterable[AlertRow]) -> Iterator[tuple[AlertRow, Alert]]:
    from hub.alerts.book import UnreadableAlertError, alert_of

    for row in rows:
        try:
            yield row, alert_of(row)
        except UnreadableAlertError as error:
            click.echo(f"carehub: {error}", err=True)


def _find(config: Config, prefix: str) -> AlertRow:
    from hub.cli.options import database
    from hub.store.queries import alerts_by_prefix

    if not _FIRST_DIGITS.fullmatch(prefix):
        raise WhichAlertError(f"{prefix!r}: give an alert's id, or at least its first four digits")
    with database(config) as connection:
        found = alerts_by_prefix(connection, prefix)
    if len(found) != 1:
        how_many = f"{len(found)} alerts have an id that begins so" if found else "no alert has such an id"
        raise WhichAlertError(f"{prefix}: {how_many}; see 'carehub alerts --all'")
    return found[0]
