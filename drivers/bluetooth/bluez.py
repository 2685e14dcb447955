"""The real radio: BlueZ over the system's D-Bus, through bleak's own backend.

bleak does not notice that bluetoothd was killed: no callback comes, and its clients go on saying that
they are connected (measured with bleak 3.1). So this radio watches org.bluez on the bus itself.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDBusError, BleakError
from dbus_fast import Message

from drivers.bluetooth.adapters import (
    HANGS,
    NOT_RUNNING,
    RESTARTED,
    WATCHED,
    BlueZState,
    bluez_state,
    choose,
    loss_in,
)
from drivers.bluetooth.agent import Agent
from drivers.bluetooth.bluez_client import BlueZClient, BlueZScanner, ScanPause
from drivers.bluetooth.bus import (
    ADAPTER,
    BLUEZ,
    DEVICE,
    ask_bus,
    call,
    device_path,
    is_unknown,
    properties_of,
    system_bus,
)
from drivers.bluetooth.radio import RADIO_ERRORS, Adapter, Dropped, Heard, Remedy, RemedyError, words
from drivers.bluetooth.remedies import power_cycle, reboot, restart_bluetoothd
from hub.readings import Origin

__all__ = ["Adapter", "BlueZRadio", "BlueZState", "bluez_state"]

logger = logging.getLogger(__name__)


class BlueZRadio:
    """A Linux machine's Bluetooth adapters, of which one collects: the one that is wanted ("hci0", or its
    address), or another that is powered while that is not there."""

    origin = Origin.SENSOR

    def __init__(
        self, adapter: str | None = None, *, settle_seconds: float = 1.0, look_seconds: float = 20.0
    ) -> None:
        """See `Radio`. Every `look_seconds` bluetoothd is asked something, since one that hangs says nothing.

        bleak calls the detection callback for any changed property of a known device, among them that it is
        no longer connected. Taken for an advertisement, that would cost a vain connect after each reading:
        hence `settle_seconds`.
        """
        self.settle_seconds = settle_seconds
        self._look_seconds = look_seconds
        self._wanted = adapter
        self._in_use: str | None = None
        self._given_up: set[str] = set()
        self._ours: set[str] = set()
        self._pause = ScanPause()
        self._has_leftovers = False
        self._lost = asyncio.Event()
        self._handed_over = asyncio.Event()
        self._healing = asyncio.Lock()

    def scanner(self, heard: Heard) -> BleakScanner:
        """See `Radio.scanner`."""
        return BlueZScanner(heard, self._in_use, self._lost, self._pause)

    def client(
        self, device: BLEDevice, dropped: Dropped, *, bond: bool = False, passkey: int | None = None
    ) -> BleakClient:
        """See `Radio.client`."""
        return BlueZClient(
            device,
            dropped,
            self._in_use,
            self._lost,
            self._ours,
            self._pause,
            bond=bond,
            passkey=passkey,
        )

    async def is_bonded(self, address: str) -> bool:
        """See `Radio.is_bonded`."""
        path = device_path(await self._adapter_in_use(), address)
        async with system_bus() as bus:
            return bool((await properties_of(bus, path, DEVICE) or {}).get("Paired"))

    async def forget(self, address: str) -> None:
        """See `Radio.forget`; on every adapter, since the sensor may be lent to another home."""
        in_use = await self._adapter_in_use()
        async with system_bus() as bus:
            state = await self._look()
            if not state.adapters:
                raise BleakError(state.problem)
            for adapter in state.adapters:
                try:
                    path = device_path(adapter.name, address)
                    await call(bus, BLUEZ, f"/org/bluez/{adapter.name}", ADAPTER, "RemoveDevice", "o", path)
                except BleakDBusError as error:
                    if adapter.name == in_use and not is_unknown(error):
                        raise

    async def adapters(self) -> tuple[Adapter, ...]:
        """See `Radio.adapters`."""
        seen = (await self._look()).adapters
        return tuple(replace(each, in_use=each.name == self._in_use) for each in seen)

    async def problem(self) -> str | None:
        """See `Radio.problem`. Chooses the adapter to collect with; starts a bluetoothd that has ended."""
        async with self._healing:  # an adapter that is just being switched off and on is not lost
            state = await bluez_state(self._wanted, start=True)
            self._given_up.intersection_update(each.name for each in state.adapters)
            chosen = choose(state.adapters, self._wanted, self._in_use, self._given_up)
            if chosen is None:
                return state.problem
            if self._in_use not in (None, chosen.name):
                logger.warning(
                    "Bluetooth: %s collects instead of %s; what was bonded with that must be bonded anew",
                    chosen.name,
                    self._in_use,
                )
            self._in_use = chosen.name
            await self._clear_leftovers(chosen.name)
            self._handed_over.clear()
            self._pause.begin_anew()
            if self._lost.is_set():
                self._lost = asyncio.Event()
            return None

    async def _clear_leftovers(self, adapter: str) -> None:
        """What a bluetoothd that was killed has begun goes on in the kernel: for up to 10 s its successor is
        told InProgress when it is to scan (measured, Linux 6.12), and its links hold sensors that nobody
        listens to any more."""
        if self._has_leftovers:
            self._has_leftovers = False
            try:
                await power_cycle(adapter)
            except RemedyError as error:  # it is healed like any other that fails
                logger.warning("Bluetooth: after bluetoothd was restarted: %s", error)

    async def wait_until_lost(self) -> str:
        """See `Radio.wait_until_lost`: bluetoothd or the adapter in use went away or hangs, the bus itself
        ended, or another adapter is to collect. Meanwhile bluetoothd has an agent to ask."""
        lost = self._lost
        try:
            reason = await self._loss()
        except TimeoutError:
            reason = HANGS
        except RADIO_ERRORS as error:
            reason = f"the system D-Bus went away ({words(error)})"
        lost.set()
        self._has_leftovers = self._has_leftovers or reason in (RESTARTED, HANGS, NOT_RUNNING)
        return reason

    async def heal(self, remedy: Remedy) -> str:
        """See `Radio.heal`."""
        async with self._healing:
            match remedy:
                case Remedy.POWER_CYCLE:
                    if self._in_use is None:
                        raise RemedyError(remedy, "there is no adapter")
                    return await power_cycle(self._in_use)
                case Remedy.HAND_OVER:
                    return await self._hand_over()
                case Remedy.RESTART_BLUETOOTHD:
                    self._has_leftovers = True
                    return await restart_bluetoothd()
                case Remedy.REBOOT:
                    return await reboot()

    async def _hand_over(self) -> str:
        given_up = {*self._given_up, *([self._in_use] if self._in_use else [])}
        chosen = choose((await self._look()).adapters, self._wanted, self._in_use, given_up)
        if chosen is None or chosen.name in given_up:
            raise RemedyError(Remedy.HAND_OVER, "there is no other adapter that is switched on")
        self._given_up = given_up
        self._handed_over.set()
        return f"{chosen.name} collects from now on; what was bonded with {self._in_use} must be bonded anew"

    async def _adapter_in_use(self) -> str:
        if self._in_use is None and (problem := await self.problem()) is not None:
            raise BleakError(problem)
        assert self._in_use is not None
        return self._in_use

    async def _look(self) -> BlueZState:
        return await bluez_state(self._wanted)

    async def _loss(self) -> str:
        """Watch, and be the agent, until the radio is lost."""
        in_use = await self._adapter_in_use()
        async with system_bus() as bus:
            said: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            def watch(message: Message) -> None:
                reason = loss_in(message, in_use)
                if reason is not None and not said.done():
                    said.set_result(reason)

            bus.add_message_handler(watch)
            for rule in WATCHED:
                await ask_bus(bus, "AddMatch", "s", rule)
            try:
                await Agent(self._ours).register(bus, as_default=True)
            except BleakDBusError as error:
                logger.warning("Bluetooth: bonding will fail, as there can be no agent: %s", words(error))
            ends = [
                asyncio.ensure_future(bus.wait_for_disconnect()),  # type: ignore[no-untyped-call]  # dbus-fast
                asyncio.ensure_future(self._handed_over.wait()),
                asyncio.ensure_future(self._pause.failed.wait()),
            ]
            try:
                # What went away before the watch began is found by the first look.
                while (reason := await self._loss_seen(in_use)) is None:
                    await asyncio.wait(
                        (said, *ends), timeout=self._look_seconds, return_when=asyncio.FIRST_COMPLETED
                    )
                    if said.done():
                        return said.result()
                    if ends[0].done():
                        return "the system D-Bus went away"
                    if ends[1].done():
                        return f"another adapter is to collect instead of {in_use}"
                    if ends[2].done():
                        return "scanning was not taken up again after a link was made"
                return reason
            finally:
                for each in ends:
                    each.cancel()
                await asyncio.wait(ends)
                if not ends[0].cancelled():
                    ends[0].exception()  # taken note of: that the bus ended is all that matters

    async def _loss_seen(self, in_use: str) -> str | None:
        state = await self._look()
        if state.problem == HANGS:  # or the machine was busy: links would be lost for nothing
            state = await self._look()
        chosen = choose(state.adapters, self._wanted, in_use, self._given_up)
        if chosen is None:
            return state.problem or f"the adapter {in_use} was switched off"
        if chosen.name != in_use:
            return f"{chosen.name} is to collect instead of {in_use}"
        return None
