"""An update at the centre's word, in carehub-update.service: more is asked of it than of an engineer's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from provisioning.keeper import bundle_file
from provisioning.keeper.atomic import Disk
from provisioning.keeper.centre import Centre, Outcome
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.places import Places
from provisioning.keeper.requested import UPDATE_UNIT, Request
from provisioning.keeper.state import Notes
from provisioning.keeper.systemd import Services, Systemd
from provisioning.keeper.verdict import Verdict

FETCH_UNIT = "carehub-fetch.service"


def try_for_the_centre(places: Places, request: Request, tried: Callable[[], Verdict]) -> Verdict:
    """Have `tried` done where this release may be tried, note what became of it for the hub to tell, and
    remove the bundle.

    Raises:
        KeeperError: it is refused; nothing was changed.
        OSError: the card takes nothing.
    """
    try:
        _check(places, request)
        verdict = tried()
    except (KeeperError, OSError) as error:
        _note(places, request, "refused", str(error))
        raise
    finally:
        with suppress(OSError):
            Path(request.bundle).unlink()
    _note(places, request, verdict.outcome, verdict.why or verdict.words)
    return verdict


def settle_asked(places: Places, services: Services | None = None) -> str | None:
    """Judge what the centre asked where it was cut off, by what is noted of the last update; in words, where
    it was so. Not while somebody hands it on, or tries it.

    Raises:
        KeeperError: systemd does not answer.
        OSError: the card takes no note of it.
    """
    centre, services = Centre(places), services or Systemd(places)
    asked = centre.last()
    if asked is None or asked.outcome != "trying" or (services.running() and _in_hand(services)):
        return None
    return centre.settle(Notes(places, Disk()).read().last)


def _in_hand(services: Services) -> bool:
    # It is noted as "trying" before carehub-update.service has ended for whoever updated before; that is
    # "deactivating" while it has this looked after. What only waits in the queue, as at boot, tries nothing.
    working = ("active", "activating")
    fetches, tries = services.seen(FETCH_UNIT).active, services.seen(UPDATE_UNIT).active
    return fetches in (*working, "deactivating") or tries in working


def _check(places: Places, request: Request) -> None:
    with bundle_file.opened(Path(request.bundle), places.signers) as bundle:
        if hashlib.sha256(bundle.manifest_text).hexdigest() != request.manifest_sha256:
            raise KeeperError("the bundle that was fetched is another release than was asked for: ask again")
        state = Notes(places, Disk()).read()
        if state.probation is not None:
            raise KeeperError(f"release {state.probation.to} is still watched over: ask again in ten minutes")
        Centre(places).refuse_again(request.manifest_sha256, bundle.manifest, state.last)


def _note(places: Places, request: Request, outcome: Outcome, words: str) -> None:
    centre = Centre(places)
    asked = centre.last()
    if asked is not None and asked.id == request.asked:
        centre.note(replace(asked, outcome=outcome, words=words, at=datetime.now(UTC)))
