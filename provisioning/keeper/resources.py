"""What a machine is to have, as data: the engineer's side words it, `apply` on the machine brings it about.

One list, brought about in its order. Each is idempotent, and atomic where the power may go: after a cut the
same list is applied again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

from provisioning.keeper.errors import KeeperError


@dataclass(frozen=True, slots=True)
class Packages:
    """Debian packages that must be there. What is missing is fetched with apt, where a network reaches it."""

    names: tuple[str, ...]
    kind: ClassVar[str] = "packages"


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory with its mode (octal, as "0750") and owners. With `only`, files in it of any other name
    are removed."""

    path: str
    mode: str = "0755"
    owner: str = "root"
    group: str = "root"
    only: tuple[str, ...] | None = None
    kind: ClassVar[str] = "directory"


@dataclass(frozen=True, slots=True)
class File:
    """A file, whole. Of a `secret` one no difference is shown. After a change `then` is run, each command
    once at the end of all (as "systemctl reload ssh"); `check` is run before, on the new file's path in place
    of {}: where it fails the old one stays. `named`: hub.toml names it; what is there while one does is never
    changed, and other content comes under another name, which the new hub.toml gets (`applying_named.py`)."""

    path: str
    content: str
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    secret: bool = False
    check: str = ""
    then: tuple[str, ...] = ()
    named: bool = False
    kind: ClassVar[str] = "file"


@dataclass(frozen=True, slots=True)
class Tree:
    """Files that are changed together: `path` is a link to a directory of exactly these (by their names below
    it, content as a `File`'s), whose name is the path with their hash behind it. The directory before the
    last change stays, for what still runs from it; earlier ones are removed."""

    path: str
    files: Mapping[str, str]
    kind: ClassVar[str] = "tree"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    path: str
    to: str
    then: tuple[str, ...] = ()
    kind: ClassVar[str] = "link"


@dataclass(frozen=True, slots=True)
class Absent:
    """What must not be there."""

    path: str
    then: tuple[str, ...] = ()
    kind: ClassVar[str] = "absent"


@dataclass(frozen=True, slots=True)
class Leftover:
    """What must not be there once no hub.toml names it, neither that in force nor one that is kept to go back
    to: the file, and those that `File.named` made of it. It comes after hub.toml; where that could not be put
    in place nothing is removed."""

    path: str
    kind: ClassVar[str] = "leftover"


@dataclass(frozen=True, slots=True)
class Run:
    """A command that is run where `changed_if`, a shell test, succeeds before it; `name` is for the
    report."""

    command: str
    changed_if: str
    name: str = ""
    kind: ClassVar[str] = "run"


@dataclass(frozen=True, slots=True)
class Identity:
    """The hub's key, made on the machine, and the certificate that the authority gave for it.

    Without `certificate` the keeper makes a key and a request where there is none, or where the certificate
    ends within `renew_days`, and reports the request. With it, it is installed beside its key and taken into
    use. `anew`: without `certificate` a new key is made in any case, and these words say why: what is there
    was revoked, or came with another machine's card, and that machine may have it still.
    """

    name: str
    renew_days: int = 30
    certificate: str = ""
    anew: str = ""
    kind: ClassVar[str] = "identity"


@dataclass(frozen=True, slots=True)
class Release:
    """The release that must be in force: the SHA-256 of its payload. `bundle` is where the keeper finds it on
    the machine, empty where it is only asked which one is there."""

    sha256: str
    bundle: str = ""
    kind: ClassVar[str] = "release"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of systemd, by its state.

    "running" is enabled and started; "enabled" is started at the next boot; "stopped" neither runs nor is
    enabled; "masked" cannot be started. What an earlier list brought is taken back by these, which do nothing
    where there is no such unit: "disabled" goes on running, and does not start again; "restored" is enabled
    and started; "unmasked" is not masked, and started if it is enabled by itself; "absent" is stopped, and
    its file in /etc/systemd/system removed.
    """

    name: str
    state: str
    kind: ClassVar[str] = "unit"


Resource = Packages | Directory | File | Tree | Link | Absent | Leftover | Run | Identity | Release | Unit
_KINDS: dict[str, Callable[..., Resource]] = {
    each.kind: each
    for each in (Packages, Directory, File, Tree, Link, Absent, Leftover, Run, Identity, Release, Unit)
}


def title(resource: Resource) -> str:
    """What it is called in a report: its kind and its name."""
    match resource:
        case Packages(names=names):
            return f"packages {', '.join(names)}"
        case Run(command=command, name=name):
            return f"run {name or command}"
        case Release(sha256=sha256):
            return f"release {sha256[:12]}"
        case Identity(name=name) | Unit(name=name):
            return f"{resource.kind} {name}"
        case _:
            return f"{resource.kind} {resource.path}"


def to_json(resources: Iterable[Resource]) -> str:
    """As it goes to the machine."""
    return json.dumps({"resources": [{"kind": each.kind, **asdict(each)} for each in resources]})


def from_json(text: str) -> list[Resource]:
    """Raises `KeeperError`: it is no such list."""
    try:
        found: list[Resource] = []
        for each in json.loads(text)["resources"]:
            values = {key: tuple(value) if isinstance(value, list) else value for key, value in each.items()}
            found.append(_KINDS[str(values.pop("kind"))](**values))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeeperError(f"what the machine is to have cannot be read: {error!r}") from error
    return found


def packed(content: bytes) -> str:
    """Bytes as the content of a `File` that is no text: base64 behind this mark."""
    return _MARK + base64.b64encode(content).decode()


def unpacked(content: str) -> bytes:
    """The bytes of a `File`'s content."""
    return base64.b64decode(content[len(_MARK) :]) if content.startswith(_MARK) else content.encode()


_MARK = "base64:\x00"


SOME_FAILED = 3
"""The keeper's exit code where the list was gone through and something of it failed: 1, as Python's own
after a fault, would not say whether the rest was tried."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one resource: one line of JSON from the machine.

    `change` is "none", "changed", "would change" (a dry run) or "failed"; `detail` says what, or why; `diff`
    is a unified one. `request` is a certificate request that wants signing (`Identity`).
    """

    title: str
    change: str
    detail: str = ""
    diff: str = ""
    request: str = ""

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))


def outcomes_from(lines: Sequence[str]) -> list[Outcome]:
    """What the machine said. Raises `KeeperError`: a line is none."""
    try:
        return [Outcome(**json.loads(line)) for line in lines]
    except (ValueError, TypeError) as error:
        raise KeeperError(f"the machine's report cannot be read: {error}") from error
