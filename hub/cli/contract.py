"""`carehub contract`: what is on the wire, for those who build the other side."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hub.errors import CareportError


class UnknownSchemaError(CareportError):
    """There is no schema of that name; the text says which there are."""


class CannotWriteError(CareportError):
    """The documents cannot be written; the text says where and why."""


@click.command(short_help="Print what is on the wire, as AsyncAPI and JSON Schemas.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write asyncapi.json and schemas/*.json into this folder instead.",
)
@click.option("--schema", "name", metavar="NAME", help="Print this schema alone, as alert.raised.v1.")
def command(directory: Path | None, name: str | None) -> None:
    """Print the AsyncAPI 3.0 document of what the hub sends and receives over MQTT, as JSON.

    It needs no configuration: it is made from the program, and the same for every hub of this version. In
    it are the JSON Schemas (draft 7) of all data; --directory also writes each as a file of its own.
    """
    from hub.contract.document import document, schema_documents

    if directory is not None and name is not None:
        raise click.UsageError("give --directory or --schema, not both")
    if name is not None:
        known = schema_documents()
        if name not in known:
            raise UnknownSchemaError(f"there is no schema {name!r}: there are {', '.join(known)}")
        click.echo(_text(known[name]), nl=False)
        return
    if directory is None:
        click.echo(_text(document()), nl=False)
        return
    files = {Path("asyncapi.json"): document()}
    files |= {Path("schemas") / f"{each}.json": schema for each, schema in schema_documents().items()}
    try:
        (directory / "schemas").mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            (directory / path).write_text(_text(content), encoding="utf-8")
    except OSError as error:
        raise CannotWriteError(f"{directory}: cannot be written: {error.strerror}") from error
    click.echo(f"{directory}: asyncapi.json and {len(files) - 1} schemas")


def _text(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
