"""What a release says of itself: `manifest.json` of a bundle, and of each slot that was made of one.

A bundle is a plain tar: manifest.json, manifest.json.sig (ssh-keygen -Y sign, namespace `NAMESPACE`), and
one payload for each Python: a tar.gz of the whole slot, whose SHA-256 the manifest has. A bundle may lack
payloads that its manifest names: what goes to one machine is only what that machine needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from provisioning.keeper.errors import KeeperError

NAMESPACE = "carehub-release"
MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Payload:
    """The slot for one Python. `magic` is that Python's bytecode magic number (importlib.util), in
    hexadecimal: what was compiled for another would be compiled anew at each start. `size` is that of the
    unpacked tar, in bytes."""

    file: str
    sha256: str
    size: int
    magic: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """A release.

    `build` tells apart releases of one version (of a git checkout: its commit). `schema` is the version of
    the database that it writes, and `readable_from` the oldest schema whose hub can still work with it: an
    update whose `readable_from` is above the schema of the release in force could not be taken back.
    `built` orders the releases of one version: seconds since 1970, of a git checkout its commit's; 0 where a
    release was made before this was said.
    """

    version: str
    build: str
    architecture: str
    schema: int
    readable_from: int
    payloads: Mapping[str, Payload]
    built: int = 0

    def to_json(self) -> str:
        """The same release always gives the same text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.version} ({self.build})"


def from_json(text: str) -> Manifest:
    """Raises `KeeperError`: it is no manifest, or of a later format."""
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise KeeperError(
                f"the bundle is of format {document['format']}, and this keeper reads {FORMAT}: provision the"
                " hub anew with the 'carehub provision' of that release"
            )
        return Manifest(
            version=str(document["version"]),
            build=str(document["build"]),
            architecture=str(document["architecture"]),
            schema=int(document["schema"]),
            readable_from=int(document["readable_from"]),
            payloads={
                str(python): Payload(
                    str(each["file"]), str(each["sha256"]), int(each["size"]), str(each["magic"])
                )
                for python, each in document["payloads"].items()
            },
            built=int(document.get("built", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeeperError(f"{MANIFEST} is no manifest of a release: {error!r}") from error
