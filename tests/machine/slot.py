"""Whether a slot is what its bundle has, byte for byte."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from provisioning.keeper.bundle_file import opened
from provisioning.keeper.slots import MARKER
from tests.machine.listing import Listing, difference, listing
from tests.machine.releases import Releases


def not_whole(slot: Path, bundle: Path, releases: Releases) -> list[str]:
    """What of a slot is missing, too much or otherwise than in the bundle; by content alone.

    The keeper's own mark is in no bundle. Nor is what Python compiles anew, as root, of a module that the rig
    has changed (`releases.sources`).
    """
    whole, found = _contents(bundle, releases.signers, releases.python), _by_content(listing(slot))
    beside = {path for path in found.keys() - whole.keys() if Path(path).parent.name == "__pycache__"}
    return difference(whole, {path: found[path] for path in found.keys() - beside - {MARKER}})


@cache
def _contents(bundle: Path, signers: Path, python: str) -> Listing:
    with tempfile.TemporaryDirectory(prefix="careport-machine-") as directory:
        place = Path(directory) / "slot"
        with opened(bundle, signers) as it:
            it.unpack(python, place)
        return _by_content(listing(place))


def _by_content(found: Listing) -> Listing:
    """Without owners."""
    from dataclasses import replace

    return {path: replace(entry, owners=(0, 0)) for path, entry in found.items()}
