"""What is seen of the release in force before another one is tried: how well it does, or that it is dead."""

from __future__ import annotations

import time
from collections.abc import Sequence

from provisioning.keeper.health import ask, database_size, publishes
from provisioning.keeper.judge import Before, Pace
from provisioning.keeper.places import PAGE_UNIT, UNIT, Places
from provisioning.keeper.systemd import Services

_PROOFS = 3
"""How often it may show that the broker takes what it publishes."""


def at_its_best(places: Places, services: Services, units: Sequence[str], pace: Pace) -> Before:
    """Of one that does not run nothing is expected; one that is only starting, as after a power cut, is
    waited for. Raises `KeeperError`."""
    found, until, proofs = Before(), time.monotonic() + pace.before, _PROOFS
    ready = _ready(places, pace)
    while True:
        hub = services.seen(UNIT)
        if hub.starting and hub.ended is None and time.monotonic() < ready:
            until = time.monotonic() + pace.before
        said, published = ask(places, pace.answer) if hub.running else None, False
        if said is not None and said.connected and not found.published and proofs:
            proofs -= 1
            published = publishes(places, pace.answer)
        page = PAGE_UNIT in units and services.seen(PAGE_UNIT).running
        found = found.with_later(Before.of(said, published=published, page=page))
        over = time.monotonic() >= until or not (hub.running or hub.starting)
        if over or (said is not None and found.whole(said) and (found.published or not proofs)):
            return found
        time.sleep(pace.look)


def is_dead(places: Places, services: Services, pace: Pace) -> bool:
    """Whether its hub is to run, and has ended by itself and does not come up, or not answer, since. That it
    was started again some time ago says nothing: it may only be slow just now. Raises `KeeperError`."""
    if not services.running() or not services.wanted(UNIT):
        return False
    ready, silent, ends = _ready(places, pace), time.monotonic() + pace.silence, None
    while True:
        hub = services.seen(UNIT)
        if hub.ended is None or hub.active == "inactive":  # by somebody's hand
            return False
        if hub.running and ask(places, pace.answer) is not None:
            return False
        ends, again = hub.restarts, ends is not None and hub.restarts != ends
        if again or hub.active == "failed" or hub.sub.startswith("auto-restart"):
            return True
        now = time.monotonic()
        if hub.starting and now < ready:
            silent = now + pace.silence
        elif now >= silent:
            return True
        time.sleep(pace.look)


def _ready(places: Places, pace: Pace) -> float:
    """Until when one that is starting may take, by the monotonic clock."""
    return time.monotonic() + pace.like(None, database_size(places)).patience
