"""The daemon: who is started, in what order, and who restarts whom.

sources (Bluetooth, USB, replay socket, people) -> reception -> intake -> store -> forwarder -> broker -> ICS
                                                 ICS -> acknowledgement -> commands -> store
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from drivers.replay import ReplaySocket
from hub import trail
from hub.alerts.acknowledgements import Acknowledgements, KeptAcknowledgements
from hub.alerts.answers import Acknowledgement as Acknowledged
from hub.alerts.beacon import Beacon
from hub.alerts.beacon_output import output_of
from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.concern_requests import ConcernRequests
from hub.alerts.ladders import Ladders
from hub.alerts.life import AlertPolicy
from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.rhythm import RhythmModel
from hub.attribution.requests import RoundRequests
from hub.attribution.rounds import Rounds
from hub.attribution.scans import Scans
from hub.clock import Step, now
from hub.configuration.file import Config
from hub.control.control_socket import ControlServer
from hub.intake.amending import AmendingTeller
from hub.intake.collecting import collect_bluetooth, collect_usb
from hub.intake.following_the_clock import ClockFollower
from hub.intake.intake import Intake
from hub.intake.reception import Reception
from hub.intake.rhythms import load_rhythm_model
from hub.requests import Requests
from hub.residents.household import Household
from hub.residents.requests import ResidentRequests
from hub.running import progress
from hub.running.housekeeping import Housekeeping
from hub.running.journal import about
from hub.running.memory import give_back_memory
from hub.running.patience import within
from hub.running.probes import ask_now_and_then, commit_now_and_then, count_what_comes
from hub.running.progress import Progress
from hub.running.service_manager import ServiceManager
from hub.running.supervision import keep_running
from hub.sensors.enrolment import Enrolment, refuse_misfits
from hub.sensors.information import SensorInformation
from hub.sensors.ports import open_ports
from hub.sensors.radios import open_radio
from hub.sensors.reboots import Reboots
from hub.sensors.requests import SensorRequests
from hub.shadow.watch import ModelWatch, forget_watched, load_model
from hub.staff.requests import StaffRequests
from hub.starting import Start
from hub.store.database import FILE_NAME
from hub.store.delivery import CardOutbox
from hub.store.errors import NotCommittedError
from hub.store.lock import only_hub
from hub.store.outbox import OutboxRow
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.telling.status import HubStatus
from hub.telling.summaries import Summaries
from hub.timekeeping.watch import Timekeeper
from hub.trail import Moment
from hub.updates.requests import UpdateRequests
from hub.uplink.certificate import watch
from hub.uplink.cloudevents import Event
from hub.uplink.contract import (
    Acknowledgement,
    AlertChange,
    Channel,
    Identity,
    event_type,
)
from hub.uplink.forwarder import Forwarder
from hub.uplink.hub_summary import summary_events
from hub.uplink.unkept import WithUnkept

if TYPE_CHECKING:
    from drivers.bluetooth.radio import Radio
    from drivers.usb.bus import UsbBus

_log = logging.getLogger(__name__)
_FAREWELL_SECONDS = 2.0


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Hub]:
    """A hub whose store is open and whose radio is there; `Hub.run` sets it going."""
    refuse_misfits(config)
    path = config.hub.data_directory / FILE_NAME
    service_manager = ServiceManager()
    with only_hub(config.hub.data_directory), service_manager.starting() as say:
        async with (
            Writer(path, config.store.gather, say=say) as writer,
            open_radio(config) as radio,
            open_ports(config) as ports,
        ):
            start = Start(path, writer, test_data=config.site.test_data)
            await start.refuse_mixed_data()
            enrolment = await Enrolment.load(config, writer)
            register = enrolment.register
            household = await Household.load(config, writer, register)
            information = await SensorInformation.load(
                writer, lambda address: register.sensor(address) is not None
            )
            model, rhythm = load_model(config), load_rhythm_model(config)
            identity = Identity(config.site.id, config.hub.id, config.site.test_data)
            follower = ClockFollower.of(config, identity)
            rounds = Rounds(config.rounds.lasts)
            watch = ModelWatch.of(config, path, writer, model)
            budget = None if watch is None else watch.in_force
            # Before any step of the clock.
            intake = Intake(config, identity, register, model, follower, rounds, rhythm, budget)

            def begin(transaction: Transaction) -> None:
                follower.follow(transaction)  # before anything is stamped
                trail.begin(transaction.connection, Moment.present(), enrolment.configuration, model)
                enrolment.begin(transaction)
                household.begin(transaction)
                if watch is None:
                    forget_watched(transaction)
                else:
                    watch.begin(transaction)

            await start.note(begin)
            teller = AmendingTeller(identity, follower.rule)
            outbox = CardOutbox(path, writer, teller.event)
            try:
                yield Hub(
                    config,
                    writer,
                    outbox,
                    enrolment,
                    household,
                    information,
                    radio,
                    ports,
                    Scans(writer, register, rounds),
                    model,
                    rhythm,
                    follower,
                    intake,
                    start,
                    service_manager,
                    watch,
                )
            finally:
                outbox.close()
                with suppress(NotCommittedError, TimeoutError):
                    await within(
                        _FAREWELL_SECONDS,
                        writer.write(
                            lambda transaction: transaction.audit(trail.hub_stopped(Moment.present())),
                            urgent=True,
                        ),
                    )


class Hub:
    """One hub, put together; every task that it starts is owned by `run`."""

    def __init__(
        self,
        config: Config,
        writer: Writer,
        outbox: CardOutbox,
        enrolment: Enrolment,
        household: Household,
        information: SensorInformation,
        radio: Radio | None,
        ports: UsbBus | None,
        scans: Scans,
        model: DeteriorationModel | None,
        rhythm: RhythmModel | None,
        follower: ClockFollower,
        intake: Intake,
        start: Start,
        service_manager: ServiceManager,
        watch: ModelWatch | None = None,
    ) -> None:
        self.service_manager = service_manager
        self.progress = Progress()
        self._config = config
        self._writer = writer
        self._watch = watch
        self._enrolment = enrolment
        self._household = household
        self._identity = Identity(config.site.id, config.hub.id, config.site.test_data)
        self._commands = Commands(
            AlertBook(self._identity), AlertPolicy.of(config.alerts, config.observation_sets), follower
        )
        self._follower = follower
        self._outbox = WithUnkept(outbox, Channel.ALERT)
        self._start = start
        self._card_trouble = None if writer.opened.is_set() else "full"
        self._beacon = Beacon(output_of(config.beacon))
        self._reception = Reception(
            writer,
            intake,
            on_trouble=self._card_has,
            on_uncommitted=self._beacon.overhears(self._outbox.tell),
        )
        self._scans = scans
        self._collector = self._usb = None
        if radio is not None:
            reboots = Reboots(
                writer,
                lambda: self._card_trouble is not None or self._reception.waiting > 0,
                allowed=config.bluetooth.may_reboot,
            )
            self._collector = collect_bluetooth(
                config, enrolment, radio, self._reception, information, reboots
            )
        if ports is not None:
            self._usb = collect_usb(
                config, enrolment, ports, self._reception, information, scans, intake.attribution
            )
        count_what_comes(self.progress, writer, self._reception, self._collector, self._usb)
        self._status = HubStatus(
            config, model, enrolment, self._collector, lambda: self._card_trouble, self._usb, rhythm, watch
        )
        enrolment.before_forgetting = partial(self._reception.close_streams, patience_seconds=1.0)
        household.before_leaving = enrolment.before_forgetting
        household.close_rounds = scans.left
        household.close_alert = self._commands.close_for_leaving
        self._housekeeping = Housekeeping(config, config.hub.data_directory / FILE_NAME, writer)
        self._kept = KeptAcknowledgements(self._commands, self._outbox.told_of)
        acknowledgements = Acknowledgements(
            self._identity,
            self._acknowledge,
            self._note_refused,
            self._beacon.overhears_kept(self._kept.keep),
        )
        self._updates = UpdateRequests(config, self._identity, writer, self._beacon, scans)
        self._forwarder = Forwarder(
            config.broker,
            client_id=f"carehub-{config.site.id}-{config.hub.id}",
            outbox=self._outbox,
            topic_of=self._identity.topic,
            status_event=self._status.event,
            on_delivered=self._delivered,
            on_acknowledgement=acknowledgements.take,
            on_malformed=acknowledgements.malformed,
            on_update=self._updates.take,
            listens_to_updates=self._updates.allowed,
        )
        self._summaries: Summaries | None = None
        if config.publish.summary:
            self._summaries = Summaries(
                config,
                config.hub.data_directory / FILE_NAME,
                writer,
                lambda hub, residents: summary_events(
                    self._identity, hub, residents, self._forwarder.status()
                ),
            )
        self._requests = Requests(
            writer, self._reception, self._commands, self._forwarder,
            SensorRequests(enrolment, information, self._collector, self._usb), self._status.radio, model,
            lambda: self._card_trouble, self._status.usb, scans, self._beacon, self.progress,
            more={**ResidentRequests(household).handlers, **StaffRequests(writer).handlers,
                  **ConcernRequests(writer, self._reception, self._commands).handlers,
                  **RoundRequests.of(config, writer, scans, enrolment, intake, follower).handlers,
                  **self._updates.handlers},
        )  # fmt: skip

    async def run(self) -> None:
        """Run every part, each restarted on its own if it fails, until cancelled."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            "control socket": ControlServer(
                self._config.hub.control_socket, self._requests.handlers, self._requests.note_access
            ).run,
            "control socket, asked": partial(ask_now_and_then, self._config.hub.control_socket),
            "store": partial(commit_now_and_then, self._writer),
            "card watch": partial(self._writer.watch_card, self._reception.stalled),
            "forwarder": self._forwarder.run,
            "escalation": Ladders(self._writer, self._commands, self._kept, self._outbox, self._beacon).run,
            "beacon": self._beacon.run,
            "clock": Timekeeper(self._clock_was_set).run,
            "certificates": partial(watch, self._config.broker),
            "streams": self._reception.watch_streams,
            "housekeeping": partial(self._once_opened, self._housekeeping.run),
            "status": partial(self._status.watch, self._forwarder.tell_status),
            "updates": self._updates.run,
        }
        if self._summaries is not None:
            parts["summaries"] = partial(self._once_opened, self._summaries.run)
        if self._watch is not None:
            parts["model watch"] = partial(self._once_opened, self._watch.run)
        if self._collector is not None:
            parts["Bluetooth"] = self._collector.run
        if self._usb is not None:
            parts["USB"] = self._usb.run
        if self._config.replay.socket is not None:
            parts["replay socket"] = ReplaySocket(
                self._config.replay.socket, self._reception.accept, self._reception.close_streams
            ).run
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, run in parts.items():
                    tasks.create_task(keep_running(name, self.progress.watched(name, run)), name=name)
                tasks.create_task(self.progress.watch(), name="progress")
                feeding = self.service_manager.keep_watchdog_fed(self.progress.until_well)
                tasks.create_task(feeding, name="watchdog")
                tasks.create_task(self._writer.failed(), name="writer")
                tasks.create_task(self._start_late(), name="start")
                sensors = len(self._enrolment.all)
                hub, site = self._config.hub.id, self._config.site.id
                _log.info("hub %s at site %s: ready, %d sensor(s)", hub, site, sensors)
                give_back_memory()
                self.service_manager.ready(f"collecting from {sensors} sensor(s)")
        finally:
            with suppress(TimeoutError):
                await within(_FAREWELL_SECONDS, self._reception.settled())
            with suppress(TimeoutError):
                await within(_FAREWELL_SECONDS, self._scans.noted())

    async def _once_opened(self, run: Callable[[], Awaitable[None]]) -> None:
        """Who reads the database beside the writer waits until the card has room for it."""
        progress.rest()
        await self._writer.opened.wait()
        await run()

    async def _start_late(self) -> None:
        await self._start.late(
            self._outbox.tell_waiting, self._household.look_again, self._enrolment.look_again
        )
        if self._reception.waiting == 0 and self._card_trouble is not None:
            self._card_has(None)

    async def _clock_was_set(self, _step: Step) -> None:
        await self._writer.write(self._follower.follow)

    def _card_has(self, trouble: str | None) -> None:
        self._card_trouble = trouble
        if trouble is None:
            self._beacon.card_took_all()
        self._forwarder.tell_status()

    async def _delivered(self, rows: Sequence[OutboxRow]) -> None:
        alerts = []
        # What was told from memory counts when it is sent from the card.
        for row in self._outbox.let_go(rows):
            if row.channel == Channel.ALERT and isinstance(row.event, str):
                event = json.loads(row.event)
                if event["type"] == event_type(Channel.ALERT, AlertChange.RAISED):
                    with suppress(LookupError, ValueError):  # as an earlier version of the hub had it
                        alerts.append(uuid.UUID(event["alert"]))
        if alerts:
            await self._writer.write(lambda transaction: self._commands.deliver(transaction, alerts, now()))
            for alert in alerts:
                with about(alert=alert):
                    _log.info("alert %s: delivered to the ICS", alert)

    async def _acknowledge(self, said: Acknowledgement, event: Event) -> Acknowledged:
        return await self._writer.write(
            lambda transaction: self._commands.acknowledge(
                transaction, said.alert, said.by, now(), "ics", said.note, event.time
            ),
            urgent=True,
        )

    async def _note_refused(self, words: str, alert: uuid.UUID | None, unnoted: int) -> None:
        entry = trail.acknowledgement_refused(Moment.present(), words, "ics", alert, unnoted)
        await self._writer.write(lambda transaction: transaction.audit(entry))
