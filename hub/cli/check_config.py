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
    from drivers.catalogue import DRIVERS
    from hub.configuration.file import PLAINTEXT, load
    from hub.sensors.enrolment import refuse_misfits
    from hub.sensors.fitting import is_reader

    config = load(config_path)
    refuse_misfits(config, config_path)
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
    if config.site.one_person:
        return
    readers = [sensor for sensor in config.sensors if is_reader(DRIVERS.get(sensor.driver))]
    kits = {reader.kit for reader in readers}
    for sensor in config.sensors:
        if sensor.resident is None and sensor not in readers:
            if sensor.kit in kits:
                whose = "its readings are of whoever's wristband was scanned before; what is in doubt waits"
            else:
                whose = "its readings wait until somebody assigns them"
                if sensor.kit is not None:
                    whose += f": no reader of wristbands is of the kit {sensor.kit}"
                elif readers:
                    whose += ": it has no kit, and each reader of wristbands has one"
            click.echo(f"  note: {f'{sensor.address} {sensor.label}'.strip()} is shared: {whose}")
    unworn = [resident.id for resident in config.residents if resident.wristband is None]
    if readers and unworn:
        click.echo(f"  note: no wristband is given for {', '.join(unworn)}: no scan opens a round for them")
