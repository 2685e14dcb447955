"""`carehub doctor`: what is well and what is not."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click

from hub.cli.options import config_option, json_option, one_line


@click.command(short_help="Say what is well with this hub and what is not.")
@config_option
@json_option
@click.option(
    "--support",
    "bundle",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.tar.gz",
    help="Write what helps somebody elsewhere to understand this hub, without personal data.",
)
@click.option(
    "--no-publish",
    is_flag=True,
    help="Do not ask the broker by a publish; whether it lets the hub publish is not told.",
)
def command(config_path: Path, as_json: bool, bundle: Path | None, no_publish: bool) -> None:
    """Examine this hub and its machine: release, power, card, memory, clock, services, configuration,
    database, sensors, model, Bluetooth, USB, network, broker, page.

    Each part passes, warns or fails, in words, with what to do. The broker is asked by a real publish of the
    hub's status. Ends with 0 unless a part fails. As root ('sudo carehub doctor') it sees all; what it may
    not see, it says. Where the configuration cannot be used, that is a finding, what does not depend on it is
    looked at all the same, and it ends with 3.
    """
    from hub.configuration.file import Config, ConfigError, load
    from hub.doctor import examine
    from hub.doctor.findings import Verdict, summed_up

    config: Config | ConfigError
    try:
        config = load(config_path)
    except ConfigError as error:
        config = error
    findings = asyncio.run(examine(config, config_path, publish=not no_publish))
    if as_json:
        click.echo(json.dumps([finding.data() for finding in findings], indent=2))
    else:
        colours = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
        for finding in findings:
            verdict = click.style(f"{finding.verdict:4}", fg=colours[finding.verdict])
            click.echo(f"{verdict}  {finding.part}: {one_line(finding.told)}")
        click.echo(one_line(summed_up(findings)))
    if bundle is not None:
        from hub.doctor.support import write

        click.echo(write(bundle, config, findings), err=as_json)
    if isinstance(config, ConfigError):
        raise config
    sys.exit(any(finding.verdict is Verdict.FAIL for finding in findings))
