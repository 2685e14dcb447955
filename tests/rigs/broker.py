"""What stands around the real mosquitto: an ICS that listens, a gate for MQTT 3.1.1 only, and an impostor."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hub.demo.mosquitto import Mosquitto, free_port

__all__ = [
    "CONNACK",
    "Ics",
    "Mosquitto",
    "Reachable",
    "Received",
    "VersionGate",
    "free_port",
    "peer",
    "until",
]

CONNACK = b"\x20\x03\x00\x00\x00"
"""How an MQTT 5 broker says welcome, with no properties."""

_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Received:
    """What the ICS was sent."""

    topic: str
    payload: bytes
    retained: bool
    content_type: str | None
    user_properties: dict[str, str]


class Reachable(Protocol):
    """Any broker, by its address."""

    @property
    def host(self) -> str:
        """Its address."""

    @property
    def port(self) -> int:
        """Its TCP port."""


class Ics:
    """A subscriber of everything, on plain paho in a thread, with a session that outlives the connection.

    `version_5` is False for a broker that speaks MQTT 3.1.1 only.
    """

    def __init__(self, broker: Reachable, topics: str = "careport/#", *, version_5: bool = True) -> None:
        self.received: list[Received] = []
        self._version_5 = version_5
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            "ics",
            clean_session=None if version_5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if version_5 else MQTTProtocolVersion.MQTTv311,
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._address = (broker.host, broker.port)

    def __enter__(self) -> Self:
        if self._version_5:
            session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho gives it no types
            session.SessionExpiryInterval = 3600
            self._client.connect(*self._address, clean_start=False, properties=session)
        else:
            self._client.connect(*self._address)
        self._client.loop_start()
        if not self._subscribed.wait(_PATIENCE_SECONDS):
            raise RuntimeError("the ICS could not subscribe")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes | str, **properties: Any) -> None:
        """Publish at QoS 1; the broker has it when this returns."""
        packed = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho gives it no types
        for name, value in properties.items():
            setattr(packed, name, value)
        self._client.publish(topic, payload, qos=1, properties=packed).wait_for_publish(_PATIENCE_SECONDS)

    def on(self, channel: str) -> list[Received]:
        """What came on topics that end so."""
        return [message for message in list(self.received) if message.topic.endswith(f"/{channel}")]

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.received.append(
            Received(
                message.topic,
                bytes(message.payload),
                bool(message.retain),
                getattr(message.properties, "ContentType", None),
                dict(getattr(message.properties, "UserProperty", [])),
            )
        )


class VersionGate:
    """Stands before a broker and lets only MQTT 3.1.1 through, as a broker of before 2019 would.

    mosquitto 2.0 cannot be told to refuse MQTT 5, so the refusal is made here, from the specification
    (3.1.1, section 3.1.2.2: CONNACK with return code 1, then close; `silent` just closes), and all else
    is the real broker's. `broker` may be changed: the next connection goes to the other one, as behind a
    name that several servers share.
    """

    def __init__(self, broker: Reachable, *, silent: bool = False) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.refused = 0
        self.broker = broker
        self._silent = silent
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._enter, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(64)
        level = first[first.index(b"\x00\x04MQTT") + 6]
        if level == MQTTProtocolVersion.MQTTv5:
            self.refused += 1
            if not self._silent:
                writer.write(b"\x20\x02\x00\x01")
            writer.close()
            return
        inner_reader, inner_writer = await asyncio.open_connection(self.broker.host, self.broker.port)
        inner_writer.write(first)
        for source, sink in ((reader, inner_writer), (inner_reader, writer)):
            task = asyncio.create_task(_pipe(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def _pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    except ConnectionError:
        pass
    finally:
        sink.close()


async def until(condition: Callable[[], object], seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait for something to become true. Raises `TimeoutError`; a bound of patience, no measurement."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


@contextlib.contextmanager
def peer(behave: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Something on a port that a hub may take for a broker; gives the port."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the test is over
            speaker = connection
            with connection, contextlib.suppress(ssl.SSLError):  # whoever came may refuse this TLS
                if tls is not None:
                    speaker = tls.wrap_socket(connection, server_side=True)
                with speaker:
                    speaker.recv(1000)  # CONNECT
                    behave(speaker)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
