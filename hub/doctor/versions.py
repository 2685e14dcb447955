"""What the doctor finds of the release in force, of the other slot, and of the last update."""

from __future__ import annotations

import json

from hub import __version__
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import Subject
from hub.updates import keeper_notes as updates

_SLOTS, _CURRENT = "opt/carehub/slots", "opt/carehub/current"
_STATE = "var/lib/carehub-keeper/state.json"


def version(_subject: Subject) -> list[Finding]:
    """Which release this is."""
    release = updates.release()
    words = f"carehub {release}" if release is not None else f"carehub {__version__}, of no release"
    return [Finding("version", Verdict.PASS, words)]


def slots(subject: Subject) -> list[Finding]:
    """What is in force on this machine, and what it could go back to; nothing on one without slots."""
    try:
        in_force = (subject.root / _CURRENT).readlink().name
    except OSError:
        return []
    found = {path.split("/")[-2]: path for path in subject.glob(f"{_SLOTS}/*/manifest.json")}
    named = {name: release_of(subject, path) for name, path in found.items()}
    if in_force not in named:
        words = f"{_CURRENT} leads to slot {in_force}, which has no release"
        return [Finding("slots", Verdict.FAIL, f"/{words}", "provision this hub anew: 'carehub provision'")]
    others = [f"{name} has {said}" for name, said in named.items() if name != in_force]
    other = others[0] if others else "the other is empty: there is nothing to go back to"
    return [Finding("slots", Verdict.PASS, f"{in_force} is in force, {named[in_force]}; {other}")]


def release_of(subject: Subject, manifest: str) -> str:
    """The name of the release whose manifest that is."""
    try:
        said = json.loads(subject.text(manifest) or "")
        return f"{said['version']} ({said['build']})"
    except (ValueError, LookupError, TypeError):
        return "a release whose manifest cannot be read"


def last_update(subject: Subject) -> list[Finding]:
    """What became of the last one; nothing where there was none."""
    last = updates.last(subject.root / _STATE)
    if on_trial := _noted(subject, "trial"):
        words = f"a new release is on trial, {on_trial}"
        return [Finding("update", Verdict.WARN, words, "wait a minute: it is kept, or the old one is back")]
    if last is None:
        return []
    words = f"{last.from_} to {last.to} was {last.outcome} on {last.at:%Y-%m-%d %H:%M} UTC"
    if last.outcome == "kept":
        if _noted(subject, "probation"):
            words += ", and is watched over: if it ends again and again, the release before is back"
        return [Finding("update", Verdict.PASS, words)]
    todo = "the old release is in force; update again when the reason is mended"
    return [Finding("update", Verdict.WARN, f"{words}: {last.why}", todo)]


def _noted(subject: Subject, what: str) -> str:
    """The release that is on trial, or on probation; empty where none is."""
    try:
        said = json.loads(subject.text(_STATE) or "{}").get(what)
    except (ValueError, AttributeError):
        return ""
    to = said.get("to") if isinstance(said, dict) else None
    if isinstance(to, dict):
        return f"{to.get('version')} ({to.get('build')})"
    return "" if said is None else "of which more is not noted"
