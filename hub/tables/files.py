"""The files that tables are read from and written to; "-" is standard input and standard output."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from hub.errors import CareportError

STANDARD = Path("-")
_INPUT, _OUTPUT = "standard input", "standard output"


class TableFileError(CareportError):
    """A table's file cannot be read or written; the text names it and says why."""


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a file with their own line ends; what is not UTF-8 as PEP 383 has it.

    Raises:
        TableFileError: it cannot be opened, or not be read to its end.
    """
    try:
        if path == STANDARD:
            yield from _text(_open(sys.stdin, _INPUT))
        else:
            with path.open("rb") as file:
                yield from _text(file)
    except OSError as error:
        name = _INPUT if path == STANDARD else path
        raise TableFileError(f"{name}: cannot be read: {error.strerror or error}") from error


@contextmanager
def writing(path: Path) -> Iterator[TextIO]:
    """A file to write, which is there under its name only when all of it is written: whole or not at all.

    Until then it is beside it under another name; what had the name before stays as it was. That holds for
    files: standard output, a pipe or a device is written as it comes.

    Raises:
        TableFileError: it cannot be written.
        BrokenPipeError: who reads standard output has had enough of it.
    """
    try:
        if path == STANDARD:
            text = _text(_open(sys.stdout, _OUTPUT))
            try:
                yield text
                text.flush()
            finally:
                text.detach()
            return
        target = path.resolve()  # so that a link stays one
        mode = target.stat().st_mode if target.exists() else None
        if mode is None or stat.S_ISREG(mode):
            with _instead_of(target, mode) as beside:
                yield beside
        else:
            with target.open("wb") as device, _text(device) as to_device:
                yield to_device
    except OSError as error:
        if path == STANDARD and isinstance(error, BrokenPipeError):
            raise
        name = _OUTPUT if path == STANDARD else path
        raise TableFileError(f"{name}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _instead_of(target: Path, mode: int | None) -> Iterator[TextIO]:
    """A file beside the target that takes its place, and has its permissions, at the end."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file, _text(file) as text:
            yield text
            text.flush()
            os.fchmod(file.fileno(), _usual_mode() if mode is None else stat.S_IMODE(mode))
            os.fsync(file.fileno())
        unfinished.replace(target)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def the_same(source: Path, target: Path) -> bool:
    """Whether both are one file, under whatever names."""
    try:
        read = os.fstat(_open(sys.stdin, _INPUT).fileno()) if source == STANDARD else source.stat()
        written = os.fstat(_open(sys.stdout, _OUTPUT).fileno()) if target == STANDARD else target.stat()
    except (OSError, ValueError, TableFileError):  # one is not there yet, or no file at all
        return False
    return stat.S_ISREG(read.st_mode) and os.path.samestat(read, written)


def _open(standard: TextIO | None, name: str) -> BinaryIO:
    """The bytes of standard input or output. A shell can close them (`<&-`): then Python has none."""
    if standard is None:
        raise TableFileError(f"{name}: is closed")
    return standard.buffer


def _text(file: BinaryIO) -> TextIOWrapper:
    return TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")


def _usual_mode() -> int:
    """The permissions of a new file. The mask cannot be asked for without setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return 0o666 & ~mask
