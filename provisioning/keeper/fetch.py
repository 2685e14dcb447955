"""A release that the centre named is fetched from where the site says, and handed on to be tried.

In three steps of carehub-fetch.service. `take`, as root, makes the hub's request an order, where the site
allows it. `fetch`, as nobody in particular and with the network, brings the bundle. `finish`, as root and
without it, has carehub-update.service verify its signature and try it. The hub says only which release (the
SHA-256 of its manifest): never from where, and whatever is brought is installed only if it is signed.

A power cut at any moment: an order is fetched on where it stopped, and let go before its release is tried.
An order stands for as long as the site's word does, and for a day; whatever else goes wrong ends it in words,
so that systemd never gets to start this again and again, and then no more.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from provisioning.keeper import wall_clock
from provisioning.keeper.atomic import Disk
from provisioning.keeper.centre import Asked, Centre, Order, Outcome, order_of
from provisioning.keeper.download import download, partial
from provisioning.keeper.errors import KeeperError, LaterError
from provisioning.keeper.places import Places
from provisioning.keeper.requested import Request, begin
from provisioning.keeper.words import plain

REQUEST_NAME = "update_request.json"
"""The hub's, in its own directory."""
SOURCE_NAME = "update_source.json"
"""Where releases are fetched from, as provisioning has it of the site's file: without it nothing is."""

_SAID_NAME = "said.json"
_LARGEST = 64 * 1024
_STANDS = 24 * 3600.0
"""Seconds: who asked a day ago may have thought better of it."""
_MOST_STARTS = 8
"""Of one order: whatever ends the fetching each time, a power cut too, must not go on for ever, nor until
systemd starts it no more."""
_CUT_OFF = ("", "success", "signal")
"""How the unit has ended ($SERVICE_RESULT, systemd.exec(5)) where it was stopped, as when the machine is."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds: the pause after a first failure, which doubles up to `most`, and when it is given up; and
    how long it `rests` where the card takes nothing, before systemd starts it again."""

    least: float = 5.0
    most: float = 600.0
    gives_up: float = 6 * 3600.0
    rests: float = 60.0


PACE = Pace()


def take(places: Places, tell: Tell, pace: Pace = PACE) -> None:
    """Make the hub's request an order, and take the request away. Raises OSError: the card takes nothing."""
    try:
        _take(places, tell)
    except OSError:
        time.sleep(pace.rests)
        raise


def _take(places: Places, tell: Tell) -> None:
    centre = Centre(places)
    path = places.data / REQUEST_NAME
    if os.path.lexists(path):
        try:
            centre.give(order_of(_small_json(path)))
        except (KeeperError, OSError) as error:
            tell(f"the hub's request is dropped: {plain(str(error))}")
        Disk().remove(path)  # whatever it is
    order, last = centre.order(), centre.last()
    if order is None:
        centre.let_go()  # one that cannot be read
    elif last is not None and last.id == order.id:
        centre.let_go()  # cut off after it was noted, and before it was let go
    elif order.starts >= _MOST_STARTS:
        _end(
            centre, order, "not fetched", f"fetching it was cut off {order.starts} times: look at the machine"
        )
    else:
        try:
            order = _standing(order, places)
        except KeeperError as error:
            tell(str(error))
            _end(centre, order, "refused", str(error))
        else:
            centre.give(replace(order, starts=order.starts + 1))


def _standing(order: Order, places: Places) -> Order:
    """The order as it is to be followed now: from where the site has releases now, if it still does. Raises
    `KeeperError`: it is not to be followed any more."""
    path = places.etc / SOURCE_NAME
    try:
        said = json.loads(path.read_text())
        order = replace(order, source=str(said["source"]), ca=str(said["ca"]))
    except FileNotFoundError:
        raise KeeperError(
            "the site's file does not allow it: update.from_centre = true there, and provision the hub"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeeperError(f"{path} is damaged: provision the hub anew") from error
    if not wall_clock.is_set():
        return order  # by which nothing can be said of an age; how often it is begun is limited all the same
    now = time.time()
    if not 0 < order.at <= now:  # it was given before the clock was set, or by one that was wrong
        return replace(order, at=now)
    if now - order.at > _STANDS:
        raise KeeperError(f"it was asked for more than {_STANDS / 3600:g} hours ago: ask again")
    return order


def fetch(places: Places, tell: Tell, pace: Pace = PACE) -> bool:
    """Bring the bundle of the order into the cache, however long the network is away; whether it is there.

    What became of it is left for `finish`. Raises OSError: the card takes nothing.
    """
    order = Centre(places).order()
    if order is None:
        tell("nothing is to be fetched")
        return True
    try:
        for each in places.cache.iterdir():
            if not each.name.startswith(order.file_name):
                each.unlink()
        _fetched(order, places, tell, pace)
    except KeeperError as error:
        return _say(places.cache, order, str(error), tell, fetched=False)
    except Exception as error:  # noqa: BLE001 whatever a stranger's server sends ends in words, and is told
        # What has come may be the reason, and takes the room in which to say so.
        with suppress(OSError):
            partial(places, order).unlink()
        words = f"it could not be fetched ({type(error).__name__}: {error})"
        return _say(places.cache, order, words, tell, fetched=False)
    return _say(places.cache, order, f"{order.file_name} is here", tell, fetched=True)


def _fetched(order: Order, places: Places, tell: Tell, pace: Pace) -> None:
    until, wait = time.monotonic() + pace.gives_up, pace.least
    while True:
        try:
            download(order, places, until)
        except LaterError as error:
            if time.monotonic() + wait >= until:
                raise KeeperError(f"{error}; it was tried for {pace.gives_up / 3600:g} hours") from error
            tell(f"not fetched yet: {plain(str(error))}; it is tried again in {wait:g} s")
        else:
            return
        time.sleep(wait)
        wait = min(pace.most, wait * 2)


def finish(places: Places, tell: Tell, start: Callable[[Places, Request], None] = begin) -> None:
    """Have the release tried if its bundle was brought, and note it if not. Raises OSError.

    Of one that was cut off nothing is said: the order stands, and is taken up again. So it is not where the
    unit failed or took too long.
    """
    centre = Centre(places)
    order = centre.order()
    if order is None:
        return
    try:
        order = _standing(order, places)
    except KeeperError as error:
        tell(str(error))
        _end(centre, order, "refused", str(error))
        return
    try:
        fetched, words = _said(places, order)
    except (KeeperError, OSError, KeyError, TypeError):
        how = os.environ.get("SERVICE_RESULT", "")
        if how not in _CUT_OFF:
            words = f"fetching it ended without a word ({how}): 'journalctl -u carehub-fetch' may say why"
            _end(centre, order, "not fetched", words)
        return
    if not fetched:
        _end(centre, order, "not fetched", words)
        return
    _end(centre, order, "trying", words)
    try:
        start(
            places,
            Request(
                str(places.cache / order.file_name),
                manifest_sha256=order.manifest_sha256,
                asked=order.id,
            ),
        )
    except KeeperError as error:
        tell(str(error))
        _note(centre, order, "refused", str(error))


def _said(places: Places, order: Order) -> tuple[bool, str]:
    """Whether the order's bundle was brought, and in words. Raises `KeeperError`, OSError, KeyError,
    TypeError: nothing is said of it."""
    said = _small_json(places.cache / _SAID_NAME)
    if said["id"] != order.id:
        raise KeeperError("that is said of another order")
    fetched, words = said["fetched"] is True, plain(str(said["words"]))
    # Root reads it soon: no link is left to it, nor anything that is no file.
    if fetched and not stat.S_ISREG((places.cache / order.file_name).lstat().st_mode):
        return False, f"{order.file_name} was brought, and is no file: look at the machine"
    return fetched, words


def _end(centre: Centre, order: Order, outcome: Outcome, words: str) -> None:
    try:
        _note(centre, order, outcome, words)
    finally:
        centre.let_go()  # that takes no room


def _note(centre: Centre, order: Order, outcome: Outcome, words: str) -> None:
    now = datetime.now(UTC)
    centre.note(Asked(order.id, order.manifest_sha256, order.version, order.build, outcome, words, now))


def _say(cache: Path, order: Order, words: str, tell: Tell, *, fetched: bool) -> bool:
    words = plain(words)
    tell(words)
    (cache / _SAID_NAME).write_text(json.dumps({"id": order.id, "fetched": fetched, "words": words}))
    return fetched


def _small_json(path: Path) -> dict[str, Any]:
    """What another user has written: no link is followed, nothing is waited for, and no more is read than it
    may have. Raises `KeeperError`, `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise KeeperError(f"{path} is no file")
        text = file.read(_LARGEST + 1)
    try:
        if len(text) > _LARGEST:
            raise ValueError("too large")
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise KeeperError(f"{path} cannot be understood") from error
    if not isinstance(found, dict):
        raise KeeperError(f"{path} cannot be understood")
    return found
