"""One network connection to the broker: paho-mqtt on the event loop.

paho's socket is watched by the event loop itself, with no thread of paho's: paho calls back holding its
locks, so that a second thread is how it deadlocks, and a wake-up per PUBACK across threads is dear.

A connection is used once. When it is lost, every message in flight fails with `DisconnectedError`; what
becomes of it is for the owner to decide, since only the owner's storage outlives the process.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TypeVar

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hub.uplink.cloudevents import LARGEST_EVENT, Event, Message, to_binary, to_structured
from hub.uplink.errors import BrokerError, BrokerRefusedError, DisconnectedError, ProtocolRefusedError
from hub.uplink.properties import PublishProperties

LARGEST_PACKET = 2 * LARGEST_EVENT
"""Bytes of one incoming MQTT packet: an event, its topic and its properties with room to spare."""

MESSAGES_HELD = 20
"""Incoming messages that may wait for the hub to handle them (MQTT 5 "Receive Maximum")."""

_HELD_MOST, _HELD_MOST_BYTES = 1_000, 4 * 1024 * 1024  # mosquitto 2.0.11 honours no Receive Maximum
_TOO_LARGE = 0x95
_FOR_EVER = frozenset({0x90, _TOO_LARGE, 0x99})  # topic name invalid, too large, payload format invalid
_UNSUPPORTED_PROTOCOL_VERSION = 0x84
_NO_MATCHING_SUBSCRIBERS = 0x10
_Answer = TypeVar("_Answer")
_PAHO_ERRORS = (MQTTException, ValueError, LookupError, struct.error, OSError)

# mosquitto 2.0 answers a message above its message_size_limit with a PUBACK of 0x95, which MQTT 5 does not
# list for PUBACK; paho takes that for a malformed packet and drops the connection, for ever again.
ReasonCode.names[_TOO_LARGE]["Packet too large"].append(PacketTypes.PUBACK)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that came in. `packet` and `quality` of service are for `Connection.acknowledge`.

    `correlation` is what the sender wants back with an answer (MQTT 5, section 3.3.2.3.6).
    """

    message: Message
    packet: int
    quality: int
    correlation: bytes | None = None
    topic: str = ""


class Connection:
    """A connection that `hub.uplink.broker.Broker` has opened.

    Attributes:
        lost: resolved with the reason when the connection has ended.
        receive_maximum: how many messages the broker lets be in flight at once.
        unsubscribed: the topics on which nothing will come in, each with the broker's word for it.
    """

    def __init__(self, client: Client, protocol: MQTTProtocolVersion, answer_within_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._client = client
        self._protocol = protocol
        self._answer_within = answer_within_seconds
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._subscribed: asyncio.Future[Mapping[str, str]] = self._loop.create_future()
        self._subscribing: int | None = None
        self._in_flight: dict[int, tuple[asyncio.Future[bool], float]] = {}
        self._waiting: deque[tuple[Callable[[], MQTTMessageInfo], asyncio.Future[bool]]] = deque()
        self._incoming: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._incoming_bytes, self._left_out = 0, False  # left out: a message that there was no room for
        self._largest_packet: int | None = None
        self._paho_says = _LastWords()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self.receive_maximum = 65_535
        self.unsubscribed: Mapping[str, str] = {}

        # The callbacks wait for `start`: until then it is another thread that uses the client.
        paho_log = logging.Logger("paho", logging.WARNING)  # of this connection alone, in no hierarchy
        paho_log.addHandler(self._paho_says)
        client.enable_logger(paho_log)

    @property
    def protocol(self) -> str:
        """ "5" or "3.1.1"."""
        return "5" if self._protocol is MQTTProtocolVersion.MQTTv5 else "3.1.1"

    async def start(self, *topics: str) -> None:
        """Take over the socket that paho has opened, wait for CONNACK, and subscribe to them at QoS 1.

        Raises:
            ProtocolRefusedError: not this version of MQTT, or closed without an answer.
            BrokerError: refused, or no answer.
        """
        socket = self._client.socket()
        if socket is None:
            raise ProtocolRefusedError(self._paho_says.or_else("the broker closed the connection at once"))
        self._socket, self._descriptor = socket, socket.fileno()
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_socket_close = lambda _client, _data, _socket: self._unwatch()
        self._client.on_socket_register_write = lambda _client, _data, _socket: self._watch_writing()
        self._client.on_socket_unregister_write = lambda _client, _data, _socket: self._unwatch_writing()
        self._loop.add_reader(self._descriptor, self._read)
        if self._client.want_write():
            self._watch_writing()
        self._timer = self._loop.call_later(self._tick_seconds, self._tick)
        try:
            await self._answer(self._connected)
            self.unsubscribed = dict.fromkeys(topics, "not asked for yet")
            if topics:
                await self.subscribe()
        except BaseException:
            self.abort()
            raise

    async def subscribe(self) -> None:
        """Subscribe at QoS 1 to what is `unsubscribed`: once more, where the broker has refused it.

        Raises:
            BrokerError: no answer, or no connection any more.
        """
        if self.lost.done():
            raise DisconnectedError(self.lost.result())
        self._subscribed = self._loop.create_future()
        _, self._subscribing = self._client.subscribe([(topic, 1) for topic in self.unsubscribed])
        self.unsubscribed = await self._answer(self._subscribed)

    def send(
        self, topic: str, event: Event, *, retain: bool = False, correlation: bytes | None = None
    ) -> asyncio.Future[bool]:
        """Publish at QoS 1. The future is resolved by the broker's PUBACK, and by nothing else.

        Its result is False where the broker said that nobody is subscribed, else True; its exception is
        `BrokerRefusedError`, or `DisconnectedError`.

        Raises:
            DisconnectedError: there is no connection any more.
            EventError: the event cannot be written.
        """
        if self.lost.done():
            raise DisconnectedError(self.lost.result())
        answer: asyncio.Future[bool] = self._loop.create_future()
        if self._protocol is MQTTProtocolVersion.MQTTv5:
            message = to_binary(event)
            properties = PublishProperties(message, correlation)
            size = 9 + len(topic.encode()) + len(message.payload) + len(properties.packed)
            if self._largest_packet is not None and size > self._largest_packet:  # 9: the longest fixed part
                reason = f"{size} bytes, and it takes {self._largest_packet}"
                answer.set_exception(BrokerRefusedError(reason, for_ever=True))
                return answer
        else:
            message, properties = to_structured(event), None
        publish = partial(self._client.publish, topic, message.payload, 1, retain, properties)
        self._waiting.append((publish, answer))
        self._send_waiting()
        return answer

    async def publish(self, topic: str, event: Event, *, retain: bool = False) -> bool:
        """Publish at QoS 1 and wait for the PUBACK; see `send`."""
        return await self.send(topic, event, retain=retain)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        """The messages that come in, until the connection is lost; each is for `acknowledge` when handled."""
        while (delivery := await self._incoming.get()) is not None:
            self._incoming_bytes -= len(delivery.message.payload)
            yield delivery
            if self._left_out and self._incoming.empty() and not self.lost.done():
                self._paho_says.last = "more came in than the hub holds; it connects again for the rest"
                self._client.disconnect()  # after the acknowledgements; no last will

    def acknowledge(self, delivery: Delivery) -> None:
        """Tell the broker that a message is handled for good; until then it would be sent again."""
        if not self.lost.done():
            self._client.ack(delivery.packet, delivery.quality)

    async def close(self) -> None:
        """Say goodbye, if there is still a connection: the broker then forgets the last will."""
        if not self.lost.done():
            self._client.disconnect()
            await asyncio.wait([self.lost], timeout=1.0)
        self.abort()

    def abort(self) -> None:
        """Close the connection without a word: the broker then publishes the last will."""
        self._lose("the hub closed the connection")

    @property
    def _tick_seconds(self) -> float:
        return min(self._answer_within / 4, 5.0)

    async def _answer(self, future: asyncio.Future[_Answer]) -> _Answer:
        try:
            async with asyncio.timeout(self._answer_within):
                return await future
        except TimeoutError as error:
            raise BrokerError(f"the broker did not answer within {self._answer_within:g} s") from error

    def _send_waiting(self) -> None:
        """Hand to paho what the broker's Receive Maximum has room for (MQTT 5, section 4.9)."""
        while self._waiting and len(self._in_flight) < self.receive_maximum:
            publish, answer = self._waiting.popleft()
            sent = publish()
            while sent.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:  # its packet identifier is still in flight
                sent = publish()
            self._in_flight[sent.mid] = (answer, monotonic())
            if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._lose(self._paho_says.or_else("the connection was closed"))

    def _read(self) -> None:
        try:
            while True:
                self._client.loop_read()
                if self.lost.done():
                    return
                # paho would read a packet of 256 MiB into memory before anyone could look at it.
                if self._client._in_packet["remaining_length"] > LARGEST_PACKET:
                    self._lose(f"the broker sent a packet of more than {LARGEST_PACKET} bytes")
                    return
                # What TLS has decrypted already makes no socket readable.
                if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
                    return
        except _PAHO_ERRORS as error:
            self._lose(f"the broker sent what is no MQTT ({type(error).__name__})")

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except _PAHO_ERRORS as error:
            self._lose(f"writing to the broker failed ({error})")

    def _tick(self) -> None:
        """Keep the connection alive, and end it where the broker has gone silent."""
        self._timer = self._loop.call_later(self._tick_seconds, self._tick)
        oldest = next(iter(self._in_flight.values()), None)
        if oldest is not None and monotonic() - oldest[1] > self._answer_within:
            self._lose(f"the broker has not acknowledged a message for {self._answer_within:g} s")
            return
        try:
            self._client.loop_misc()
        except _PAHO_ERRORS as error:
            self._lose(f"writing to the broker failed ({error})")

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if self._connected.done():
            return
        if reason.value == _UNSUPPORTED_PROTOCOL_VERSION:
            self._connected.set_exception(
                ProtocolRefusedError(f"the broker does not speak MQTT {self.protocol}")
            )
        elif reason.is_failure:
            self._connected.set_exception(BrokerError(f"the broker refused the connection: {reason}"))
        else:
            self.receive_maximum = getattr(properties, "ReceiveMaximum", self.receive_maximum)
            self._largest_packet = getattr(properties, "MaximumPacketSize", None)
            self._connected.set_result(None)

    def _on_subscribe(
        self,
        _client: Client,
        _data: object,
        packet: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if packet == self._subscribing and not self._subscribed.done():  # no late answer to an earlier one
            said = zip(self.unsubscribed, reasons, strict=False)
            self._subscribed.set_result({topic: str(reason) for topic, reason in said if reason.is_failure})

    def _on_publish(
        self, _client: Client, _data: object, packet: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        answer, _ = self._in_flight.pop(packet, (None, 0.0))
        if self._waiting:
            self._loop.call_soon(self._send_waiting)
        if answer is None or answer.done():
            return
        if reason.is_failure:
            answer.set_exception(BrokerRefusedError(str(reason), for_ever=reason.value in _FOR_EVER))
        else:
            answer.set_result(reason.value != _NO_MATCHING_SUBSCRIBERS)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        held = self._incoming_bytes + len(message.payload)
        if self._incoming.qsize() >= _HELD_MOST or held > _HELD_MOST_BYTES:
            # It comes again at the next connection. To hang up here would be for ever; to stop reading, deaf.
            self._left_out = True
            return
        self._incoming_bytes = held
        said = message.properties
        user_properties = tuple(getattr(said, "UserProperty", ()))
        content = Message(bytes(message.payload), getattr(said, "ContentType", None), user_properties)
        correlation = getattr(said, "CorrelationData", None)
        self._incoming.put_nowait(Delivery(content, message.mid, message.qos, correlation, message.topic))

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._lose(f"the broker ended the connection: {reason}")
        elif reason == "Keep alive timeout":
            self._lose("the broker does not answer")
        else:
            self._lose(self._paho_says.or_else("the broker closed the connection"))

    def _lose(self, reason: str) -> None:
        if self.lost.done():
            return
        self.lost.set_result(reason)
        self._unwatch()
        self._timer.cancel()
        # paho's destructor calls these once more, when the loop may be gone.
        self._client.on_socket_close = None
        self._client.on_socket_unregister_write = None
        self._socket.close()
        if not self._connected.done():
            self._connected.set_exception(ProtocolRefusedError(reason))
        if not self._subscribed.done():
            self._subscribed.set_exception(DisconnectedError(reason))
            self._subscribed.exception()  # nobody may be waiting for it
        unanswered = [answer for answer, _ in self._in_flight.values()] + [
            answer for _, answer in self._waiting
        ]
        self._in_flight.clear()
        self._waiting.clear()
        for answer in unanswered:
            if not answer.done():
                answer.set_exception(DisconnectedError(reason))
        self._incoming.put_nowait(None)

    def _unwatch(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)

    def _watch_writing(self) -> None:
        self._loop.add_writer(self._descriptor, self._write)

    def _unwatch_writing(self) -> None:
        self._loop.remove_writer(self._descriptor)


class _LastWords(logging.Handler):
    """Keeps the last warning or error of paho's log: it says why a connection was lost, its API does not."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        reason = said.removeprefix("failed to receive on socket: ")  # paho says so of sending, too
        self.last = said if reason == said else f"the connection failed: {reason}"

    def or_else(self, otherwise: str) -> str:
        """The last words, or what is said where there were none."""
        return otherwise if self.last is None else self.last
