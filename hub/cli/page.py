"""`carehub page`: the staff page."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option


@click.command(short_help="Serve the staff page until it is stopped.")
@config_option
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How much to log, on standard error.",
)
def command(config_path: Path, log_level: str) -> None:
    """Serve the staff page on the home's network, as [page] in the configuration has it, until it is stopped
    (SIGTERM or Ctrl-C).

    A process of its own beside 'carehub run': it reads the hub's database, and asks the hub for all that is
    done. Who may sign in: 'carehub staff'.
    """
    import asyncio
    import logging
    import os

    from hub.config import load
    from hub.web.serving import serve

    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.umask(0o077)
    asyncio.run(serve(load(config_path)))
