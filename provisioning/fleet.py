"""Many hubs at once: each machine is worked on by a thread of its own, whose work is ssh's processes. What
happens to one, and a machine that cannot be reached, stops no other.
"""

from __future__ import annotations

import logging
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub.clock import now
from hub.doctor.findings import LINK
from hub.errors import CareportError
from provisioning import bundle as bundles
from provisioning import site_file
from provisioning.errors import ProvisioningError
from provisioning.fleet_table import Row, in_force, row_of, row_of_report
from provisioning.inventory import Hub
from provisioning.machine_words import object_of, plain
from provisioning.programs import cut_off
from provisioning.provision import provision
from provisioning.remote import Reach, Remote

AT_ONCE = 20
"""Machines that are worked on at the same time, if nothing else is said."""

_ASK = Path(__file__).with_name("fleet_ask.py")
_LOOK_SECONDS = 0.5
_ASK_SECONDS, _SEND_SECONDS, _UPDATE_SECONDS = 180.0, 1800.0, 900.0
# What an earlier one left that was cut off is removed a day later: until then it may be at work.
_SEND = (
    "find /var/tmp -maxdepth 1 -name 'carehub-provisioning.*' -mmin +1440 -exec rm -rf {} + 2>/dev/null;"
    " d=$(mktemp -d /var/tmp/carehub-provisioning.XXXXXXXX)"
    ' && { cat >"$d/release.bundle" && printf %s "$d/release.bundle" || { rm -rf -- "$d"; exit 1; }; }'
)

_SENT_TO = re.compile(r"/var/tmp/carehub-provisioning\.[A-Za-z0-9]+/release\.bundle")

Tell = Callable[[str], None]
Work = Callable[[Hub, Tell], Row]

_log = logging.getLogger(__name__)


class Releases:
    """The bundles that a fleet needs, read once each, and cut down once for each Python."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._read: dict[tuple[Path, Path | None], bundles.Bundle] = {}
        self._slim: dict[tuple[Path, str], Path] = {}

    def of(self, path: Path | None, signers: Path | None) -> bundles.Bundle:
        """A bundle, signed by one of those. Raises `ProvisioningError`."""
        if path is None:
            raise ProvisioningError("which release? Give bundle in the fleet's file, or --bundle")
        with self._lock:
            if (path, signers) not in self._read:
                self._read[path, signers] = bundles.read(path, signers)
            return self._read[path, signers]

    def slim(self, bundle: bundles.Bundle, python: str) -> Path:
        """What a machine with that Python needs of it. Raises `ProvisioningError`."""
        with self._lock:
            key = bundle.path, python
            if key not in self._slim:
                into = self._directory / str(len(self._slim))
                into.mkdir()
                self._slim[key] = bundle.slim(python, into)
            return self._slim[key]


@contextmanager
def releases() -> Iterator[Releases]:
    """For the time of one command."""
    with tempfile.TemporaryDirectory(prefix="carehub-fleet-") as directory:
        yield Releases(Path(directory))


def everywhere(hubs: Sequence[Hub], work: Work, tell: Tell, at_once: int = AT_ONCE) -> list[Row]:
    """Do it on each, so many at once: a row for each, in their order. `tell` hears what happens, each line
    with the hub's name before it, from any thread.

    After Ctrl-C no other machine is begun, which their rows say, and those under way end what they do; the
    second one cuts them off.
    """
    return _rows(hubs, work, tell, at_once)[0]


def in_waves(hubs: Sequence[Hub], work: Work, tell: Tell, at_once: int, canaries: int) -> list[Row]:
    """The first `canaries` of them, and the others only where none of those failed."""
    first, interrupted = _rows(hubs[:canaries], work, tell, at_once)
    others = hubs[canaries:] if canaries else hubs
    if interrupted:
        return first + [_not_begun(hub, "interrupted") for hub in others]
    if any(row.failed for row in first):
        return first + [_not_begun(hub, "one of the first failed") for hub in others]
    return first + everywhere(others, work, tell, at_once)


def _rows(hubs: Sequence[Hub], work: Work, tell: Tell, at_once: int) -> tuple[list[Row], bool]:
    """And whether it was interrupted."""
    rows, stopped = [_not_begun(hub, "interrupted") for hub in hubs], threading.Event()

    def one(at: int) -> None:
        if not stopped.is_set():
            rows[at] = _one(hubs[at], work, tell)

    with ThreadPoolExecutor(max(1, at_once)) as threads:
        try:
            running = [threads.submit(one, at) for at in range(len(hubs))]
            # Not in one go: Ctrl-C just as Python begins to wait would be seen at the end only.
            while wait(running, _LOOK_SECONDS).not_done:
                pass
        except KeyboardInterrupt:
            stopped.set()
            try:
                tell("interrupted: no other is begun, those under way end what they do; Ctrl-C cuts them off")
                threads.shutdown()
            except KeyboardInterrupt:
                cut_off()
    return rows, stopped.is_set()


def _not_begun(hub: Hub, why: str) -> Row:
    words = f"not begun: {why}"
    return Row(hub.name, hub.target, outcome=words, to_do=words, failed=True)


def status(*, accept_new_key: bool = False) -> Work:
    """Look at a hub; nothing is changed."""

    def work(hub: Hub, tell: Tell) -> Row:
        with Remote(hub.target, _reach(hub, accept_new_key)) as remote:
            row = _asked(hub, remote)
        tell("well" if not row.failed else f"not well: {row.to_do}")
        return row

    return work


def provisioned(found: Releases, *, dry_run: bool, accept_new_key: bool = False) -> Work:
    """Have a machine be the hub of its site's file, with its link to the ICS."""

    def work(hub: Hub, tell: Tell) -> Row:
        site = site_file.load(hub.site)
        signers = hub.signers or site.release_signers_file
        if signers is None:
            raise ProvisioningError("whose releases may it take? Give signers in the fleet's file")
        bundle, reach = found.of(hub.bundle, signers), _reach(hub, accept_new_key)
        report = provision(
            hub.target, site, bundle, signers=_text(signers),
            certificate=_text(hub.certificate) if hub.certificate else "",
            dry_run=dry_run, tell=_brief(tell), reach=reach, slim=lambda python: found.slim(bundle, python),
        )  # fmt: skip
        tell(report.lines()[0])
        if dry_run:
            return row_of_report(hub.name, hub.target, report, None, now())
        had = any(each.part == LINK and each.verdict == "pass" for each in report.hub)
        with Remote(hub.target, reach) as remote:
            # Its doctor was asked as soon as it had started; where it had no link by then, once more.
            said = _ask(remote, "brief linked" if had else "linked")
        row = row_of_report(hub.name, hub.target, report, said, now())
        tell("it has what it is to have" if not row.failed else f"failed: {row.to_do}")
        return row

    return work


def updated(found: Releases, *, accept_new_key: bool = False, patience: float | None = None) -> Work:
    """Bring the release of its bundle, which stays if it proves itself: in so many seconds, or as many as
    that hub takes."""

    def work(hub: Hub, tell: Tell) -> Row:
        bundle = found.of(hub.bundle, hub.signers)
        with Remote(hub.target, _reach(hub, accept_new_key)) as remote:
            before = _ask(remote, "brief")
            if not isinstance(before.get("keeper"), dict):
                raise ProvisioningError(
                    "it has no keeper, so an update could not be taken back: provision it"
                )
            python = str(before.get("python"))
            payload = bundle.manifest.payloads.get(python)
            if payload is None:
                raise ProvisioningError(f"release {bundle.manifest.name} has nothing for its Python {python}")
            if in_force(before).get("sha256") == payload.sha256:
                tell(f"release {bundle.manifest.name} is in force already")
                return replace(_asked(hub, remote, brief=True), outcome="unchanged", to_do="", failed=False)
            tell(f"sending release {bundle.manifest.name}, {payload.size / 1e6:.0f} MB")
            verdict = _brought(remote, found.slim(bundle, python), tell, patience)
            row = _asked(hub, remote, brief=True)
        kept = verdict.get("outcome") in ("kept", "unchanged")
        tell(str(verdict.get("words")))
        return replace(
            row,
            outcome=str(verdict.get("outcome")),
            to_do="" if kept else str(verdict.get("why")),
            failed=not kept,
        )

    return work


def _brief(tell: Tell) -> Tell:
    """Of what `provision` tells of one machine, what somebody follows who sees many: not each change, nor the
    differences of a dry run."""

    def told(words: str) -> None:
        if not words.startswith(("  changed", "--- ")):
            tell(words)

    return told


def _one(hub: Hub, work: Work, tell: Tell) -> Row:
    def named(words: str) -> None:
        for line in words.splitlines():
            tell(f"{hub.name}: {line}")

    try:
        return work(hub, named)
    except CareportError as error:
        words = str(error).removeprefix(f"{hub.target}: ")
    except Exception as error:  # noqa: BLE001  # a fault of ours with one hub must not stop the others
        _log.exception("%s: a fault of this program", hub.name)
        words = f"a fault of this program ({type(error).__name__}): please report it"
    named(f"failed: {words}")
    return Row(hub.name, hub.target, outcome="failed", to_do=" ".join(words.split()), failed=True)


def _brought(remote: Remote, slim: Path, tell: Tell, patience: float | None) -> dict[str, Any]:
    """What the keeper said of the release, which is left nowhere but in its slot."""
    with slim.open("rb") as file:
        sent = remote.run(_SEND, file, seconds=_SEND_SECONDS)
    if sent.code != 0:
        raise ProvisioningError(f"the release could not be put there: {_last(sent.errors)}")
    path = sent.output.strip()
    if not _SENT_TO.fullmatch(path):
        raise ProvisioningError(f"the release could not be put there: {_last(sent.output)}")
    tell("it is there; it has to prove itself now")
    # The keeper goes on though the connection is lost, so the file is removed only where it was not.
    update = "update --json" if patience is None else f"update --json --patience {patience:g}"
    ended = remote.run(
        f"/usr/lib/carehub/keeper {update} {path}; c=$?; rm -rf -- {Path(path).parent}; exit $c",
        seconds=_UPDATE_SECONDS + 2 * (patience or 0.0),
    )
    try:
        verdict = object_of(ended.output)
    except ValueError:
        verdict = None
    if not isinstance(verdict, dict):
        raise ProvisioningError(f"it could not be updated: {_last(ended.errors).removeprefix('keeper: ')}")
    return verdict


def _asked(hub: Hub, remote: Remote, *, brief: bool = False) -> Row:
    return row_of(hub.name, hub.target, _ask(remote, "brief" if brief else ""), now())


def _ask(remote: Remote, how: str) -> dict[str, Any]:
    """`how` is as `fleet_ask` takes it."""
    command = f"python3 -I -B - {how}"
    done = remote.run(command, _ASK.read_bytes(), seconds=_ASK_SECONDS)
    try:
        said = object_of(done.output)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ProvisioningError(f"what it says cannot be read: {_last(done.errors)}")
    return said


def _reach(hub: Hub, accept_new_key: bool) -> Reach:
    return Reach(hub.port, hub.identity, accept_new_key, options=hub.ssh_options)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisioningError(f"{path}: cannot be read: {error}") from error


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return plain(lines[-1]) if lines else "it said nothing"
