"""What a hub's machine says of itself: goes there as the standard input of its python3, and prints one JSON
object. Standard library only; each part that cannot be had is None, and the others are told.
"""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

_SECONDS = 60
_LINK_SECONDS, _LOOK_SECONDS = 30.0, 1.0
"""A hub dials its broker at once, and again within 1 to 8 s: what is not connected by then was tried often
enough, on a slow machine too."""
_CAREHUB, _KEEPER = "/usr/local/bin/carehub", "/usr/lib/carehub/keeper"
_CERTIFICATE, _SOCKET, _DATA = (
    "/etc/carehub/identity/current/hub.crt",
    "/run/carehub/control.sock",
    "/var/lib/carehub",
)


def said_by(*command: str) -> str:
    """What a program prints, whatever it ends with; nothing where it is not there or does not end."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def object_of(text: str) -> Any:
    """JSON; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def broker() -> Any:
    """The hub's way to the broker, as its daemon says it."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(_SOCKET)
            connection.sendall(b'{"command": "status"}\n')
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        return {key: answer["result"]["broker"][key] for key in ("connected", "words")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def linked() -> Any:
    """The same of a hub that may have started just now: once it is connected, or has had its time for it."""
    until = time.monotonic() + _LINK_SECONDS
    while not (found := broker() or {}).get("connected") and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS)
    return found or None


def certificate_ends() -> float | None:
    """When the hub's certificate ends, in seconds of the Unix time."""
    said = said_by("openssl", "x509", "-noout", "-enddate", "-in", _CERTIFICATE)
    try:
        return ssl.cert_time_to_seconds(said.strip().partition("=")[2])
    except ValueError:
        return None


def disk() -> dict[str, int] | None:
    """Bytes of the file system with the hub's database."""
    try:
        usage = shutil.disk_usage(_DATA)
    except OSError:
        return None
    return {"free": usage.free, "total": usage.total}


def main(arguments: Sequence[str]) -> None:
    """Write all of it; with the argument `brief` without the doctor, and with `linked` once the hub has had
    its time to connect."""
    brief = "brief" in arguments
    found = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "keeper": object_of(said_by(_KEEPER, "state")),
        "broker": linked() if "linked" in arguments else broker(),
        "doctor": None if brief else object_of(said_by(_CAREHUB, "doctor", "--json", "--no-publish")),
        "certificate_ends": certificate_ends(),
        "disk": disk(),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
