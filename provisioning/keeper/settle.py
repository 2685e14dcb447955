"""At boot, before the hub: what an update that was cut off has left is put right.

So whatever was in the middle, the hub that starts next is a release that had proved itself.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from provisioning.keeper.atomic import Disk
from provisioning.keeper.configuration import Configuration
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import PAGE_UNIT, PROBATION_UNIT, SLOT_NAMES, UNIT, Places
from provisioning.keeper.slots import Slot, Slots
from provisioning.keeper.state import Named, Notes, State, Trial, judged, this_boot
from provisioning.keeper.systemd import Services, Systemd, persist

_STARTS, _AGAIN_SECONDS = 3, 0.5
"""How often systemd is asked to start the hub, where it refuses."""


def settle(places: Places, *, services: Services | None = None, disk: Disk | None = None) -> list[str]:
    """Take back a trial that nobody judged, mend the link where it leads to no whole release, and remove what
    an installation has left. What was done, in words; nothing where all was well.

    Raises:
        KeeperError: no slot is whole.
        OSError: the card takes nothing.
    """
    disk, services = disk or Disk(), services or Systemd(places)
    try:
        notes = Notes(places, disk)
        done = _settled(Slots(places, disk), notes, Configuration(places, disk), services)
    except (KeeperError, OSError):
        # A card that takes nothing keeps no hub from running: it goes on in memory.
        if services.running():
            with suppress(KeeperError):
                _start_what_stands(services)
        raise
    finally:
        _watched_on(Notes(places, disk), this_boot(places), services)
    return done


def _watched_on(notes: Notes, boot: str, services: Services) -> None:
    """A release on probation is watched over after a boot too, and that it was one is noted: a release may
    bring down the whole machine."""
    state = notes.read()
    if (watched := state.probation) is None:
        return
    if boot and boot not in watched.boots:
        with suppress(OSError):
            notes.write(replace(state, probation=replace(watched, boots=(*watched.boots, boot))))
    if services.running():
        with suppress(KeeperError):
            services.start([PROBATION_UNIT])


def standing(places: Places) -> Slot | None:
    """The release that is in force once a trial that was cut off is settled; None where none is whole.

    Of an update that is under way it is the one before.
    """
    slots, disk = Slots(places), Disk()
    wanted = _wanted(slots, Notes(places, disk).read())
    return None if wanted is None or slots.linked() is None else slots.slot(wanted)


def watched_over(slots: Slots, state: State) -> Trial | None:
    """The trial of the release that is on probation, while the one before is there to go back to."""
    probation = state.probation
    before = None if probation is None else slots.slot(probation.from_slot)
    there = before is not None and probation is not None and Named.of(before.manifest) == probation.from_
    return probation if there else None


def _settled(slots: Slots, notes: Notes, configuration: Configuration, services: Services) -> list[str]:
    state, before = notes.read(), slots.linked()
    wanted = _wanted(slots, state)
    done = []
    # The link first: whatever fails after it, a hub runs.
    if wanted is not None and (wanted != before or state.trial is not None):
        slots.switch(wanted)  # where it is so already, for the links that go with it
    if wanted is not None and wanted != before:
        done.append(f"slot {wanted} is in force" + ("" if before is None else f", and no longer {before}"))
    if state.trial is not None:
        why, probation = _interrupted(slots, state, before), None
        if wanted == state.trial.from_slot:
            if not state.trial.configuration_stays:
                configuration.back(wanted)
            # One that was on probation, and was to be gone away from, is so again.
            probation = state.probation
        notes.write(judged(state.trial, "interrupted", why, probation=probation))
        done.append(f"the update to {state.trial.to} was interrupted: {why}")
    if wanted is None and slots.linked() is not None:
        raise KeeperError("no slot has a whole release: set the hub up anew with 'carehub provision'")
    # Of a keeper that was killed after it had stopped the hub, too.
    if (slots.linked() != before or state.trial is not None) and services.running():
        try:
            done += services.refresh()
        except KeeperError as error:  # and on: a release that was taken back must not go on running
            done.append(str(error))
        # Nobody else does before the next boot.
        persist(lambda: _started(services), _STARTS, _AGAIN_SECONDS)
    try:
        done += [f"removed {left}, which an installation had left" for left in slots.tidy()]
    except OSError as error:
        done.append(f"what an installation had left stays: {error}")
    return done


def _start_what_stands(services: Services) -> None:
    """Neither what runs or is starting, nor, at boot, what only waits for this to end."""
    seen = {unit: services.seen(unit) for unit in (UNIT, PAGE_UNIT) if services.wanted(unit)}
    services.start(
        [unit for unit, how in seen.items() if how.active in ("inactive", "failed") and not how.queued]
    )


def _wanted(slots: Slots, state: State) -> str | None:
    """The slot that should be in force; None where none is whole."""
    whole = {name: found for name in SLOT_NAMES if (found := slots.slot(name)) is not None}
    if state.trial is not None and state.trial.from_slot in whole:
        return state.trial.from_slot
    linked = slots.linked()
    if linked in whole:
        return linked
    if state.last is not None:
        proved = state.last.to if state.last.outcome == "kept" else state.last.from_
        for name, found in whole.items():
            if Named.of(found.manifest) == proved:
                return name
    return next(iter(whole), None)


def _interrupted(slots: Slots, state: State, before: str | None) -> str:
    """In words, what became of a trial that was noted and not judged."""
    assert state.trial is not None
    if slots.linked() != state.trial.from_slot:
        return "it was cut off before it was judged, and stays, since the release before is no longer whole"
    if before == state.trial.to_slot:
        return f"it was cut off before it was judged, and {state.trial.from_} is in force again"
    return f"it was cut off before it was tried or while it was taken back; {state.trial.from_} is in force"


def _started(services: Services) -> None:
    """At boot the hub's units wait for this to end; where the keeper was killed they run, of the wrong slot;
    and where the link led to nowhere systemd had not found them at all."""
    wanted = [unit for unit in (UNIT, PAGE_UNIT) if services.wanted(unit)]
    running = [unit for unit in wanted if services.seen(unit).active in ("active", "activating")]
    services.restart(running)
    services.start([unit for unit in wanted if unit not in running])
