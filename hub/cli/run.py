"""`carehub run`: the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option, log_level_option, log_to_standard_error


@click.command(short_help="Run the hub until it is stopped.")
@config_option
@log_level_option
def command(config_path: Path, log_level: str) -> None:
    """Run the hub: collect, score, alert and deliver, until it is stopped (SIGTERM or Ctrl-C).

    Whatever is missing (the broker, the radio, the model) is said once in the log and waited for; the rest
    goes on.
    """
    from hub.config import load
    from hub.daemon import main

    log_to_standard_error(log_level)
    main(load(config_path))
