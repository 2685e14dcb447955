"""The link between a system and its broker, and what can happen to it."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from hub.demo.mosquitto import Mosquitto

_CHUNK = 65_536


class QuietMosquitto(Mosquitto):
    """The real broker with a log of warnings only and a queue that takes any backlog: for floods."""

    def __init__(self, directory: Path, receive_maximum: int = 20) -> None:
        super().__init__(directory, ["set_tcp_nodelay true", f"max_inflight_messages {receive_maximum}"])
        path = directory / "mosquitto.conf"
        lines = path.read_text().replace("log_type all", "log_type warning")
        path.write_text(lines.replace("max_queued_messages 100000", "max_queued_messages 5000000"))


class Proxy:
    """Forwards TCP to the broker. It can go silent as a link that drops every packet does, or hang up.

    Attributes:
        connects: the monotonic second of each connection that was accepted.
    """

    def __init__(self, port: int) -> None:
        self.connects: list[float] = []
        self._target = ("127.0.0.1", port)
        self._passes = threading.Event()
        self._passes.set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.heal()
        self.drop()

    def silence(self) -> None:
        """Read and pass on nothing more; connections stay open and new ones get no answer."""
        self._passes.clear()

    def heal(self) -> None:
        """Pass on again, first what had been sent meanwhile, as TCP does once packets get through."""
        self._passes.set()

    def drop(self) -> int:
        """End every connection at once; how many there were."""
        with self._lock:
            ending = list(self._open)
        for connection in ending:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        return len(ending) // 2

    def _start(self, run: object, *arguments: object) -> None:
        assert callable(run)
        threading.Thread(target=run, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # it is over
            self.connects.append(monotonic())
            self._start(self._forward, near)

    def _forward(self, near: socket.socket) -> None:
        self._passes.wait()
        try:
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        both = (near, far)
        with self._lock:
            self._open.update(both)
        for end in both:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()
        with self._lock:
            self._open.difference_update(both)
        for end in both:
            end.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(_CHUNK):
                self._passes.wait()
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
