"""The ICS's broker: how to reach it, and over which version of MQTT.

MQTT 5 is tried first at each connection; a broker that refuses it, or closes the connection at the sight
of it, is spoken to in MQTT 3.1.1; one that has spoken MQTT 5 only after it did so five times, since any
connection may be cut while it is made. With `tls = true` nothing is ever sent in plain text.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from hub.configuration import file as config
from hub.running.patience import in_thread
from hub.uplink.cloudevents import Event, to_binary, to_structured
from hub.uplink.connection import LARGEST_PACKET, MESSAGES_HELD, Connection
from hub.uplink.errors import BrokerError, ProtocolRefusedError
from hub.uplink.tls import in_words, refusal, tls_context

SESSION_EXPIRY_SECONDS = 24 * 60 * 60
"""How long an MQTT 5 broker keeps acknowledgements for a hub that is away (3.1.1: as long as it likes)."""

CONNECT_TIMEOUT_SECONDS = 10.0
"""For each address that the broker's name has, and for each step of TLS."""

LONGEST_SILENCE_SECONDS = 30.0
"""A broker that leaves a message unacknowledged for so long (or for `keepalive`, if less) is not there."""

_REFUSALS_BELIEVED = 5
"""In a row: then a broker that has spoken MQTT 5 speaks it no more."""

_log = logging.getLogger(__name__)


class Broker:
    """The broker of a configuration, and this hub's place in it.

    `client_id` is the identity of the persistent session, so two hubs must never share one. `will` gives
    the topic and the event that the broker is to publish, retained, when the hub vanishes; it is asked at
    each connection. `subscription` is the topic to receive, or several.
    """

    def __init__(
        self,
        settings: config.Broker,
        client_id: str,
        *,
        will: Callable[[], tuple[str, Event]] | None = None,
        subscription: str | Sequence[str] = (),
    ) -> None:
        self._settings = settings
        self._client_id = client_id
        self._will = will
        self._topics = [subscription] if isinstance(subscription, str) else subscription
        self._spoke_5 = False
        self._refused_in_a_row = 0

    @property
    def address(self) -> str:
        """Host and port, for people."""
        return f"{self._settings.host}:{self._settings.port}"

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Open a connection; on leaving, say goodbye if it is still there.

        Raises:
            BrokerError: it cannot be reached, is not who it should be, or refuses; the text says which.
        """
        try:
            connection = await self._open(MQTTProtocolVersion.MQTTv5)
        except ProtocolRefusedError as refused:
            self._refused_in_a_row += 1
            if self._spoke_5 and self._refused_in_a_row < _REFUSALS_BELIEVED:
                # A connection that was cut while it was made, most likely: over MQTT 3.1.1 the hub would
                # not be told that nobody is subscribed to an alert.
                raise BrokerError(f"{self.address}: {refused}") from refused
            _log.debug("%s: %s; trying MQTT 3.1.1", self.address, refused)
            connection = await self._open_version_3()
        else:
            self._spoke_5, self._refused_in_a_row = True, 0
        try:
            yield connection
        finally:
            await connection.close()

    async def _open_version_3(self) -> Connection:
        try:
            return await self._open(MQTTProtocolVersion.MQTTv311)
        except ProtocolRefusedError as refused:
            words = await in_thread(partial(refusal, self._settings)) if self._settings.tls else None
            if words is None:
                words = f"the connection ended before the broker answered: {refused}"
            raise BrokerError(f"{self.address}: {words}") from refused

    async def _open(self, protocol: MQTTProtocolVersion) -> Connection:
        client = self._client(protocol)
        patience = min(self._settings.keepalive.total_seconds(), LONGEST_SILENCE_SECONDS)
        connection = Connection(client, protocol, answer_within_seconds=patience)
        try:
            await in_thread(partial(self._dial, client, protocol))
        except ssl.SSLError as error:
            raise BrokerError(f"{self.address}: {in_words(error)}") from error
        except socket.gaierror as error:
            raise BrokerError(f"{self._settings.host}: no such host: {error.strerror}") from error
        except TimeoutError as error:
            raise BrokerError(f"{self.address}: no answer within {CONNECT_TIMEOUT_SECONDS:g} s") from error
        except (OSError, ValueError) as error:
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise BrokerError(f"{self.address}: {why}") from error
        await connection.start(*self._topics)
        return connection

    def _client(self, protocol: MQTTProtocolVersion) -> Client:
        version_5 = protocol is MQTTProtocolVersion.MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            self._client_id,
            clean_session=None if version_5 else False,
            protocol=protocol,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.max_inflight_messages = 65_535  # `Connection` keeps to what the broker takes
        client.connect_timeout = CONNECT_TIMEOUT_SECONDS
        if self._will is not None:
            topic, event = self._will()
            message = to_binary(event) if version_5 else to_structured(event)
            properties = None
            if version_5:
                properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]  # paho's
                properties.ContentType = message.content_type
                properties.UserProperty = list(message.user_properties)
            client.will_set(topic, message.payload, qos=1, retain=True, properties=properties)
        return client

    def _dial(self, client: Client, protocol: MQTTProtocolVersion) -> None:
        """Read the files, resolve the name, connect, shake hands, send CONNECT. Blocks."""
        settings = self._settings
        if settings.username is not None:
            client.username_pw_set(settings.username, _password(settings.password_file))
        if settings.tls:
            client.tls_set_context(tls_context(settings))
        keepalive = min(max(1, round(settings.keepalive.total_seconds())), 65_535)
        if protocol is not MQTTProtocolVersion.MQTTv5:
            client.connect(settings.host, settings.port, keepalive)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho gives it no types
        properties.SessionExpiryInterval = SESSION_EXPIRY_SECONDS
        properties.ReceiveMaximum = MESSAGES_HELD
        properties.MaximumPacketSize = LARGEST_PACKET
        client.connect(settings.host, settings.port, keepalive, clean_start=False, properties=properties)


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        raise BrokerError(f"password_file {path}: cannot be read: {_why(error)}") from error


def _why(error: OSError | UnicodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
