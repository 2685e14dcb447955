"""The daemon: who is started, in what order, and who restarts whom.

sources (Bluetooth, replay socket, people) -> reception -> intake -> store -> forwarder -> broker -> ICS
                                                 ICS -> acknowledgement -> commands -> store
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import logging
import os
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from drivers.bluetooth.collector import BluetoothCollector, EnrolledSensor
from drivers.catalogue import UnknownDriverError, driver
from drivers.replay import ReplaySocket
from hub import __version__
from hub.alert_book import AlertBook, UnreadableAlertError
from hub.alerts import AlertError, AlertPolicy
from hub.assessment.deterioration import DeteriorationModel, ModelError
from hub.clock import now
from hub.commands import Commands, UnknownAlertError
from hub.config import Config, ConfigError
from hub.control import ControlServer
from hub.intake import Intake
from hub.reception import Reception
from hub.requests import Requests
from hub.residents import Register
from hub.service_manager import ServiceManager
from hub.store.database import FILE_NAME
from hub.store.delivery import CardOutbox
from hub.store.errors import NotCommittedError, StoreError
from hub.store.lock import only_hub
from hub.store.outbox import OutboxRow
from hub.store.writer import Writer
from hub.supervision import keep_running
from hub.uplink.cloudevents import Event, EventError
from hub.uplink.contract import (
    AlertChange,
    Channel,
    ContractError,
    Identity,
    acknowledgement_of,
    event_type,
    status_event,
)
from hub.uplink.forwarder import Forwarder, Presence

if TYPE_CHECKING:
    from drivers.bluetooth.radio import Radio
    from drivers.virtual.sensors import Sent

_log = logging.getLogger(__name__)
_ESCALATION_SECONDS = 1.0
SENT_LOG = "virtual-sent.jsonl"
"""In the data directory: what the virtual sensors sent and when, for measuring the way to the ICS."""


def main(config: Config) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        CareportError: the hub cannot even begin: the configuration or the database cannot be used.
    """
    asyncio.run(_until_stopped(config))


async def _until_stopped(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    os.umask(0o077)  # what it writes is about people's health
    async with running(config) as hub:
        ended = asyncio.ensure_future(hub.run())
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
        _log.info("stopping")
        hub.service_manager.stopping()
        stopped.cancel()
        ended.cancel()
        await asyncio.wait([ended, stopped])
        if not ended.cancelled() and (fault := ended.exception()) is not None:
            raise fault


def enrolled(config: Config, path: Path = Path("the configuration")) -> list[EnrolledSensor]:
    """The sensors to collect from, with their drivers.

    Raises:
        ConfigError: a sensor names a driver that there is not.
    """
    sensors, problems = [], []
    for index, sensor in enumerate(config.sensors):
        try:
            sensors.append(EnrolledSensor(sensor.address, driver(sensor.driver)))
        except UnknownDriverError as error:
            problems.append(f"sensors[{index}].driver: {error}")
    if problems:
        raise ConfigError(path, problems)
    return sensors


def load_model(config: Config) -> DeteriorationModel | None:
    """The deterioration model, or None where it is off or cannot be used: the hub goes on without it."""
    if config.model.mode == "off":
        return None
    try:
        model = DeteriorationModel.configured(config.model.file)
    except ModelError as error:
        _log.error("%s The hub goes on without it; NEWS2 and its alerts do not need it.", error)
        return None
    _log.info("deterioration model %s %s loaded, in shadow mode", model.name, model.version)
    return model


def _give_back_memory() -> None:
    """Hand back what only the start needed: a tenth of the whole, which glibc would keep for ever."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; musl has none
    if trim is not None:
        trim(0)


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Hub]:
    """A hub whose store is open and whose radio is there; `Hub.run` sets it going."""
    sensors = enrolled(config)
    path = config.hub.data_directory / FILE_NAME
    with only_hub(config.hub.data_directory):
        async with Writer(path) as writer, _radio(config) as radio:
            await _refuse_mixed_data(config, path, writer)
            outbox = CardOutbox(path, writer)
            try:
                yield Hub(config, writer, outbox, sensors, radio, load_model(config))
            finally:
                outbox.close()


async def _refuse_mixed_data(config: Config, path: Path, writer: Writer) -> None:
    """Test data must never be told as real, nor real data as a test, by the change of one key.

    Raises:
        StoreError: the database was begun with the other kind of data.
    """
    said = "test data" if config.site.test_data else "real data"
    kept = await writer.write(lambda transaction: transaction.note_fact("data", said))
    if kept != said:
        wanted = str(config.site.test_data).lower()
        raise StoreError(
            path, f"holds {kept}, and site.test_data = {wanted}. Give this hub another hub.data_directory."
        )


@asynccontextmanager
async def _radio(config: Config) -> AsyncIterator[Radio | None]:
    match config.bluetooth.radio:
        case "off":
            yield None
        case "bluez":
            from drivers.bluetooth.bluez import BlueZRadio

            yield BlueZRadio(config.bluetooth.adapter)
        case "virtual":
            from drivers.virtual.ward import VirtualWard

            with (config.hub.data_directory / SENT_LOG).open("a", encoding="utf-8") as sent_log:

                def note(sent: Sent) -> None:
                    line = {
                        "device": sent.address,
                        "payload": sent.payload.hex(),
                        "monotonic": sent.monotonic,
                    }
                    sent_log.write(json.dumps(line) + "\n")
                    sent_log.flush()

                async with VirtualWard.open(config.bluetooth.scenario, on_sent=note) as ward:
                    yield ward.radio


class Hub:
    """One hub, put together; every task that it starts is owned by `run`."""

    def __init__(
        self,
        config: Config,
        writer: Writer,
        outbox: CardOutbox,
        sensors: Sequence[EnrolledSensor],
        radio: Radio | None,
        model: DeteriorationModel | None,
    ) -> None:
        self.service_manager = ServiceManager()
        self._config = config
        self._writer = writer
        self._model = model
        self._identity = Identity(config.site.id, config.hub.id, config.site.test_data)
        self._commands = Commands(
            AlertBook(self._identity), AlertPolicy.of(config.alerts, config.observation_sets)
        )
        register = Register(config.residents, config.sensors, one_person=config.site.one_person)
        self._reception = Reception(writer, Intake(config, self._identity, register, model))
        self._collector = BluetoothCollector(sensors, radio, self._reception.accept) if radio else None
        self._forwarder = Forwarder(
            config.broker,
            client_id=f"carehub-{config.site.id}-{config.hub.id}",
            outbox=outbox,
            topic_of=self._identity.topic,
            status_event=self._status_event,
            on_delivered=self._delivered,
            on_acknowledgement=self._acknowledgement,
        )

        self._requests = Requests(
            writer, self._reception, self._commands, self._forwarder, self._collector, model
        )

    async def run(self) -> None:
        """Run every part, each restarted on its own if it fails, until cancelled."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "control socket": ControlServer(self._config.hub.control_socket, self._requests.handlers).run,
            "forwarder": self._forwarder.run,
            "escalation": self._escalate,
        }
        if self._collector is not None:
            parts["Bluetooth"] = self._collector.run
        if self._config.replay.socket is not None:
            parts["replay socket"] = ReplaySocket(self._config.replay.socket, self._reception.accept).run
        async with asyncio.TaskGroup() as tasks:
            for name, run in parts.items():
                tasks.create_task(keep_running(name, run), name=name)
            tasks.create_task(self.service_manager.keep_watchdog_fed(self._progress), name="watchdog")
            sensors = len(self._config.sensors)
            _log.info(
                "hub %s at site %s: ready, %d sensor(s)", self._config.hub.id, self._config.site.id, sensors
            )
            _give_back_memory()
            self.service_manager.ready(f"collecting from {sensors} sensor(s)")

    async def _progress(self) -> None:
        """Returns when the event loop and the store's writer have both got on.

        A card that fails is no reason to be restarted: what waits in memory would be lost with it.
        """
        with suppress(NotCommittedError):
            await self._writer.write(lambda _transaction: None)

    async def _escalate(self) -> None:
        while True:
            await asyncio.sleep(_ESCALATION_SECONDS)
            climbed = await self._writer.write(
                lambda transaction: self._commands.escalate(transaction, now(), monotonic())
            )
            if climbed:
                _log.warning("%d alert(s) without acknowledgement climbed the ladder", climbed)

    async def _delivered(self, rows: Sequence[OutboxRow]) -> None:
        raised = event_type(Channel.ALERT, AlertChange.RAISED)
        events = (json.loads(row.event) for row in rows if row.channel == Channel.ALERT)
        alerts = [uuid.UUID(event["data"]["alert"]) for event in events if event["type"] == raised]
        if alerts:
            await self._writer.write(lambda transaction: self._commands.deliver(transaction, alerts, now()))

    async def _acknowledgement(self, event: Event) -> None:
        try:
            said = acknowledgement_of(event)
            done = await self._writer.write(
                lambda transaction: self._commands.acknowledge(
                    transaction, said.alert, said.by, now(), "ics", said.note, event.time
                )
            )
        except (ContractError, UnknownAlertError, UnreadableAlertError, AlertError) as error:
            raise EventError(str(error)) from error
        _log.info("alert %s: acknowledged by the ICS%s", said.alert, "" if done.accepted else ", once more")

    def _status_event(self, presence: Presence) -> Event:
        model = self._model
        details: dict[str, Any] = {
            "version": __version__,
            "model": {"name": model.name, "version": model.version, "sha256": model.sha256}
            if model
            else None,
            "sensors": len(self._config.sensors),
            "residents": len(self._config.residents),
        }
        return status_event(self._identity, presence.value, now(), details)
