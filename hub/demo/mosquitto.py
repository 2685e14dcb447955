"""A real mosquitto on a free port of this machine: the demonstration's broker, and the tests'."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.errors import CareportError

_PATIENCE_SECONDS = 10.0


class MosquittoError(CareportError):
    """mosquitto is not installed, or does not run; says what to do, or what it said."""


def mosquitto_binary() -> str:
    """Where mosquitto is. Raises `MosquittoError` with the remedy where it is not."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise MosquittoError("mosquitto is not installed: apt-get install mosquitto")
    return found


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Mosquitto:
    """A mosquitto in a directory of its own, which keeps its sessions and its log across restarts.

    `settings` are further lines of its configuration. Its queues are long, since it silently drops what a
    slow subscriber has waiting beyond 1,000 messages. (They could be unlimited with 0, but 2.0.11 then
    closes the connection after each PUBACK that refuses a message.)
    """

    def __init__(
        self,
        directory: Path,
        settings: Sequence[str] = (),
        *,
        anonymous: bool = True,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._log = directory / "mosquitto.log"
        self._configuration = directory / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        lines = [
            "per_listener_settings false",
            f"listener {self.port} {self.host}",
            f"allow_anonymous {str(anonymous).lower()}",
            "max_queued_messages 100000",
            "persistence true",
            f"persistence_location {directory}/",
            "log_dest stdout",
            "log_type all",
            *settings,
        ]
        if not any(line.startswith("user ") for line in settings):
            lines.append("user root")  # it runs as whoever started it, since the directory is theirs
        self._configuration.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        """All that this broker has logged, over its restarts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start, and return when it listens."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [mosquitto_binary(), "-c", str(self._configuration)], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise MosquittoError(f"mosquitto ended at once:\n{self.log}")
            with socket.socket() as probe:
                probe.settimeout(1.0)
                if probe.connect_ex((self.host, self.port)) == 0:
                    return
            time.sleep(0.01)
        raise MosquittoError(f"mosquitto does not listen on port {self.port}:\n{self.log}")

    def stop(self) -> None:
        """Stop it as systemd would: it says goodbye and keeps its sessions."""
        self._end(lambda process: process.terminate())

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(lambda process: process.kill())

    def freeze(self) -> None:
        """Stop the process without ending it: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop and start again on the same port, with the same sessions."""
        self.stop()
        self.start()

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        how(process)
        process.wait(_PATIENCE_SECONDS)
