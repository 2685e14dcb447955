"""Files packed so that the same content always gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from provisioning.errors import ProvisioningError
from provisioning.keeper.manifest import Payload

_LEVEL = 6
"""gzip, not xz: it makes 23 MB of 82 and xz 13, but unpacks twice and packs ten times as fast, and the
engineer's laptop is in the same network as the hub."""


def pack_slot(slot: Path, out: Path, when: int, magic: str) -> Payload:
    """The whole of a directory, as a payload in the file `out`. `when`, in seconds since 1970, is the time of
    all that is in it.

    Raises:
        ProvisioningError: there is something else in it than files and directories.
    """
    with out.open("wb") as file, gzip.GzipFile("", "wb", _LEVEL, file, mtime=when) as packed:
        with tarfile.open(mode="w|", fileobj=packed, format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(slot.rglob("*")):
                _add(tar, path, str(path.relative_to(slot)), when)
        size = packed.tell()
    with out.open("rb") as packed_file:
        digest = hashlib.file_digest(packed_file, "sha256").hexdigest()
    return Payload(out.name, digest, size, magic)


def pack_bundle(out: Path, small: Mapping[str, bytes], payloads: Mapping[str, Path], when: int) -> None:
    """A bundle: the small files (manifest, signature), then payloads; `out` is there whole or not at all."""
    unfinished = out.with_name(f"{out.name}.unfinished")
    try:
        with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name, content in small.items():
                tar.addfile(_header(name, len(content), when), io.BytesIO(content))
            for name, path in payloads.items():
                with path.open("rb") as file:
                    tar.addfile(_header(name, path.stat().st_size, when), file)
        unfinished.rename(out)
    finally:
        unfinished.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, path: Path, name: str, when: int) -> None:
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        raise ProvisioningError(f"{name} is neither file nor directory: a release has nothing else")
    status = path.stat()
    header = _header(name, 0, when)
    if path.is_dir():
        header.type, header.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(header)
        return
    header.size = status.st_size
    header.mode = 0o755 if status.st_mode & 0o100 else 0o644
    with path.open("rb") as file:
        tar.addfile(header, file)


def _header(name: str, size: int, when: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)  # root's, by number
    header.size, header.mtime, header.mode = size, when, 0o644
    return header
