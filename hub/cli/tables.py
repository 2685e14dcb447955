"""What the commands share that read a table and write one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click

from hub.cli.options import Decorator
from hub.errors import CareportError

csv_option: Decorator = click.option(
    "--csv",
    "csv_path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="The table to read; - for standard input.",
)

out_option: Decorator = click.option(
    "--out",
    "out_path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="The file to write: whole at the end, or not at all; - for standard output, as it comes.",
)

model_option: Decorator = click.option(
    "--model",
    "model_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Another model (.tflite) than the hub's own, its card (.json) beside it.",
)

strict_option: Decorator = click.option(
    "--strict", is_flag=True, help="End with 2 at the first cell that is not understood."
)


AnyModel = TypeVar("AnyModel")


class WithoutModelError(CareportError):
    """The table was written, but without what only the model could say."""


class NotUnderstoodError(click.ClickException):
    """A cell that is not understood, under --strict: what was given is written wrong."""

    exit_code = 2


def name_of(csv_path: Path) -> str:
    """What messages call the table."""
    from hub.tables.files import STANDARD

    return "standard input" if csv_path == STANDARD else str(csv_path)


def refuse_the_same(csv_path: Path, out_path: Path) -> None:
    """Raises `click.UsageError` where the table would be written over itself."""
    from hub.tables.files import the_same

    if the_same(csv_path, out_path):
        raise click.UsageError("--out is the same file as --csv: give it another name")


def loaded(configured: Callable[[Path | None], AnyModel], model_file: Path | None) -> AnyModel | None:
    """The model; None where it is refused, and then why is said."""
    from hub.assessment.model_file import ModelError

    try:
        return configured(model_file)
    except ModelError as error:
        say([str(error)])
        return None


def say(words: Iterable[str]) -> None:
    """Lines on standard error."""
    for each in words:
        click.echo(f"carehub: {each}", err=True)
