"""`carehub residents`: who lives here and how they are."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option, json_option


@click.command(short_help="List the residents with their newest score.")
@config_option
@json_option
def command(config_path: Path, as_json: bool) -> None:
    """List the residents with their newest score. Names and rooms are shown here and nowhere else."""
    import json

    from hub.cli.options import database, local, show
    from hub.cli.words import risk_words
    from hub.config import load
    from hub.store.queries import alerts
    from hub.store.transaction import newest_assessment

    config = load(config_path)
    rows: list[dict[str, object]] = []
    with database(config) as connection:
        alerting = {alert.resident: alert.state for alert in alerts(connection, resolved=False, most=10_000)}
        for resident in config.residents:
            newest = newest_assessment(connection, resident.id)
            body = json.loads(newest[1]) if newest else None
            rows.append(
                {
                    "resident": resident.id,
                    "name": resident.name,
                    "room": resident.room,
                    "SpO2 scale": int(resident.oxygen_scale),
                    "NEWS2": body["news2"]["words"] if body else "never scored",
                    "risk": risk_words(body["risk"]) if body else "",
                    "at": local(newest[0]) if newest else "",
                    "alert": alerting.get(resident.id, ""),
                }
            )
    show(rows, as_json, "No residents in the configuration.")
