"""The keeper's command line: /usr/lib/carehub/keeper.

Exit codes: 0 it is as asked; 1 it is not, said why on standard error; 2 the command was written wrong;
3 `apply` got through its list, and something of it failed, as its outcomes say.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from provisioning.keeper.asked_for import settle_asked, try_for_the_centre
from provisioning.keeper.atomic import Disk
from provisioning.keeper.errors import KeeperError
from provisioning.keeper.health import hindrance
from provisioning.keeper.held import held
from provisioning.keeper.judge import PACE
from provisioning.keeper.manifest import FORMAT
from provisioning.keeper.places import SLOT_NAMES, Places
from provisioning.keeper.requested import Request, Wire, can_hand_over, hand_over
from provisioning.keeper.resources import SOME_FAILED, from_json
from provisioning.keeper.settle import settle
from provisioning.keeper.slots import Slot, Slots
from provisioning.keeper.state import Notes
from provisioning.keeper.trial import Keeper
from provisioning.keeper.verdict import Verdict

_HUB_ANSWERS_SECONDS = 120.0
"""In which the hub says whether it may be stopped; after a power cut it is only starting."""
_SETTLE_WAITS_SECONDS = 20.0
"""At boot no other keeper works. After a keeper was killed, one that provisions may."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point; returns the exit code. A foreseen fault is one line on standard error."""
    said = _parser().parse_args(arguments)
    try:
        command: Callable[[argparse.Namespace], int] = said.command
        return command(said)
    except KeeperError as error:
        print(f"keeper: {error}", file=sys.stderr)
    except OSError as error:
        print(f"keeper: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keeper", description="Keeps a hub's machine and its releases.")
    parser.add_argument("--root", type=Path, default=Path("/"), help="a machine's files, as of an image")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    each = commands.add_parser("apply", help="bring about what standard input lists, as JSON")
    each.add_argument("--dry-run", action="store_true", help="only say what would change")
    each.set_defaults(command=_apply)

    each = commands.add_parser("update", help="have a bundle's release in force, if it proves itself")
    each.add_argument("bundle", nargs="?", type=Path, metavar="FILE")
    each.add_argument("--older", action="store_true", help="an older version is meant")
    each.add_argument(
        "--on-probation",
        action="store_true",
        help="while the release in force is watched over: it could then be taken back no more",
    )
    each.add_argument("--requested", action="store_true", help=argparse.SUPPRESS)  # the unit's
    _trial_options(each)
    each.set_defaults(command=_update)

    each = commands.add_parser("roll-back", help="have the other slot's release in force")
    _trial_options(each)
    each.set_defaults(command=_roll_back)

    each = commands.add_parser("settle", help="put right what an update that was cut off has left")
    each.set_defaults(command=_settle)

    each = commands.add_parser("probation", help="watch over a release that was kept, for some minutes")
    each.set_defaults(command=_probation)

    each = commands.add_parser(
        "fetch", help="bring the release that the centre named (carehub-fetch.service)"
    )
    each.add_argument("--take", action="store_true", help="first, as root: what the hub was asked")
    each.add_argument("--finish", action="store_true", help="last, as root: have it tried")
    each.set_defaults(command=_fetch)

    each = commands.add_parser("renew", help="renew the hub's certificate, where it nears its end")
    each.set_defaults(command=_renew)

    each = commands.add_parser("state", help="which release is in force, as JSON")
    each.set_defaults(command=_state)

    each = commands.add_parser("version", help="which format of bundles this keeper reads")
    each.set_defaults(command=_version)
    return parser


def _trial_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patience",
        type=_seconds,
        metavar="SECONDS",
        help=f"in which it must have proved itself ({PACE.patience:g}, and more on a slow hub)",
    )
    parser.add_argument(
        "--no-compare",
        action="store_true",
        help="ask nothing of it only since the release before had it: the broker, Bluetooth, USB, the page",
    )
    parser.add_argument("--here", action="store_true", help="in this process, not in a unit of its own")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")


def _seconds(text: str) -> float:
    value = float(text)
    if not 1 <= value <= 3600:
        raise argparse.ArgumentTypeError("from 1 to 3600")
    return value


def _apply(said: argparse.Namespace) -> int:
    from provisioning.keeper.apply import apply

    places = Places(said.root)
    resources, failed = from_json(sys.stdin.read()), False
    with nullcontext() if said.dry_run else held(places, "provisioning"):
        for outcome in apply(resources, places, dry_run=said.dry_run):
            print(outcome.to_json(), flush=True)
            failed = failed or outcome.change == "failed"
    return SOME_FAILED if failed else 0


def _update(said: argparse.Namespace) -> int:
    places = Places(said.root)
    if said.requested:
        return _as_requested(places)
    if said.bundle is None:
        raise KeeperError("which bundle? keeper update FILE")
    # The unit works in another directory.
    bundle, compared = str(said.bundle.absolute()), not said.no_compare
    request = Request(bundle, said.older, said.patience, compared, said.on_probation)
    return _asked(places, request, said)


def _roll_back(said: argparse.Namespace) -> int:
    return _asked(Places(said.root), Request(patience=said.patience, compared=not said.no_compare), said)


def _asked(places: Places, request: Request, said: argparse.Namespace) -> int:
    _only_root(places)

    def tell(words: str) -> None:
        with suppress(OSError):  # nobody may listen any more
            print(words, file=sys.stderr if said.json else sys.stdout, flush=True)

    if said.here or not can_hand_over(places):
        verdict = _words_too(_done(places, request, tell))
    else:
        try:
            verdict = hand_over(places, request, tell)
        except KeyboardInterrupt:
            raise KeeperError("it goes on without you: 'carehub update --state' says how it ends") from None
    with suppress(OSError):
        print(json.dumps(verdict) if said.json else verdict["words"], flush=True)
    return 1 if verdict["outcome"] == "rolled back" else 0


def _as_requested(places: Places) -> int:
    """In the unit: every line goes to whoever follows, and to the journal."""
    wire = Wire(places)

    def tell(words: str) -> None:
        wire.say(words=words)
        print(words, flush=True)

    try:
        request = wire.asked()
        done = _for_the_centre if request.asked else _done
        verdict = _words_too(done(places, request, tell))
    except (KeeperError, OSError) as error:
        wire.say(error=str(error))
        raise
    wire.say(verdict=verdict)
    print(verdict["words"], flush=True)
    return 1 if verdict["outcome"] == "rolled back" else 0


def _for_the_centre(places: Places, request: Request, tell: Callable[[str], None]) -> Verdict:
    return try_for_the_centre(places, request, lambda: _done(places, request, tell))


def _done(places: Places, request: Request, tell: Callable[[str], None]) -> Verdict:
    with held(places, "an update"):
        # An engineer may stop a hub whatever goes on there; the centre does not know what goes on.
        hindered = partial(hindrance, places, PACE.answer, _HUB_ANSWERS_SECONDS) if request.asked else None
        keeper = Keeper(
            places, patience=request.patience, compared=request.compared, tell=tell, hindered=hindered,
            asked=request.asked,
        )  # fmt: skip
        if not request.bundle:
            return keeper.roll_back()
        return keeper.update(Path(request.bundle), older=request.older, on_probation=request.on_probation)


def _words_too(verdict: Verdict) -> dict[str, Any]:
    return {**verdict.as_json(), "words": verdict.words}


def _settle(said: argparse.Namespace) -> int:
    places = Places(said.root)
    _only_root(places)
    with held(places, "settling", _SETTLE_WAITS_SECONDS):
        for done in settle(places):
            print(done, flush=True)
        asked = settle_asked(places)
        if asked is not None:
            print(asked, flush=True)
    return 0


def _probation(said: argparse.Namespace) -> int:
    from provisioning.keeper.probation import watch

    places = Places(said.root)
    _only_root(places)
    watch(places, lambda words: print(words, flush=True))
    return 0


def _fetch(said: argparse.Namespace) -> int:
    from provisioning.keeper import fetch

    places = Places(said.root)

    def tell(words: str) -> None:
        print(words, flush=True)

    if said.take:
        fetch.take(places, tell)
    elif said.finish:
        fetch.finish(places, tell)
    else:
        return 0 if fetch.fetch(places, tell) else 1
    return 0


def _renew(said: argparse.Namespace) -> int:
    from provisioning.keeper.claim import renew

    places = Places(said.root)
    _only_root(places)
    with held(places, "renewing the certificate", _SETTLE_WAITS_SECONDS):
        renew(places, lambda words: print(words, flush=True))
    return 0


def _state(said: argparse.Namespace) -> int:
    places = Places(said.root)
    slots = Slots(places)
    state = {
        "in_force": slots.linked(),
        "slots": {name: _slot_said(slots.slot(name)) for name in SLOT_NAMES},
        **Notes(places, Disk()).read().as_json(),
    }
    print(json.dumps(state, indent=2))
    return 0


def _slot_said(slot: Slot | None) -> dict[str, object] | None:
    if slot is None:
        return None
    return {
        "version": slot.manifest.version,
        "build": slot.manifest.build,
        "schema": slot.manifest.schema,
        "readable_from": slot.manifest.readable_from,
        "sha256": slot.sha256,
    }


def _version(_said: argparse.Namespace) -> int:
    print(f"keeper for bundles of format {FORMAT}, Python {sys.version_info.major}.{sys.version_info.minor}")
    return 0


def _only_root(places: Places) -> None:
    if places.root == Path("/") and os.geteuid() != 0:
        raise KeeperError("this changes the machine: run it as root (sudo)")


if __name__ == "__main__":
    sys.exit(main())
