"""A bare machine becomes a hub by one command; then what is on it is looked at."""

from __future__ import annotations

import json
import re
import shlex
import socket
from collections.abc import Iterator
from time import monotonic

from tests.faults.patience import wait
from tests.machine.engineer import RESIDENT_NAME
from tests.machine.laboratory import Hub, Laboratory
from tests.machine.listing import difference, listing, shortened
from tests.machine.machine import Machine
from tests.machine.report import Row, promised, timed

_PART = "provision"
_FIRST_ALERT_SECONDS, _AGAIN_SECONDS, _COLLECTS_SECONDS = 60.0, 5.0, 5.0
_EXPOSURE = 2.0
_UNITS = (
    "carehub.service",
    "carehub-page.service",
    "carehub-settle.service",
    "carehub-update.service",
    "carehub-probation.service",
)
_PAGE_PORT = 8443
# systemd 252 (Bookworm) passes these over and says so; 254 knows them.
_LATER = re.compile(r"Unknown key '?Restart(Steps|MaxDelaySec)'? in section")
# Path, the most that its mode may allow, and its owners: no one else, and no group but the hub's.
_SECRETS = {
    "/etc/carehub/hub.toml": (0o640, ("root",), ("carehub",)),
    "/etc/carehub/identity/current/hub.key": (0o640, ("root", "carehub"), ("carehub",)),
    "/etc/carehub/page.key": (0o640, ("root", "carehub"), ("carehub",)),
    "/var/lib/carehub": (0o700, ("carehub",), ("carehub",)),
}


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """From bare to the first alert; again; after a reboot; and what an outsider sees."""
    lab.releases.good()  # making it is not timed
    with lab.bare() as machine:
        site = lab.site(machine)
        yield _dry_run(lab, machine)
        began = monotonic()
        first = lab.provision(machine, site)
        first.insist()
        hub = Hub(lab, machine, None)
        alert = lab.ics.await_first(lambda: lab.ics.raised(hub.name, since=began), 120, "an alert")
        remark = f"of which carehub provision took {first.seconds:.1f} s, and the ward is ill 22 s after"
        yield timed(_PART, "bare machine to first alert", [alert.at - began], _FIRST_ALERT_SECONDS, remark)
        yield from _again(lab, machine)
        yield from _rebooted(lab, hub)
        yield _doctor(hub)
        yield from _units(machine)
        yield _ports(machine)
        yield _secrets(lab, machine)
        yield _journal(lab, hub)


def _dry_run(lab: Laboratory, machine: Machine) -> Row:
    before = listing(machine.path("/"))
    dry = lab.provision(machine, lab.site(machine), "--dry-run")
    changed = difference(before, listing(machine.path("/")))
    told = [] if dry.code == 0 else [f"it ended with {dry.code}: {dry.errors[-500:]}"]
    if "hub.toml" not in dry.output + dry.errors:
        told.append("it does not say that hub.toml would be written")
    if RESIDENT_NAME in dry.output + dry.errors:
        told.append("it shows the resident's name")
    # The control: what a hub would have on it is seen by the same means.
    machine.as_root("mkdir -p /etc/carehub").insist()
    if not difference(before, listing(machine.path("/"))):
        told.append("the listing does not see a new directory: this shows nothing")
    machine.as_root("rmdir /etc/carehub").insist()
    what = "a dry run on a bare machine changes nothing"
    return promised(_PART, what, [*shortened(changed), *told], f"{dry.seconds:.1f} s")


def _again(lab: Laboratory, machine: Machine) -> Iterator[Row]:
    # What the hub itself writes goes on.
    own = ("var/lib/carehub",)
    before, hub_before = listing(machine.path("/"), but=own), machine.unit("carehub", "MainPID")
    again = lab.provision(machine, lab.site(machine))
    changed = difference(before, listing(machine.path("/"), but=own))
    if again.code:
        changed.append(f"it ended with {again.code}: {again.errors[-500:]}")
    if machine.unit("carehub", "MainPID") != hub_before:
        changed.append("the hub was restarted")
    told = next((line for line in again.output.splitlines() if " as they were, " in line), "")
    yield promised(_PART, "a second run changes nothing", shortened(changed), told)
    yield timed(_PART, "a second run", [again.seconds], _AGAIN_SECONDS)


def _rebooted(lab: Laboratory, hub: Hub) -> Iterator[Row]:
    hub.machine.reboot()
    booted = monotonic()
    hub.wait_until_it_collects()
    collects = monotonic()
    started = int(hub.machine.unit("carehub", "InactiveExitTimestampMonotonic").popitem()[1]) / 1e6
    synchronised = hub.machine.as_root("test -e /run/systemd/timesync/synchronized").code == 0
    remark = f"{collects - hub.machine.booted_at:.1f} s from power on; " + (
        "the clock was synchronised" if synchronised else "before the time was synchronised"
    )
    yield timed(
        _PART, "power on: unit started to collecting", [collects - started], _COLLECTS_SECONDS, remark
    )
    heard = wait(lambda: lab.ics.arrived(hub.name, "reading", since=booted), 30)
    failed = hub.machine.as_root("systemctl --failed --no-legend --plain").output.split("\n")[0]
    found = [] if heard else ["no reading arrived within 30 s"]
    found += [f"failed: {failed}"] if failed else []
    found += ["it says that the clock is synchronised"] if synchronised else []
    yield promised(_PART, "after a reboot readings arrive again", found)


def _doctor(hub: Hub) -> Row:
    ended = hub.carehub("doctor --json", seconds=120)
    try:
        said = json.loads(ended.output)
        findings = said if isinstance(said, list) else said["findings"]
        failed = [
            f"{each['part']}: {each.get('words', each)}" for each in findings if each["verdict"] == "fail"
        ]
        count = {
            verdict: sum(each["verdict"] == verdict for each in findings) for verdict in ("pass", "warn")
        }
        measured = f"{count['pass']} pass, {count['warn']} warn: " + ", ".join(
            str(each["part"]) for each in findings if each["verdict"] == "warn"
        )
    except (ValueError, KeyError, TypeError) as error:
        failed, measured = (
            [f"its --json cannot be read ({error!r}): {(ended.output + ended.errors)[:300]}"],
            "",
        )
    return promised(_PART, "carehub doctor has no fail", failed, measured)


def _units(machine: Machine) -> Iterator[Row]:
    exposure: dict[str, float] = {}
    for unit in _UNITS:
        said = machine.as_root(f"systemd-analyze security --no-pager {unit} | tail -1").output
        level = re.search(r"exposure level for .*?: ([\d.]+)", said)
        exposure[unit] = float(level[1]) if level else 10.0
    least = [f"{unit} has {value}" for unit, value in exposure.items() if value > _EXPOSURE]
    said = ", ".join(f"{unit.removesuffix('.service')} {value}" for unit, value in exposure.items())
    yield promised(_PART, "systemd-analyze security", least, said, f"{_EXPOSURE:g} at most")
    verified = machine.as_root(f"systemd-analyze verify {' '.join(_UNITS)}")
    lines = (verified.output + verified.errors).splitlines()
    wrong = [line for line in lines if "carehub" in line and not _LATER.search(line)]
    later = sum(bool(_LATER.search(line)) for line in lines)
    remark = f"{later} keys that this systemd does not know yet" if later else ""
    yield promised(_PART, "systemd-analyze verify is clean", shortened(wrong), remark)


def _ports(machine: Machine) -> Row:
    machine.as_root("systemd-run --quiet --unit=stranger python3 -m http.server 9999").insist()
    wait(lambda: machine.as_root("ss -ltnH").output.count(":9999"), 10)
    listening = {
        int(line.split()[3].rsplit(":", 1)[1]) for line in machine.as_root("ss -ltnH").insist().splitlines()
    }
    reached = {port for port in listening | {1, 80, 111, 1883, 5353, 8883} if _answers(machine.address, port)}
    machine.as_root("systemctl stop stranger")
    found = [f"{port} can be reached" for port in sorted(reached - {22, _PAGE_PORT})]
    found += [f"{port} cannot be reached" for port in sorted({22, _PAGE_PORT} - reached)]
    found += [] if 9999 in listening else ["nobody listened on 9999: this shows nothing"]
    said = f"listening: {_in_order(listening)}; reached: {_in_order(reached)}"
    return promised(_PART, "open to the network: SSH and the page alone", found, said)


def _in_order(ports: set[int]) -> str:
    return ", ".join(map(str, sorted(ports)))


def _answers(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((address, port)) == 0


def _secrets(lab: Laboratory, machine: Machine) -> Row:
    found = []
    for path, (most, owners, groups) in _SECRETS.items():
        said = machine.as_root(f"stat -L -c '%a %U %G' {path}").output.split()
        if len(said) != 3:
            found.append(f"{path} is not there")
            continue
        mode, owner, group = int(said[0], 8), said[1], said[2]
        if mode & ~most or owner not in owners or (group not in groups and mode & 0o070):
            found.append(f"{path} is {said[0]} {owner}:{group}")
    key = machine.as_root("sed -n 2p /etc/carehub/identity/current/hub.key").output.strip()
    files = [each for each in lab.engineer.directory.rglob("*") if each.is_file() and not each.is_symlink()]
    found += [f"its key is in {each}" for each in files if key and key in each.read_text(errors="replace")]
    left = machine.as_root("ls -A /tmp /var/tmp /home/pi /root").output
    found += [
        f"left behind: {line}"
        for line in left.split("\n")
        if "carehub" in line and "systemd-private" not in line
    ]
    return promised(_PART, "secrets are where they belong, and the key nowhere else", found)


def _journal(lab: Laboratory, hub: Hub) -> Row:
    # What is typed to sudo, each line that PAM logs of it has once more (_CMDLINE). Nothing comes of this.
    typed = f"carehub devices forget 00:00:00:00:00:FE --by {shlex.quote(RESIDENT_NAME)}"
    for command in (f"sudo {typed}", f"sudo -u carehub {typed}", "sudo true typed-to-another-program"):
        lab.engineer.ssh(hub.machine, command)
    hub.machine.as_root("journalctl --sync").insist()
    whole = hub.machine.journal("--output=export")
    words = [word for word in (RESIDENT_NAME, *RESIDENT_NAME.split()) if word in whole]
    entries = [
        json.loads(line) for line in hub.machine.journal("--unit=carehub", "--output=json").splitlines()
    ]
    fields = {name for entry in entries for name in entry if name.startswith("CAREHUB_")}
    found = [f"{word!r} is in it" for word in words]
    if "typed-to-another-program" not in whole:
        found.append("what sudo runs besides is not in it: this shows nothing")
    found += [
        f"no line has {name}"
        for name in ("CAREHUB_BOOT", "CAREHUB_ALERT", "CAREHUB_DEVICE")
        if name not in fields
    ]
    return promised(_PART, "the journal has fields, and no resident's name", found, ", ".join(sorted(fields)))
