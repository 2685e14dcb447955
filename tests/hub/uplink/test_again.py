"""What the broker refuses of the hub itself is told for as long as it does, and asked for again."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

from hub.uplink.cloudevents import to_json
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.forwarding import ACK, event, forwarding, topic_of

ACCESS = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}


def deaf(directory: Path) -> Mosquitto:
    """A broker that lets nobody subscribe. Its access list grants any subscription: its plugin does not."""
    (plugin,) = Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")
    access = directory / "access.json"
    control = {"acltype": "publishClientSend", "topic": "$CONTROL/#", "allow": True}
    rules = {
        "defaultACLAccess": ACCESS,
        "anonymousGroup": "all",
        "groups": [{"groupname": "all", "roles": [{"rolename": "all"}]}],
        "roles": [{"rolename": "all", "acls": [control]}],
    }
    access.write_text(json.dumps(rules))
    return Mosquitto(directory / "broker", [f"plugin {plugin}", f"plugin_opt_config_file {access}"])


def let_subscribe(ics: Ics) -> None:
    """Mend it, as its administrator does, while everybody stays connected."""
    allowed = {"command": "setDefaultACLAccess", "acls": [{"acltype": "subscribe", "allow": True}]}
    ics.publish("$CONTROL/dynamic-security/v1", json.dumps({"commands": [allowed]}))


async def test_what_could_not_be_subscribed_is_told_whatever_else_happens_until_the_broker_is_mended(
    tmp_path: Path,
) -> None:
    with deaf(tmp_path) as mosquitto, Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            await until(lambda: hub.forwarder.status().connected)
            first = hub.forwarder.status()
            assert first.unsubscribed == {ACK: "Not authorized"}
            hub.outbox.add("reading", "rubbish")  # another problem, told later
            await until(lambda: "set aside" in (hub.forwarder.status().last_error or ""))
            assert f"the broker lets the hub not subscribe to {ACK} (Not authorized)" in first.in_words
            assert hub.forwarder.status().in_words == first.in_words
            await asyncio.to_thread(let_subscribe, ics)
            await until(lambda: not hub.forwarder.status().unsubscribed)
            assert "subscribe" not in hub.forwarder.status().in_words
            ics.publish(ACK, to_json(event("ack")))
            await until(lambda: [each.id for each in hub.acknowledged] == ["ack"])
            assert hub.forwarder.status().since == first.since, "it needed no other connection"


async def test_each_connection_says_anew_what_could_not_be_subscribed(tmp_path: Path) -> None:
    with deaf(tmp_path) as mosquitto:
        async with forwarding(mosquitto) as hub:
            await until(lambda: hub.forwarder.status().unsubscribed)
            since = hub.forwarder.status().since
            access = json.dumps({"defaultACLAccess": {**ACCESS, "subscribe": True}})
            (tmp_path / "access.json").write_text(access)
            await asyncio.to_thread(mosquitto.restart)
            await until(lambda: hub.forwarder.status().connected and hub.forwarder.status().since > since)
            assert hub.forwarder.status().unsubscribed == {}


async def test_a_status_that_the_broker_refuses_is_told_until_it_takes_one(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text(f"topic readwrite {ACK}\ntopic readwrite {topic_of('reading')}\n")
    access.chmod(0o600)
    with Mosquitto(tmp_path / "broker", [f"acl_file {access}"]) as mosquitto:
        async with forwarding(mosquitto) as hub:
            await until(lambda: hub.forwarder.status().connected)
            first = hub.forwarder.status()
            assert first.status_refused == "Not authorized"
            assert "the broker does not take the hub's status: Not authorized" in first.in_words
            hub.outbox.add("reading", event("reading"))
            await hub.empty()
            assert (await hub.forwarder.prove()).reason == "Not authorized"
            assert hub.forwarder.status().status_refused == "Not authorized"
            access.write_text("topic readwrite #\n")
            assert mosquitto._process is not None
            mosquitto._process.send_signal(signal.SIGHUP)  # it reads its access list anew
            await until(lambda: hub.forwarder.status().status_refused is None)
            assert hub.forwarder.status().since == first.since, "it needed no other connection"
            assert "status" not in hub.forwarder.status().in_words
