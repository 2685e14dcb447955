"""The forwarder between an outbox in memory and a real mosquitto, through all that can happen to it."""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.uplink.cloudevents import EventError, Message, from_message, to_json
from tests.rigs.broker import Ics, Mosquitto, VersionGate, until
from tests.rigs.forwarding import (
    ACK,
    DiskFullError,
    event,
    forwarding,
    idle_forwarder,
    topic_of,
)


def ids(ics: Ics, channel: str) -> list[str]:
    return [message.user_properties["id"] for message in ics.on(channel)]


async def test_rows_arrive_once_in_order_with_the_ids_they_had(mosquitto: Mosquitto) -> None:
    expected = [f"id-{number}" for number in range(500)]
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            hub.outbox.add("reading", *map(event, expected))
            await hub.empty()
            await until(lambda: len(ics.on("reading")) == 500)
    assert ids(ics, "reading") == expected
    assert sorted(row.sequence for row in hub.delivered) == list(range(1, 501))


async def test_what_is_made_for_sending_goes_without_a_pause_and_is_not_held_until_it_is_settled(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.uplink.forwarder._LOOKS_AT_LEAST_EVERY", 3600.0)
    expected = [f"id-{number}" for number in range(100)]
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            hub.outbox.add("reading", *map(event, expected), made=True)
            hub.outbox.add("summary", event("behind them"))
            await hub.empty()
            await until(lambda: len(ics.on("reading")) == 100)
    assert ids(ics, "reading") == expected
    assert {row.event for row in hub.delivered if row.channel == "reading"} == {""}


async def test_a_row_that_is_committed_later_is_sent_at_once(mosquitto: Mosquitto) -> None:
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            await until(lambda: hub.forwarder.status().connected)
            hub.outbox.add("reading", event("first"))
            await until(lambda: ids(ics, "reading") == ["first"])
            hub.outbox.add("reading", event("second"))
            await until(lambda: ids(ics, "reading") == ["first", "second"])


async def test_the_status_is_retained_and_tells_online_offline_and_lost(
    mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.uplink.forwarder.FAREWELL_SECONDS", 30.0)

    def states() -> list[str]:
        return [json.loads(message.payload)["state"] for message in ics.on("status")]

    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto):
            await until(lambda: states() == ["online"])
        await until(lambda: states() == ["online", "offline"])
        hub = multiprocessing.get_context("spawn").Process(target=run_a_hub, args=(mosquitto.port,))
        hub.start()
        await until(lambda: states() == ["online", "offline", "online"])
        hub.kill()
        await until(lambda: states() == ["online", "offline", "online", "lost"])
        hub.join()
    with Ics(mosquitto) as late:
        await until(lambda: late.on("status"))
        assert late.on("status")[0].retained


async def test_a_hub_that_stops_while_the_broker_hangs_leaves_in_good_time_and_is_told_as_lost(
    mosquitto: Mosquitto,
) -> None:
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            await until(lambda: hub.forwarder.status().connected)
            mosquitto.freeze()
        mosquitto.thaw()
        await until(lambda: ics.on("status")[-1].payload == b'{"state":"lost"}')


class _Port:
    host = "127.0.0.1"

    def __init__(self, port: int) -> None:
        self.port = port


def run_a_hub(port: int) -> None:
    """A hub in a process of its own, to be killed."""

    async def run() -> None:
        async with forwarding(_Port(port)):
            await asyncio.sleep(3600)

    asyncio.run(run())


async def test_a_broker_that_restarts_amid_2000_rows_gets_them_all(mosquitto: Mosquitto) -> None:
    expected = [f"id-{number}" for number in range(2000)]
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            hub.outbox.add("reading", *map(event, expected))
            for left in (1500, 500):
                await until(lambda left=left: len(hub.outbox.rows) < left)  # type: ignore[misc]
                mosquitto.stop()  # here: while a thread is late in doing it, all could be delivered
                assert hub.outbox.rows
                await asyncio.to_thread(mosquitto.start)
            await hub.empty()
            await until(lambda: len(set(ids(ics, "reading"))) == 2000, seconds=30)
    assert {row.sequence for row in hub.delivered} == set(range(1, 2001))


async def test_nothing_leaves_the_outbox_before_the_broker_has_acknowledged_it(mosquitto: Mosquitto) -> None:
    with Ics(mosquitto):
        pass  # its session is subscribed
    async with forwarding(mosquitto, window=20) as hub:
        await until(lambda: hub.forwarder.status().connected)
        mosquitto.freeze()
        try:
            hub.outbox.add("reading", *[event(f"id-{number}") for number in range(100)])
            await until(lambda: hub.forwarder._in_flight == 18)
            await asyncio.sleep(0.05)
            assert len(hub.outbox.rows) == 100
            assert hub.delivered == []
            # The rest of the window is for alerts.
            hub.outbox.add("alert", event("alert-1"), event("alert-2"), event("alert-3"))
            await until(lambda: hub.forwarder._in_flight == 20)
        finally:
            mosquitto.thaw()
        await hub.empty()


async def test_an_alert_overtakes_a_backlog_of_5000(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ["max_inflight_messages 200"]) as mosquitto, Ics(mosquitto) as ics:
        async with forwarding(mosquitto, window=100) as hub:
            hub.outbox.add("reading", *[event(f"id-{number}") for number in range(5000)])
            await until(lambda: len(hub.outbox.rows) < 4500)
            gone = 5000 - len(hub.outbox.rows)
            hub.outbox.add("alert", event("alert"))
            await until(lambda: ics.on("alert"))
        ahead = [message.topic for message in ics.received if message.topic != topic_of("status")].index(
            topic_of("alert")
        )
    assert gone < 4000, "the backlog was still there"
    assert ahead <= gone + 2 * 100


async def test_a_broker_that_is_not_there_at_the_start_is_normal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    mosquitto = Mosquitto(tmp_path)
    attempts: list[str] = []
    async with forwarding(mosquitto) as hub:
        hub.outbox.add("alert", event("alert"))
        await until(lambda: "refused" in hub.forwarder.status().in_words)
        await asyncio.sleep(0.5)  # time for several attempts
        assert not hub.forwarder.status().connected
        with mosquitto, Ics(mosquitto):
            await hub.empty()
            assert hub.forwarder.status().connected
            assert "MQTT 5" in hub.forwarder.status().in_words
            attempts = [record.getMessage() for record in caplog.records if "not connected" in record.message]
    assert len(attempts) == 1, "one line for one outage"


async def test_a_wrong_password_is_told_and_tried_again_until_it_is_mended(tmp_path: Path) -> None:
    password, users = tmp_path / "password", tmp_path / "users"
    password.write_text("wrong")
    users.write_text("hub:right\n")
    users.chmod(0o600)
    await hash_passwords(users)
    with Mosquitto(tmp_path / "broker", [f"password_file {users}"], anonymous=False) as mosquitto:
        async with forwarding(mosquitto, username="hub", password_file=password) as hub:
            hub.outbox.add("reading", event("reading"))
            await until(lambda: "Not authorized" in (hub.forwarder.status().last_error or ""))
            assert hub.outbox.rows
            password.write_text("right")
            await hub.empty()


async def hash_passwords(users: Path) -> None:
    process = await asyncio.create_subprocess_exec("mosquitto_passwd", "-U", str(users))
    assert await process.wait() == 0


@pytest.mark.parametrize("limit", ["message_size_limit 500", "max_packet_size 800"])
async def test_a_message_that_is_too_large_is_set_aside_and_the_others_go_on(
    tmp_path: Path, limit: str
) -> None:
    with Mosquitto(tmp_path, [limit]) as mosquitto, Ics(mosquitto):
        async with forwarding(mosquitto) as hub:
            hub.outbox.add("reading", event("small"), event("large", padding=1000), event("next"))
            hub.outbox.add("alert", event("alert"))
            await hub.empty()
            assert list(hub.outbox.aside) == [2]
            assert [row.sequence for row in hub.delivered] == [4, 1, 3]


async def test_a_message_at_which_an_old_broker_hangs_up_keeps_nothing_else_from_going(
    tmp_path: Path,
) -> None:
    """In MQTT 3.1.1 a broker cannot say why; the row stays, in case it was not the row."""
    with Mosquitto(tmp_path, ["max_packet_size 800"]) as mosquitto, Ics(mosquitto) as ics:
        async with VersionGate(mosquitto) as gate, forwarding(gate) as hub:
            hub.outbox.add("reading", event("small"), event("large", padding=1000))
            hub.outbox.add("reading", *[event(f"id-{number}") for number in range(50)])
            await until(lambda: list(hub.outbox.rows) == [2])
            hub.outbox.add("alert", event("alert"))
            await until(lambda: list(hub.outbox.rows) == [2])
            assert hub.outbox.aside == {}
        # The broker answers the hub before it tells the ICS.
        await until(lambda: [from_message(Message(said.payload)).id for said in ics.on("alert")] == ["alert"])


async def test_what_the_broker_does_not_allow_waits_until_it_does_and_alerts_go_on(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text(f"topic readwrite {ACK}\ntopic readwrite {topic_of('alert')}\n")
    access.chmod(0o600)
    with Mosquitto(tmp_path / "broker", [f"acl_file {access}"]) as mosquitto, Ics(mosquitto):
        async with forwarding(mosquitto) as hub:
            hub.outbox.add("reading", *[event(f"id-{number}") for number in range(150)])
            await until(lambda: "Not authorized" in (hub.forwarder.status().last_error or ""))
            hub.outbox.add("alert", event("alert"))
            await until(lambda: len(hub.outbox.rows) == 150)
            assert [row.channel for row in hub.delivered] == ["alert"]
            access.write_text("topic readwrite #\n")
            await asyncio.to_thread(mosquitto.restart)
            await hub.empty()
    assert hub.outbox.aside == {}


async def test_a_row_that_is_no_event_is_set_aside_and_the_others_go_on(mosquitto: Mosquitto) -> None:
    async with forwarding(mosquitto) as hub:
        hub.outbox.add("reading", "rubbish", event("next"))
        await hub.empty()
    assert list(hub.outbox.aside) == [1]


async def test_a_card_that_cannot_be_written_holds_nothing_up_and_nothing_is_told_twice_to_the_ics(
    mosquitto: Mosquitto,
) -> None:
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            hub.outbox.broken = True
            hub.outbox.add("reading", *[event(f"id-{number}") for number in range(10)])
            await until(lambda: "disk is full" in (hub.forwarder.status().last_error or ""))
            hub.outbox.add("alert", event("alert"))
            await until(lambda: ics.on("alert"))
            assert len(hub.outbox.rows) == 11
            hub.outbox.broken = False
            await hub.empty()
    assert len(ics.on("reading")) == 10


async def test_an_old_broker_is_served_in_structured_mode(mosquitto: Mosquitto) -> None:
    """mosquitto cannot refuse MQTT 5: the refusal is the gate's, all that follows is mosquitto's."""
    with Ics(mosquitto) as ics:
        async with VersionGate(mosquitto) as gate, forwarding(gate) as hub:
            hub.outbox.add("reading", *[event(f"id-{number}") for number in range(300)])
            await hub.empty()
            await until(lambda: len(ics.on("reading")) == 300)
            assert "MQTT 3.1.1" in hub.forwarder.status().in_words
    assert from_message(Message(ics.on("reading")[7].payload)) == event("id-7")


async def test_an_acknowledgement_sent_while_the_hub_is_away_is_handled_when_it_is_back(
    mosquitto: Mosquitto,
) -> None:
    async with forwarding(mosquitto) as hub:
        await until(lambda: hub.forwarder.status().connected)
    with Ics(mosquitto) as ics:
        ics.publish(ACK, to_json(event("while away")))
        async with forwarding(mosquitto) as hub:
            await until(lambda: [ack.id for ack in hub.acknowledged] == ["while away"])
            ics.publish(ACK, to_json(event("while here")))
            await until(lambda: [ack.id for ack in hub.acknowledged] == ["while away", "while here"])


async def test_an_acknowledgement_that_cannot_be_recorded_is_not_lost(mosquitto: Mosquitto) -> None:
    full = DiskFullError("the disk is full")
    with Ics(mosquitto) as ics:
        async with forwarding(mosquitto) as hub:
            await until(lambda: hub.forwarder.status().connected)
            hub.refuse_acknowledgements = [full] * 10_000
            ics.publish(ACK, to_json(event("ack")))
            await until(lambda: len(hub.refuse_acknowledgements) < 9_998)
        async with forwarding(mosquitto) as hub:  # the process ended; the broker still has it
            hub.refuse_acknowledgements = [full]
            await until(lambda: [ack.id for ack in hub.acknowledged] == ["ack"])


async def test_a_malformed_acknowledgement_is_dropped_for_good_and_not_quoted(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    async with forwarding(mosquitto) as hub:
        await until(lambda: hub.forwarder.status().connected)
    with Ics(mosquitto) as ics:
        for payload in (b"", b"\xff\xfe", b"Mrs Smith", b"{}", b"[" * 5000, b"x" * 100_000):
            ics.publish(ACK, payload)
        ics.publish(ACK, b"Mrs Smith", ContentType="text/plain", UserProperty=[("id", "1"), ("id", "2")])
        ics.publish(ACK, to_json(event("not what the contract says")))
        ics.publish(ACK, to_json(event("good")))
        async with forwarding(mosquitto) as hub:
            hub.refuse_acknowledgements = [EventError("data: no such alert")]
            await until(lambda: hub.acknowledged)
            hub.outbox.add("reading", event("after"))
            await hub.empty()
        assert [ack.id for ack in hub.acknowledged] == ["good"]
        async with forwarding(mosquitto) as hub:
            ics.publish(ACK, to_json(event("last")))
            await until(lambda: hub.acknowledged)
        assert [ack.id for ack in hub.acknowledged] == ["last"], "none comes again"
    assert "dropped" in caplog.text
    assert "Smith" not in caplog.text


async def test_a_single_row_that_is_not_allowed_is_tried_again_on_the_same_connection(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text(f"topic readwrite {ACK}\n")
    access.chmod(0o600)
    with Mosquitto(tmp_path / "broker", [f"acl_file {access}"]) as mosquitto:
        async with forwarding(mosquitto) as hub:
            hub.outbox.add("reading", event("reading"))
            await until(lambda: hub.forwarder._answered == 3)  # it is counted anew for each connection
            assert list(hub.outbox.rows) == [1]


@given(least=st.floats(0.001, 100), most=st.floats(0.001, 10_000), attempt=st.integers(0, 10_000))
def test_the_back_off_grows_from_its_least_to_its_most(least: float, most: float, attempt: int) -> None:
    forwarder = idle_forwarder(least, most)
    ceiling = max(timedelta(seconds=least), timedelta(seconds=most)).total_seconds()
    delays = [forwarder._longest_delay(number) for number in (attempt, attempt + 1)]
    assert timedelta(seconds=least).total_seconds() <= delays[0] <= delays[1] <= ceiling
    assert forwarder._longest_delay(10_000) == ceiling
    assert forwarder._attempt_after(attempt, connected_for=delays[0] / 2) == attempt + 1, "lost too soon"
    assert forwarder._attempt_after(attempt, connected_for=delays[0] * 1.1) == 0, "it had lasted"
