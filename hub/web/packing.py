"""Large pages, compressed on their way (RFC 9110, 8.4.1.3).

Only for pages that show nothing of what a request said: beside something that a stranger may choose, the
length of what is compressed tells of the secrets in it (BREACH; Gluck, Harris and Prado 2013).
"""

from __future__ import annotations

import gzip

from starlette.requests import Request
from starlette.responses import Response

_LEVEL = 5  # more brings little, and takes a Pi twice as long
_WORTH_IT = 2_000  # bytes


def compressed(text: str) -> bytes:
    """A page, or a part of one, as `packed` sends it."""
    return gzip.compress(text.encode(), _LEVEL, mtime=0)


def packed(request: Request, response: Response, known: bytes | None = None) -> Response:
    """The response, compressed where whoever asked can read that; `known` is what that comes to, if known."""
    body = bytes(response.body)
    if len(body) < _WORTH_IT or "gzip" not in request.headers.get("accept-encoding", ""):
        return response
    made = Response(known or compressed(body.decode()), response.status_code, media_type=response.media_type)
    made.headers["Content-Encoding"] = "gzip"
    made.headers["Vary"] = "Accept-Encoding"
    return made
