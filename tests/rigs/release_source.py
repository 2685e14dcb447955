"""Where a site has its releases from: a real HTTPS server of plain files, which may break off."""

from __future__ import annotations

import hashlib
import re
import shutil
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from provisioning.keeper.bundle_file import manifest_text
from tests.rigs.certificates import Authority


class ReleaseSource:
    """Serves a directory at 127.0.0.1. `ends_after` has the next answers break off after so many bytes, one
    for each number; `answers` are statuses that are answered first, and what is in `instead` makes the next
    answers by itself, whatever they then are. `asked` is what was asked for, with its
    Range. It is certified by `ca` (PEM), where `pair`, its certificate and key, is not given."""

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        name: str = "",
        pair: tuple[Path, Path] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.ends_after: list[int] = []
        self.answers: list[int] = []
        self.instead: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.asked: list[tuple[str, str | None]] = []
        self.ca = ""
        if pair is None:
            authority = Authority(directory)
            pair, self.ca = authority.certify("source", address=host), authority.certificate.read_text()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        self._server = ThreadingHTTPServer((host, 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"https://{name or host}:{self._server.server_port}/careport"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def serve(self, bundle: Path, name: str = "") -> str:
        """Serve a bundle under the SHA-256 of its manifest, which is returned, or under another name."""
        digest = hashlib.sha256(manifest_text(bundle)).hexdigest()
        shutil.copy(bundle, self.directory / f"{name or digest}.bundle")
        return digest

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                source.asked.append((self.path, wanted))
                if source.instead:
                    source.instead.pop(0)(self)
                    self.close_connection = True
                    return
                path = source.directory / self.path.removeprefix("/careport/")
                if source.answers or not path.is_file():
                    self.send_error(source.answers.pop(0) if source.answers else 404)
                    return
                content = path.read_bytes()
                start = int(found[1]) if wanted and (found := re.fullmatch(r"bytes=(\d+)-", wanted)) else 0
                if start >= len(content) > 0:
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                most = source.ends_after.pop(0) if source.ends_after else len(content)
                self.wfile.write(content[start : start + most])
                if most < len(content) - start:
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler
