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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from provisioning.keeper.atomic import Disk
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.health import Said, ask, commits
from provisioning.keeper.judge import PACE, Before, Judge, Judgement, Look, Pace
from provisioning.keeper.places import PAGE_UNIT, UNIT, Places
from provisioning.keeper.slots import Slot, Slots, check_way
from provisioning.keeper.state import Named, Notes, State, Trial, judged
from provisioning.keeper.systemd import Services, Systemd

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an update: "unchanged" is one to a release that was in force already."""

    outcome: Literal["kept", "rolled back", "unchanged"]
    to: Named
    why: str
    from_: Named | None = None

    @property
    def good(self) -> bool:
        """The release that was asked for is in force."""
        return self.outcome != "rolled back"

    @property
    def words(self) -> str:
        """For people."""
        match self.outcome:
            case "kept":
                return f"release {self.to} is in force: {self.why}"
            case "unchanged":
                return f"release {self.to} was in force already: nothing was changed"
            case _:
                return f"release {self.to} was rolled back, and {self.from_} is in force again: {self.why}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "outcome": self.outcome,
            "from": None if self.from_ is None else self.from_.as_json(),
            "to": self.to.as_json(),
            "why": self.why,
        }


class Keeper:
    """Updates one machine; `services` and `disk` are the real ones unless said."""

    def __init__(
        self,
        places: Places,
        *,
        services: Services | None = None,
        disk: Disk | None = None,
        pace: Pace = PACE,
        tell: Tell = lambda _words: None,
    ) -> None:
        self._places = places
        self._services = services or Systemd(places)
        self._disk = disk or Disk()
        self._pace = pace
        self._hearer = tell
        self.slots = Slots(places, self._disk)
        self.notes = Notes(places, self._disk)

    def update(self, bundle: Path, *, older: bool = False) -> Verdict:
        """Have a bundle's release in force if it proves itself.

        Raises:
            KeeperError: it cannot be installed (`Slots.install`); nothing was changed.
        """
        self._settled()
        last = self.notes.read().last
        # What failed may have come to the card spoilt: it is not used a second time.
        anew = last is not None and last.outcome != "kept"
        self._tell(f"verifying {bundle.name}, and unpacking it")
        try:
            return self._try(self.slots.install(bundle, older=older, anew=anew))
        except OSError as error:
            raise KeeperError(f"{bundle.name} could not be installed: {error}") from error

    def roll_back(self) -> Verdict:
        """Have the other slot's release in force again, if it proves itself.

        Raises:
            KeeperError: there is none, or it could not read the database; nothing was changed.
        """
        self._settled()
        other, current = self.slots.slot(self.slots.idle()), self.slots.current()
        if other is None or current is None:
            raise KeeperError("the other slot has no release to go back to: 'carehub update FILE' brings one")
        check_way(current.manifest, other.manifest, older=True)
        return self._try(other.name)

    def _tell(self, words: str) -> None:
        with suppress(OSError):  # whoever listened may have gone, with their SSH session
            self._hearer(words)

    def _settled(self) -> None:
        if self.notes.read().trial is not None:
            raise KeeperError(
                "an update before this one was interrupted: 'systemctl restart carehub-settle' takes it back"
            )

    def _try(self, name: str) -> Verdict:
        new, old = self.slots.slot(name), self.slots.current()
        if new is None:
            raise KeeperError(f"slot {name} is not whole though it was just installed: look after the card")
        to = Named.of(new.manifest)
        if old is not None and old.name == name:
            return Verdict("unchanged", to, "", to)
        if old is None:
            self.slots.switch(name)
            return Verdict("kept", to, "it is the first on this machine, and was not tried")
        trial = Trial(Named.of(old.manifest), old.name, to, name, datetime.now(UTC))
        units = []
        if self._services.running():
            units = [unit for unit in (UNIT, PAGE_UNIT) if self._services.wanted(unit)]
        if UNIT not in units:
            self.slots.switch(name)
            why = f"it was not tried, since {UNIT} is not enabled here"
            self.notes.write(judged(trial, "kept", why))
            return Verdict("kept", to, why, trial.from_)
        with _undisturbed():
            return self._tried(trial, old, units)

    def _tried(self, trial: Trial, old: Slot, units: Sequence[str]) -> Verdict:
        before = self._before(units)
        self.notes.write(State(trial, self.notes.read().last))
        try:
            self._tell(f"{trial.to} is installed; now it has to prove itself")
            self._services.stop(units)
            self.slots.switch(trial.to_slot)
            for trouble in self._services.refresh():
                self._tell(trouble)
            self._services.start(units)
            judgement = self._judged(before, units)
        except (KeeperError, OSError) as error:
            judgement = Judgement(False, str(error))
        if judgement.good:
            try:
                self.notes.write(judged(trial, "kept", judgement.why))
            except OSError as error:
                raise KeeperError(
                    f"release {trial.to} proved itself and is in force, but the card takes no note of it"
                    f" ({error}): at the next start of this machine {trial.from_} would be back. Make room"
                    " and update again, or replace the card"
                ) from error
            return Verdict("kept", trial.to, judgement.why, trial.from_)
        self._tell(f"not proven: {judgement.why}; going back to {trial.from_}")
        return Verdict("rolled back", trial.to, self._back(trial, old, units, judgement.why), trial.from_)

    def _before(self, units: Sequence[str]) -> Before:
        page = PAGE_UNIT in units and self._services.seen(PAGE_UNIT).running
        running = self._services.seen(UNIT).running
        return Before.of(ask(self._places, self._pace.answer) if running else None, page=page)

    def _judged(self, before: Before, units: Sequence[str]) -> Judgement:
        judge, started, committed = Judge(before, self._pace), time.monotonic(), False
        while True:
            hub = self._services.seen(UNIT)
            said = ask(self._places, self._pace.answer) if hub.running else None
            # Asked until it does: each time is a commit of its card.
            committed = committed or (said is not None and commits(self._places, self._pace.answer))
            # Of a page that did not run before nothing is asked.
            page = self._services.seen(PAGE_UNIT) if before.page and PAGE_UNIT in units else None
            judgement = judge.look(Look(time.monotonic() - started, hub, said, page, committed))
            if judgement is not None:
                return judgement
            time.sleep(self._pace.look)

    def _back(self, trial: Trial, old: Slot, units: Sequence[str], why: str) -> str:
        """Why the release did not stay, and whether the one before is well again."""
        for step in (
            lambda: self._services.kill(units, self._pace.kill),
            lambda: self.slots.switch(old.name),
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
        self.notes.write(judged(trial, "rolled back", why))
        if self._answers() is None:
            why = f"{why}; the release before has not answered within {self._pace.back:g} s: 'carehub doctor'"
            self.notes.write(judged(trial, "rolled back", why))
        return why

    def _started_again(self, units: Sequence[str], why: str) -> str:
        """Start what was stopped, more than once if need be: nobody else does before the next boot."""
        for left in reversed(range(self._pace.starts)):
            try:
                self._services.start(units)
            except KeeperError as error:
                if left == 0:
                    return f"{why}; and the release before could not be started: {error}"
                time.sleep(self._pace.look)
            else:
                break
        return why

    def _answers(self) -> Said | None:
        until = time.monotonic() + self._pace.back
        while (said := ask(self._places, self._pace.answer)) is None and time.monotonic() < until:
            time.sleep(self._pace.look)
        return said


def update(
    places: Places,
    bundle: Path,
    *,
    older: bool = False,
    pace: Pace = PACE,
    tell: Tell = lambda _words: None,
) -> Verdict:
    """Have a bundle's release in force on this machine if it proves itself, otherwise the one before.

    Whoever calls holds the keeper's lock (`held.py`). The end of the session that started it changes nothing.

    Raises:
        KeeperError: the release cannot be installed; nothing was changed.
    """
    return Keeper(places, pace=pace, tell=tell).update(bundle, older=older)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """From the switch to the verdict neither a lost SSH session nor Ctrl-C ends it half-way."""
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
