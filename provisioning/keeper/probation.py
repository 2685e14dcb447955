"""Watches over a release for the first minutes after it was kept, in carehub-probation.service: one that ends
again and again is taken back, once and by the same steps as one that did not prove itself.

The ten minutes begin anew after each end, and at each boot, which counts as one: a release may bring down the
machine. It also watches over whoever tries a release: where that process was killed (by an engineer's lost
session, or since the memory was full), it settles what was left, at once and not only at the next boot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from provisioning.keeper.atomic import Disk
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.health import database_size
from provisioning.keeper.held import BusyError, held
from provisioning.keeper.judge import PACE, Judgement, Pace, Probation
from provisioning.keeper.places import UNIT, Places
from provisioning.keeper.settle import settle
from provisioning.keeper.state import Notes, State, Trial
from provisioning.keeper.systemd import Services, Systemd
from provisioning.keeper.trial import Keeper

_DOING = "watching over a release"


def watch(
    places: Places,
    tell: Callable[[str], None],
    *,
    services: Services | None = None,
    disk: Disk | None = None,
    pace: Pace = PACE,
) -> None:
    """Watch until no release is on trial or on probation.

    Raises:
        KeeperError: systemd does not answer.
        OSError: the card takes nothing.
    """
    services, disk = services or Systemd(places), disk or Disk()
    notes, judged, judge, began = Notes(places, disk), State(), Probation(pace), 0.0
    while True:
        state = notes.read()
        if state.trial is not None:
            _settle_cut_off(places, notes, tell, services, disk)
        elif state.probation is None:
            return
        else:
            if state != judged:  # after a going back by hand that failed, too
                judged, began, boots = state, time.monotonic(), len(state.probation.boots)
                judge = Probation(pace, database_size(places), boots=max(0, boots - 1))
            judgement = judge.look(time.monotonic() - began, services.seen(UNIT))
            if judgement is not None:
                keeper = Keeper(places, services=services, disk=disk, pace=pace, tell=tell)
                _end(places, keeper, state.probation, judgement, tell)
                continue
        time.sleep(pace.watch)


def _settle_cut_off(
    places: Places, notes: Notes, tell: Callable[[str], None], services: Services, disk: Disk
) -> None:
    """Where nobody holds the lock though a trial is noted."""
    with suppress(BusyError), held(places, _DOING):
        if notes.read().trial is not None:
            for words in settle(places, services=services, disk=disk):
                tell(words)


def _end(
    places: Places, keeper: Keeper, watched: Trial, judgement: Judgement, tell: Callable[[str], None]
) -> None:
    try:
        with held(places, _DOING):
            state = keeper.notes.read()
            if state.probation != watched or state.trial is not None:
                return  # an update came between
            if judgement.good:
                keeper.notes.write(State(None, state.last))
                tell(f"release {watched.to} stays: {judgement.why}")
                return
            tell(keeper.take_back(watched, judgement.why).words)
    except BusyError:
        time.sleep(1)  # an update, which may end it
    except KeeperError as error:
        if keeper.notes.read().probation == watched:
            raise
        tell(str(error))
