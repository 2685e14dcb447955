"""A Bluetooth radio of software: real GATT, ATT, pairing and link layer (bumble), without the radio waves.

`BleakScanner` and `BleakClient` take their backend as an argument, so the hub's own bleak code runs on it
unchanged. The controllers of all devices hang on one `Air` in this process.

What can go wrong with it is asked for by a test: `lose`, `take_adapter_away` and `give_adapter_back`, `hang`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakDBusError
from bumble.device import Connection, Device
from bumble.hci import HCI_CONNECTION_TIMEOUT_ERROR, Address
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate

from drivers.bluetooth.radio import Adapter, Dropped, Heard, Remedy, RemedyError
from drivers.virtual.air import SUPERVISION_TIMEOUT, Air, BreakableController, QuietHost
from drivers.virtual.client import VirtualClient
from drivers.virtual.scanner import VirtualScanner
from hub.readings import Origin

_HUB_ADDRESS = "F0:0D:CA:FE:00:01"
_ADAPTER = "hci0"
_NO_ADAPTER = "there is no Bluetooth adapter; is it plugged in?"

_LONG_TERM_KEY_ONLY = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY


class VirtualRadio:
    """The air, and the hub's own adapter in it. A `drivers.bluetooth.radio.Radio`; open it with `open`."""

    origin = Origin.VIRTUAL
    settle_seconds = 0.0

    def __init__(self) -> None:
        self.air = Air()
        self._passkeys: dict[str, int] = {}
        self._loss: asyncio.Future[str] | None = None
        self._pending_loss: str | None = None
        self._present = True
        self.hub: Device = self.new_device("carehub", _HUB_ADDRESS)
        self.hub.pairing_config_factory = self._how_to_pair

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls) -> AsyncIterator[VirtualRadio]:
        """A radio with the hub's adapter powered, for as long as the context lasts."""
        radio = cls()
        await radio.hub.power_on()
        try:
            yield radio
        finally:
            radio.controller.working = True  # else its host would wait for the last command for ever
            await radio.hub.power_off()

    @property
    def controller(self) -> BreakableController:
        """The controller of the hub's adapter."""
        return controller_of(self.hub)

    @property
    def works(self) -> bool:
        """Whether the adapter is there and its controller answers."""
        return self._present and self.controller.working

    def new_device(self, name: str, address: str) -> Device:
        """One more Bluetooth device within reach; not yet powered on. It keeps its bonds in memory."""
        controller = BreakableController(name, link=self.air)
        device = Device(name=name, address=Address(address), host=QuietHost(controller, controller))
        device.keystore = MemoryKeyStore()
        return device

    def remove_device(self, device: Device) -> None:
        """Take a device that is powered off out of the air for good."""
        with contextlib.suppress(KeyError):
            self.air.remove_controller(controller_of(device))

    def forget_pending_connection(self) -> None:
        """Give up a connection that is being made: bumble 0.0.236's controller acknowledges a cancel, and
        would still connect when the device appears."""
        self.controller.pending_le_connection = None

    def connections(self) -> int:
        """How many connections the hub's adapter holds."""
        return len(self.hub.connections)

    # --- the Radio protocol

    def scanner(self, heard: Heard) -> BleakScanner:
        """See `Radio.scanner`."""
        return BleakScanner(heard, backend=VirtualScanner, radio=self)

    def client(
        self, device: BLEDevice, dropped: Dropped, *, bond: bool = False, passkey: int | None = None
    ) -> BleakClient:
        """See `Radio.client`. The passkey 000000 cannot be entered: bumble 0.0.236 takes it for none."""
        if passkey is None:
            self._passkeys.pop(device.address, None)
        else:
            self._passkeys[device.address] = passkey
        return BleakClient(device, dropped, pair=bond, backend=VirtualClient, radio=self)

    async def is_bonded(self, address: str) -> bool:
        """See `Radio.is_bonded`."""
        assert self.hub.keystore is not None
        return await self.hub.keystore.get(address) is not None

    async def forget(self, address: str) -> None:
        """See `Radio.forget`; a link that there is ends, as BlueZ ends it when a device is removed."""
        assert self.hub.keystore is not None
        await self.hub.keystore.delete(address)
        connection = self.hub.find_connection_by_bd_addr(Address(address))
        if connection is not None and self.works:
            await connection.disconnect()

    async def adapters(self) -> tuple[Adapter, ...]:
        """See `Radio.adapters`: one, or none while it is taken away."""
        return (Adapter(_ADAPTER, _HUB_ADDRESS, powered=True, in_use=True),) if self._present else ()

    async def heal(self, remedy: Remedy) -> str:
        """See `Radio.heal`. A power cycle cures a controller that hangs, unless `hang` has said otherwise.

        Raises:
            RemedyError: for every other remedy, there being no bluetoothd and no second adapter here.
        """
        if remedy is not Remedy.POWER_CYCLE:
            raise RemedyError(remedy, "a virtual radio has nothing of the kind")
        if not self._present:
            raise RemedyError(remedy, _NO_ADAPTER)
        if self.controller.incurable:
            raise RemedyError(remedy, f"{_ADAPTER} does not answer")
        self._reset()
        self._tell_loss(f"{_ADAPTER} was switched off", whoever_waits=True)
        return f"switched {_ADAPTER} off and on"

    async def problem(self) -> str | None:
        """See `Radio.problem`: the adapter is away. As BlueZ, it does not see that a controller hangs."""
        return None if self._present else _NO_ADAPTER

    async def wait_until_lost(self) -> str:
        """See `Radio.wait_until_lost`: `lose`, a power cycle or an adapter taken away end it."""
        if self._pending_loss is None:
            self._loss = asyncio.get_running_loop().create_future()
            try:
                return await self._loss
            finally:
                self._loss = None
        reason, self._pending_loss = self._pending_loss, None
        return reason

    # --- faults

    def lose(self, reason: str) -> None:
        """Let the collector believe that the adapter went away."""
        self._tell_loss(reason)

    def take_adapter_away(self) -> None:
        """Unplug the hub's adapter: links end at once here, and at the sensors when they miss it."""
        self._present = False
        self.air.cut(self.controller, SUPERVISION_TIMEOUT)
        self._reset()
        self.controller.working = False
        self._tell_loss(f"{_ADAPTER} was unplugged")

    def give_adapter_back(self) -> None:
        """Plug it in again. Bonds are kept, as they are on the disk of a real hub."""
        self._present = True
        self.controller.working = True

    def hang(self, *, incurable: bool = False) -> None:
        """Let the hub's controller hang: no advertisement is heard, no command answered, and nothing is told
        to the hub: its links seem to be there, though the sensors miss them soon."""
        self.controller.working = False
        self.controller.incurable = incurable
        self.air.cut_others(self.controller, SUPERVISION_TIMEOUT)

    # --- for the backends

    def check_that_it_can_be_used(self) -> None:
        """Raise what bleak's BlueZ backend raises where no scan and no connection can be begun."""
        if not self._present:
            raise BleakBluetoothNotAvailableError(
                "No Bluetooth adapters found.", BleakBluetoothNotAvailableReason.NO_BLUETOOTH
            )
        if not self.controller.working:
            raise BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"])

    def _reset(self) -> None:
        """As a controller does when it is switched off: it forgets all that went on."""
        controller = self.controller
        controller.working = True
        self.air.cut(controller, 0.0)
        controller.end_all(HCI_CONNECTION_TIMEOUT_ERROR)
        controller.le_scan_enable = False
        controller.pending_le_connection = None
        self.hub.scanning = False

    def _tell_loss(self, reason: str, *, whoever_waits: bool = False) -> None:
        if self._loss is not None and not self._loss.done():
            self._loss.set_result(reason)
        elif not whoever_waits:
            self._pending_loss = reason

    def _how_to_pair(self, connection: Connection) -> PairingConfig:
        """As the hub's agent on BlueZ: no input and no output, unless an engineer has entered a passkey."""
        passkey = self._passkeys.get(connection.peer_address.to_string(with_type_qualifier=False))
        return PairingConfig(mitm=passkey is not None, delegate=_Engineer(passkey))


class _Engineer(PairingDelegate):
    """What was read off a sensor, entered."""

    def __init__(self, passkey: int | None) -> None:
        super().__init__(
            self.NO_OUTPUT_NO_INPUT if passkey is None else self.KEYBOARD_INPUT_ONLY,
            # No identity keys: with them, bumble looks for a private address before each connection.
            _LONG_TERM_KEY_ONLY,
            _LONG_TERM_KEY_ONLY,
        )
        self._passkey = passkey

    async def get_number(self) -> int | None:
        """The passkey, or None for "there is none"."""
        return self._passkey


def controller_of(device: Device) -> BreakableController:
    """The controller of a device that `VirtualRadio.new_device` made."""
    controller = device.host.hci_sink
    assert isinstance(controller, BreakableController)
    return controller
