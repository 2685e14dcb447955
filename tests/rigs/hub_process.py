"""The real daemon in a process of its own, fed through its replay socket; and `carehub`, run to its end."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from drivers.recording import line_of
from hub.cli import main
from hub.clock import now
from hub.configuration.file import load
from hub.control.control_socket import ask
from hub.readings import Reading
from hub.store.database import FILE_NAME, open_for_reading

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    code: int
    output: str
    errors: str


def carehub(*arguments: str | Path) -> Ended:
    """Run a `carehub` command to its end, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "hub", *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def carehub_here(*arguments: str | Path) -> Ended:
    """Run a `carehub` command in this process, which is much faster.

    What would be a traceback for a user is raised here, and so fails the test. For a test that runs in an
    event loop: call it in a thread.
    """
    output, errors, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["carehub", *map(str, arguments)]
    code: object = 0
    try:
        with redirect_stdout(output), redirect_stderr(errors):
            main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.argv = before
    return Ended(int(code) if isinstance(code, int) else 0, output.getvalue(), errors.getvalue())


class HubProcess:
    """`carehub run` with a configuration whose sockets and data are in its directory."""

    def __init__(
        self, config_path: Path, *, module: str = "hub", environment: Mapping[str, str] | None = None
    ) -> None:
        """Not started yet. A rig that runs the hub is the `module`, told what it needs in `environment`."""
        self.config_path = config_path
        self._command = [sys.executable, "-m", module, "run", "--config", str(config_path)]
        self._environment = environment or {}
        self.config = load(config_path)
        self.database = self.config.hub.data_directory / FILE_NAME
        self._log = config_path.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    @property
    def log(self) -> str:
        """All that it has logged, over its restarts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    async def start(self) -> None:
        """Start it, and return when it takes commands and payloads."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stderr=log, env={**os.environ, **self._environment}
            )
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not await self._serves():
                    if self._process.poll() is not None:
                        raise RuntimeError(f"the hub ended at once:\n{self.log}")
                    await asyncio.sleep(0.02)
        except BaseException:
            await self.kill()  # nobody else will, and it would go on for ever
            raise

    async def _serves(self) -> bool:
        assert self.config.replay.socket is not None
        for path in (self.config.hub.control_socket, self.config.replay.socket):
            try:
                _, writer = await asyncio.open_unix_connection(path)
            except OSError:
                return False
            writer.close()
        return True

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def stop(self) -> int:
        """Stop it as systemd would, and return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, _PATIENCE_SECONDS)

    async def feed(self, readings: Iterable[Reading]) -> int:
        """Feed payloads in as received now; return how many the hub confirmed to have committed."""
        assert self.config.replay.socket is not None
        reader, writer = await asyncio.open_unix_connection(self.config.replay.socket)
        for reading in readings:
            writer.write(line_of(replace(reading.raw, received_at=now())).encode() + b"\n")
        writer.write_eof()
        answers: Sequence[dict[str, Any]] = [json.loads(line) for line in (await reader.read()).splitlines()]
        writer.close()
        return int(answers[-1]["accepted"])

    async def ask(self, command: str, **arguments: object) -> dict[str, object]:
        """Ask it something over its control socket."""
        return await asyncio.to_thread(ask, self.config.hub.control_socket, command, **arguments)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Look into its database."""
        connection = open_for_reading(self.database)
        try:
            return list(connection.execute(statement))
        finally:
            connection.close()
