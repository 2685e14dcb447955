"""The command line: `carehub`. Each command is a module of this folder, loaded when it is called.

Exit codes: 0 done; 1 it could not be done, said why on standard error; 2 the command was written wrong;
3 the configuration is wrong.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from hub import __version__
from hub.errors import CareportError

_COMMANDS = {
    "run": "run",
    "page": "page",
    "staff": "staff",
    "demo": "demo",
    "listen": "listen",
    "devices": "devices",
    "observe": "observe",
    "residents": "residents",
    "alerts": "alerts",
    "readings": "readings",
    "model": "model",
    "replay": "replay",
    "record": "record",
    "check-config": "check_config",
    "audit": "audit",
    "contract": "contract",
    "score": "score",
    "rhythm": "rhythm",
    "doctor": "doctor",
    "update": "update",
    "provision": "provision",
    "bundle": "bundle",
    "ca": "ca",
    "fleet": "fleet",
    "image": "image",
    "first-boot": "first_boot",
}


class Commands(click.Group):
    """Finds a command by its module, so that the daemon does not carry what only the demo needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The commands in the order in which a newcomer meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"hub.cli.{_COMMANDS[cmd_name]}").command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. Whoever reads our output may have had enough of it (| head): that is no fault."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # What is still buffered must go somewhere when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="carehub")
def carehub() -> None:
    """The CarePort Hub: collects readings from sensors, sees early that a resident is getting worse, and
    tells the Integrated Care System.

    Set a hub up with a configuration file (see provisioning/hub.example.toml), check it with 'carehub
    check-config', and start it with 'carehub run'. To see it all work without any hardware: 'carehub demo'.
    """


def main() -> None:
    """The entry point: a foreseen fault is one line on standard error and an exit code."""
    try:
        _main()
    except KeyboardInterrupt:  # before or after the command itself
        sys.exit(130)


def _main() -> None:
    from hub.configuration.file import ConfigError

    try:
        carehub.main(standalone_mode=False)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(3)
    except CareportError as error:
        click.echo(f"carehub: {error}", err=True)
        sys.exit(1)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
