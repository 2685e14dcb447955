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
    from hub.cli.options import database, local, show
    from hub.cli.words import measurements_words, stretch_data, stretch_words
    from hub.configuration.file import load
    from hub.residents.listed import residents_of
    from hub.residents.register import UnknownResidentError
    from hub.store.queries import readings
    from hub.telling.teller import put_right
    from hub.timekeeping.present import clock_rule
    from hub.uplink.contract import measurement_data

    config = load(config_path)
    with database(config) as connection:
        if resident is not None and all(
            each.resident.id != resident for each in residents_of(config, connection)
        ):
            raise UnknownResidentError(resident)
        kept = readings(connection, resident=resident, unassigned=unassigned, problems=problems, most=most)
        found = put_right(connection, clock_rule(config), kept)
    rows: list[dict[str, object]] = []
    for stored in found:
        placed, reading = stored.placed, stored.placed.reading
        measurements = [measurement_data(measurement) for measurement in reading.measurements]
        stretch = reading.stretch
        in_words = measurements_words(measurements)
        if stretch is not None:
            in_words = f"{in_words} ({stretch_words(stretch)})"
        rows.append(
            {
                "measured": placed.measured_at.isoformat() if as_json else local(placed.measured_at),
                "time": placed.time_quality.value,
                "resident": placed.resident or ("the room" if reading.of_the_room else "nobody yet"),
                "device": reading.raw.device,
                "driver": reading.raw.driver,
                "reading": measurements if as_json else in_words,
                **({"stretch": stretch and stretch_data(stretch)} if as_json else {}),
                "said": sorted(reading.flags) if as_json else ", ".join(sorted(reading.flags)),
                "problem": reading.problem or "",
            }
        )
    show(rows, as_json, "No such readings.")
