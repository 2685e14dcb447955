"""A real nats-server with JetStream, which speaks MQTT 3.1.1; alone or in a cluster of three."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hub.demo.mosquitto import free_port

_PATIENCE_SECONDS = 30.0


def nats_binary() -> str:
    """Where nats-server is; a missing one fails the run and says what to do."""
    found = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        raise RuntimeError("nats-server is not installed: apt-get install nats-server")
    return found


class Nats:
    """One server. `mqtt` are further lines of its `mqtt` block, `further` of the whole configuration."""

    def __init__(
        self, directory: Path, name: str = "alone", *, mqtt: Sequence[str] = (), further: Sequence[str] = ()
    ) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._monitor = free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self._configuration = directory / "nats.conf"
        lines = [
            f'server_name: "{name}"',
            f'listen: "{self.host}:{free_port()}"',
            f'http: "{self.host}:{self._monitor}"',
            f'jetstream {{ store_dir: "{directory}/store" }}',
            "mqtt {",
            f'  listen: "{self.host}:{self.port}"',
            *(f"  {line}" for line in mqtt),
            "}",
            *further,
        ]
        self._configuration.write_text("\n".join(lines) + "\n")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def log(self) -> str:
        """All that it has logged, over its restarts."""
        path = self._directory / "nats.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def launch(self) -> None:
        """Start it, and return at once."""
        with (self._directory / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(
                [nats_binary(), "-c", str(self._configuration)], stdout=log, stderr=subprocess.STDOUT
            )

    def start(self) -> None:
        """Start it, and return when it takes messages."""
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self, servers: int = 1) -> None:
        """Return when it is well, and, in a cluster, sees so many servers and their leader."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                raise RuntimeError(f"nats-server ended at once:\n{self.log}")
            with suppress(OSError, ValueError, http.client.HTTPException):
                if self._ask("/healthz").get("status") == "ok":
                    cluster = self._ask("/jsz").get("meta_cluster", {})
                    if servers == 1 or (cluster.get("leader") and cluster.get("cluster_size") == servers):
                        return
            time.sleep(0.05)
        raise RuntimeError(f"nats-server is not ready:\n{self.log}")

    def _ask(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self.host, self._monitor, timeout=1)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()

    def kill(self) -> None:
        """End it as a power cut would (but for what the kernel still writes)."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(_PATIENCE_SECONDS)

    def restart(self) -> None:
        """Kill it and start it again on the same port, with the same store."""
        self.kill()
        self.start()


class NatsCluster:
    """Three servers that keep every message three times."""

    def __init__(self, directory: Path) -> None:
        routes = [free_port() for _ in range(3)]
        all_routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        self.servers = [
            Nats(
                directory / f"n{number}",
                f"n{number}",
                mqtt=["stream_replicas: 3"],
                further=[f'cluster {{ name: c, listen: "127.0.0.1:{port}", routes: [{all_routes}] }}'],
            )
            for number, port in enumerate(routes)
        ]

    def __enter__(self) -> Self:
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_until_ready(3)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers:
            server.kill()
