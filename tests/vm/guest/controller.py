"""Bluetooth adapters of software that the kernel takes for hardware: bumble on /dev/vhci."""

from __future__ import annotations

import asyncio
import os

from bumble import hci, ll
from bumble.controller import Controller

from drivers.virtual.air import SUPERVISION_TIMEOUT, Air, BreakableController

_VENDOR_PACKET = 0xFF  # the kernel's drivers/bluetooth/hci_vhci.c: creates the controller, tells its number
_LONGEST_PACKET = 4096
_ACTIVE = 0x01
_RSSI = -50  # dBm, always: bluetoothd may tell nothing of a device that is heard as loudly as before


class _Kernel:
    """The kernel's end of /dev/vhci: each write is one packet."""

    def __init__(self) -> None:
        self.file = os.open("/dev/vhci", os.O_RDWR | os.O_NONBLOCK)

    def on_packet(self, packet: bytes) -> None:
        """From the controller."""
        os.write(self.file, packet)


class Adapter(BreakableController):
    """An adapter in the same air as the sensors, that can be plugged into the kernel.

    Mends what bumble 0.0.236 leaves out and BlueZ relies on. Its controller announces privacy and extended
    advertising, which it does not do: a disconnection would take 14 s.
    """

    le_features = Controller.le_features & ~(
        hci.LeFeatureMask.LL_PRIVACY
        | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
    )

    def __init__(self, air: Air, address: str) -> None:
        super().__init__("adapter", link=air, public_address=address)
        self.address = address
        self._air = air
        self._kernel: _Kernel | None = None
        self._number: asyncio.Future[int] | None = None
        self._reported: set[tuple[hci.Address, bytes]] = set()

    @property
    def random_address(self) -> hci.Address:
        """bumble's link sends data from the random address, and BlueZ connects with the public one."""
        return self.public_address

    @random_address.setter
    def random_address(self, address: hci.Address | str) -> None:
        """Nothing is sent from it."""

    async def plug_in(self) -> str:
        """Give the kernel the adapter; says how it is called there ("hci0")."""
        assert self._kernel is None, "it is plugged in"
        self.working = True
        self._number = asyncio.get_running_loop().create_future()
        self._kernel = _Kernel()
        self.set_packet_sink(self._kernel)
        asyncio.get_running_loop().add_reader(self._kernel.file, self._read)
        self._kernel.on_packet(bytes([_VENDOR_PACKET, 0]))
        return f"hci{await self._number}"

    def unplug(self) -> None:
        """Take it out, whatever it is doing; the sensors miss it soon."""
        if self._kernel is None:
            return
        asyncio.get_running_loop().remove_reader(self._kernel.file)
        self.set_packet_sink(None)
        os.close(self._kernel.file)
        self._kernel = None
        self._forget_all()
        self.working = False

    def hang(self) -> None:
        """Answer nothing any more, say nothing, hear nothing; the sensors miss it soon."""
        self.working = False
        self._forget_all()

    def answer_again(self) -> None:
        """As if nothing had been; what it was doing it has forgotten."""
        self.working = True

    def _read(self) -> None:
        assert self._kernel is not None
        packet = os.read(self._kernel.file, _LONGEST_PACKET)
        if packet[0] == _VENDOR_PACKET:
            if self._number is not None and not self._number.done():
                self._number.set_result(int.from_bytes(packet[2:4], "little"))
        else:
            self.on_packet(packet)

    def _forget_all(self) -> None:
        self._air.cut_others(self, SUPERVISION_TIMEOUT)
        self.le_connections.clear()
        self.le_scan_enable = False
        self.pending_le_connection = None

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> hci.HCI_StatusReturnParameters:
        """From here on each device is reported once, where BlueZ asks for that, as it does."""
        self._reported.clear()
        return super().on_hci_le_set_scan_enable_command(command)

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """Report it, unless it has been (the same, section 7.8.11), with an empty scan response."""
        heard = pdu.advertiser_address, pdu.data
        if self.le_scan_enable and not (self.filter_duplicates and heard in self._reported):
            self._reported.add(heard)
            self._report(hci.HCI_LE_Advertising_Report_Event.EventType.ADV_IND, *heard)
            if self.le_scan_type == _ACTIVE:
                self._report(hci.HCI_LE_Advertising_Report_Event.EventType.SCAN_RSP, heard[0], b"")
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _report(
        self, event_type: hci.HCI_LE_Advertising_Report_Event.EventType, address: hci.Address, data: bytes
    ) -> None:
        report = hci.HCI_LE_Advertising_Report_Event.Report(
            event_type=event_type, address_type=address.address_type, address=address, data=data, rssi=_RSSI
        )
        self.send_hci_packet(hci.HCI_LE_Advertising_Report_Event([report]))

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """A reset ends all that is going on (Core Specification, volume 4, part E, section 7.3.2)."""
        self._forget_all()
        return super().on_hci_reset_command(command)

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """What was cancelled is told as ended (the same, section 7.8.13); the kernel waits for it."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        ended = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        # After the command's own answer, which the caller sends.
        asyncio.get_running_loop().call_soon(self.send_hci_packet, ended)
        return super().on_hci_le_create_connection_cancel_command(command)
