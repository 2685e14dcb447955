"""`carehub run`: the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.options import config_option, log_level_option, start_log


@click.command(short_help="Run the hub until it is stopped.")
@config_option
@log_level_option
def command(config_path: Path, log_level: str) -> None:
    """Run the hub: collect, score, alert and deliver, until it is stopped (SIGTERM or Ctrl-C).

    Whatever is missing (the broker, the radio, the model) is said once in the log and waited for; the rest
    goes on.
    """
    import faulthandler
    import io
    from contextlib import suppress

    from hub.configuration.file import load
    from hub.process import main

    with suppress(io.UnsupportedOperation):  # standard error is no file
        # Where systemd ends a hub that hangs (SIGABRT), its log says where each thread was.
        faulthandler.enable()
    start_log(log_level, "carehub")
    main(load(config_path))
