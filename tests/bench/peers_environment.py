"""The peers' own virtual environment: made at first use from a lock file with hashes, then kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parent.parent.parent
_ENVIRONMENT = _ROOT / ".venv-peers"
LOCK = Path(__file__).parent / "peers" / "requirements.txt"
"""Written by `uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url
--no-header`, from one line: thingsboard-gateway==3.8.5."""

_PATIENCE_SECONDS = 600


class PeersMissingError(Exception):
    """The peers cannot be installed here; says why. They are not measured then, and that is printed."""


def peers_python() -> Path:
    """The Python of the peers' environment, which is made first where it is missing or of another lock.

    Raises:
        PeersMissingError: it cannot be made, as where no package index is reached.
    """
    python, stamp = _ENVIRONMENT / "bin" / "python", _ENVIRONMENT / "made-of"
    made_of = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if not (python.exists() and stamp.exists() and stamp.read_text() == made_of):
        uv = [sys.executable, "-m", "uv", "--no-config"]
        _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(_ENVIRONMENT)])
        _run([*uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(python), "-r", str(LOCK)])
        stamp.write_text(made_of)
    return python


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeersMissingError(f"{' '.join(command[4:6])}: {error}") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise PeersMissingError(said[-500:] or f"{' '.join(command[4:6])} failed")
