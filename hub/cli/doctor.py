"""`carehub doctor`: what is well and what is not."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click

from hub.cli.options import config_option, json_option


@click.command(short_help="Say what is well with this hub and what is not.")
@config_option
@json_option
def command(config_path: Path, as_json: bool) -> None:
    """Examine this hub: daemon, clock, disk, database, sensors, model, Bluetooth, broker.

    Each part passes, warns or fails, in words, with what to do. Ends with 0 unless a part fails.
    """
    from hub.config import load
    from hub.doctor import examine
    from hub.findings import Verdict

    findings = asyncio.run(examine(load(config_path)))
    if as_json:
        rows = [{"part": f.part, "verdict": f.verdict.value, "words": f.words} for f in findings]
        click.echo(json.dumps(rows, indent=2))
    else:
        colours = {Verdict.PASS: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
        for finding in findings:
            verdict = click.style(f"{finding.verdict:4}", fg=colours[finding.verdict])
            click.echo(f"{verdict}  {finding.part}: {finding.words}")
    sys.exit(any(finding.verdict is Verdict.FAIL for finding in findings))
