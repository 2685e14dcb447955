"""`carehub page`: the staff page."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option, log_level_option, start_log


@click.command(short_help="Serve the staff page until it is stopped.")
@config_option
@log_level_option
def command(config_path: Path, log_level: str) -> None:
    """Serve the staff page on the home's network, as [page] in the configuration has it, until it is stopped
    (SIGTERM or Ctrl-C).

    A process of its own beside 'carehub run': it reads the hub's database, and asks the hub for all that is
    done. Who may sign in: 'carehub staff'.
    """
    import asyncio
    import faulthandler
    import os

    from hub.configuration.file import load
    from hub.web.serving import serve

    faulthandler.enable()  # as for the hub
    start_log(log_level, "carehub-page")
    os.umask(0o077)
    asyncio.run(serve(load(config_path)))
