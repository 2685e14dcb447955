"""The ICS: a paho subscriber with a session that outlives its connection, which forgets nothing."""

from __future__ import annotations

import socket
import threading
from collections import deque
from time import monotonic
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.faults.account import Account, Judgement, judge
from tests.faults.patience import wait
from tests.faults.system import System

_PATIENCE_SECONDS = 20.0


class Subscriber:
    """Notes what arrives in an account, with the monotonic second of each arrival.

    What the messages say is worked out only by `listen`, so that a flood is only received.

    Attributes:
        times: the monotonic second of each message's arrival.
        sample: the newest message that told of a reading or an alert.
    """

    def __init__(
        self, port: int, system: System, account: Account, *, topics: str = "#", name: str = "ics"
    ) -> None:
        self.times: list[float] = []
        self.sample: MQTTMessage | None = None
        self._account = account
        self._system = system
        self._port = port
        self._topics = topics
        self._waiting: deque[tuple[float, MQTTMessage]] = deque()
        self._moments: dict[tuple[str, str], float] = {}
        self._client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_message = lambda _client, _data, message: self._on_message(message)
        self._client.on_connect = lambda client, *_: self._on_connect(client)
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()

    def __enter__(self) -> Self:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho gives it no types
        session.SessionExpiryInterval = 24 * 60 * 60
        self._client.connect("127.0.0.1", self._port, clean_start=False, properties=session)
        self._client.loop_start()
        if not self._subscribed.wait(_PATIENCE_SECONDS):
            raise RuntimeError("the subscriber could not subscribe")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Client) -> None:
        connected = client.socket()
        if isinstance(connected, socket.socket):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.subscribe(self._topics, qos=1)

    def _on_message(self, message: MQTTMessage) -> None:
        now = monotonic()
        self.times.append(now)
        self._waiting.append((now, message))

    @property
    def count(self) -> int:
        """How many messages arrived."""
        return len(self.times)

    def wait_for_more(self, than: int, seconds: float) -> bool:
        """Wait until more than so many messages arrived, at most so long; whether they did."""
        return wait(lambda: self.count > than, seconds, pause=0.001)

    def listen(self) -> int:
        """Take in all that has arrived; how many items were ever heard."""
        for _ in range(
            len(self._waiting)
        ):  # and not what comes meanwhile: it may come faster than it is read
            moment, message = self._waiting.popleft()
            for item in self._system.heard(message):
                self._account.arrive(item)
                self._moments.setdefault((item.kind, item.reading), moment)
                self.sample = message
        return len(self._account.heard)

    def moment(self, kind: str, names: tuple[str, ...]) -> float | None:
        """The monotonic second at which a thing first arrived."""
        self.listen()
        return next((self._moments[kind, name] for name in names if (kind, name) in self._moments), None)

    def wait_for_quiet(self, seconds: float) -> None:
        """Wait until nothing has arrived for so long."""
        while self.wait_for_more(self.count, seconds):
            pass
        self.listen()

    def wait_for_all(self, seconds: float) -> Judgement:
        """Wait until everything confirmed has arrived, or until nothing has arrived for `seconds`."""
        seen, since = -1, monotonic()

        def settled() -> bool:
            nonlocal seen, since
            if self.count != seen:
                seen, since = self.count, monotonic()
            self.listen()
            return monotonic() - since > seconds or not any(self._account.missing())

        wait(settled, 3600, pause=0.2)
        wait(lambda: False, 0.3)  # what would arrive once more, or uncalled for, comes right behind
        self.listen()
        return judge(self._account)
