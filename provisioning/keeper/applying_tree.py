"""Files that are changed together: a directory of them for each version, and one link that is switched."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from provisioning.keeper.applying_files import below, directory, link, replace, root_owned
from provisioning.keeper.resources import Directory, Link, Outcome, Tree, title, unpacked


def tree(resource: Tree, root: Path, *, dry_run: bool) -> Outcome:
    """Have those files there, in one step. Raises `KeeperError` or `OSError`: they cannot be."""
    path, name = below(root, resource.path), title(resource)
    files = {each: unpacked(content) for each, content in sorted(resource.files.items())}
    version = f"{path.name}-{_hash(files)}"
    before = path.readlink().name if path.is_symlink() else ""
    new = path.with_name(version)
    lacking = [each for each, content in files.items() if not _is(new / each, content)]
    if before == version and not lacking:
        return Outcome(name, "none")
    detail = f"{before} -> {version}" if before != version else f"spoilt: {', '.join(lacking)}"
    if dry_run:
        return Outcome(name, "would change", detail)
    # Nobody uses it before the link leads there; and a file of it that is spoilt is put right by itself.
    for each in lacking:
        place = new / each
        directory(Directory("/" + str(place.parent.relative_to(root))), root, dry_run=False)
        replace(place, files[each], root_owned(0o644))
    link(Link(resource.path, version), root, dry_run=False, note=lambda _commands: None)
    for old in path.parent.glob(f"{path.name}-*"):
        if old.name not in (version, before):
            shutil.rmtree(old)
    return Outcome(name, "changed", detail)


def _hash(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name, content in files.items():
        whole.update(f"{name}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()[:12]


def _is(path: Path, content: bytes) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_bytes() == content
