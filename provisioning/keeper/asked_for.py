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
from provisioning.keeper.requested import Request
from provisioning.keeper.state import Notes
from provisioning.keeper.trial import Verdict


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
