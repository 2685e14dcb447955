"""For which machine the authority certified each hub: a file for each name, in its directory `machines`.

Two hubs by one name throw each other off the broker, in turn: as from a site's file that was copied and not
changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hub.clock import now
from provisioning.errors import ProvisioningError
from provisioning.openssl import read, write


@dataclass(frozen=True, slots=True)
class Machine:
    """`number` is what `keeper.look` says of it; `since` the day (ISO 8601)."""

    number: str
    since: str


def certified_for(authority: Path, name: str) -> Machine | None:
    """None where it is not known. Raises `ProvisioningError`."""
    file = authority / "machines" / name
    words = read(file).split() if file.exists() else []
    return Machine(*words) if len(words) == 2 else None


def other_than(authority: Path, name: str, number: str) -> Machine | None:
    """The one that it was certified for, where that is another than this; None too where either is not
    known. Raises `ProvisioningError`."""
    known = certified_for(authority, name)
    return known if known is not None and number and known.number != number else None


def note(authority: Path, name: str, number: str) -> None:
    """It was certified for this machine, just now. Raises `ProvisioningError`."""
    if not number.isalnum():
        return  # no hash: it does not say what it is
    file = authority / "machines" / name
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ProvisioningError(f"{file.parent}: cannot be made: {error.strerror}") from error
    write(file, f"{number} {now():%Y-%m-%d}\n", 0o644)
