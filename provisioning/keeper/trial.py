"""A release has to prove itself, or the one before is back.

The order is such that a power cut at any moment leaves a hub that works: the new slot is whole before
anything else; the trial is noted before the switch, so that `settle` takes back whatever was not judged; and
the note goes last.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from provisioning.keeper.atomic import Disk
from provisioning.keeper.configuration import Configuration, NewConfiguration
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.health import Said, ask, commits, database_size, publishes
from provisioning.keeper.in_force import at_its_best, is_dead
from provisioning.keeper.judge import PACE, Before, Judge, Judgement, Look, Pace
from provisioning.keeper.places import PAGE_UNIT, PROBATION_UNIT, UNIT, Places
from provisioning.keeper.settle import settle, watched_over
from provisioning.keeper.slots import Slot, Slots, check_way
from provisioning.keeper.state import Named, Notes, State, Trial, judged, this_boot
from provisioning.keeper.systemd import Services, Systemd, persist
from provisioning.keeper.verdict import Verdict
from provisioning.keeper.words import plain

Tell = Callable[[str], None]


class Keeper:
    """Updates one machine; `services` and `disk` are the real ones unless said.

    `patience` is how many seconds a release has to prove itself, None for as many as that hub takes (`Pace`).
    Where it is not `compared`, nothing is asked of it only since the release before had it. `hindered` says
    in words what speaks against a trial just now: then there is none. `asked` is what is noted of who asked
    (`Trial.asked`).
    """

    def __init__(
        self,
        places: Places,
        *,
        services: Services | None = None,
        disk: Disk | None = None,
        pace: Pace = PACE,
        tell: Tell = lambda _words: None,
        patience: float | None = None,
        compared: bool = True,
        hindered: Callable[[], str | None] | None = None,
        asked: str = "",
    ) -> None:
        self._places = places
        self._asked = asked
        self._hindered = hindered or (lambda: None)
        self._services = services or Systemd(places)
        self._disk = disk or Disk()
        self._pace = pace if patience is None else pace.patient(patience)
        self._measured = patience is None
        self._compared = compared
        self._hearer = tell
        self.slots = Slots(places, self._disk)
        self.notes = Notes(places, self._disk)
        self._configuration = Configuration(places, self._disk)

    def update(
        self,
        bundle: Path,
        *,
        older: bool = False,
        on_probation: bool = False,
        configuration: NewConfiguration | None = None,
    ) -> Verdict:
        """Have a bundle's release in force if it proves itself, with that configuration where one is given.

        The session of whoever asked may end: that changes nothing. Whoever calls holds the keeper's lock
        (`held.py`). `on_probation`: also in the place of a release that could then be taken back no more.

        The release that is in force already is tried too, unpacked anew, where the hub does not run: the card
        may have spoilt it.

        Raises:
            KeeperError: it cannot be installed (`Slots.install`), or refuses the configuration; what is in
                force was not changed.
        """
        self._settled()
        watched = None if on_probation else watched_over(self.slots, self.notes.read())
        self._tell(f"verifying {bundle.name}, and unpacking it")
        try:
            self._check_moment()
            needed = "" if watched is None else _still_watched(watched)
            before = self.slots.slot(self.slots.idle())
            dead = is_dead(self._places, self._services, self._pace)
            installed = self.slots.install(bundle, older=older, anew=dead, needed=needed)
            fresh = installed != self.slots.linked()
            if fresh:
                self._configuration.forget(installed)
            try:
                self._check_moment()  # unpacking takes a while
                why = configuration.refused(installed) if configuration is not None else None
                if why is not None:
                    raise KeeperError(f"not tried, since it refuses the new hub.toml: {why}")
            except KeeperError as error:
                if not fresh or before is None:
                    raise
                made_room = f"{Named.of(before.manifest)} made room for it, and cannot be gone back to"
                raise KeeperError(f"{error}. {made_room}") from error
            return self._try(installed, configuration)
        except OSError as error:
            raise KeeperError(f"{bundle.name} could not be installed: {error}") from error

    def roll_back(self) -> Verdict:
        """Have the release in force again that was so before this one, if it proves itself. It is not on
        probation: nobody wants the one back that was gone away from.

        Raises:
            KeeperError: there is none, it could not read the database, is the one that was taken back last or
                was never in force, or refuses a hub.toml that was changed since; or the release in force
                runs, and would not with the hub.toml of today. Nothing was changed.
            OSError: the card takes nothing.
        """
        self._settled()
        other, current = self.slots.slot(self.slots.idle()), self.slots.current()
        if other is None or current is None:
            raise KeeperError("the other slot has no release to go back to: 'carehub update FILE' brings one")
        state, to = self.notes.read(), Named.of(other.manifest)
        last, watched = state.last, watched_over(self.slots, state)
        if watched is None and last is not None and last.outcome != "kept" and last.to == to:
            raise KeeperError(
                f"there is nothing to go back to: the other slot has {to}, which was {last.outcome} at the"
                f" last update ({last.why}). 'carehub update FILE' tries it again"
            )
        check_way(current.manifest, other.manifest, older=True)
        if watched is None and (last is None or last.outcome != "kept" or last.from_ != to):
            raise KeeperError(
                f"there is nothing to go back to: the other slot has {to}, and it is not noted that it was in"
                " force before this one. 'carehub update FILE' tries it like any other"
            )
        self._check_can_stay(current, other)
        noted = watched or last
        its_own = self._configuration.its_own(other.name, to, None if noted is None else noted.at)
        return self._try(other.name, its_own, back=True)

    def take_back(self, probation: Trial, why: str) -> Verdict:
        """Have the release in force again that was before the one on probation.

        Raises:
            KeeperError: it is not there any more, or there is no hub.toml that it takes; the one on probation
                stays, and is so no longer.
            OSError: the card takes nothing.
        """
        old, last = self.slots.slot(probation.from_slot), self.notes.read().last
        if old is None or Named.of(old.manifest) != probation.from_:
            self.notes.write(State(None, last))
            raise KeeperError(f"{why}; and the release before is not there any more to go back to")
        # What came with the release goes with it.
        if self._configuration.changed_since(probation.at) or not self._configuration.of(old.name).exists():
            if self._configuration.accepted(old.name):
                probation = replace(probation, configuration_stays=True)
            elif self._configuration.differs(old.name):
                why = f"{why}; with the hub.toml that it had then, since it refuses the one of today"
            else:
                self.notes.write(State(None, last))
                raise KeeperError(
                    f"{why}; and {probation.from_} refuses the hub.toml of today, and no other is kept: it is"
                    f" not gone back to. See 'carehub doctor'"
                )
        self._tell(f"{why}; going back to {probation.from_}")
        # From here on a power cut is settled as that of a trial.
        self.notes.write(State(probation, last))
        with _undisturbed():
            why = self._back(probation, old, self._units(), why, self._pace)
        return Verdict("rolled back", probation.to, why, probation.from_)

    def _tell(self, words: str) -> None:
        with suppress(OSError):  # whoever listened may have gone, with their SSH session
            self._hearer(words)

    def _check_moment(self) -> None:
        words = self._hindered()
        if words is not None:
            raise KeeperError(words)

    def _check_can_stay(self, current: Slot, to: Slot) -> None:
        """A hub that runs has read its hub.toml when it started."""
        if not (self._services.running() and self._services.seen(UNIT).running):
            return
        if not self._configuration.accepted(current.name):
            other = Named.of(to.manifest)
            raise KeeperError(
                f"release {Named.of(current.manifest)} runs, and refuses {self._configuration.path} as it is"
                f" now: it could not be started again if {other} did not prove itself. Put that file right"
                f" first ('carehub check-config'); what {other} alone takes belongs in"
                f" {self._configuration.of(to.name)}. Then go back again"
            )

    def _settled(self) -> None:
        """Whoever calls has the lock, so a trial that is noted was cut off."""
        if self.notes.read().trial is not None:
            for words in settle(self._places, services=self._services, disk=self._disk):
                self._tell(words)

    def _units(self) -> list[str]:
        if not self._services.running():
            return []
        return [unit for unit in (UNIT, PAGE_UNIT) if self._services.wanted(unit)]

    def _watched(self) -> None:
        """Have somebody watch over this process, which may be killed, and later over the release."""
        with suppress(KeeperError):  # at the next boot that is started in any case
            self._services.start([PROBATION_UNIT])

    def _try(
        self, name: str, configuration: NewConfiguration | None = None, *, back: bool = False
    ) -> Verdict:
        new, old = self.slots.slot(name), self.slots.current()
        if new is None:
            raise KeeperError(f"slot {name} is not whole though it was just installed: look after the card")
        to = Named.of(new.manifest)
        if old is not None and old.name == name:
            return Verdict("unchanged", to, "", to)
        if old is None:
            self.slots.switch(name)
            return Verdict("kept", to, "it is the first on this machine, and was not tried")
        now, boots = datetime.now(UTC), (this_boot(self._places),)
        trial = Trial(Named.of(old.manifest), old.name, to, name, now, self._asked, boots)
        units = self._units()
        if UNIT not in units:
            self._configuration.keep(old.name)
            self.slots.switch(name)
            if configuration is not None:
                self._configuration.put(configuration.path)
            if self._services.running():
                with suppress(KeeperError):  # the next start of the machine takes them up
                    self._services.refresh()
            why = f"it was not tried, since {UNIT} is not enabled here"
            self.notes.write(judged(trial, "kept", why))
            return Verdict("kept", to, why, trial.from_)
        with _undisturbed():
            return self._tried(trial, old, units, configuration, back=back)

    def _tried(
        self,
        trial: Trial,
        old: Slot,
        units: Sequence[str],
        configuration: NewConfiguration | None,
        *,
        back: bool,
    ) -> Verdict:
        before, pace = at_its_best(self._places, self._services, units, self._pace), self._pace
        if self._measured:
            pace = pace.like(self._services.seen(UNIT).started_in, database_size(self._places))
        probation = trial if before.answered and not back else None
        self._configuration.keep(old.name)
        noted = self.notes.read()
        self.notes.write(State(trial, noted.last, noted.probation if back else None))
        self._watched()
        try:
            self._tell(f"{trial.to} is installed; now it has to prove itself")
            self._services.stop(units)
            self.slots.switch(trial.to_slot)
            if configuration is not None:
                self._configuration.put(configuration.path)
            for trouble in self._services.refresh():
                self._tell(trouble)
            self._services.start(units)
            judgement = self._judged(before if self._compared else Before(), units, pace)
        except (KeeperError, OSError) as error:
            judgement = Judgement(False, plain(str(error)))
        if judgement.good:
            try:
                self.notes.write(judged(trial, "kept", judgement.why, probation=probation))
            except OSError as error:
                raise KeeperError(
                    f"release {trial.to} proved itself and is in force, but the card takes no note of it"
                    f" ({error}): at the next start of this machine {trial.from_} would be back. Make room"
                    " and update again, or replace the card"
                ) from error
            with suppress(OSError):  # its own is in force, or it did without
                self._configuration.forget(trial.to_slot)
            if probation is not None:
                self._watched()  # where it had just ended
            return Verdict("kept", trial.to, judgement.why, trial.from_)
        self._tell(f"not proven: {judgement.why}; going back to {trial.from_}")
        # One that was to be gone away from while it was on probation is so again.
        why = self._back(trial, old, units, judgement.why, pace, probation=noted.probation if back else None)
        return Verdict("rolled back", trial.to, why, trial.from_)

    def _judged(self, before: Before, units: Sequence[str], pace: Pace) -> Judgement:
        judge, started = Judge(before, pace), time.monotonic()
        committed = published = False
        while True:
            hub = self._services.seen(UNIT)
            said = ask(self._places, pace.answer) if hub.running else None
            # Asked until it does: each time is a commit of its card, and a message to its broker.
            committed = committed or (said is not None and commits(self._places, pace.answer))
            if said is not None and said.connected and before.published:
                published = published or publishes(self._places, pace.answer)
            # Of a page that did not run before nothing is asked.
            page = self._services.seen(PAGE_UNIT) if before.page and PAGE_UNIT in units else None
            at = time.monotonic() - started
            judgement = judge.look(Look(at, hub, said, page, committed, published))
            if judgement is not None:
                return judgement
            time.sleep(pace.look)

    def _back(
        self,
        trial: Trial,
        old: Slot,
        units: Sequence[str],
        why: str,
        pace: Pace,
        *,
        probation: Trial | None = None,
    ) -> str:
        """Why the release did not stay, and whether the one before is well again; its `probation` goes on."""
        for step in (
            lambda: self._services.kill(units, self._pace.kill),
            lambda: self.slots.switch(old.name),
            lambda: self._configuration_back(trial, old),
            lambda: self._services.refresh(),
        ):
            try:
                step()
            except (KeeperError, OSError) as error:  # and on: whatever fails, a hub has to run
                why = f"{why}; on the way back: {error}"
        why = self._started_again(units, why)
        if self.slots.linked() != old.name:
            raise KeeperError(
                f"{why}. The card takes nothing, so the new release is still in force, and was started again:"
                " it is taken back at the next start of this machine. See 'carehub doctor'"
            )
        # Noted before it is waited for: the hub reads and reports it as soon as it runs.
        self.notes.write(judged(trial, "rolled back", why, probation=probation))
        if self._answers(pace.back) is None:
            why = f"{why}; the release before has not answered within {pace.back:g} s: 'carehub doctor'"
            if self._configuration.differs(old.name):
                why = f"{why}. {self._configuration.of(old.name)} is the hub.toml that it had then"
            self.notes.write(judged(trial, "rolled back", why, probation=probation))
        elif trial.configuration_stays:
            with suppress(OSError):
                self._configuration.forget(old.name)
        if probation is not None:
            self._watched()
        return why

    def _configuration_back(self, trial: Trial, old: Slot) -> None:
        """Only with the release: the new one stays with its own."""
        if self.slots.linked() == old.name and not trial.configuration_stays:
            self._configuration.back(old.name)

    def _started_again(self, units: Sequence[str], why: str) -> str:
        """Start what was stopped: nobody else does before the next boot."""
        try:
            persist(lambda: self._services.start(units), self._pace.starts, self._pace.look)
        except KeeperError as error:
            return f"{why}; and the release before could not be started: {error}"
        return why

    def _answers(self, seconds: float) -> Said | None:
        until = time.monotonic() + seconds
        while (said := ask(self._places, self._pace.answer)) is None and time.monotonic() < until:
            time.sleep(self._pace.look)
        return said


def _still_watched(probation: Trial) -> str:
    """In words, why nothing may take the place of the release before one that is on probation."""
    return (
        f"{probation.to} is watched over until it has run for {PACE.probation / 60:g} minutes in a row, and"
        f" {probation.from_} must be there to go back to. Wait for that ('carehub update --state' tells), or"
        " go back first ('carehub update --roll-back'); 'carehub update --on-probation FILE' on the hub if"
        " you mean it"
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """From the switch to the verdict neither a lost SSH session nor Ctrl-C ends it half-way."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
