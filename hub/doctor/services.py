"""What the doctor finds of systemd's units, of the watchdogs and of the firewall. It changes none of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from time import monotonic

from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, Subject, is_root, said_by

HUB, PAGE = "carehub.service", "carehub-page.service"
BLUETOOTH, TIME = "bluetooth.service", "systemd-timesyncd.service"
UNITS = (HUB, PAGE, BLUETOOTH, TIME)
WATCH = "carehub-fetch.path"
"""Has what the centre asks for fetched, where the site allows that."""

_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,NRestarts,Result,WatchdogUSec,StateChangeTimestamp,"
    "ActiveEnterTimestampMonotonic"
)
_AGAIN_AND_AGAIN, _LATELY_SECONDS = 3, 600.0
"""So many restarts, and it has not run for longer than so long: whatever ends it is not over."""

_STARTS = frozenset({"enabled", "enabled-runtime", "static", "alias", "indirect", "generated"})
_OFF = frozenset({"", "0", "infinity"})
Unit = Mapping[str, str]


def services(subject: Subject, said: Mapping[str, Unit] | None) -> list[Finding]:
    """The hub's units and those that it leans on, and whether anything watches over the hub; of what `units`
    says."""
    if said is None:
        words = "systemd does not run here: nothing starts the hub with the machine, or anew when it hangs"
        return [Finding("services", Verdict.WARN, words)]
    needed = {BLUETOOTH} if subject.config.bluetooth.radio == "bluez" else set()
    from_centre = subject.config.update.from_centre
    return [*of_units(said, needed), *of_watch(said, wanted=from_centre), _watchdog(said, subject)]


def units(*others: str) -> dict[str, Unit] | None:
    """What systemd says of the units, and of others, by their names; None where it does not run."""
    said = said_by("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", *UNITS, WATCH, *others)
    return None if said is None else parsed(said)


def parsed(said: str) -> dict[str, Unit]:
    """Of `systemctl show`: properties line by line, an empty line between units."""
    found = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in said.split("\n\n")]
    return {each["Id"]: each for each in found if "Id" in each}


def is_starting(said: Mapping[str, Unit] | None) -> bool:
    """Whether systemd is about to start the hub, or to end it."""
    return (said or {}).get(HUB, {}).get("ActiveState") in {"activating", "deactivating"}


def is_unwanted(said: Mapping[str, Unit] | None) -> bool:
    """Whether the site has no staff page (`machine.page.run = false`): it neither runs nor is to."""
    unit = (said or {}).get(PAGE, {})
    return (
        unit.get("LoadState") == "loaded"
        and unit.get("ActiveState") == "inactive"
        and unit.get("UnitFileState") not in _STARTS
    )


def of_units(said: Mapping[str, Unit], needed: Iterable[str] = ()) -> list[Finding]:
    """A finding for each unit that is there; `needed` are those that the hub cannot work without, beside its
    own."""
    findings = []
    for name in UNITS:
        unit = said.get(name, {})
        own = name in {HUB, PAGE}
        part = f"service {name.removesuffix('.service')}"
        if unit.get("LoadState") != "loaded":
            if name == TIME:
                continue  # chrony or ntpsec may be there in its place
            verdict = Verdict.WARN if own else Verdict.FAIL if name in needed else Verdict.PASS
            todo = "provision this hub anew: 'carehub provision'" if verdict is not Verdict.PASS else ""
            findings.append(Finding(part, verdict, f"systemd knows no {name}", todo))
            continue
        if name == PAGE and is_unwanted(said):
            words = "off, and not started with the machine, as where the site wants no page"
            findings.append(Finding(part, Verdict.PASS, words))
            continue
        wrong = Verdict.FAIL if own or name in needed else Verdict.WARN
        findings.append(_unit(part, name, unit, wrong))
    return findings


def _unit(part: str, name: str, unit: Unit, wrong: Verdict) -> Finding:
    state, result = unit.get("ActiveState", "?"), unit.get("Result", "")
    words = f"{state} ({unit.get('SubState', '?')})"
    if since := unit.get("StateChangeTimestamp"):
        words += f" since {since}"
    restarts = int(unit.get("NRestarts") or 0)
    why = f"see 'journalctl -b -u {name}' for why it ended"
    if restarts:
        words += f"; systemd has started it anew {restarts} time(s)"
    if state not in {"active", "reloading"}:
        words += f", its last end was {result}" if result not in {"", "success"} else ""
        if state == "activating":
            # auto-restart: it has ended by itself, and systemd lets it rest before it starts it anew.
            ended = unit.get("SubState") == "auto-restart" or restarts >= _AGAIN_AND_AGAIN
            return Finding(part, wrong if ended else Verdict.WARN, words, why if ended else "wait a minute")
        return Finding(part, wrong, words, f"see 'journalctl -u {name}'; 'systemctl start {name}'")
    if unit.get("UnitFileState") not in _STARTS:
        words += ", and it does not start with the machine"
        return Finding(part, Verdict.WARN, words, f"systemctl enable {name}")
    if restarts >= _AGAIN_AND_AGAIN and _runs_for(unit) < _LATELY_SECONDS:
        return Finding(part, wrong, f"{words}, the last time just now: it ends again and again", why)
    return Finding(part, Verdict.WARN if restarts else Verdict.PASS, words, why if restarts else "")


def of_watch(said: Mapping[str, Unit], *, wanted: bool) -> list[Finding]:
    """Whether what the centre asks for is fetched; nothing where the site does not allow it. It takes no
    reading's way: never more than a warning."""
    if not wanted:
        return []
    part, unit = f"service {WATCH}", said.get(WATCH, {})
    if unit.get("LoadState") != "loaded":
        words = f"systemd knows no {WATCH}: updates from the centre, which this site allows, are not fetched"
        return [Finding(part, Verdict.WARN, words, "provision this hub anew: 'carehub provision'")]
    finding = _unit(part, WATCH, unit, Verdict.WARN)
    if unit.get("ActiveState") == "active":
        return [finding]
    todo = (
        "see 'journalctl -u carehub-fetch.service' for why; then"
        f" 'systemctl reset-failed carehub-fetch.service {WATCH}' and 'systemctl start {WATCH}'"
    )
    return [replace(finding, words=f"{finding.words}: what the centre asks for is not fetched", todo=todo)]


def _runs_for(unit: Unit) -> float:
    """Seconds since it is active; systemd counts in the microseconds of CLOCK_MONOTONIC."""
    since = unit.get("ActiveEnterTimestampMonotonic", "")
    return monotonic() - int(since) / 1e6 if since.isdigit() else 0.0


def _watchdog(said: Mapping[str, Unit], subject: Subject) -> Finding:
    """Who starts the hub anew when it hangs, and the machine when that does."""
    of_hub = said.get(HUB, {}).get("WatchdogUSec", "")
    states = [subject.text(path) for path in subject.glob("sys/class/watchdog/watchdog*/state")]
    words = f"the hub's: {of_hub}" if of_hub not in _OFF else "no watchdog watches the hub"
    if not states:
        words += "; this machine has none of its own"
    elif "active" in states:
        words += "; the machine's is on"
    else:
        words += "; the machine's is off"
    if of_hub in _OFF or (states and "active" not in states):
        return Finding("watchdog", Verdict.WARN, words, "provision this hub anew: 'carehub provision'")
    return Finding("watchdog", Verdict.PASS, words)


def firewall(_subject: Subject) -> list[Finding]:
    """Whether what is not asked for is turned away."""
    if not is_root():
        words = "whether there is one is told to root alone"
        return [Finding("firewall", Verdict.WARN, words, WITH_RIGHTS)]
    said = said_by("nft", "--json", "list", "ruleset")
    if said is None:
        words = "nft cannot be asked: whatever is open on this machine is open to the home's network"
        return [Finding("firewall", Verdict.WARN, words, "provision this hub: 'carehub provision'")]
    return [of_ruleset(said)]


def of_ruleset(said: str) -> Finding:
    """Of `nft --json list ruleset` (libnftables-json(5)): a chain on the hook input that drops."""
    try:
        chains = [each["chain"] for each in json.loads(said)["nftables"] if "chain" in each]
    except (ValueError, LookupError, TypeError):
        return Finding("firewall", Verdict.WARN, "what nft says cannot be read")
    closed = [each for each in chains if each.get("hook") == "input" and each.get("policy") == "drop"]
    if closed:
        return Finding(
            "firewall", Verdict.PASS, f"table {closed[0].get('table')} drops what is not asked for"
        )
    words = "nothing is dropped: whatever is open on this machine is open to the home's network"
    return Finding("firewall", Verdict.WARN, words, "provision this hub: 'carehub provision'")
