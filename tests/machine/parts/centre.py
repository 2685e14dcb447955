"""The centre asks for releases over MQTT: fetched and tried where the site allows it, and nowhere else."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from hub.clock import now
from hub.uplink.contract import Channel, update_event
from hub.uplink.plain import UpdateAsked
from provisioning.bundle import read
from tests.faults.patience import wait
from tests.faults.ward import Ward
from tests.machine.laboratory import Hub, Laboratory
from tests.machine.network import BROKER_NAME, RIG_ADDRESS
from tests.machine.parts.updates import BAD, good
from tests.machine.report import Row, promised
from tests.rigs.release_source import ReleaseSource

_PART = "centre"
_ENDS_SECONDS = 120.0
_EXPOSURE = 2.0
_PIECE = 4_000_000
"""Bytes of a bundle, after which the connection breaks off once."""
_UNITS = "carehub-fetch.service carehub-fetch.path"


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """A bad release, the same again, a good one over a power cut, and a site that allows it no more."""
    ward = Ward(ill=200, alert_every=100)
    certificate = lab.engineer.authority.broker([BROKER_NAME, RIG_ADDRESS])
    pair = (certificate, certificate.with_suffix(".key"))
    with (
        tempfile.TemporaryDirectory(prefix="careport-source-") as directory,
        ReleaseSource(Path(directory), host=RIG_ADDRESS, pair=pair, name=BROKER_NAME) as source,
    ):
        allows = f'[update]\nfrom_centre = true\nsource = "{source.address}"\n'
        with lab.hub(on_a_card=True, ward=ward, more=allows) as hub:
            yield _units(hub)
            first = hub.state()["slots"]["a"]["build"]
            name = "crash-at-start"
            words, change = BAD[name]
            bad = _serve(lab, source, name, change)
            yield _bad(lab, hub, bad, words, first)
            yield _again(lab, hub, bad, first)
            yield _good(lab, hub, source, _serve(lab, source, *good("better")))
            lab.provision(
                hub.machine, lab.site(hub.machine, ward=ward), bundle=_bundle(lab, "better")
            ).insist()
            hub.wait_until_it_collects()
            yield _not_allowed(lab, hub, source, _serve(lab, source, *good("best")))


def _bundle(lab: Laboratory, build: str) -> Path:
    return lab.releases.variant(*good(build))


def _serve(lab: Laboratory, source: ReleaseSource, build: str, change: Any) -> UpdateAsked:
    bundle = lab.releases.variant(build, change)
    return UpdateAsked(
        manifest_sha256=source.serve(bundle), version=read(bundle, None).manifest.version, build=build
    )


class _Question:
    """One message, and the answers to it."""

    def __init__(self, lab: Laboratory, hub: Hub, asked: UpdateAsked) -> None:
        self._lab, self._hub, self._began = lab, hub, monotonic()
        self._event = update_event("uk.careport.rig", asked, now())
        lab.ics.send(hub.name, Channel.UPDATE, self._event)

    def answers(self, count: int = 0) -> Sequence[dict[str, Any]]:
        """All of them, once there are so many."""
        wait(lambda: len(self._told()) >= count, _ENDS_SECONDS)
        return self._told()

    def _told(self) -> list[dict[str, Any]]:
        arrived = self._lab.ics.arrived(self._hub.name, "answer", since=self._began)
        said = [dict(each.event.data) for each in arrived]
        return [each for each in said if (each["answers"] or {}).get("id") == self._event.id]


def _found(hub: Hub, said: Sequence[dict[str, Any]], outcomes: Sequence[str], build: str) -> list[str]:
    """What is not as it should be: the answers, and what is in force."""
    found = [] if [each["outcome"] for each in said] == list(outcomes) else [f"the answers are {list(said)}"]
    wait(lambda: hub.collects, 60)
    state = hub.state()
    in_force = state["slots"][state["in_force"]]["build"]
    found += [] if in_force == build else [f"{in_force} is in force"]
    found += [] if hub.collects else ["the hub does not collect"]
    left = hub.machine.as_root(
        "ls /var/lib/carehub/update_request.json /var/lib/carehub-keeper/order.json"
        " /var/cache/carehub-fetch/*.bundle 2>/dev/null; true"
    ).output.split()
    found += [f"{each} is left" for each in left]
    if found:
        found.append(hub.machine.journal("--unit=carehub-fetch", "--unit=carehub-update", "--lines=30"))
    return found


def _good(lab: Laboratory, hub: Hub, source: ReleaseSource, asked: UpdateAsked) -> Row:
    before = len(source.asked)
    source.ends_after = [_PIECE]
    began = monotonic()
    question = _Question(lab, hub, asked)
    found = [] if wait(lambda: len(source.asked) > before, _ENDS_SECONDS) else ["nothing was fetched"]
    wait(lambda: False, 2.0)  # the piece has come, and it waits for 5 s before it goes on
    hub.cut_power()
    hub.machine.boot()
    said = question.answers(2)
    took = monotonic() - began
    found += _found(hub, said, ("update_accepted", "update_in_force"), asked.build)
    found += [] if source.asked[-1][1] else [f"it was fetched anew: {source.asked[before:]}"]
    remark = f"fetched on from {source.asked[-1][1]}; {took:.1f} s from the message to its end, with the boot"
    return promised(_PART, "a good one is fetched over a power cut, tried and told", found, remark)


def _bad(lab: Laboratory, hub: Hub, asked: UpdateAsked, words: str, first: str) -> Row:
    said = _Question(lab, hub, asked).answers(2)
    found = _found(hub, said, ("update_accepted", "update_taken_back"), first)
    told = wait(lambda: asked.build in str(lab.ics.status(hub.name).get("update")), 15)
    found += [] if told else ["the status does not tell it"]
    return promised(
        _PART, f"one that {words} is taken back and told", found, said[-1]["words"] if said else ""
    )


def _again(lab: Laboratory, hub: Hub, asked: UpdateAsked, first: str) -> Row:
    said = _Question(lab, hub, asked).answers(1)
    found = _found(hub, said, ("update_refused",), first)
    return promised(_PART, "asked for again it is refused", found, said[0]["words"] if said else "")


def _not_allowed(lab: Laboratory, hub: Hub, source: ReleaseSource, asked: UpdateAsked) -> Row:
    fetched = len(source.asked)
    said = _Question(lab, hub, asked).answers(1)
    found = _found(hub, said, ("update_refused",), "better")
    # Whatever the hub is made to leave there, root's part does not take it either.
    request = json.dumps({"id": "0" * 36, **asked.data()})
    path = "/var/lib/carehub/update_request.json"
    hub.machine.as_root(f"echo '{request}' >{path}; systemctl start carehub-fetch.service").insist()
    found += _found(hub, said, ("update_refused",), "better")
    found += [] if len(source.asked) == fetched else ["something was fetched"]
    watched = hub.machine.unit("carehub-fetch.path", "ActiveState").get("ActiveState")
    found += [] if watched == "inactive" else [f"carehub-fetch.path is {watched}"]
    return promised(
        _PART, "a site that does not allow it takes none", found, said[0]["words"] if said else ""
    )


def _units(hub: Hub) -> Row:
    said = hub.machine.as_root("systemd-analyze security --no-pager carehub-fetch.service | tail -1").output
    exposure = re.search(r"([0-9.]+) [A-Z]", said)
    found = [] if exposure is not None and float(exposure[1]) <= _EXPOSURE else [said]
    verified = hub.machine.as_root(f"systemd-analyze verify {_UNITS} multi-user.target")
    found += [each for each in verified.errors.splitlines() if "carehub-fetch" in each or "cycle" in each]
    return promised(_PART, "systemd-analyze security and verify of what fetches", found, said.strip())
