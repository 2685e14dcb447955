"""Small releases, really signed by ssh-keygen, whose hub is a process that behaves as it is told; and what
starts it, in place of a systemd: real processes and real sockets, no unit."""

from __future__ import annotations

import gzip
import hashlib
import io
import platform
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from provisioning.keeper.atomic import Disk
from provisioning.keeper.judge import Pace, UnitSeen
from provisioning.keeper.manifest import MANIFEST, NAMESPACE, SIGNATURE, Manifest, Payload
from provisioning.keeper.places import PROBATION_UNIT, UNIT, Places
from provisioning.keeper.slots import Slots
from provisioning.keeper.trial import Keeper

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
QUICK = Pace(
    before=0.3, patience=4, prove=0.7, soak=0.4, steady=0.15, silence=0.6, answer=20, look=0.03, kill=0.3,
    back=5, probation=0.4, watch=0.03,
)  # fmt: skip
"""A tenth of the time and less; but a busy machine may take its time for one answer: who tries a hub
that hangs gives it less."""

WELL: dict[str, Any] = {
    "broker": {"connected": True},
    "card": "well",
    "radio": {"usable": True},
    "usb": {"usable": True},
    "progress": {"well": True, "stages": {"intake": {"well": True, "turned": True, "words": "gets on"}}},
}

_HUB = """#!{python} -IS
import json, os, socket, sys, time
behaviour, checks = {behaviour!r}, sys.argv[1:2] == ["check-config"]
root = os.environ.get("HUB_ROOT", "")
hub_toml = sys.argv[3] if checks else root + "/etc/carehub/hub.toml"
knows = behaviour.get("knows")
if knows is not None and open(hub_toml).read().split()[0] not in knows:
    sys.exit(3)
if checks:
    sys.exit(0)
if "ends" in behaviour:
    sys.exit(behaviour["ends"])
if behaviour.get("never ready"):
    time.sleep(60)
path = root + "/run/carehub/control.sock"
os.makedirs(os.path.dirname(path), exist_ok=True)
if os.path.exists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
open(root + "/run/ready", "w").close()
began = time.monotonic()
while True:
    connection, _ = server.accept()
    command = json.loads(connection.makefile().readline())["command"]
    if time.monotonic() - began >= behaviour.get("hangs after", 1e9):
        time.sleep(60)
    if time.monotonic() - began >= behaviour.get("ends after", 1e9):
        sys.exit(1)
    later = time.monotonic() - began >= behaviour.get("later after", 1e9)
    said = {{"result": behaviour["later" if later else "says"]}}
    if command == "commit":
        said = {{"result": {{"committed": "now"}}}}
        if behaviour.get("commits nothing"):
            said = {{"error": "the card takes nothing"}}
    if command == "prove":
        said = {{"result": {{"answer": "refused" if behaviour.get("publishes nothing") else "accepted"}}}}
    try:
        connection.sendall(json.dumps(said).encode() + b"\\n")
    except OSError:
        pass  # whoever asked has given up
    connection.close()
"""


@dataclass(frozen=True, slots=True)
class Made:
    """What a bundle is made of; `hub` is how its hub behaves (see `_HUB`), `brings` more files."""

    version: str = "1.0"
    build: str = "one"
    architecture: str = platform.machine()
    pythons: tuple[str, ...] = (PYTHON,)
    schema: int = 10
    readable_from: int = 9
    size: int | None = None
    built: int = 0
    hub: dict[str, Any] = field(default_factory=lambda: {"says": WELL})
    brings: dict[str, str] = field(default_factory=dict)


class Signer:
    """A key that may sign releases."""

    def __init__(self, directory: Path) -> None:
        self.key = directory / "signer"
        command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "releases", "-f", str(self.key))
        subprocess.run(command, check=True, capture_output=True)
        self.signers = f"releases {self.key.with_suffix('.pub').read_text()}"

    def sign(self, text: bytes) -> bytes:
        """As `carehub bundle` does."""
        command = ("ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(self.key))
        return subprocess.run(command, input=text, check=True, capture_output=True).stdout


def bundle(path: Path, signer: Signer, made: Made) -> Path:
    """Make that bundle."""
    files = {
        "bin/carehub": _HUB.format(python=sys.executable, behaviour=made.hub),
        "lib/version.txt": f"{made.version} {made.build}",
        "systemd/carehub.service": "[Unit]",
        **made.brings,
    }
    payload = _payload(files)
    digest, size = hashlib.sha256(payload).hexdigest(), made.size or 64 * 1024
    payloads = {each: Payload(f"slot-{each}.tar.gz", digest, size, "00") for each in made.pythons}
    release = Manifest(
        made.version, made.build, made.architecture, made.schema, made.readable_from, payloads, made.built
    )
    text = release.to_json().encode()
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, MANIFEST, text)
        _add(tar, SIGNATURE, signer.sign(text))
        for each in payloads.values():
            _add(tar, each.file, payload)
    return path


def _payload(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in sorted({str(Path(name).parent) for name in files}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, content in files.items():
            _add(tar, name, content.encode(), 0o755 if name.startswith("bin/") else 0o644)
    return gzip.compress(buffer.getvalue(), mtime=0)  # the same release is the same payload


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


class Processes:
    """Starts and stops the hub of the release in force: `Services` without a systemd."""

    def __init__(self, places: Places, *, enabled: Sequence[str] = (UNIT,)) -> None:
        self._places = places
        self._enabled = enabled
        self._hub: subprocess.Popen[bytes] | None = None
        self._ready = places.root / "run/ready"
        self.refreshed: list[str] = []
        self.watched = 0
        self.page = UnitSeen("inactive")

    def running(self) -> bool:
        """It is."""
        return True

    def wanted(self, unit: str) -> bool:
        """As it was told."""
        return unit in self._enabled

    def seen(self, unit: str) -> UnitSeen:
        """How the process is."""
        if unit != UNIT:
            return self.page
        if self._hub is None:
            return UnitSeen("inactive")
        code = self._hub.poll()
        if code is None:
            return UnitSeen("active" if self._ready.exists() else "activating")
        return UnitSeen("failed", "failed", "exit-code", code=code)

    def stop(self, units: Sequence[str]) -> None:
        """End it."""
        self.kill(units, 5)

    def kill(self, units: Sequence[str], seconds: float) -> None:
        """End it, at last by force."""
        if self._hub is not None and UNIT in units:
            self._hub.send_signal(signal.SIGTERM)
            try:
                self._hub.wait(seconds)
            except subprocess.TimeoutExpired:
                self._hub.kill()
                self._hub.wait()
            self._hub = None
            self._ready.unlink(missing_ok=True)

    def start(self, units: Sequence[str]) -> None:
        """Start what the link leads to."""
        self.watched += PROBATION_UNIT in units
        if UNIT in units and (self._hub is None or self._hub.poll() is not None):
            self._ready.unlink(missing_ok=True)
            program = self._places.current.resolve() / "bin/carehub"
            command = (sys.executable, "-I", "-S", str(program))
            self._hub = subprocess.Popen(command, env={"HUB_ROOT": str(self._places.root)})

    def restart(self, units: Sequence[str]) -> None:
        """Stop and start it."""
        self.stop(units)
        self.start(units)

    @property
    def process(self) -> int:
        """The hub's, as the kernel numbers it; 0 where there is none."""
        return 0 if self._hub is None else self._hub.pid

    def refresh(self) -> list[str]:
        """Note of which slot the units are from now on."""
        self.refreshed.append(self._places.current.readlink().name)
        return []

    def wait_until_ready(self) -> None:
        """Until the hub answers."""
        until = time.monotonic() + 10
        while not self.seen(UNIT).running:
            assert time.monotonic() < until
            time.sleep(0.01)


class Machine:
    """A machine below a directory, with whom it trusts; and releases for it."""

    def __init__(self, root: Path, signer: Signer) -> None:
        self.places = Places(root)
        self.services = Processes(self.places)
        self.signer = signer
        self.words: list[str] = []
        self.places.etc.mkdir(parents=True)
        (root / "run").mkdir()
        self.places.signers.write_text(signer.signers)

    @property
    def slots(self) -> Slots:
        """Of this machine."""
        return Slots(self.places)

    def bundle(self, made: Made | None = None, **changes: Any) -> Path:
        """A bundle for this machine."""
        made = replace(made or Made(), **changes)
        return bundle(self.places.root / f"{made.version}-{made.build}.bundle", self.signer, made)

    def keeper(
        self,
        disk: Disk | None = None,
        pace: Pace = QUICK,
        *,
        patience: float | None = None,
        compared: bool = True,
    ) -> Keeper:
        """Its keeper."""
        return Keeper(
            self.places, services=self.services, disk=disk, pace=pace, tell=self.words.append,
            patience=patience, compared=compared,
        )  # fmt: skip

    def with_hub(self, **changes: Any) -> Machine:
        """Have a first release run on it."""
        self.keeper().update(self.bundle(**changes))
        self.services.start([UNIT])
        self.services.wait_until_ready()
        return self
