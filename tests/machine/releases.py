"""Releases of this checkout: the good one, and made of it, those that go wrong on purpose."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from provisioning.bundle import signers_line
from provisioning.bundle.checkout import checkout
from provisioning.bundle.packing import pack_bundle, pack_slot
from provisioning.bundle.signing import sign
from provisioning.keeper.bundle_file import opened
from provisioning.keeper.manifest import MANIFEST, SIGNATURE
from tests.machine.root import CACHE, ROOT
from tests.machine.running import run

_BUNDLES = CACHE / "bundles"
_MADE_IN_SECONDS = 900.0


class Releases:
    """Bundles for one Python, kept in `.machine` by what goes into them. `key` signs them, and `signers` is
    the list that says so."""

    def __init__(self, python: str, carehub: Path) -> None:
        self.python = python
        self._carehub = carehub
        self._good: Path | None = None
        _BUNDLES.mkdir(parents=True, exist_ok=True)
        self.key = CACHE / "release"
        self.signers = CACHE / "release_signers"
        if not self.key.exists():
            command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "the rig", "-f", str(self.key))
            run(*command).insist()
        self.signers.write_text(signers_line(self.key.with_suffix(".pub").read_text()) + "\n")

    def good(self) -> Path:
        """This checkout's, as it was at the first call, with the virtual ward's radio."""
        if self._good is None:
            self._good = self._made()
        return self._good

    def _made(self) -> Path:
        path = _BUNDLES / f"{self._ingredients()}-{self.python}.bundle"
        if not path.exists():
            for older in _BUNDLES.glob(f"*{self.python}*.bundle"):
                older.unlink()
            print(f"Making the bundle of this checkout for Python {self.python}, in {_BUNDLES}", flush=True)
            run(
                *(str(self._carehub), "bundle", "--sign-with", str(self.key), "--with", "virtual"),
                *("--architecture", "x86_64", "--python", self.python, "--out", str(path)),
                seconds=_MADE_IN_SECONDS,
            ).insist()
        return path

    def variant(
        self, build: str, change: Callable[[Path], None], *, readable_from: int | None = None
    ) -> Path:
        """The good one with another `build`, whose slot was changed so; signed like any other."""
        out = _BUNDLES / f"{self.good().stem}-{build}.bundle"
        with tempfile.TemporaryDirectory(prefix="careport-machine-") as directory:
            work = Path(directory)
            with opened(self.good(), self.signers) as bundle:
                manifest = bundle.manifest
                bundle.unpack(self.python, work / "slot")
            (work / "slot" / MANIFEST).unlink()  # the keeper puts it there
            change(work / "slot")
            before = manifest.payloads[self.python]
            payload = pack_slot(work / "slot", work / before.file, 1_700_000_000, before.magic)
            manifest = replace(
                manifest,
                build=build,
                payloads={self.python: payload},
                readable_from=manifest.readable_from if readable_from is None else readable_from,
            )
            text = manifest.to_json().encode()
            small = {MANIFEST: text, SIGNATURE: sign(text, self.key)}
            pack_bundle(out, small, {payload.file: work / payload.file}, 1_700_000_000)
        return out

    def _ingredients(self) -> str:
        source = checkout(ROOT)
        digest = hashlib.sha256(self.key.read_bytes() + (ROOT / "requirements.lock").read_bytes())
        for path in (*source.files(), *sorted(Path("provisioning/bundle").glob("*.py"))):
            digest.update(str(path).encode() + b"\0" + (ROOT / path).read_bytes())
        return digest.hexdigest()[:12]


def sources(lib: Path, module: str) -> Path:
    """The source of a module in a slot; what was compiled of it is deleted, since it would be run instead."""
    path = lib / f"{module.replace('.', '/')}.py"
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
    return path


def appended(module: str, text: str) -> Callable[[Path], None]:
    """A change of a slot: this is put behind a module of it."""

    def change(slot: Path) -> None:
        path = sources(slot / "lib", module)
        path.write_text(path.read_text() + text)

    return change
