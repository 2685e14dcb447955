"""Commands that are run to their end, and what they said."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from tests.machine.errors import RigError

_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended: its exit code, what it printed, and how many seconds it took."""

    command: str
    code: int
    output: str
    errors: str
    seconds: float

    def insist(self) -> str:
        """What it printed. Raises `RigError`: it ended with another code than 0."""
        if self.code:
            said = (self.errors.strip() or self.output.strip())[-2000:]
            raise RigError(f"'{self.command}' ended with {self.code}: {said}")
        return self.output


def run(
    *command: str,
    given: str | bytes | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = _PATIENCE_SECONDS,
) -> Ended:
    """Run a command with this on its standard input.

    Raises:
        RigError: there is no such command, or it has not ended after so many seconds.
    """
    began = monotonic()
    words = " ".join(command)
    try:
        ended = subprocess.run(
            command,
            input=given.encode() if isinstance(given, str) else given or b"",
            capture_output=True,
            env=dict(environment) if environment is not None else None,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = _text(error.stdout)[-1000:] + _text(error.stderr)[-1000:]
        raise RigError(f"'{words}' had not ended after {seconds:g} s: {said}") from None
    except OSError as error:
        raise RigError(f"'{words}' cannot be run: {error}") from error
    return Ended(words, ended.returncode, _text(ended.stdout), _text(ended.stderr), monotonic() - began)


def insist(*command: str) -> str:
    """What a command printed. Raises `RigError`: it failed."""
    return run(*command).insist()


def quietly(commands: Sequence[Sequence[str]]) -> None:
    """Run commands whose failing means that there was nothing to do."""
    for command in commands:
        run(*command)


def _text(said: bytes | None) -> str:
    return (said or b"").decode(errors="replace")
