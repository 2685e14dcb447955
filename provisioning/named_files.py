"""The engineer's own files, site's and fleet's, as they are written on any machine, and what they name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from hub.configuration.file import ConfigError

TOO_DEEP = "cannot be read: its tables and lists are one in another, too deep"
"""What to say of a file that nobody wrote by hand."""


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """A file's text, and what it says.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # Notepad begins a file with a mark
        return text, tomllib.loads(text)
    except OSError as error:
        raise ConfigError(path, [f"cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(path, [f"is not TOML: {error}"]) from error
    except RecursionError as error:
        raise ConfigError(path, [TOO_DEEP]) from error


def file_named(where: Path, name: Path | str) -> Path:
    """The file of that name: relative to that directory, or of a home (~).

    Raises:
        ValueError: there can be none; the text says why.
    """
    try:
        found = where / Path(name).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{name}: there is no such home directory on this machine") from error
    if "\0" in str(found):
        raise ValueError("no file has a NUL in its name")
    return found
