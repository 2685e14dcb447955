"""Bundles of small releases, really signed; and such as nobody should make."""

from __future__ import annotations

import gzip
import hashlib
import io
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from provisioning.bundle.packing import pack_bundle, pack_slot
from provisioning.bundle.signing import sign, signers_line
from provisioning.keeper.manifest import MANIFEST, SIGNATURE, Manifest, Payload

WHEN = 1_780_000_000
SLOT: Mapping[str, str] = {
    "bin/carehub": "#!/bin/sh\necho carehub\n",
    "lib/hub/__init__.py": "",
    "systemd/carehub.service": "[Service]\n",
}


@dataclass(frozen=True, slots=True)
class Seal:
    """A key that signs releases, and the list of those who may: it alone."""

    key: Path
    signers: Path


def make_seal(directory: Path, name: str = "release") -> Seal:
    directory.mkdir(parents=True, exist_ok=True)
    key = directory / name
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key), check=True)
    signers = directory / f"{name}_signers"
    signers.write_text(signers_line(key.with_suffix(".pub").read_text()) + "\n")
    return Seal(key, signers)


def make_slot(directory: Path, files: Mapping[str, str] = SLOT) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if name.startswith("bin/") else 0o644)
    return directory


def make_bundle(
    directory: Path,
    seal: Seal,
    *,
    files: Mapping[str, str] = SLOT,
    version: str = "0.1.0",
    build: str = "0123456",
    architecture: str = platform.machine(),
    schema: int = 9,
    readable_from: int = 9,
    pythons: Sequence[str] = ("3.11", "3.13"),
) -> Path:
    """A release with these files in its slots."""
    directory.mkdir(parents=True, exist_ok=True)
    slot = make_slot(directory / f"slot-{version}-{build}", files)
    payloads, packed = {}, {}
    for python in pythons:
        path = directory / f"python{python}.tar.gz"
        payloads[python] = pack_slot(slot, path, WHEN, "a70d0d0a")
        packed[path.name] = path.read_bytes()
    manifest = Manifest(version, build, architecture, schema, readable_from, payloads)
    return write_bundle(directory / f"{version}-{build}.bundle", seal.key, manifest, packed)


def hostile_bundle(directory: Path, seal: Seal, payload: bytes, *, size: int = 10_000_000) -> Path:
    """A release that is signed as it should be, with whatever payload: as if whoever signs were tricked."""
    named = Payload("payload.tar.gz", hashlib.sha256(payload).hexdigest(), size, "a70d0d0a")
    manifest = Manifest("0.1.0", "0123456", platform.machine(), 9, 9, {"3.11": named})
    return write_bundle(directory / "hostile.bundle", seal.key, manifest, {named.file: payload})


def write_bundle(out: Path, key: Path, manifest: Manifest, payloads: Mapping[str, bytes]) -> Path:
    text = manifest.to_json().encode()
    return pack_members(out, {MANIFEST: text, SIGNATURE: sign(text, key), **payloads})


def pack_members(out: Path, members: Mapping[str, bytes]) -> Path:
    pack_bundle(out, members, {}, WHEN)
    return out


def members_of(bundle: Path) -> dict[str, bytes]:
    """What a bundle has, to change and pack again."""
    with tarfile.open(bundle) as tar:
        return {each.name: content.read() for each in tar if (content := tar.extractfile(each)) is not None}


def tar_gz(members: Iterable[tarfile.TarInfo | tuple[str, bytes]]) -> bytes:
    """A payload of any members: headers alone, or names with content."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 6, packed, mtime=0) as file,
        tarfile.open(mode="w|", fileobj=file, format=tarfile.PAX_FORMAT) as tar,
    ):
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                name, content = member
                header = tarfile.TarInfo(name)
                header.size = len(content)
                tar.addfile(header, io.BytesIO(content))
    return packed.getvalue()
