"""The broker and a connection to it, with a real mosquitto on the other side."""

from __future__ import annotations

import asyncio
import socket
import threading
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hub.uplink.broker import Broker
from hub.uplink.cloudevents import Event, Message, from_message, to_json
from hub.uplink.connection import LARGEST_PACKET, Connection
from hub.uplink.errors import BrokerError, BrokerRefusedError, DisconnectedError
from hub.uplink.properties import PublishProperties
from tests.rigs.broker import CONNACK, Ics, Mosquitto, VersionGate, free_port, peer, until
from tests.rigs.forwarding import ACK, READING, broker_of, event, settings


async def first_event(connection: Connection) -> Event:
    """The next event that comes in, acknowledged."""
    async for delivery in connection.deliveries():
        connection.acknowledge(delivery)
        return from_message(delivery.message)
    raise AssertionError(connection.lost.result())


async def test_a_message_arrives_in_binary_mode_over_mqtt_5(mosquitto: Mosquitto) -> None:
    with Ics(mosquitto) as ics:
        async with broker_of(mosquitto).connect() as connection:
            assert connection.protocol == "5"
            assert connection.unsubscribed == {}
            assert await connection.publish(READING, event(1))
            await until(lambda: ics.on("reading"))
    (message,) = ics.on("reading")
    assert message.content_type == "application/json"
    assert message.user_properties["id"] == "1"
    assert message.user_properties["specversion"] == "1.0"
    assert message.payload == b'{"x":""}'


@pytest.mark.parametrize("silent", [False, True])
async def test_a_broker_without_mqtt_5_is_spoken_to_in_mqtt_3_in_structured_mode(
    mosquitto: Mosquitto, silent: bool
) -> None:
    """mosquitto cannot refuse MQTT 5: the refusal is the gate's, all that follows is mosquitto's."""
    with Ics(mosquitto) as ics:
        async with VersionGate(mosquitto, silent=silent) as gate, broker_of(gate).connect() as connection:
            assert gate.refused == 1
            assert connection.protocol == "3.1.1"
            await connection.publish(READING, event(1))
            ics.publish(ACK, to_json(event("ack")))
            assert await first_event(connection) == event("ack")
            await until(lambda: ics.on("reading"))
    (message,) = ics.on("reading")
    assert (message.content_type, message.user_properties) == (None, {})
    assert from_message(Message(message.payload)) == event(1)


async def test_nobody_listening_is_told(mosquitto: Mosquitto) -> None:
    async with broker_of(mosquitto).connect() as connection:
        assert not await connection.publish(READING, event(1))


async def test_what_the_broker_announces_as_too_large_is_not_even_sent(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ["max_packet_size 1000"]) as mosquitto:
        async with broker_of(mosquitto).connect() as connection:
            with pytest.raises(BrokerRefusedError, match="takes 1000") as refusal:
                await connection.publish(READING, event(1, padding=900))
            assert refusal.value.for_ever
            await connection.publish(READING, event(2, padding=100))


async def test_what_the_broker_answers_as_too_large_is_refused_for_ever(tmp_path: Path) -> None:
    """mosquitto 2.0 sends a PUBACK of 0x95, which MQTT 5 has not, and paho by itself would hang up."""
    with Mosquitto(tmp_path, ["message_size_limit 500"]) as mosquitto:
        async with broker_of(mosquitto).connect() as connection:
            with pytest.raises(BrokerRefusedError, match="too large") as refusal:
                await connection.publish(READING, event(1, padding=900))
            assert refusal.value.for_ever
            await connection.publish(READING, event(2, padding=100))


async def test_a_topic_that_is_not_allowed_is_refused_for_now(tmp_path: Path) -> None:
    access = tmp_path / "access"
    access.write_text(f"topic readwrite {ACK}\n")
    access.chmod(0o600)
    with Mosquitto(tmp_path / "broker", [f"acl_file {access}"]) as mosquitto:
        async with broker_of(mosquitto).connect() as connection:
            with pytest.raises(BrokerRefusedError, match="Not authorized") as refusal:
                await connection.publish(READING, event(1))
            assert not refusal.value.for_ever
            assert await connection.publish(ACK, event(2))


async def test_more_messages_than_the_brokers_receive_maximum_wait_their_turn(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, ["max_inflight_messages 3"]) as mosquitto:
        async with broker_of(mosquitto).connect() as connection:
            assert connection.receive_maximum == 3
            answers = [connection.send(READING, event(number)) for number in range(50)]
            assert len(connection._in_flight) == 3
            await asyncio.gather(*answers)
    assert "Receive Maximum" not in mosquitto.log


async def test_a_message_that_was_not_acknowledged_is_sent_again_on_the_next_connection(
    mosquitto: Mosquitto,
) -> None:
    broker = broker_of(mosquitto)
    with Ics(mosquitto) as ics:
        async with broker.connect() as connection:
            ics.publish(ACK, to_json(event("ack")))
            async for _ in connection.deliveries():
                break  # handled by nobody
        async with broker.connect() as connection:
            assert (await first_event(connection)).id == "ack"
        async with broker.connect() as connection:
            ics.publish(ACK, to_json(event("next")))
            assert (await first_event(connection)).id == "next"


async def test_a_message_for_a_hub_that_is_away_waits_for_it(mosquitto: Mosquitto) -> None:
    broker = broker_of(mosquitto)
    async with broker.connect():
        pass
    with Ics(mosquitto) as ics:
        ics.publish(ACK, to_json(event("meanwhile")))
    mosquitto.restart()
    async with broker.connect() as connection:
        assert (await first_event(connection)).id == "meanwhile"


async def test_what_is_in_flight_fails_when_the_broker_dies(mosquitto: Mosquitto) -> None:
    async with broker_of(mosquitto).connect() as connection:
        answers = [connection.send(READING, event(number)) for number in range(100)]
        mosquitto.kill()
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
        assert all(isinstance(outcome, DisconnectedError | bool) for outcome in outcomes)
        assert any(isinstance(outcome, DisconnectedError) for outcome in outcomes)
        with pytest.raises(DisconnectedError):
            connection.send(READING, event(101))


async def test_a_silent_broker_is_noticed(mosquitto: Mosquitto) -> None:
    """The process is stopped, not ended: the connection stays open and nothing answers."""
    async with broker_of(mosquitto).connect() as connection:
        connection._answer_within = 1.0  # from here on: to be let in may take a busy broker longer
        mosquitto.freeze()
        try:
            with pytest.raises(DisconnectedError, match=r"has not acknowledged|does not answer"):
                await connection.publish(READING, event(1))
        finally:
            mosquitto.thaw()


async def test_the_last_will_is_published_when_the_hub_vanishes_and_not_when_it_says_goodbye(
    mosquitto: Mosquitto,
) -> None:
    with Ics(mosquitto) as ics:
        async with broker_of(mosquitto).connect():
            pass
        async with broker_of(mosquitto).connect() as connection:
            assert ics.on("status") == []
            connection._socket.close()  # as a process that is killed leaves it to the kernel
            connection.abort()
            await until(lambda: ics.on("status"))
    (will,) = ics.on("status")
    assert will.user_properties["id"] == "last will"


@pytest.mark.parametrize(
    "answer",
    [
        b"\x20\x00",  # a CONNACK of no length
        b"\x20\x03\x00\x00\x05",  # whose properties are longer than it is
        b"\x20\x03\x00\x7f\x00",  # with a reason that does not exist
        b"\xff\xff\xff\xff\xff",  # no packet at all
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\x03\x00\x87\x00",  # not authorised
        CONNACK + b"\x30\xff\xff\xff\x7f",  # connected, then a message of 256 MiB begins
        CONNACK + b"\x40\x02\x00\x09\x90\x04\x00\x01\x00",  # a PUBACK of nothing, half a SUBACK
        b"",
    ],
)
async def test_whatever_a_broker_says_it_ends_in_a_broker_error(answer: bytes) -> None:
    with peer(lambda speaker: speaker.sendall(answer)) as port, pytest.raises(BrokerError):
        async with Broker(settings("127.0.0.1", port), "hub", subscription=ACK).connect():
            pass


async def test_a_late_answer_to_an_earlier_subscription_is_not_taken_for_the_last_ones() -> None:
    refused, granted = b"\x87", b"\x01"
    asked = list[bytes]()

    def behave(speaker: socket.socket) -> None:
        def answer(packet: bytes, *reasons: bytes) -> None:
            said = packet[2:4] + b"\x00" + b"".join(reasons)  # the SUBSCRIBE's own packet identifier
            speaker.sendall(b"\x90" + bytes([len(said)]) + said)

        speaker.sendall(CONNACK)
        while packet := speaker.recv(1000):
            if packet[0] == 0x82:
                asked.append(packet)
                if len(asked) == 1:
                    answer(packet, refused, refused)
                elif len(asked) == 3:
                    answer(asked[1], granted, granted)
                    answer(asked[2], refused, refused)

    with peer(behave) as port:
        broker = Broker(settings("127.0.0.1", port), "hub", subscription=(ACK, f"{ACK}-too"))
        async with broker.connect() as connection:
            connection._answer_within = 0.2
            with pytest.raises(BrokerError, match="did not answer"):
                await connection.subscribe()
            connection._answer_within = 30.0
            await connection.subscribe()
            assert list(connection.unsubscribed) == [ACK, f"{ACK}-too"]
    assert len(asked) == 3


async def test_an_overlong_packet_is_not_read_into_memory() -> None:
    def behave(speaker: socket.socket) -> None:
        speaker.sendall(CONNACK + b"\x30\xff\xff\xff\x7f")
        speaker.recv(1000)

    with peer(behave) as port:
        async with Broker(settings("127.0.0.1", port), "hub").connect() as connection:
            assert str(LARGEST_PACKET) in await connection.lost


async def test_a_broker_that_answers_pings_and_no_message_is_left() -> None:
    def behave(speaker: socket.socket) -> None:
        speaker.sendall(CONNACK)
        while packet := speaker.recv(1000):
            if packet.endswith(b"\xc0\x00"):
                speaker.sendall(b"\xd0\x00")

    with peer(behave) as port:
        broker = Broker(settings("127.0.0.1", port, keepalive=timedelta(seconds=1)), "hub")
        async with broker.connect() as connection:
            with pytest.raises(DisconnectedError, match="has not acknowledged"):
                await connection.publish(READING, event(1))


async def test_a_broker_that_is_not_there_is_named() -> None:
    port = free_port()
    with pytest.raises(BrokerError, match=f"127.0.0.1:{port}: Connection refused"):
        async with Broker(settings("127.0.0.1", port), "hub").connect():
            pass
    with pytest.raises(BrokerError, match="no such host"):
        async with Broker(settings("broker.invalid", 1883), "hub").connect():
            pass


async def test_a_wrong_password_is_said_and_the_right_one_opens(tmp_path: Path) -> None:
    password = tmp_path / "password"
    users = tmp_path / "users"
    users.write_text(f"hub:{PASSWORD_HASH}\n")
    users.chmod(0o600)
    with Mosquitto(tmp_path / "broker", [f"password_file {users}"], anonymous=False) as mosquitto:
        broker = broker_of(mosquitto, username="hub", password_file=password)
        with pytest.raises(BrokerError, match=r"password_file .*No such file"):
            async with broker.connect():
                pass
        password.write_text("sesame\n")
        with pytest.raises(BrokerError, match="refused the connection: Not authorized") as refusal:
            async with broker.connect():
                pass
        assert "sesame" not in str(refusal.value)
        password.write_text("right\n")
        async with broker.connect() as connection:
            await connection.publish(READING, event(1))


# What `mosquitto_passwd` writes for "right".
PASSWORD_HASH = (
    "$7$101$tXg52ZDOlXK4gm3L$"
    "zj9JzmKYRt5WI068onBUQpwMfisX5VryjgkqtZL0ug+4nsyRD6IVdehmo+27UXklNLPcldj5NtTpFxd4IMvQMg=="
)


@given(st.none() | st.text(max_size=50), st.lists(st.tuples(st.text(max_size=20), st.text(max_size=300))))
def test_properties_are_packed_as_paho_packs_them(
    content_type: str | None, pairs: list[tuple[str, str]]
) -> None:
    expected = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho gives it no types
    if content_type is not None:
        expected.ContentType = content_type
    if pairs:
        expected.UserProperty = pairs
    packed = PublishProperties(Message(b"", content_type, tuple(pairs))).pack()
    assert packed == expected.pack()  # type: ignore[no-untyped-call]  # likewise


async def test_a_broker_that_spoke_mqtt_5_is_not_spoken_to_in_3_1_1_for_one_connection_that_was_cut(
    mosquitto: Mosquitto,
) -> None:
    """Over MQTT 3.1.1 nobody would tell the hub that nobody is subscribed to an alert."""
    levels: list[int] = []

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(64)
        levels.append(first[first.index(b"\x00\x04MQTT") + 6])
        writer.close()

    broker = broker_of(mosquitto)
    async with broker.connect() as connection:
        assert connection.protocol == "5"
    mosquitto.stop()
    server = await asyncio.start_server(cut, mosquitto.host, mosquitto.port)
    for _ in range(5):
        with pytest.raises(BrokerError):
            async with broker.connect():
                pass
    server.close()
    assert levels == [5, 5, 5, 5, 5, 4], "until it has done so too often to be chance"


def test_a_name_server_that_never_answers_keeps_no_hub_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answers = threading.Event(), threading.Event()

    def silent(*_arguments: object, **_named: object) -> list[object]:
        asked.set()
        answers.wait(30)
        return []

    async def connect_and_stop() -> None:
        async def connect() -> None:
            async with Broker(settings("mqtt.ics.example", 1883), "hub").connect():
                pass

        connecting = asyncio.create_task(connect())
        await asyncio.to_thread(asked.wait, 10)
        connecting.cancel()
        await asyncio.wait([connecting])

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    began = monotonic()
    asyncio.run(connect_and_stop())
    answers.set()
    assert monotonic() - began < 10
