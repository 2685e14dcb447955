"""Files, directories and links: each compared with what is there, and replaced as a whole.

What is new is written beside the old, synced, and renamed over it: after a power cut there is the one or
the other.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from provisioning.keeper.atomic import sync
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.resources import Absent, Directory, File, Link, Outcome, title, unpacked

BESIDE = ".carehub-new"
"""The end of the name of what is written beside a file that it is to replace."""
_LONGEST_DIFF = 60_000
"""Characters: what somebody still reads."""

Note = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what with a file: mode, owner and group by number. None: whoever writes it."""

    mode: int
    owner: int | None = None
    group: int | None = None

    def differs(self, path: Path) -> str:
        """What is otherwise with what is there, in words; empty where nothing is."""
        there = path.stat(follow_symlinks=False)
        mode = stat.S_IMODE(there.st_mode)
        words = [f"mode {mode:04o} -> {self.mode:04o}"] if mode != self.mode else []
        for what, wanted, found in (("owner", self.owner, there.st_uid), ("group", self.group, there.st_gid)):
            if wanted is not None and wanted != found:
                words.append(f"{what} {found} -> {wanted}")
        return ", ".join(words)

    def give(self, descriptor: int) -> None:
        """Owner first: a change of it takes bits of the mode away."""
        if self.owner is not None or self.group is not None:
            os.fchown(
                descriptor,
                -1 if self.owner is None else self.owner,
                -1 if self.group is None else self.group,
            )
        os.fchmod(descriptor, self.mode)


class Checks(Protocol):
    """Runs a check, a line of shell with {} for the new file; None where it is good, else what it said."""

    def __call__(self, command: str, file: Path, /) -> str | None: ...


def root_owned(mode: int) -> Access:
    """A file of whoever runs the keeper."""
    return Access(mode)


def access(root: Path, mode: str, owner: str, group: str) -> Access:
    """By the users and groups below `root`, which are not those of the machine that makes an image.

    Raises:
        KeeperError: there is no such user or group there.
    """
    return Access(int(mode, 8), _number(root, "passwd", owner), _number(root, "group", group))


def _number(root: Path, table: str, name: str) -> int:
    if name == "root":
        return 0 if os.geteuid() == 0 else os.geteuid() if table == "passwd" else os.getegid()
    with contextlib.suppress(OSError):
        for line in (root / "etc" / table).read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(":")
            if fields[0] == name and len(fields) > 2:
                return int(fields[2])
    what = "user" if table == "passwd" else "group"
    raise KeeperError(f"there is no {what} {name} on this machine: what makes it has failed")


def file(resource: File, root: Path, *, dry_run: bool, note: Note, check: Checks) -> Outcome:
    """Have a file there. Raises `KeeperError` or `OSError`: it cannot be."""
    path, name = below(root, resource.path), title(resource)
    content = unpacked(resource.content)
    if path.is_dir() and not path.is_symlink():
        raise KeeperError("a directory stands where the file is to be: move it away")
    wanted = _access_or_later(root, resource, dry_run=dry_run)
    before = path.read_bytes() if path.is_file() and not path.is_symlink() else None
    if before == content:
        otherwise = wanted.differs(path) if wanted else "owner or group"
        if not otherwise:
            return Outcome(name, "none")
        if not dry_run and wanted:
            note(resource.then)
            _correct(path, wanted)
        return Outcome(name, "would change" if dry_run else "changed", otherwise)
    detail, diff = _difference(resource, before, content)
    if dry_run:
        refused = _tried_elsewhere(resource, content, check)
        if refused is not None:
            return Outcome(name, "failed", refusal(resource, refused), diff)
        return Outcome(name, "would change", detail, diff)
    assert wanted is not None
    _make_parents(path)
    beside = written_beside(path, content, wanted)
    try:
        if resource.check:
            said = check(resource.check, beside)
            if said is not None:
                return Outcome(name, "failed", refusal(resource, said))
        note(resource.then)
        os.rename(beside, path)  # noqa: PTH104  # in one step
        sync(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return Outcome(name, "changed", detail, diff)


def _access_or_later(root: Path, resource: File | Directory, *, dry_run: bool) -> Access | None:
    """None in a dry run where the user is yet to be made."""
    try:
        return access(root, resource.mode, resource.owner, resource.group)
    except KeeperError:
        if dry_run:
            return None
        raise


def _tried_elsewhere(resource: File, content: bytes, check: Checks) -> str | None:
    """What the check says of it in a dry run, which leaves nothing behind; None too where it cannot be run
    yet."""
    if not resource.check:
        return None
    with tempfile.TemporaryDirectory(prefix="carehub-") as directory:
        path = Path(directory) / Path(resource.path).name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        return check(resource.check, path)


def refusal(resource: File, said: str) -> str:
    """What a check said; of what is secret the names of keys alone, since it quotes values."""
    if resource.secret:
        keys = re.findall(r"^\s+([\w.\[\]-]+):", said, re.MULTILINE)
        said = f"wrong: {', '.join(keys)}" if keys else "what it said is not shown: the file is secret"
    return f"the old file stays, since the new one was refused: {said[-2000:] or 'its check said nothing'}"


def _difference(resource: File, before: bytes | None, after: bytes) -> tuple[str, str]:
    """What is otherwise, in words, and as a unified diff where it may be seen and read."""
    new = before is None
    old = b"" if before is None else before
    if resource.secret:
        if not new and resource.path.endswith(".toml"):
            keys = _changed_keys(old, after)
            if keys:
                return f"differs in {', '.join(keys)}", ""
        return ("new" if new else "differs"), ""
    if resource.content != after.decode(
        "utf-8", errors="replace"
    ):  # packed: no text, or none to read through
        return f"{'new' if new else 'differs'}, {len(after)} bytes", ""
    lines = difflib.unified_diff(
        old.decode("utf-8", errors="replace").splitlines(keepends=True),
        after.decode("utf-8").splitlines(keepends=True),
        "/dev/null" if new else resource.path,
        resource.path,
    )
    text = "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
    return ("new" if new else "differs"), text[:_LONGEST_DIFF]


def _changed_keys(before: bytes, after: bytes) -> list[str]:
    """Which keys of a TOML file differ: names only, never values."""
    try:
        old, new = (_flat(tomllib.loads(each.decode())) for each in (before, after))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return []
    return sorted(key for key in old.keys() | new.keys() if old.get(key, None) != new.get(key, None)) or [
        "comments or layout"
    ]


def _flat(value: object, name: str = "") -> dict[str, object]:
    if isinstance(value, dict) and (value or not name):
        inner = [_flat(each, f"{name}.{key}" if name else str(key)) for key, each in value.items()]
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        inner = [_flat(each, f"{name}[{index}]") for index, each in enumerate(value)]
    else:
        return {name: value}
    return {key: each for found in inner for key, each in found.items()}


def directory(resource: Directory, root: Path, *, dry_run: bool) -> Outcome:
    """Have a directory there. Raises `KeeperError` or `OSError`: it cannot be."""
    path, name = below(root, resource.path), title(resource)
    wanted = _access_or_later(root, resource, dry_run=dry_run)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise KeeperError("something else stands where the directory is to be: move it away")
    there = path.is_dir()
    otherwise = (wanted.differs(path) if wanted else "owner or group") if there else "new"
    others = _others(path, resource.only) if there else []
    if not otherwise and not others:
        return Outcome(name, "none")
    if not dry_run and wanted:
        _make_parents(path)
        path.mkdir(mode=0o700, exist_ok=True)
        _correct(path, wanted)
        for each in others:
            each.unlink()
        sync(path)
        sync(path.parent)
    said = [otherwise] if otherwise else []
    return Outcome(
        name,
        "would change" if dry_run else "changed",
        ", ".join([*said, *(f"{each.name} removed" for each in others)]),
    )


def _others(path: Path, only: Sequence[str] | None) -> list[Path]:
    if only is None:
        return []
    return sorted(
        each for each in path.iterdir() if each.name not in only and (each.is_symlink() or not each.is_dir())
    )


def link(resource: Link, root: Path, *, dry_run: bool, note: Note) -> Outcome:
    """Have a symbolic link there. Raises `KeeperError` or `OSError`: it cannot be."""
    path, name = below(root, resource.path), title(resource)
    if path.is_dir() and not path.is_symlink():
        raise KeeperError("a directory stands where the link is to be: move it away")
    before = str(path.readlink()) if path.is_symlink() else "a file" if path.exists() else ""
    if before == resource.to:
        return Outcome(name, "none")
    detail = f"{before} -> {resource.to}" if before else f"-> {resource.to}"
    if dry_run:
        return Outcome(name, "would change", detail)
    _make_parents(path)
    beside = path.with_name(f".{path.name}{BESIDE}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(resource.to)
    note(resource.then)
    os.rename(beside, path)  # noqa: PTH104  # in one step
    sync(path.parent)
    return Outcome(name, "changed", detail)


def absent(resource: Absent, root: Path, *, dry_run: bool, note: Note) -> Outcome:
    """Have a file or link not there. Raises `KeeperError` or `OSError`: it cannot be removed."""
    path, name = below(root, resource.path), title(resource)
    if not path.is_symlink() and not path.exists():
        return Outcome(name, "none")
    if path.is_dir() and not path.is_symlink():
        raise KeeperError("is a directory: remove it by hand, once you have looked at what is in it")
    if not dry_run:
        note(resource.then)
        path.unlink()
        sync(path.parent)
    return Outcome(name, "would change" if dry_run else "changed", "removed")


def below(root: Path, path: str) -> Path:
    """Where a path of the machine is from here."""
    return root / path.lstrip("/")


def replace(path: Path, content: bytes, wanted: Access) -> None:
    """Put a file in the place of another, in one step, and have it on the card. Raises `OSError`."""
    beside = written_beside(path, content, wanted)
    os.rename(beside, path)  # noqa: PTH104  # in one step
    sync(path.parent)


def written_beside(path: Path, content: bytes, wanted: Access) -> Path:
    """A new file in the same directory, synced, nobody else's to read before it has its owner. Raises
    `OSError`.

    Its name is always the same, so that cuts leave one behind and not many.
    """
    beside = path.with_name(f".{path.name}{BESIDE}")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        wanted.give(stream.fileno())
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return beside


def _correct(path: Path, wanted: Access) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        wanted.give(descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_parents(path: Path) -> None:
    """Those that are missing, as root's and readable by all."""
    missing = [each for each in path.parents if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(0o755)
        sync(each.parent)
