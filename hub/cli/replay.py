"""`carehub replay`: recorded payloads into a running hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import click

from hub.cli.options import config_option, json_option
from hub.errors import CareportError
from hub.readings import RawPayload

_WORDS_SHOWN = 5  # of what the hub says of payloads that it did not take


class ReplayFailedError(CareportError):
    """The recording, or the hub's replay socket, could not be used."""


@click.command(short_help="Feed recorded payloads into a running hub.")
@click.argument("recording", type=click.File("r", encoding="utf-8", errors="replace"))
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), help="So many payloads a second, evenly."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="1 for the speed at which they were recorded, 60 for sixty times as fast.",
)
@click.option(
    "--restamp", is_flag=True, help="Let them count as received now, and not when they were recorded."
)
@click.option(
    "--socket",
    "socket_path",
    type=click.Path(path_type=Path),
    help="The hub's replay socket, if not --config's.",
)
@config_option
@json_option
def command(
    recording: TextIO,
    rate: float | None,
    speed: float | None,
    restamp: bool,
    socket_path: Path | None,
    config_path: Path,
    as_json: bool,
) -> None:
    """Feed RECORDING (JSON lines as 'carehub record' writes them; - for standard input) into the running hub.

    As fast as the hub takes them, unless --rate or --speed says otherwise. The payloads go through the very
    same decoders as live ones. Needs replay.socket in the hub's configuration, and so a test site.
    """
    from hub.configuration.file import load

    path = socket_path or load(config_path).replay.socket
    if path is None:
        raise ReplayFailedError(f"{config_path}: has no replay.socket; name one there, or use --socket")
    answers, fault = asyncio.run(_feed(path, _payloads(recording), rate, speed, restamp))
    if not answers or "accepted" not in answers[-1]:
        raise ReplayFailedError(f"{path}: the hub hung up before it had committed everything; see its log")
    if fault is not None:
        before = f"the hub has committed the {answers[-1]['accepted']} before it, and nothing behind it"
        raise ReplayFailedError(f"{fault}; {before}")
    accepted, refused = answers[-1]["accepted"], answers[-1]["refused"]
    for answer in answers[-1 - _WORDS_SHOWN : -1]:
        click.echo(answer.get("error", ""), err=True)
    if as_json:
        click.echo(json.dumps(answers[-1]))
    else:
        click.echo(f"{accepted} payloads are in the hub's database, {refused} refused.")


def _payloads(recording: TextIO) -> Iterator[RawPayload]:
    from drivers.recording import RecordingError, parse

    for number, line in enumerate(recording, 1):
        if line.strip():
            try:
                yield parse(line)
            except RecordingError as error:
                raise ReplayFailedError(f"{recording.name}: line {number} {error}") from error


async def _feed(
    path: Path, payloads: Iterator[RawPayload], rate: float | None, speed: float | None, restamp: bool
) -> tuple[list[dict[str, object]], ReplayFailedError | None]:
    """The hub's answers, and the fault of the recording that ended it, if there is one."""
    from drivers.recording import line_of
    from drivers.replay import paced

    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        raise ReplayFailedError(
            f"{path}: no hub takes recordings there: {error.strerror or error}"
        ) from error
    fault = None
    try:
        try:
            async for raw in paced(payloads, rate=rate, speed=speed, restamp=restamp):
                writer.write(line_of(raw).encode() + b"\n")
                await writer.drain()
        except ReplayFailedError as error:
            fault = error
        writer.write_eof()
        return [json.loads(line) for line in (await reader.read()).splitlines()], fault
    except ConnectionError as error:
        raise ReplayFailedError(f"{path}: the hub hung up: {error.strerror}") from error
    finally:
        writer.close()
