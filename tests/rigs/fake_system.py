"""systemd's and logind's managers on the private bus, as much as heals Bluetooth."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

_NAMES = "org.freedesktop.systemd1", "org.freedesktop.login1"


class FakeSystem:
    """What was called is in `calls`. With `refuses` it answers as polkit does where no rule allows it;
    `on_restart` is what restarting a unit does."""

    def __init__(
        self, *, refuses: bool = False, on_restart: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self.calls: list[tuple[str, ...]] = []
        self._refuses = refuses
        self._on_restart = on_restart
        self._bus: MessageBus | None = None
        self._restarting: Awaitable[None] | None = None

    async def __aenter__(self) -> Self:
        self._bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        self._bus.add_message_handler(self._answer)
        for name in _NAMES:
            await self._bus.request_name(name)
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._bus is not None
        self._bus.disconnect()

    def _answer(self, message: Message) -> Message | None:
        if message.message_type is not MessageType.METHOD_CALL:
            return None
        self.calls.append((str(message.member), *map(str, message.body)))
        if self._refuses:
            return Message.new_error(
                message,
                "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                "Interactive authentication required.",
            )
        match message.interface, message.member:
            case "org.freedesktop.systemd1.Manager", "KillUnit":
                return Message.new_method_return(message)
            case "org.freedesktop.systemd1.Manager", "RestartUnit":
                if self._on_restart is not None:
                    self._restarting = asyncio.ensure_future(self._on_restart())
                return Message.new_method_return(message, "o", ["/org/freedesktop/systemd1/job/1"])
            case "org.freedesktop.login1.Manager", "Reboot":
                return Message.new_method_return(message)
        return None
