"""How the list of clients and of the revoked reaches the broker: by the programme's own `publish`."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from provisioning.clients import Clients
from provisioning.errors import ProvisioningError
from provisioning.locking import locked
from provisioning.openssl import read, run, write

_SECONDS = 30.0
"""A hub waits for its certificate meanwhile (`keeper.est`)."""
_FILES = ("clients", "revoked.crl")


class Publishing:
    """The executable `publish` of an authority's directory, which is run in it where what it brings is not
    what it brought last. `tell` is told where that failed, and stops nothing."""

    def __init__(self, directory: Path, tell: Callable[[str], None]) -> None:
        self._directory, self._tell = directory, tell
        self._program, self._noted = directory / "publish", directory / ".published"
        self._failed = directory / ".publish-failed"

    def is_outstanding(self) -> bool:
        """Whether the broker does not know of the last change yet. Raises `ProvisioningError`."""
        if not os.access(self._program, os.X_OK):
            return False
        return not self._noted.exists() or read(self._noted) != self._state()

    def publish(self, *, wait: bool = True) -> None:
        """Run it, if anything is outstanding: of many at once a few runs do. Without `wait` not where it runs
        already, as for whoever is called by it. Raises `ProvisioningError`."""
        if not self.is_outstanding():
            return
        with locked(self._directory, ".publishing", wait=False) as ours:
            if ours:
                self._run()
        if not ours and wait:
            with locked(self._directory, ".publishing"):
                # Of twenty hubs at once not each is to wait in turn for a broker that is away.
                if self._failed.exists() and read(self._failed) == self._state():
                    self._say(f"{self._program} failed just now")
                else:
                    self._run()

    def _run(self) -> None:
        if not self.is_outstanding():
            return
        state = self._state()
        try:
            Clients(self._directory / "clients").all()  # with a slip in it there is no access list to bring
            ended = run([str(self._program)], {"PATH": _path()}, where=self._directory, seconds=_SECONDS)
            why = (
                f"{self._program} ended with {ended.returncode}: {ended.stderr.strip() or 'it said nothing'}"
            )
        except ProvisioningError as error:
            ended, why = None, str(error)
        if ended is not None and ended.returncode == 0:
            write(self._noted, state, 0o600)
            self._failed.unlink(missing_ok=True)
        else:
            write(self._failed, state, 0o600)
            self._say(why)

    def _say(self, why: str) -> None:
        self._tell(
            f"{why}; the broker does not know of the last change yet: 'carehub ca revocations"
            f" {self._directory}' runs it again, and so does whatever else changes this authority"
        )

    def _state(self) -> str:
        text = "\0".join(read(self._directory / name) for name in _FILES)
        return hashlib.sha256(text.encode()).hexdigest()


def _path() -> str:
    """Where programs are looked for, the `carehub` that is running first: it may be in a checkout's .venv."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
