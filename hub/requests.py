"""What the command line may ask of the running daemon over the control socket."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from hub import __version__, trail
from hub.alerts.beacon import Beacon
from hub.alerts.commands import Commands
from hub.assessment.deterioration import DeteriorationModel
from hub.attribution.scans import Scans
from hub.clock import now
from hub.control.control_socket import ControlError, Handler
from hub.control.local_socket import Peer
from hub.intake.manual import POSSIBLE, number_of, observation
from hub.intake.reception import Reception
from hub.readings import Breathing, Consciousness
from hub.running.progress import Progress
from hub.sensors.requests import SensorRequests
from hub.store.writer import Writer
from hub.trail import Moment
from hub.uplink.forwarder import Forwarder
from hub.uplink.plain import RadioSaid, UsbSaid

Request = Mapping[str, object]

COMMITTED = "commit proved"
"""The fact that `commit` notes: when that was."""


class Requests:
    """The commands that the daemon answers, by name in `handlers`."""

    def __init__(
        self,
        writer: Writer,
        reception: Reception,
        commands: Commands,
        forwarder: Forwarder,
        sensors: SensorRequests,
        radio: Callable[[], RadioSaid | None],
        model: DeteriorationModel | None,
        card_trouble: Callable[[], str | None],
        usb: Callable[[], UsbSaid | None] = lambda: None,
        scans: Scans | None = None,
        beacon: Beacon | None = None,
        progress: Progress | None = None,
        more: Mapping[str, Handler] | None = None,
    ) -> None:
        """Answer with these parts.

        Args:
            sensors: answers what is asked of sensors.
            radio: how it is; None where there is none.
            card_trouble: what the card has ("full", "read-only", "failing", "stalled"); None when it is well.
            scans: knows whose rounds are open; None where nothing can be scanned.
            usb: how it is; None where it is off.
            progress: whether each stage gets on; without, there is none.
            more: commands of other rooms: of residents, rounds, staff.
        """
        self._writer = writer
        self._reception = reception
        self._commands = commands
        self._forwarder = forwarder
        self._sensors = sensors
        self._radio = radio
        self._model = model
        self._card_trouble = card_trouble
        self._scans = scans
        self._usb = usb
        self._beacon = beacon
        self._progress = progress or Progress()
        self.handlers: Mapping[str, Handler] = {
            "observe": self.observe,
            "acknowledge": self.acknowledge,
            "status": self.status,
            "progress": self.progress,
            "prove": self.prove,
            "commit": self.commit,
            **sensors.handlers,
            **({} if beacon is None else beacon.handlers),
            **(more or {}),
        }

    async def note_access(self, command: str, peer: Peer) -> None:
        """Note in the trail who asks for what, before it is done."""
        entry = trail.access(Moment.present(), command, peer)
        if entry is not None:
            await self._writer.write(lambda transaction: transaction.audit(entry), urgent=True)

    async def observe(self, request: Request) -> Mapping[str, object]:
        """Commit what a person saw of a resident.

        Raises:
            CareportError: no such resident, or the observation cannot be.
        """
        consciousness, breathing = _text(request, "consciousness"), _text(request, "breathing")
        by = _text(request, "by") or "unnamed"
        numbers = {
            vital.value: number_of(vital, said) for vital in POSSIBLE if (said := _text(request, vital.value))
        }
        try:
            reading = observation(
                by,
                now(),
                consciousness=Consciousness(consciousness) if consciousness else None,
                breathing=Breathing(breathing) if breathing else None,
                **numbers,
            )
        except ValueError as error:
            raise ControlError(f"observe: {error}") from error
        taken = await self._reception.accept_reading(reading, _text(request, "resident") or "", by)
        return {"reading": str(reading.id), "outcome": taken.outcome, "words": f"kept. {taken.words}"}

    async def acknowledge(self, request: Request) -> Mapping[str, object]:
        """Record who in the home has taken an alert.

        Raises:
            CareportError: no such alert, or nobody is named.
        """
        named = _text(request, "alert") or ""
        try:
            alert = uuid.UUID(named)
        except ValueError as error:
            raise ControlError(f"acknowledge: {named!r} is no alert's id") from error
        by, note = _text(request, "by") or "", _text(request, "note")
        done = await self._writer.write(
            lambda transaction: self._commands.acknowledge(transaction, alert, by, now(), "hub", note),
            urgent=True,
        )
        return {"words": done.words, "accepted": done.accepted}

    async def status(self, _request: Request) -> Mapping[str, object]:
        """How the daemon's parts are, in words and for machines."""
        link = self._forwarder.status()
        radio, usb = self._radio(), self._usb()
        return {
            "version": __version__,
            "broker": {
                "connected": link.connected,
                "since": link.since.isoformat(),
                "words": link.in_words,
                "last_error": link.last_error,
                "nobody_listens": link.nobody_listens,
                "unsubscribed": link.unsubscribed,
                "status_refused": link.status_refused,
            },
            "card": self._card_trouble() or "well",
            "alerts_in_memory": [] if self._beacon is None else self._beacon.in_memory,
            "radio": None if radio is None else radio.data(),
            "usb": None if usb is None else usb.data(),
            "plugged_in": self._sensors.plugged_in(),
            "sensors": (await self._sensors.sensors({}))["sensors"],
            "model": f"{self._model.name} {self._model.version}" if self._model else None,
            "rounds": None if self._scans is None else self._scans.data(),
            "beacon": None if self._beacon is None else self._beacon.data(),
            "progress": self._progress.data(),
        }

    async def progress(self, _request: Request) -> Mapping[str, object]:
        """Whether each stage gets on, as `status` says it: quickly answered, also where something hangs."""
        return self._progress.data()

    async def prove(self, _request: Request) -> Mapping[str, object]:
        """Publish the hub's status anew, and say what the broker answered (`hub/uplink/proving.py`)."""
        return (await self._forwarder.prove()).data()

    async def commit(self, _request: Request) -> Mapping[str, object]:
        """Commit something to the database, as a release has to that must prove itself.

        Raises:
            CareportError: the card does not take it.
        """
        at = now().isoformat()
        await self._writer.write(lambda transaction: transaction.set_fact(COMMITTED, at), urgent=True)
        return {"committed": at}


def _text(request: Request, key: str) -> str | None:
    value = request.get(key)
    return None if value is None else str(value)
