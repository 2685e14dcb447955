"""`carehub run`: the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option


@click.command(short_help="Run the hub until it is stopped.")
@config_option
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much to log, on standard error.",
)
def command(config_path: Path, log_level: str) -> None:
    """Run the hub: collect, score, alert and deliver, until it is stopped (SIGTERM or Ctrl-C).

    Whatever is missing (the broker, the radio, the model) is said once in the log and waited for; the rest
    goes on.
    """
    import logging

    from hub.config import load
    from hub.daemon import main

    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    main(load(config_path))
