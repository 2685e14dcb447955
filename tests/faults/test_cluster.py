"""What a fleet outgrows one broker for: three that keep every message three times, and one of them killed."""

from __future__ import annotations

from pathlib import Path

from hub.uplink.cloudevents import Message, from_message
from tests.rigs.broker import Ics, VersionGate, until
from tests.rigs.forwarding import event, forwarding
from tests.rigs.nats import NatsCluster


async def test_the_hubs_server_is_killed_amid_a_backlog_and_the_next_takes_over_with_nothing_lost(
    tmp_path: Path,
) -> None:
    """The gate stands for the one name, or the load balancer, that the three servers share."""

    def received(channel: str) -> set[str]:
        return {from_message(Message(message.payload)).id for message in ics.on(channel)}

    expected = {f"id-{number}" for number in range(500)}
    with NatsCluster(tmp_path) as cluster, Ics(cluster.servers[1], version_5=False) as ics:
        async with VersionGate(cluster.servers[0]) as gate, forwarding(gate) as hub:
            await until(lambda: hub.forwarder.status().connected, 60)
            hub.outbox.add("reading", *map(event, sorted(expected)))
            await until(lambda: len(hub.outbox.rows) < 450, 60)
            gate.broker = cluster.servers[2]
            cluster.servers[0].kill()
            assert hub.outbox.rows, "the kill came too late to prove anything"
            hub.outbox.add("alert", event("alert"))
            await until(lambda: not hub.outbox.rows, 120)
            await until(lambda: received("reading") == expected and received("alert"), 60)
