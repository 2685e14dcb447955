"""`carehub readings`: what the sensors said."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option, json_option


@click.command(short_help="List what the sensors said.")
@click.option("--resident", metavar="ID", help="Only this resident's.")
@click.option(
    "--unassigned", is_flag=True, help="Only those that nobody's sensor measured: they wait for a person."
)
@click.option("--problems", is_flag=True, help="Only payloads that could not be decoded.")
@click.option(
    "--most", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first."
)
@config_option
@json_option
def command(
    resident: str | None, unassigned: bool, problems: bool, most: int, config_path: Path, as_json: bool
) -> None:
    """List readings, the newest first, with what the sensor said of their quality."""
    import json

    from hub.cli.options import database, local, show
    from hub.cli.words import measurements_words
    from hub.config import load
    from hub.residents import Register
    from hub.store.queries import readings

    config = load(config_path)
    if resident is not None:
        Register(config.residents, config.sensors).resident(resident)
    with database(config) as connection:
        found = readings(connection, resident=resident, unassigned=unassigned, problems=problems, most=most)
    rows: list[dict[str, object]] = [
        {
            "measured": row.measured_at.isoformat() if as_json else local(row.measured_at),
            "time": row.time_quality,
            "resident": row.resident or "nobody yet",
            "device": row.raw.device,
            "driver": row.raw.driver,
            "reading": json.loads(row.measurements)
            if as_json
            else measurements_words(json.loads(row.measurements)),
            "said": json.loads(row.flags) if as_json else ", ".join(json.loads(row.flags)),
            "problem": row.problem or "",
        }
        for row in found
    ]
    show(rows, as_json, "No such readings.")
