"""AgentManager1 and pairing of the fake bluetoothd, after src/agent.c and src/device.c of BlueZ 5.66.

Whoever calls `Pair` is asked, if he has an agent, else the default agent is. A Just Works pairing that was
called for is not asked about, but fails without any agent; one that began otherwise is asked about.
"""

from __future__ import annotations

import asyncio
from typing import Any

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from tests.rigs.fake_sensor import FakeSensor, Pairing

AGENT_MANAGER = "org.bluez.AgentManager1"
_ENTERS_PASSKEYS = frozenset({"KeyboardOnly", "KeyboardDisplay"})


class FakePairing:
    """The agents, and what they were asked. `asked` holds each question's name and its device; `has_default`
    says that one has been made the default agent, which is the last that one asks for."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._agents: dict[str, tuple[str, str]] = {}
        self._defaults: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.has_default = False

    @property
    def capabilities(self) -> list[str]:
        """Of the agents that are registered now; the default one's first."""
        return [self._agents[owner][1] for owner in self._defaults]

    def gone(self, owner: str) -> None:
        """Somebody left the bus."""
        self._agents.pop(owner, None)
        if owner in self._defaults:
            self._defaults.remove(owner)

    def call(self, message: Message) -> Message:
        """Answer a call of AgentManager1."""
        sender = str(message.sender)
        match message.member:
            case "RegisterAgent" if sender in self._agents:
                return Message.new_error(message, "org.bluez.Error.AlreadyExists", "Already Exists")
            case "RegisterAgent":
                self._agents[sender] = message.body[0], message.body[1]
                self._defaults.append(sender)
            case "RequestDefaultAgent" if sender in self._agents:
                self._defaults.remove(sender)
                self._defaults.insert(0, sender)
                self.has_default = True
            case _:
                return Message.new_error(message, "org.bluez.Error.DoesNotExist", "Does Not Exist")
        return Message.new_method_return(message)

    async def pair(self, sensor: FakeSensor, device: str, caller: str) -> str | None:
        """Pair because `caller` wants it: the name of the error, or None when they are paired."""
        owner = caller if caller in self._agents else next(iter(self._defaults), None)
        if sensor.pairing is Pairing.REFUSED:
            return "AuthenticationFailed"
        if sensor.pairing is Pairing.HANGS:
            await asyncio.Event().wait()
        if owner is None:
            return "AuthenticationFailed"
        if sensor.pairing is Pairing.JUST_WORKS:
            return None
        if self._agents[owner][1] not in _ENTERS_PASSKEYS:
            return "AuthenticationFailed"  # the sensor insists on what only a passkey gives
        answer = await self._ask(owner, "RequestPasskey", "o", device)
        if answer.message_type is MessageType.ERROR:
            return "AuthenticationRejected"
        return None if answer.body[0] == sensor.passkey else "AuthenticationFailed"

    async def pair_unasked(self, sensor: FakeSensor, device: str) -> str | None:
        """Pair because the sensor wants it, or a characteristic does: as `pair`."""
        if sensor.pairing is not Pairing.JUST_WORKS:
            return "AuthenticationFailed"
        return await self.authorize("RequestAuthorization", "o", device)

    async def authorize(self, question: str, signature: str, *body: Any) -> str | None:
        """Ask the default agent something: the name of the error that it answers, or None if it agrees."""
        if not self._defaults:
            return "AuthenticationFailed"
        answer = await self._ask(self._defaults[0], question, signature, *body)
        return str(answer.error_name) if answer.message_type is MessageType.ERROR else None

    async def _ask(self, owner: str, question: str, signature: str, *body: Any) -> Message:
        self.asked.append((question, str(body[0])))
        reply = await self._bus.call(
            Message(
                destination=owner,
                path=self._agents[owner][0],
                interface="org.bluez.Agent1",
                member=question,
                signature=signature,
                body=list(body),
            )
        )
        assert reply is not None
        return reply
