"""Whether a slot is what its bundle has, byte for byte."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from provisioning.keeper.bundle_file import opened
from tests.machine.listing import Listing, difference, listing
from tests.machine.releases import Releases


def not_whole(slot: Path, bundle: Path, releases: Releases) -> list[str]:
    """What of a slot is missing, too much or otherwise than in the bundle; by content alone."""
    return difference(_contents(bundle, releases.signers, releases.python), _by_content(listing(slot)))


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
