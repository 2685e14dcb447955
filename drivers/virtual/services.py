"""The GATT server of one virtual sensor: what its profile promises, as bumble's services."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from bumble.att import ATT_Error, Attribute, AttributeValue, ErrorCode
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import (
    GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
    Characteristic,
    Descriptor,
    Service,
)

from drivers.virtual import VirtualWardError
from drivers.virtual.clock import SensorClock, current_time, date_time, read_date_time
from drivers.virtual.memory import Operation, RecordMemory, Request, understood
from drivers.virtual.profiles import CURRENT_TIME, RECORDS, Bond, Profile

_CCCD_NOT_CONFIGURED, _IN_PROGRESS, _OUT_OF_RANGE = 0xFD, 0xFE, 0xFF
"""Core Specification Supplement, part B, section 1.2."""

_Permissions = Attribute.Permissions


class SensorServices:
    """What a sensor lets others read, write and subscribe to, and what they did with it.

    `requests` are those to its Record Access Control Point that wait to be carried out; `written` is what was
    written, by characteristic. A read of a characteristic in `silent` is never answered.
    """

    def __init__(self, device: Device, profile: Profile) -> None:
        self.profile = profile
        self.clock = SensorClock()
        self.memory = RecordMemory()
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.busy = False
        self.aborted = False
        self.silent: set[str] = set()
        self.written: defaultdict[str, list[bytes]] = defaultdict(list)
        self.clock_set_after: list[float] = []
        self.subscribed: dict[str, asyncio.Event] = {}
        self.characteristics: dict[str, Characteristic[bytes]] = {}
        self._device = device
        self._linked_at = 0.0
        self._link_ended = asyncio.Event()
        for service in self._services():
            device.add_service(service)

    def link_made(self) -> None:
        """A hub has connected: nothing is subscribed to any more, and nothing asked for."""
        self._linked_at = time.monotonic()
        self._link_ended.clear()
        self.requests = asyncio.Queue()
        self.busy = self.aborted = False
        for event in self.subscribed.values():
            event.clear()

    def link_ended(self) -> None:
        """The link is no more."""
        self._link_ended.set()

    def _services(self) -> list[Service]:
        profile = self.profile
        own = [self._sending(uuid, sending.value) for uuid, sending in profile.characteristics.items()]
        own += [self._writable(uuid) for uuid in profile.written]
        if profile.records:
            own.append(self._control_point())
        if profile.clock not in (None, CURRENT_TIME):
            own.append(self._clock())
        services = [Service(UUID(profile.service), own)]
        if profile.clock == CURRENT_TIME:
            services.append(Service(UUID("1805"), [self._clock()]))
        if profile.battery is not None:
            services.append(Service(UUID("180f"), [self._readable("2a19", bytes([profile.battery]))]))
        if profile.about:
            readable = [self._readable(uuid, text.encode()) for uuid, text in profile.about.items()]
            services.append(Service(UUID("180a"), readable))
        return services

    def _sending(
        self, uuid: str, properties: Characteristic.Properties, value: AttributeValue[bytes] | None = None
    ) -> Characteristic[bytes]:
        permissions = _Permissions(0) if value is None else _Permissions.WRITEABLE
        characteristic: Characteristic[bytes] = Characteristic(UUID(uuid), properties, permissions, value)
        if self.profile.bond in (Bond.MUST, Bond.WITH_PASSKEY):
            configuration: Descriptor = Descriptor(
                GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
                _Permissions.READABLE | _Permissions.WRITEABLE | _Permissions.WRITE_REQUIRES_ENCRYPTION,
                self._device.gatt_server.make_descriptor_value(characteristic),
            )
            characteristic.descriptors = [configuration]
        subscribed = self.subscribed[uuid] = asyncio.Event()

        def on_subscription(_bearer: object, notify: bool, indicate: bool) -> None:
            if notify or indicate:
                subscribed.set()
            else:
                subscribed.clear()

        characteristic.on(characteristic.EVENT_SUBSCRIPTION, on_subscription)
        self.characteristics[uuid] = characteristic
        return characteristic

    def _readable(self, uuid: str, value: bytes) -> Characteristic[bytes]:
        async def read(_connection: Connection | None) -> bytes:
            await self._be_silent(uuid)
            return value

        return Characteristic(
            UUID(uuid), Characteristic.Properties.READ, _Permissions.READABLE, AttributeValue(read)
        )

    def _writable(self, uuid: str) -> Characteristic[bytes]:
        def write(_connection: Connection | None, value: bytes) -> None:
            self.written[uuid].append(value)

        properties = Characteristic.Properties.WRITE | Characteristic.Properties.WRITE_WITHOUT_RESPONSE
        return Characteristic(UUID(uuid), properties, _Permissions.WRITEABLE, AttributeValue(write=write))

    def _clock(self) -> Characteristic[bytes]:
        uuid = self.profile.clock
        assert uuid is not None

        async def read(_connection: Connection | None) -> bytes:
            await self._be_silent(uuid)
            return (current_time if uuid == CURRENT_TIME else date_time)(self.clock.now())

        def write(_connection: Connection | None, value: bytes) -> None:
            self.written[uuid].append(value)
            try:
                self.clock.set(read_date_time(value))
            except VirtualWardError as error:
                raise ATT_Error(ErrorCode(_OUT_OF_RANGE)) from error
            self.clock_set_after.append(time.monotonic() - self._linked_at)

        permissions = _Permissions.READABLE | _Permissions.WRITEABLE
        if self.profile.bond in (Bond.MUST, Bond.WITH_PASSKEY):
            permissions |= _Permissions.WRITE_REQUIRES_ENCRYPTION
        return Characteristic(
            UUID(uuid),
            Characteristic.Properties.READ | Characteristic.Properties.WRITE,
            permissions,
            AttributeValue(read, write),
        )

    def _control_point(self) -> Characteristic[bytes]:
        def write(_connection: Connection | None, value: bytes) -> None:
            self.memory.asked.append(value)
            request = understood(value)
            if not self.subscribed[RECORDS].is_set():
                raise ATT_Error(ErrorCode(_CCCD_NOT_CONFIGURED))
            if self.busy and request.operation == Operation.ABORT:
                self.aborted = True
            elif self.busy:
                raise ATT_Error(ErrorCode(_IN_PROGRESS))
            else:
                self.busy = True
                self.requests.put_nowait(request)

        properties = Characteristic.Properties.INDICATE | Characteristic.Properties.WRITE
        return self._sending(RECORDS, properties, AttributeValue(write=write))

    async def _be_silent(self, uuid: str) -> None:
        if uuid in self.silent:
            await self._link_ended.wait()
