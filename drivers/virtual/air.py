"""The air between virtual devices: who is within reach, whose controller works, and how a link is lost.

bumble's `LocalLink` knows neither distance nor broken hardware; both are added here, and nothing else.
"""

from __future__ import annotations

import asyncio

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.hci import (
    HCI_CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR,
    HCI_CONNECTION_TIMEOUT_ERROR,
    Address,
)
from bumble.host import Host
from bumble.link import LocalLink

SUPERVISION_TIMEOUT = 0.72
"""Seconds after which a link with a device that is heard no more ends (what bumble asks for; BlueZ: 0.42)."""

_ESTABLISHMENT = 0.1
"""Seconds in which a connection that was asked for must come about: six intervals of 15 ms, and a little."""


class QuietHost(Host):
    """bumble 0.0.236 writes out every packet for its log, whether or not anybody logs: half of what a ward
    costs. Not this one, nor the controller below."""

    def on_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """What the controller says."""
        if isinstance(packet, hci.HCI_Event):
            self.on_hci_event_packet(packet)
        elif isinstance(packet, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """What is said to the controller."""
        if self.hci_sink:
            self.hci_sink.on_packet(bytes(packet))


class BreakableController(Controller):
    """A Bluetooth controller that can hang: it answers no command then, hears nothing and says nothing."""

    working = True
    incurable = False
    """Whether a power cycle does not help either."""

    def on_packet(self, packet: bytes) -> None:
        """A command or data from the host."""
        if not self.working:
            return
        read = hci.HCI_Packet.from_bytes(packet)
        if isinstance(read, hci.HCI_Command):
            self.on_hci_command_packet(read)
        elif isinstance(read, hci.HCI_AclDataPacket):
            self.on_hci_acl_data_packet(read)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """An answer, an event or data to the host."""
        if self.host:
            asyncio.get_running_loop().call_soon(self.host.on_packet, bytes(packet))

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """An advertisement is heard: it is told once, without the scan response that bumble makes up."""
        if self.le_scan_enable:
            report = hci.HCI_LE_Extended_Advertising_Report_Event.Report(
                event_type=hci.HCI_LE_Extended_Advertising_Report_Event.EventType.CONNECTABLE_ADVERTISING,
                address_type=pdu.advertiser_address.address_type,
                address=pdu.advertiser_address,
                primary_phy=hci.Phy.LE_1M,
                secondary_phy=hci.Phy.LE_1M,
                advertising_sid=0,
                tx_power=0,
                rssi=-50,
                periodic_advertising_interval=0,
                direct_address_type=0,
                direct_address=hci.Address.ANY,
                data=pdu.data,
            )
            self.send_hci_packet(hci.HCI_LE_Extended_Advertising_Report_Event([report]))
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def on_ll_advertising_pdu(self, packet: ll.AdvertisingPdu) -> None:
        """What somebody sends to all."""
        if self.working:
            super().on_ll_advertising_pdu(packet)

    def on_ll_control_pdu(self, sender_address: Address, packet: ll.ControlPdu) -> None:
        """What the other end of a link asks of this one's link layer."""
        # A connection that has just ended at this end is nothing to complain of.
        if self.working and sender_address in self.le_connections:
            super().on_ll_control_pdu(sender_address, packet)

    def on_link_acl_data(self, sender_address: Address, transport: PhysicalTransport, data: bytes) -> None:
        """Data from the other end of a link."""
        if self.working and sender_address in self.le_connections:
            super().on_link_acl_data(sender_address, transport, data)

    def end(self, connection: Connection, reason: int) -> None:
        """Tell this controller's host that a connection has ended, if it has not yet."""
        if self.le_connections.get(connection.peer_address) is connection:
            self.on_le_disconnected(connection, reason)

    def end_all(self, reason: int = HCI_CONNECTION_TIMEOUT_ERROR) -> None:
        """Tell the host that every connection has ended."""
        for connection in list(self.le_connections.values()):
            self.end(connection, reason)


_MOST_ADVERTISEMENTS = 5_000


class Air(LocalLink):
    """What the controllers of all devices hang on. A packet to or from one that is out of reach is lost."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble has no annotations here
        self._out_of_reach: set[Controller] = set()
        self._leaving: set[Controller] = set()
        self._advertisements = 0  # on their way

    def take_away(self, controller: Controller) -> None:
        """Bring a device out of reach: its links end once the supervision timeout has passed."""
        self._out_of_reach.add(controller)
        self.cut(controller, SUPERVISION_TIMEOUT)

    def bring_back(self, controller: Controller) -> None:
        """Bring a device within reach."""
        self._out_of_reach.discard(controller)
        self._leaving.discard(controller)

    def take_away_when_called(self, controller: Controller) -> None:
        """Let a device be gone in the moment in which somebody connects to it."""
        self._leaving.add(controller)

    def cut(self, controller: Controller, after: float, reason: int = HCI_CONNECTION_TIMEOUT_ERROR) -> None:
        """End all links of a device after so many seconds, at both ends."""
        for connection in list(controller.le_connections.values()):
            self._end_later(controller, connection, after, reason)
        self.cut_others(controller, after, reason)

    def cut_others(
        self, controller: Controller, after: float, reason: int = HCI_CONNECTION_TIMEOUT_ERROR
    ) -> None:
        """End all links of a device after so many seconds, but at the other ends only."""
        for connection in list(controller.le_connections.values()):
            other = self.find_le_controller(connection.peer_address)
            if other is not None:
                others = other.le_connections.get(connection.self_address)
                if others is not None:
                    self._end_later(other, others, after, reason)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Pass on to those only whom it can concern: forty devices that hear each other cost much."""
        if sender_controller in self._out_of_reach:
            return
        loop = asyncio.get_running_loop()
        if isinstance(packet, ll.ConnectInd):
            called = self.find_le_controller(packet.advertiser_address)
            if called in self._leaving:
                self._leaving.discard(called)
                self._out_of_reach.add(called)
            if called is not None and called not in self._out_of_reach:
                loop.call_soon(called.on_ll_advertising_pdu, packet)
            else:
                self._fail_to_establish(sender_controller, packet.advertiser_address)
            return
        for each in self.controllers:
            if each is not sender_controller and (each.le_scan_enable or each.pending_le_connection):
                self._advertise(each, packet)

    def _advertise(self, hearer: Controller, packet: ll.AdvertisingPdu) -> None:
        if self._advertisements < _MOST_ADVERTISEMENTS:  # else lost, as on the air: a busy machine
            self._advertisements += 1  # would fall behind for good
            asyncio.get_running_loop().call_soon(self._hear, hearer, packet)

    def _hear(self, controller: Controller, packet: ll.AdvertisingPdu) -> None:
        self._advertisements -= 1
        controller.on_ll_advertising_pdu(packet)

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        """Data on a link."""
        destination = self.find_le_controller(destination_address)
        if sender_controller not in self._out_of_reach and destination not in self._out_of_reach:
            super().send_acl_data(sender_controller, destination_address, transport, data)

    def send_ll_control_pdu(
        self, sender_address: Address, receiver_address: Address, packet: ll.ControlPdu
    ) -> None:
        """What link layers say to each other."""
        ends = self.find_le_controller(sender_address), self.find_le_controller(receiver_address)
        if ends[1] is not None and self._out_of_reach.isdisjoint(ends):
            super().send_ll_control_pdu(sender_address, receiver_address, packet)

    def broadcast(self, address: Address, data: bytes) -> None:
        """One advertisement of a device that is nothing but that: a phone that goes by, a beacon."""
        packet = ll.AdvInd(advertiser_address=address, data=data)
        for each in self.controllers:
            if each.le_scan_enable:
                self._advertise(each, packet)

    def _fail_to_establish(self, caller: Controller, address: Address) -> None:
        """The caller's host is told of a connection, which turns out to be none (error 3E)."""

        def fail() -> None:
            connection = caller.le_connections.get(address)
            if connection is not None:
                _end(caller, connection, HCI_CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)

        asyncio.get_running_loop().call_later(_ESTABLISHMENT, fail)

    @staticmethod
    def _end_later(controller: Controller, connection: Connection, after: float, reason: int) -> None:
        asyncio.get_running_loop().call_later(after, _end, controller, connection, reason)


def _end(controller: Controller, connection: Connection, reason: int) -> None:
    if isinstance(controller, BreakableController):
        controller.end(connection, reason)
