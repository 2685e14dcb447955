"""`carehub observe`: what a person saw."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option, json_option


@click.command(short_help="Enter what a person saw of a resident.")
@click.argument("resident")
@click.option(
    "--consciousness",
    type=click.Choice(["A", "C", "V", "P", "U"], case_sensitive=False),
    metavar="[A|C|V|P|U]",
    help="Alert, new Confusion, responds to Voice, to Pain, Unresponsive.",
)
@click.option("--oxygen/--air", "oxygen", default=None, help="Is given oxygen, or breathes room air.")
@click.option("--respiration", type=int, metavar="N", help="Breaths counted in a minute.")
@click.option("--temperature", type=float, metavar="N", help="Degrees Celsius, as read off a thermometer.")
@click.option("--saturation", type=float, metavar="N", help="Oxygen saturation in %, read off an oximeter.")
@click.option("--pressure", metavar="N/N", help="Systolic over diastolic, as read off a cuff: 128/71.")
@click.option("--pulse", type=float, metavar="N", help="Beats counted in a minute, or read off a sensor.")
@click.option("--by", default="the command line", show_default=True, help="Who observed; stays on the hub.")
@config_option
@json_option
def command(
    resident: str,
    consciousness: str | None,
    oxygen: bool | None,
    respiration: int | None,
    temperature: float | None,
    saturation: float | None,
    pressure: str | None,
    pulse: float | None,
    by: str,
    config_path: Path,
    as_json: bool,
) -> None:
    """Enter what no sensor measures: consciousness, oxygen and respiration rate of RESIDENT (a pseudonym);
    and what was read off a sensor that the hub cannot read.

    \b
    Example:
      carehub observe R-0412 --consciousness C --oxygen --respiration 22
    """
    import json

    from hub.configuration.file import load
    from hub.control.control_socket import ask

    systolic, _, diastolic = (pressure or "").partition("/")
    config = load(config_path)
    result = ask(
        config.hub.control_socket,
        "observe",
        resident=resident,
        by=by,
        consciousness=consciousness.upper() if consciousness else None,
        breathing=None if oxygen is None else ("oxygen" if oxygen else "air"),
        respiration_rate=respiration,
        temperature=temperature,
        oxygen_saturation=saturation,
        systolic_pressure=systolic or None,
        diastolic_pressure=diastolic or None,
        pulse_rate=pulse,
    )
    click.echo(json.dumps(result) if as_json else f"{resident}: {result['words']}")
