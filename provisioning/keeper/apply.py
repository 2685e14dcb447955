"""Bring about on this machine what it is to have: the only thing that changes a hub's machine.

Provisioning over SSH, the build of an image and a first boot all come here with a list of `resources`. Each
is compared with what is there and changed only where it differs; in a dry run nothing is. Nothing is
removed that the list does not name. After a cut of power the same list is applied again: what a change owes
(`File.then`) is noted before the change is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from provisioning.keeper.applying_commands import RELOAD, Machine, Owed, packages, runs
from provisioning.keeper.applying_files import absent, below, directory, file, link
from provisioning.keeper.applying_units import unit
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import Places
from provisioning.keeper.resources import (
    Absent,
    Directory,
    File,
    Identity,
    Link,
    Outcome,
    Packages,
    Release,
    Resource,
    Run,
    Unit,
    title,
)

RESTART_HUB = "systemctl try-restart carehub.service carehub-page.service"
"""What is owed after a change of what the hub reads at its start."""


def apply(
    resources: Sequence[Resource], places: Places, *, dry_run: bool, live: bool | None = None
) -> Iterator[Outcome]:
    """One `Outcome` for each resource, in order, as it happens; and one for each command that a change owed.

    What fails is an outcome too, and the rest goes on; yet without a release in force nothing after it is
    tried, and without a configuration and a certificate no unit of the hub is started. `live`: commands
    reach the machine of these places; it is so where their root is "/".
    """
    yield from _Applying(places, dry_run, runs(places) if live is None else live).all(resources)


class _Applying:
    def __init__(self, places: Places, dry_run: bool, live: bool) -> None:
        self._places, self._dry_run = places, dry_run
        self._machine = Machine(places, live=live)
        self._owed = Owed(self._machine, dry_run=dry_run)
        self._held = ""

    def all(self, resources: Sequence[Resource]) -> Iterator[Outcome]:
        for index, resource in enumerate(resources):
            if isinstance(resource, Unit) and resource.state == "running":
                yield from self._owed.settle()
            outcome = self._one(resource)
            yield outcome
            self._consider(resource, outcome)
            if isinstance(resource, Release) and outcome.change == "failed" and not self._release_is_there():
                left = len(resources) - index - 1
                yield Outcome("the rest", "failed", f"{left} more not tried: no release is in force")
                break
        yield from self._owed.settle()

    def _one(self, resource: Resource) -> Outcome:
        try:
            return self._brought_about(resource)
        except KeeperError as error:
            return Outcome(title(resource), "failed", str(error))
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            return Outcome(title(resource), "failed", f"{error.strerror or error}{where}")

    def _brought_about(self, resource: Resource) -> Outcome:
        root, dry_run, note = self._places.root, self._dry_run, self._owed.note
        match resource:
            case Packages():
                return packages(resource, self._machine, dry_run=dry_run)
            case Directory():
                return directory(resource, root, dry_run=dry_run)
            case File():
                return file(resource, root, dry_run=dry_run, note=note, check=self._refused)
            case Link():
                return link(resource, root, dry_run=dry_run, note=note)
            case Absent():
                return absent(resource, root, dry_run=dry_run, note=note)
            case Run():
                return self._run(resource)
            case Identity():
                return self._identity(resource)
            case Release():
                return self._release(resource)
            case Unit():
                return unit(resource, self._machine, dry_run=dry_run, held=self._held)

    def _refused(self, command: str, new: Path) -> str | None:
        """What a check said against a file; None where it is good, or where a dry run is too early for it."""
        if self._dry_run:
            program = command.split()[0]
            if not self._machine.live or (
                program.startswith("/") and not below(self._places.root, program).exists()
            ):
                return None
        # In an image's chroot it is without the path to its root.
        seen = new if self._machine.live else Path("/") / new.relative_to(self._places.root)
        said = self._machine.run(command.replace("{}", str(seen)), 120)
        return None if said.done else said.words or f"'{command}' ended with {said.code}"

    def _run(self, resource: Run) -> Outcome:
        needed = bool(resource.changed_if) and self._machine.run(resource.changed_if).done
        if self._dry_run:
            return Outcome(title(resource), "would change" if needed else "none")
        if not needed:
            return Outcome(title(resource), "none")
        said = self._machine.run(resource.command)
        if not said.done:
            return Outcome(title(resource), "failed", said.words[-2000:] or f"ended with {said.code}")
        return Outcome(title(resource), "changed", said.words[-2000:])

    def _identity(self, resource: Identity) -> Outcome:
        from provisioning.keeper import identity

        # The hub reads its certificate at each connection: nothing is owed.
        return identity.ensure(self._places, resource, dry_run=self._dry_run)

    def _release(self, resource: Release) -> Outcome:
        from provisioning.keeper.settle import settle
        from provisioning.keeper.trial import Keeper

        keeper, name = Keeper(self._places), title(resource)
        before = keeper.slots.in_force()
        if keeper.slots.in_force_sha256() == resource.sha256:
            return Outcome(name, "none")
        was = f"in force before: {before.name}" if before is not None else "the first on this machine"
        if self._dry_run:
            return Outcome(name, "would change", was)
        if not resource.bundle:
            return Outcome(name, "failed", f"not in force ({was}), and no bundle came with it")
        with suppress(KeeperError):  # of a machine without a whole release: that is what is brought now
            settle(self._places)
        self._owed.note([RELOAD])
        # Where a hub runs, the new one has to prove itself.
        verdict = keeper.update(Path(resource.bundle))
        return Outcome(name, "changed" if verdict.good else "failed", verdict.words)

    def _release_is_there(self) -> bool:
        return self._places.current.exists()

    def _consider(self, resource: Resource, outcome: Outcome) -> None:
        """Whether the hub may still be started."""
        if outcome.change == "failed" and isinstance(resource, File):
            if below(self._places.root, resource.path) == self._places.etc / "hub.toml":
                self._held = f"{resource.path} could not be put in place"
        elif isinstance(resource, Identity):
            waits = outcome.request and not (self._places.identity / "current/hub.crt").exists()
            if waits and not self._dry_run:
                self._held = f"it waits for the certificate of {resource.name}"
