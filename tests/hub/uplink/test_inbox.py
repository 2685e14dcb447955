"""More acknowledgements than the hub holds, while one of them cannot be handled yet."""

from __future__ import annotations

import pytest

from hub.uplink import connection
from hub.uplink.cloudevents import to_json
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.forwarding import ACK, DiskFullError, event, forwarding, topic_of


@pytest.mark.parametrize("limit", [("_HELD_MOST", 5), ("_HELD_MOST_BYTES", 1000)], ids=["count", "bytes"])
async def test_they_all_come_over_as_many_connections_as_it_takes_and_alerts_go_on(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch, limit: tuple[str, int]
) -> None:
    """mosquitto 2.0.11 sends more than the Receive Maximum allows; here the limit is below that."""
    monkeypatch.setattr(connection, *limit)
    expected = {f"ack-{number}" for number in range(40)}
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            await until(lambda: hub.forwarder.status().connected)
            hub.refuse_acknowledgements = [DiskFullError("the disk is full") for _ in range(50)]
            for name in sorted(expected):
                ics._client.publish(ACK, to_json(event(name)), qos=1)
            hub.outbox.add("alert", event("alert"))
            await until(lambda: any(message.topic == topic_of("alert") for message in ics.received))
            await until(lambda: {ack.id for ack in hub.acknowledged} == expected, 30)
            await until(lambda: "connects again for the rest" in (hub.forwarder.status().last_error or ""))
