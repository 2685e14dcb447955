"""A site's file on the card's boot partition: taken off it, gone on with at the next start, and overruled for
good by an engineer."""

from __future__ import annotations

from pathlib import Path

import tomlkit

from provisioning.authority import Authority
from tests.faults.patience import wait
from tests.machine.laboratory import Hub, Laboratory
from tests.machine.report import Row, promised

_FOLDER, _KEPT = "/boot/firmware/carehub", "/etc/carehub/first-boot"
_UNIT = "carehub-first-boot"
_MARK = 'timezone = "Europe/Paris"'
_HUB_TOML = "/etc/carehub/hub.toml"
_WAITS_SECONDS = 60.0


def on_the_card(lab: Laboratory, hub: Hub, site: Path, part: str) -> Row:
    """Of another authority, so that it waits for a certificate that nobody brings."""
    theirs = Authority(lab.engineer.directory / "theirs")
    theirs.begin()
    machine = hub.machine
    files = {"ca.crt": theirs.ca_pem, "site.toml": _of_a_card(site)}
    for name, text in files.items():
        machine.as_root(f"mkdir -p {_FOLDER} && cat >{_FOLDER}/{name}", given=text).insist()
    machine.as_root(f"systemctl start {_UNIT}").insist()
    status = f"cat {_FOLDER}/status.txt"
    found = (
        [] if wait(lambda: "waits for" in machine.as_root(status).output, _WAITS_SECONDS) else ["no request"]
    )
    left = set(machine.as_root(f"ls {_FOLDER}").output.split()) - {"status.txt", "hub.csr"}
    found += [f"left on the card: {', '.join(sorted(left))}"] if left else []
    found += [] if _MARK in machine.as_root(f"cat {_HUB_TOML}").output else ["what the card said is not so"]
    machine.as_root(f"systemctl stop {_UNIT}").insist()
    machine.reboot()
    machine.as_root(f"systemctl start {_UNIT}").insist()
    again = wait(lambda: "waits for" in machine.journal("--boot", f"--unit={_UNIT}"), _WAITS_SECONDS)
    found += [] if again else ["after a start it does not go on"]

    ended = lab.provision(machine, site)
    found += [] if ended.code == 0 else [f"provision ended with {ended.code}: {ended.output[-600:]}"]
    machine.reboot()
    machine.as_root(f"systemctl start {_UNIT}").insist()
    runs = machine.unit(_UNIT, "ConditionResult")["ConditionResult"]
    found += [f"{_UNIT} has something to do still"] if runs != "no" else []
    found += [f"{_KEPT} is there still"] if machine.as_root(f"test -e {_KEPT}").code == 0 else []
    overruled = _MARK in machine.as_root(f"cat {_HUB_TOML}").output
    found += ["the card has overruled the engineer"] if overruled else []
    hub.wait_until_it_collects()
    return promised(part, "a card's first boot, then an engineer: who came last is obeyed", found)


def _of_a_card(site: Path) -> str:
    document = tomlkit.parse(site.read_text())
    document["site"]["timezone"] = "Europe/Paris"
    document["broker"]["ca_file"] = "ca.crt"
    authority = tomlkit.table()
    authority["external"] = True
    document["authority"] = authority
    document["machine"] = tomlkit.table()
    return tomlkit.dumps(document)
