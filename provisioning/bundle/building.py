"""Making a bundle of this checkout."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from hub import __version__
from hub.store import database
from provisioning.bundle.checkout import Checkout, checkout
from provisioning.bundle.compiling import compiler
from provisioning.bundle.packages import packages
from provisioning.bundle.packing import pack_bundle, pack_slot
from provisioning.bundle.reading import Bundle, read
from provisioning.bundle.signing import sign
from provisioning.bundle.slot import assemble
from provisioning.bundle.target import PYTHONS, Target
from provisioning.errors import ProvisioningError
from provisioning.keeper.manifest import MANIFEST, SIGNATURE, Manifest, Payload


def build(
    key: Path,
    out: Path | None = None,
    *,
    architecture: str = "aarch64",
    pythons: Sequence[str] = tuple(PYTHONS),
    extras: Sequence[str] = (),
    tell: Callable[[str], None] = print,
) -> Bundle:
    """Make the bundle of this checkout, signed with `key`, in the file `out`: one named after the release, in
    the working directory, unless said.

    Raises:
        ProvisioningError: it cannot be made here; says what is missing.
    """
    source = checkout()
    _can_be_written(out)
    with tempfile.TemporaryDirectory(prefix="carehub-bundle-") as directory:
        work = Path(directory)
        payloads = {
            python: _payload(source, Target(architecture, python), extras, work, tell)
            for python in sorted(set(pythons))
        }
        manifest = Manifest(
            version=__version__,
            build=source.build,
            architecture=architecture,
            schema=database.SCHEMA_VERSION,
            readable_from=database.READABLE_FROM,
            payloads=payloads,
            built=source.time,
        )
        text = manifest.to_json().encode()
        tell(f"Signing {manifest.name} with {key}")
        out = out or Path(f"carehub-{manifest.version}-{manifest.build}-{architecture}.bundle")
        small = {MANIFEST: text, SIGNATURE: sign(text, key)}
        pack_bundle(out, small, {each.file: work / each.file for each in payloads.values()}, source.time)
    return read(out, None)


def _can_be_written(out: Path | None) -> None:
    """Asked before the work, not after it."""
    directory = Path.cwd() if out is None else out.absolute().parent
    if not os.access(directory, os.W_OK):
        raise ProvisioningError(f"{directory} is no directory that can be written to: choose another --out")


def _payload(
    source: Checkout, target: Target, extras: Sequence[str], work: Path, tell: Callable[[str], None]
) -> Payload:
    by = compiler(target, tell)
    lib = packages(source.root, target, extras, by, tell)
    tell(f"Packing the release for {target.name}")
    with tempfile.TemporaryDirectory(dir=work) as directory:
        slot = Path(directory) / "slot"
        assemble(source, lib, by, slot)
        return pack_slot(
            slot, work / f"python{target.python}-{target.architecture}.tar.gz", source.time, by.magic
        )
