"""What goes wrong around a hub: the card full, the network away, no Bluetooth, a card that says otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterator
from time import monotonic

from tests.faults.feeding import hand_over
from tests.faults.patience import wait
from tests.faults.ward import Ward
from tests.machine.laboratory import Hub, Laboratory
from tests.machine.parts.carried import on_the_card
from tests.machine.report import Row, promised

_PART = "trouble"
_AWAY_SECONDS = 20.0
_FULL_SECONDS, _FULL_WITHIN_SECONDS = 10.0, 60.0


def scenarios(lab: Laboratory) -> Iterator[Row]:
    """On one hub, one after the other; then on one without a radio."""
    with lab.hub(on_a_card=True, ward=Ward(ill=200)) as hub:
        yield _unplugged(lab, hub)
        yield _full(hub)
        judged = hub.judgement()
        yield promised(_PART, "over all this nothing was lost", [judged.faults], hub.told())
    with lab.bare() as machine:
        site = lab.site(machine, radio="bluez")
        lab.provision(machine, site).insist()
        hub = Hub(lab, machine, None)
        hub.wait_until_it_collects()
        yield _no_bluetooth(lab, hub)
        yield on_the_card(lab, hub, site, _PART)


def _unplugged(lab: Laboratory, hub: Hub) -> Row:
    """What happens meanwhile waits on the card; alerts come first when the cable is back."""
    before = hub.process
    hub.machine.unplug()
    began = monotonic()
    alerts = []
    with hub.feeding():
        while monotonic() - began < _AWAY_SECONDS:
            alert = hub._ward.alert() if hub._ward else []
            hub.account.offer(alert)
            if hand_over(hub.fed, hub.account, alert):
                alerts += alert
            time.sleep(2)
        meanwhile = len(lab.ics.raised(hub.name, since=began + 2))
        hub.machine.plug()
        plugged = monotonic()
        # The names of residents and sensors do not matter: so many must come.
        arrived = wait(lambda: len(lab.ics.raised(hub.name, since=plugged)) >= len(alerts), 90)
        first = lab.ics.raised(hub.name, since=plugged)
    found = [] if alerts else ["no alert was confirmed meanwhile"]
    found += [f"{meanwhile} alerts arrived though the cable was out: this shows nothing"] if meanwhile else []
    found += [] if arrived else [f"{len(first)} of {len(alerts)} alerts arrived"]
    found += [] if hub.process == before else ["the hub was restarted for it"]
    said = (
        f"{len(alerts)} alerts meanwhile; the first arrived {first[0].at - plugged:.1f} s after"
        if first
        else ""
    )
    return promised(_PART, f"network unplugged for {_AWAY_SECONDS:g} s: alerts arrive after", found, said)


def _full(hub: Hub) -> Row:
    """It is not ended for it; afterwards it goes on by itself (tests/faults: alerts are told meanwhile)."""
    before = hub.process
    with hub.feeding(rate=200, lanes=4):
        # The hub writes into what its database has had before; and it gives up its reserve, which somebody
        # else takes too.
        full = wait(lambda: _filled(hub) == "full", _FULL_WITHIN_SECONDS, pause=0.2)
        began = monotonic()
        while monotonic() - began < _FULL_SECONDS:
            time.sleep(0.2)
            _filled(hub)
        state = hub.machine.as_root("systemctl is-active carehub").output.strip()
        hub.machine.card.free()
        count = hub.account.confirmed_count
        on = hub.account.wait_for_more(50, 60)
    found = [] if on else [f"it does not go on: {count} confirmed"]
    found += [] if full else ["the card was never full for it: this shows nothing"]
    found += [] if state == "active" and hub.process == before else ["the hub ended or was restarted"]
    return promised(_PART, f"card full for {_FULL_SECONDS:g} s, then freed: it goes on", found)


def _filled(hub: Hub) -> str:
    """Fill the card; what the hub says of it."""
    hub.machine.card.fill()
    return str(hub.status().get("card"))


def _no_bluetooth(lab: Laboratory, hub: Hub) -> Row:
    """The real radio, in a machine that has none: it runs, and says so."""
    told = wait(lambda: _said_why(lab, hub), 30)
    words = str(lab.ics.status(hub.name).get("radio", {}).get("words"))
    restarts = hub.machine.unit("carehub", "NRestarts")["NRestarts"]
    found = [] if told else ["its status does not say that the radio is not usable"]
    found += [f"restarted {restarts} times"] if restarts != "0" else []
    return promised(_PART, "Bluetooth absent: it runs and says so", found, words[:120])


def _said_why(lab: Laboratory, hub: Hub) -> bool:
    radio = lab.ics.status(hub.name).get("radio", {})
    return radio.get("usable") is False and radio.get("words") not in (None, "", "not started")
