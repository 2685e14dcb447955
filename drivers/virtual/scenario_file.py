"""Reads the file of a scenario: what is played on the virtual radio, or on the virtual sockets."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from drivers.virtual import VirtualWardError

Scenario = TypeVar("Scenario", bound=BaseModel)


def read_scenario(path: Path, kind: type[Scenario]) -> Scenario:
    """Read and check a scenario file: JSON if it is named so, else TOML.

    Raises:
        VirtualWardError: it cannot be read, or a key is wrong; each wrong key is named.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise VirtualWardError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise VirtualWardError(f"{path}: is no scenario: {error}") from error
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()]
        raise VirtualWardError("\n".join([f"{path}: is no scenario:", *lines])) from error
