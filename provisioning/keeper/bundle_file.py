"""Reading a release's bundle, of which nothing is believed before its signature was verified.

The file comes from outside, and root unpacks it. So: the outer tar is read by its plain headers alone, the
manifest's signature is verified before the manifest is parsed, a payload's SHA-256 before it is unpacked, and
what is unpacked is files and directories below one new directory, no more of them than the manifest says.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import platform
import shutil
import stat
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, BinaryIO

from provisioning.keeper.errors import KeeperError
from provisioning.keeper.manifest import MANIFEST, NAMESPACE, SIGNATURE, Manifest, Payload, from_json

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MANIFEST_BYTES = 64 * 1024
"""Neither a manifest nor a signature is anywhere near as large."""
_MEMBERS = 20
_LARGEST_MEMBER = 1 << 40
"""Bytes; beyond what any file has there is nothing to look for."""
_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1024 * 1024
_SSH_KEYGEN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a file of the bundle begins, in bytes, and how long it is."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class OpenBundle:
    """A bundle whose signature is good. `signed_by` is what ssh-keygen says of the key, for people."""

    path: Path
    file: io.BufferedReader
    manifest: Manifest
    manifest_text: bytes
    signature: bytes
    signed_by: str
    members: Mapping[str, _Member]

    def unpack(self, python: str, into: Path, *, architecture: str = "") -> None:
        """Make `into` the slot of this release for that Python ("3.11"): there, whole, and on the disk once
        this returns, or not there at all. The manifest is put into it.

        `architecture` is that of the machine for which it is, this one's unless said.

        Raises:
            KeeperError: it is for another architecture, lacks this Python, is not what was signed, there is
                no room for it, or `into` has something in it.
        """
        self._suits(architecture or platform.machine())
        payload = self.payload(python)
        if into.is_dir() and any(into.iterdir()):
            raise KeeperError(f"{into} has something in it already: a release is unpacked into a new one")
        # All of it is hashed before any of it is unpacked: what was not signed reaches no decoder.
        self._reading(python).check()
        unfinished = into.with_name(into.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            unfinished.chmod(0o755)
            _has_room(into.parent, payload.size)
            content = self._reading(python)
            _extract(content, unfinished, payload.size)
            content.check()
            with _new_file(unfinished / MANIFEST, 0o644) as file:
                file.write(self.manifest_text)
            _to_disk(unfinished)
            unfinished.rename(into)
            _to_disk(into.parent)
        except (OSError, EOFError, zlib.error, tarfile.TarError, subprocess.SubprocessError) as error:
            raise KeeperError(f"{self.path.name} cannot be unpacked into {into}: {error}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def payload(self, python: str) -> Payload:
        """What the manifest says of that Python's payload. Raises `KeeperError`: the release has none."""
        if python not in self.manifest.payloads:
            raise KeeperError(
                f"{self.path.name} is for Python {', '.join(sorted(self.manifest.payloads)) or 'none'}, and"
                f" not for {python}: make one with 'carehub bundle --python {python}'"
            )
        return self.manifest.payloads[python]

    def copy(self, python: str, out: IO[bytes]) -> None:
        """Write that Python's payload to `out`, as it is. Raises `KeeperError`: it is not what was signed, or
        not there."""
        content = self._reading(python)
        while piece := content.read(_PIECE):
            out.write(piece)
        content.check()

    def has(self, python: str) -> bool:
        """Whether that Python's payload is in this file."""
        return python in self.manifest.payloads and self.manifest.payloads[python].file in self.members

    def _suits(self, machine: str) -> None:
        if self.manifest.architecture != machine:
            raise KeeperError(
                f"{self.path.name} is for {self.manifest.architecture}, and this machine is {machine}: make"
                f" one with 'carehub bundle --architecture {machine}'"
            )

    def _reading(self, python: str) -> _Hashed:
        payload = self.payload(python)
        if payload.file not in self.members:
            raise KeeperError(f"{self.path.name} was made without what is for Python {python}")
        member = self.members[payload.file]
        name = f"{payload.file} of {self.path.name}"
        if member.size > payload.size + _PIECE:  # packed it is smaller: it need not be read to the end
            raise KeeperError(f"{name} is not what was signed: it has {member.size} bytes")
        self.file.seek(member.start)
        return _Hashed(self.file, member.size, payload.sha256, name)


class _Hashed(io.RawIOBase):
    """So many bytes of a file, hashed as they are read."""

    def __init__(self, file: io.BufferedReader, size: int, sha256: str, name: str) -> None:
        super().__init__()
        self._file = file
        self._left = size
        self._sha256 = sha256
        self._name = name
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """It is for that alone."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read as much as there is room for, and left."""
        view = memoryview(buffer)
        length = self._file.readinto(view[: self._left])
        self._digest.update(view[:length])
        self._left -= length
        return length

    def check(self) -> None:
        """Raises `KeeperError`: what was read, with what was left of it, is not what was signed."""
        while self.read(_PIECE):
            pass
        if self._left or self._digest.hexdigest() != self._sha256:
            raise KeeperError(f"{self._name} is not what was signed: fetch the bundle again")


class _Bounded(io.RawIOBase):
    """No more than so many bytes, however small they were packed."""

    def __init__(self, file: gzip.GzipFile, size: int) -> None:
        super().__init__()
        self._file = file
        self._left = size

    def readable(self) -> bool:
        """It is for that alone."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Raises `KeeperError`: there is more than there may be."""
        length = self._file.readinto(buffer)
        self._left -= length
        if self._left < 0:
            raise KeeperError("the payload unpacks to more than its manifest says: do not use this bundle")
        return length


@contextmanager
def opened(path: Path, signers: Path | None) -> Iterator[OpenBundle]:
    """The bundle, if one of `signers` (OpenSSH's allowed signers) signed it for `NAMESPACE`.

    None for `signers` asks only that some key signed it, whoever's: to look at, never to install.

    Raises:
        KeeperError: it is no bundle, or not signed so.
    """
    with _file(path) as file:
        members = _members(file, path)
        text, signature = (_small(file, path, members, name) for name in (MANIFEST, SIGNATURE))
        signed_by = _signed_by(path, text, signature, signers)
        yield OpenBundle(
            path, file, from_json(text.decode(errors="replace")), text, signature, signed_by, members
        )


def _file(path: Path) -> io.BufferedReader:
    """The file to read, and nothing that root would wait at: whoever fetches may have left a pipe. Raises
    `KeeperError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
    except OSError as error:
        raise KeeperError(f"the bundle {path} cannot be read: {error.strerror}") from error
    raise KeeperError(f"the bundle {path} is no file: give the file that 'carehub bundle' made")


def manifest_text(path: Path) -> bytes:
    """The manifest in a bundle, or in the beginning of one; whoever signed it or not.

    Raises:
        KeeperError: it has none.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return _small(file, path, _members(file, path), MANIFEST)


def check_payload(path: Path, python: str) -> None:
    """That what is for that Python came whole, by the manifest beside it; whoever signed that or not, so it
    is no reason to install it.

    Raises:
        KeeperError: it did not, or there is none.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        members = _members(file, path)
        text = _small(file, path, members, MANIFEST)
        manifest = from_json(text.decode(errors="replace"))
        OpenBundle(path, file, manifest, text, b"", "", members)._reading(python).check()


def _members(file: BinaryIO, path: Path) -> dict[str, _Member]:
    """What the outer tar has, by its plain headers: no extension of the format is followed."""
    found: dict[str, _Member] = {}
    while header := file.read(_BLOCK):
        if header == bytes(_BLOCK):
            break
        try:
            member = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        except (tarfile.TarError, ValueError) as error:
            raise KeeperError(f"{path} is no bundle of a release, or damaged: {error}") from error
        if (
            member.type != tarfile.REGTYPE
            or member.name in found
            or len(found) == _MEMBERS
            or not 0 <= member.size <= _LARGEST_MEMBER
        ):
            raise KeeperError(f"{path} is no bundle of a release: {member.name!r} has no place in one")
        found[member.name] = _Member(file.tell(), member.size)
        file.seek(-(-member.size // _BLOCK) * _BLOCK, os.SEEK_CUR)
    return found


def _small(file: BinaryIO, path: Path, members: Mapping[str, _Member], name: str) -> bytes:
    if name not in members:
        what = "it is not signed" if name == SIGNATURE else "it is no bundle of a release"
        raise KeeperError(f"{path} has no {name}: {what}")
    member = members[name]
    if member.size > _MANIFEST_BYTES:
        raise KeeperError(f"{path} is no bundle of a release: its {name} has {member.size} bytes")
    file.seek(member.start)
    return file.read(member.size)


def _signed_by(path: Path, text: bytes, signature: bytes, signers: Path | None) -> str:
    """By ssh-keygen: the signature is of the manifest, for releases, and by a key that may sign them."""
    with tempfile.TemporaryDirectory(prefix="carehub-") as directory:
        file = Path(directory) / SIGNATURE
        file.write_bytes(signature)
        if signers is None:
            return _ssh_keygen(path, text, "check-novalidate", "-s", str(file), "-n", NAMESPACE)
        if not signers.is_file():
            raise KeeperError(f"there is no {signers}: nobody is known who may sign releases")
        known = ("-f", str(signers), "-s", str(file))
        name = _ssh_keygen(path, text, "find-principals", *known).partition("\n")[0].partition(",")[0]
        return _ssh_keygen(path, text, "verify", "-n", NAMESPACE, "-I", name, *known)


def _ssh_keygen(path: Path, text: bytes, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ("ssh-keygen", "-Y", *arguments), input=text, capture_output=True, timeout=_SSH_KEYGEN_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise KeeperError(f"the signature of {path} cannot be verified: {error}") from error
    if done.returncode != 0:
        why = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise KeeperError(
            f"{path} is not signed by anyone who may sign releases, and is not used"
            f" (ssh-keygen: {why[-1] if why else 'refused'})"
        )
    return done.stdout.decode(errors="replace").strip()


def _has_room(directory: Path, size: int) -> None:
    room = os.statvfs(directory)
    free = room.f_bavail * room.f_frsize
    if free < size:
        raise KeeperError(
            f"{directory} has no room for the release: it needs {size >> 20} MB, and {free >> 20} are free"
        )


def _extract(packed: _Hashed, into: Path, size: int) -> None:
    """Files and directories, and nothing else: without links there is no way out of `into`."""
    with (
        gzip.GzipFile(fileobj=packed, mode="rb") as content,
        tarfile.open(fileobj=_Bounded(content, size), mode="r|") as tar,
    ):
        for member in tar:
            path = _inside(into, member.name)
            if member.type == tarfile.DIRTYPE:
                path.mkdir(exist_ok=True)
                path.chmod(0o755)
                continue
            source = tar.extractfile(member) if _is_file(member) else None
            if source is None:
                raise KeeperError(f"the payload has {member.name!r}, which is neither file nor directory")
            # Those two modes and no other: nothing of a slot is set-uid, or written by others.
            with _new_file(path, 0o755 if member.mode & 0o100 else 0o644) as file:
                shutil.copyfileobj(source, file, _PIECE)


def _is_file(member: tarfile.TarInfo) -> bool:
    """And none with holes: they take room that is nowhere in the payload."""
    return member.type == tarfile.REGTYPE and not member.issparse()


def _new_file(path: Path, mode: int) -> BinaryIO:
    file = path.open("xb")
    os.fchmod(file.fileno(), mode)
    return file


def _inside(into: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise KeeperError(f"the payload has {name!r}, which is not inside of it: do not use this bundle")
    return into.joinpath(*parts)


def _to_disk(path: Path) -> None:
    """The whole file system at once (syncfs): one flush of the card, not one a file."""
    subprocess.run(("sync", "--file-system", str(path)), check=True, capture_output=True)
