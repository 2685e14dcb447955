"""`carehub check-config`: is this configuration one?"""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option, json_option


@click.command(short_help="Check a configuration file.")
@config_option
@json_option
def command(config_path: Path, as_json: bool) -> None:
    """Check a configuration file and name every key that is wrong, with what is allowed.

    Ends with 0 if the file is good and with 3 if it is not. --json prints the whole configuration as the
    hub understands it, defaults included.
    """
    from hub.config import PLAINTEXT, load
    from hub.enrolment import refuse_unknown_drivers

    config = load(config_path)
    refuse_unknown_drivers(config, config_path)
    if as_json:
        click.echo(config.model_dump_json(indent=2))
        return
    click.echo(
        f"{config_path}: good. Hub {config.hub.id} at site {config.site.id}: "
        f"{len(config.residents)} resident(s), {len(config.sensors)} sensor(s), "
        f"broker {config.broker.host}:{config.broker.port} "
        f"{'with TLS' if config.broker.tls else 'WITHOUT TLS'}."
    )
    if config.broker.readable_on_the_way:
        click.echo(f"  note: {PLAINTEXT}")
    for sensor in config.sensors:
        if sensor.resident is None and not config.site.one_person:
            click.echo(
                f"  note: {sensor.address} {sensor.label} is shared: "
                "its readings wait until somebody assigns them"
            )
