"""Bring about on this machine what it is to have: the only thing that changes a hub's machine.

Provisioning over SSH, the build of an image and a first boot all come here with a list of `resources`. Each
is compared with what is there and changed only where it differs; in a dry run nothing is. Nothing is
removed that the list does not name. After a cut of power the same list is applied again: what a change owes
(`File.then`) is noted before the change is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from provisioning.keeper.applying_commands import RELOAD, Machine, Owed, packages, runs
from provisioning.keeper.applying_files import (
    absent,
    access,
    below,
    directory,
    file,
    link,
    refusal,
    written_beside,
)
from provisioning.keeper.applying_named import leftover, names, under_their_names
from provisioning.keeper.applying_tree import tree
from provisioning.keeper.applying_units import unit
from provisioning.keeper.configuration import NewConfiguration
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import Places
from provisioning.keeper.resources import (
    Absent,
    Directory,
    File,
    Identity,
    Leftover,
    Link,
    Outcome,
    Packages,
    Release,
    Resource,
    Run,
    Tree,
    Unit,
    title,
    unpacked,
)
from provisioning.keeper.slots import Slots

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
        self._with_release: File | None = None
        """The configuration, where it is put in force with a release in the place of another."""
        self._lacking = ""
        """Which file that the configuration is to name could not be put in place."""
        self._configuration: tuple[File, str] | None = None
        """The configuration, and what became of it."""

    def all(self, resources: Sequence[Resource]) -> Iterator[Outcome]:
        resources = self._ordered(resources)
        for index, resource in enumerate(resources):
            if resource is self._with_release:
                continue  # it was told with its release
            if isinstance(resource, Unit) and resource.state == "running":
                yield from self._owed.settle()
            foreseen = self._foreseen(resource)
            outcome = self._one(resource)
            yield outcome
            self._consider(resource, outcome)
            if foreseen is not None and self._with_release is not None:
                went = self._went_with(outcome, foreseen)
                self._configuration = (self._with_release, went.change)
                yield went
            if isinstance(resource, Release) and outcome.change == "failed" and not self._release_is_there():
                left = len(resources) - index - 1
                yield Outcome("the rest", "failed", f"{left} more not tried: no release is in force")
                break
        yield from self._owed.settle()

    def _ordered(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """A release that takes the place of another one comes once all is there that its configuration names,
        and together with that: neither may know the other's keys."""
        from provisioning.keeper.settle import settle

        releases = [each for each in resources if isinstance(each, Release)]
        if releases and not self._dry_run:
            # First: one whose trial was cut off is not yet the one that is to be in force, though it runs.
            with suppress(KeeperError, OSError):  # without a whole release: that is what is brought now
                settle(self._places)
        resources = under_their_names(resources, self._places)
        configurations = [each for each in resources if isinstance(each, File) and self._configures(each)]
        in_force = Slots(self._places).in_force_sha256()
        if not releases or not configurations or in_force in (None, releases[0].sha256):
            return resources
        self._with_release = configurations[0]
        ordered = [each for each in resources if each is not releases[0]]
        ordered.insert(ordered.index(self._with_release), releases[0])
        return ordered

    def _configures(self, resource: File) -> bool:
        return below(self._places.root, resource.path) == self._places.etc / "hub.toml"

    def _foreseen(self, resource: Resource) -> Outcome | None:
        """How the configuration will differ that goes with this release; None where none does."""
        if not isinstance(resource, Release) or self._with_release is None:
            return None
        try:
            unchecked = replace(self._with_release, check="")  # which its release does
            return file(unchecked, self._places.root, dry_run=True, note=self._owed.note, check=self._refused)
        except (KeeperError, OSError) as error:
            return Outcome(title(self._with_release), "failed", str(error))

    def _went_with(self, release: Outcome, foreseen: Outcome) -> Outcome:
        """What became of the configuration that went with a release."""
        if self._dry_run or foreseen.change != "would change":
            return foreseen
        if release.change == "failed":
            return replace(foreseen, change="failed", detail="stays as it was, with the release")
        return replace(foreseen, change="changed")

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
            case File() if self._lacking and self._configures(resource):
                raise KeeperError(f"stays as it was, since {self._lacking}")
            case File():
                return file(resource, root, dry_run=dry_run, note=note, check=self._refused)
            case Tree():
                return tree(resource, root, dry_run=dry_run)
            case Link():
                return link(resource, root, dry_run=dry_run, note=note)
            case Absent():
                return absent(resource, root, dry_run=dry_run, note=note)
            case Leftover():
                return self._leftover(resource)
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

    def _leftover(self, resource: Leftover) -> Outcome:
        if self._configuration is None or self._configuration[1] == "failed":
            return Outcome(title(resource), "none")
        if self._dry_run:
            new, with_release = self._configuration[0], self._with_release is not None
            named = names(self._places, new, with_release=with_release)
        else:
            named = names(self._places)
        return leftover(resource, self._places, named, dry_run=self._dry_run)

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
        if self._with_release is not None and self._held:
            return Outcome(name, "failed", f"not tried: {self._held}")
        self._owed.note([RELOAD])
        # Where a hub runs, the new one has to prove itself.
        with self._staged() as configuration:
            verdict = keeper.update(Path(resource.bundle), configuration=configuration)
        return Outcome(name, "changed" if verdict.good else "failed", verdict.words)

    @contextmanager
    def _staged(self) -> Iterator[NewConfiguration | None]:
        """The configuration that goes with the release, beside the one in force."""
        resource = self._with_release
        if resource is None:
            yield None
            return
        wanted = access(self._places.root, resource.mode, resource.owner, resource.group)
        path = below(self._places.root, resource.path)
        beside = written_beside(path, unpacked(resource.content), wanted)

        def refused(slot: str) -> str | None:
            check = resource.check.replace("/opt/carehub/current/", f"/opt/carehub/slots/{slot}/")
            said = self._refused(check, beside) if check else None
            return None if said is None else refusal(resource, said)

        try:
            yield NewConfiguration(beside, refused)
        finally:
            beside.unlink(missing_ok=True)

    def _release_is_there(self) -> bool:
        return self._places.current.exists()

    def _consider(self, resource: Resource, outcome: Outcome) -> None:
        """Whether the hub may still be started."""
        if isinstance(resource, File) and self._configures(resource):
            self._configuration = (resource, outcome.change)
        if outcome.change == "failed" and isinstance(resource, File):
            if self._configures(resource) or resource.named:
                self._held = f"{resource.path} could not be put in place"
            if resource.named:
                self._lacking = self._held
        elif isinstance(resource, Identity):
            waits = outcome.request and not (self._places.identity / "current/hub.crt").exists()
            if waits and not self._dry_run:
                self._held = f"it waits for the certificate of {resource.name}"
