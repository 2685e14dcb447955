"""Where everything is on a hub's machine, each below `root`: "/", or an image's or a test's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

USER = "carehub"
"""Whom the hub runs as, and its group."""

UNIT, PAGE_UNIT = "carehub.service", "carehub-page.service"
PROBATION_UNIT = "carehub-probation.service"
SLOT_NAMES = ("a", "b")


@dataclass(frozen=True, slots=True)
class Places:
    """All of them, below `root`."""

    root: Path = Path("/")

    @property
    def slots(self) -> Path:
        """Two directories, a and b: each a whole release. `current` is the link to the one in force."""
        return self.root / "opt/carehub/slots"

    @property
    def current(self) -> Path:
        """The link that is switched: units, rules and the command `carehub` are reached through it alone."""
        return self.root / "opt/carehub/current"

    @property
    def keeper(self) -> Path:
        """The keeper itself: `modules`, which leads to those of one version, and the launcher `keeper` that
        runs them."""
        return self.root / "usr/lib/carehub"

    @property
    def state(self) -> Path:
        """What the keeper notes of updates: root's, readable by all, and with nothing personal in it."""
        return self.root / "var/lib/carehub-keeper"

    @property
    def boot(self) -> Path:
        """The keeper's name for this boot of the machine: /run is empty at each."""
        return self.root / "run/carehub-keeper.boot"

    @property
    def etc(self) -> Path:
        """hub.toml, ca.crt and broker.password (or ca-2.crt: as hub.toml names them), authority.crt,
        identity/, release_signers: root's, and what the hub reads is of its group."""
        return self.root / "etc/carehub"

    @property
    def identity(self) -> Path:
        """Directories, each with hub.key, hub.csr and hub.crt that belong together; `current` links to one.

        So a renewed pair is taken into use by one rename: hub.toml names identity/current/hub.crt and
        hub.key.
        """
        return self.etc / "identity"

    @property
    def signers(self) -> Path:
        """Who may sign releases: OpenSSH's allowed signers (ssh-keygen(1), ALLOWED SIGNERS)."""
        return self.etc / "release_signers"

    @property
    def cache(self) -> Path:
        """What carehub-fetch.service has fetched, as a user of its own."""
        return self.root / "var/cache/carehub-fetch"

    @property
    def data(self) -> Path:
        """The hub's own: its database."""
        return self.root / "var/lib/carehub"
