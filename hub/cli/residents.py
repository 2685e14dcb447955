"""`carehub residents`: who lives here and how they are."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option, json_option


@click.command(short_help="List the residents with their newest score.")
@config_option
@json_option
def command(config_path: Path, as_json: bool) -> None:
    """List the residents with their newest score, and what was found of their rhythm in the last 24 hours.

    Names and rooms are shown here and nowhere else.
    """
    from datetime import timedelta

    from hub.cli.options import database, local, show
    from hub.cli.words import risk_words
    from hub.clock import now
    from hub.config import load
    from hub.irregular_pulse import pulses_or_none
    from hub.present import clock_rule
    from hub.store.queries import alerts
    from hub.store.rows import newest_assessment
    from hub.summaries import first_reading
    from hub.summary import Period
    from hub.telling import KeptReadings, assessment_of
    from hub.uplink.contract import risk_data

    config = load(config_path)
    day = Period(now() - timedelta(days=1), now())
    rows: list[dict[str, object]] = []
    with database(config) as connection:
        pulses = pulses_or_none(connection, day, first_reading(connection, day.since))
        alerting = {alert.resident: alert.state for alert in alerts(connection, resolved=False, most=10_000)}
        for resident in config.residents:
            newest = newest_assessment(connection, resident.id)
            kept = KeptReadings(connection, clock_rule(config))
            whole = assessment_of(kept, newest) if newest else None
            rows.append(
                {
                    "resident": resident.id,
                    "name": resident.name,
                    "room": resident.room,
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
    show(rows, as_json, "No residents in the configuration.")
