"""What pages are drawn with, from `static/`: read once, packed once, kept by browsers for a year.

A file's address has a digest of what is in it (`/static/page.css?v=...`), so that a hub with another version
of it has another address.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
_PACKED = frozenset({".css", ".js", ".svg", ".webmanifest", ".txt"})
_FOR_A_YEAR = "public, max-age=31536000, immutable"
_DIGEST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    packed: bytes | None
    type: str
    version: str


class Statics:
    """The files of `static/` by their names. What has an ending that is not known here is not served."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            str(path.relative_to(folder)): _read(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES and path.is_file()
        }

    def address(self, name: str) -> str:
        """Where a file is to be had. One that is not there has an address too, and is not found there."""
        known = self._files.get(name)
        return f"/static/{name}" if known is None else f"/static/{name}?v={known.version}"

    def answer(self, request: Request) -> Response:
        """A file, as whoever asks can take it."""
        known = self._files.get(request.path_params["name"])
        if known is None:
            return Response("There is no such file.", 404, media_type="text/plain")
        right_version = request.query_params.get("v") == known.version
        headers = {
            "Cache-Control": _FOR_A_YEAR if right_version else "no-cache",
            "ETag": f'"{known.version}"',
            "Vary": "Accept-Encoding",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(None, 304, headers)
        if known.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(known.packed, 200, {**headers, "Content-Encoding": "gzip"}, known.type)
        return Response(known.content, 200, headers, known.type)


def _read(path: Path) -> _File:
    content = path.read_bytes()
    packed = gzip.compress(content, mtime=0) if path.suffix in _PACKED else None
    return _File(content, packed, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:_DIGEST_DIGITS])
