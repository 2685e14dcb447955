"""Files that hub.toml names, which come into force and go back with it: another content is another file.

`ca.crt` is never overwritten while a hub.toml names it: what is to be in its place is written as `ca-2.crt`,
which nobody reads yet, and the new hub.toml names that. So hub.toml switches all of them in one step, and the
one that comes back (`configuration.py`) finds its own. The number says nothing of what is in the file: names
are told in reports, and what is made of a password would give a weak one away.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from provisioning.keeper.applying_files import BESIDE, below
from provisioning.keeper.atomic import Disk, sync
from provisioning.keeper.configuration import Configuration
from provisioning.keeper.places import SLOT_NAMES, Places
from provisioning.keeper.resources import File, Leftover, Outcome, Resource, title, unpacked


def under_their_names(resources: Sequence[Resource], places: Places) -> list[Resource]:
    """The same list, each `File.named` under the name that it is to have, and hub.toml with these names.

    Content that is there already keeps its name, so that a second time nothing is otherwise.
    """
    hub_toml = places.etc / "hub.toml"
    paths = {
        each.path: str(Path(each.path).with_name(_name(each, places)))
        for each in resources
        if isinstance(each, File) and each.named
    }
    found: list[Resource] = []
    for each in resources:
        if isinstance(each, File) and each.named:
            each = replace(each, path=paths[each.path])
        elif isinstance(each, File) and below(places.root, each.path) == hub_toml:
            content = each.content
            for before, path in paths.items():
                content = content.replace(f'"{before}"', f'"{path}"')
            each = replace(each, content=content)
        found.append(each)
    return found


def names(places: Places, new: File | None = None, *, with_release: bool = False) -> frozenset[str]:
    """Which files the hub.toml in force names, and those that are kept of slots.

    `new` is one that would take its place, `with_release` together with a release in the place of another:
    then the present one is kept of that, and one of the slot that is written anew is not.
    """
    there = _kept(places)
    if new is None or with_release:
        there = [places.etc / "hub.toml", *([] if with_release else there)]
    of_new = _names_in(unpacked(new.content), places) if new is not None else set()
    return frozenset(of_new.union(*(_names_of(each, places) for each in there)))


def leftover(resource: Leftover, places: Places, named: frozenset[str], *, dry_run: bool) -> Outcome:
    """Have those not there that are not among the names. Raises OSError: one cannot be removed."""
    path = below(places.root, resource.path)
    left = [each for each in _made_of(path, BESIDE) if each.name not in named]
    if not left:
        return Outcome(title(resource), "none")
    if not dry_run:
        for each in left:
            each.unlink()
        sync(path.parent)
    words = f"removed: {', '.join(each.name for each in left)}"
    return Outcome(title(resource), "would change" if dry_run else "changed", words)


def _name(file: File, places: Places) -> str:
    path, content = below(places.root, file.path), unpacked(file.content)
    same = [each.name for each in _made_of(path) if not each.is_symlink() and _content(each) == content]
    in_force = _names_of(places.etc / "hub.toml", places)
    for name in sorted(same, key=lambda name: name not in in_force):
        return name
    taken = names(places)
    return next(name for name in _numbered(path) if name not in taken)


def _numbered(path: Path) -> Iterator[str]:
    yield path.name
    for number in count(2):
        yield f"{path.stem}-{number}{path.suffix}"


def _made_of(path: Path, beside: str = "") -> list[Path]:
    """Those that are there; with those of that ending that a power cut has left half."""
    wanted = rf"{re.escape(path.stem)}(-[0-9]+)?{re.escape(path.suffix)}"
    if beside:
        wanted = rf"{wanted}|\.{wanted}{re.escape(beside)}"
    there = path.parent.iterdir() if path.parent.is_dir() else ()
    return sorted(
        each for each in there if re.fullmatch(wanted, each.name) and (each.is_file() or each.is_symlink())
    )


def _kept(places: Places) -> list[Path]:
    configuration = Configuration(places, Disk())
    return [configuration.of(slot) for slot in SLOT_NAMES]


def _content(file: Path) -> bytes | None:
    """None where the card does not give it."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def _names_of(file: Path, places: Places) -> set[str]:
    return _names_in(_content(file), places) if file.exists() else set()


def _names_in(content: bytes | None, places: Places) -> set[str]:
    """The last part of each text in it; where it cannot be read, and nobody knows, all that is there."""
    if content is not None:
        with suppress(ValueError, RecursionError):
            return {text.rpartition("/")[2] for text in _texts(tomllib.loads(content.decode()))}
    return {each.name for each in places.etc.iterdir()}


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
