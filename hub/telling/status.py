"""What the hub's retained status says, and when it is told anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from drivers.bluetooth.collector import BluetoothCollector, CollectorStatus
from drivers.usb.address import is_usb
from hub import __version__
from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.rhythm import RhythmModel
from hub.clock import MACHINE_CLOCK, now, stamp
from hub.configuration.file import Config
from hub.running import progress
from hub.running.patience import OneAtATime
from hub.sensors.enrolment import Enrolment
from hub.updates import keeper_notes as updates
from hub.uplink.cloudevents import Event
from hub.uplink.contract import Identity, status_event
from hub.uplink.forwarder import Presence
from hub.uplink.plain import (
    AdapterSaid,
    HealingSaid,
    InputsSaid,
    RadioSaid,
    ReleaseSaid,
    SensorInTrouble,
    UpdateSaid,
    UsbSaid,
)

if TYPE_CHECKING:
    from drivers.usb.collector import UsbCollector, UsbStatus
    from hub.shadow.watch import ModelWatch

MOST_SENSORS_IN_TROUBLE = 20
"""In one status, of Bluetooth and of USB each."""

_MOST_ADAPTERS = 8
_LONGEST_WORDS = 200
_LOOKS_EVERY_SECONDS = 5.0
_READ_WITHIN_SECONDS = 3.0


class HubStatus:
    """Words the status. `card_trouble` says what the card has, None when it is well."""

    def __init__(
        self,
        config: Config,
        model: DeteriorationModel | None,
        enrolment: Enrolment,
        collector: BluetoothCollector | None,
        card_trouble: Callable[[], str | None],
        usb: UsbCollector | None = None,
        rhythm_model: RhythmModel | None = None,
        watch: ModelWatch | None = None,
    ) -> None:
        self._identity = Identity(config.site.id, config.hub.id, config.site.test_data)
        self._model = model
        self._rhythm_model = rhythm_model
        self._watch = watch
        self._enrolment = enrolment
        self._collector = collector
        self._card_trouble = card_trouble
        self._usb = usb
        self._release = _release_said(updates.release())  # of this process: it does not change
        self._last_update = updates.last()
        self._reading = OneAtATime[updates.LastUpdate | None]()
        self._told: object = None

    def event(self, presence: Presence) -> Event:
        """The status of a hub that is present so."""
        stamped = stamp()
        details: dict[str, Any] = {
            "version": __version__,
            "model": _model_said(self._model),
            "rhythm_model": _model_said(self._rhythm_model),
            "sensors": len(self._enrolment.all),
            "residents": len(self._enrolment.register.watched),
            "card": self._card_trouble() or "well",
            "clock": {
                "quality": stamped.quality.value,
                "boot": str(stamped.boot),
                "steps": len(MACHINE_CLOCK.steps),
            },
        }
        if self._release is not None:
            details["release"] = self._release
        # Not in the last will, which was written long before, nor of a hub that stops.
        if presence is Presence.ONLINE:
            self._told = self._changing()
            if (radio := self.radio()) is not None:
                details["radio"] = radio
            if (usb := self.usb()) is not None:
                details["usb"] = usb
            if (inputs := self.inputs()) is not None:
                details["inputs"] = inputs
            if (update := self.update()) is not None:
                details["update"] = update
        return status_event(self._identity, presence.value, now(), details)

    async def watch(self, tell: Callable[[], None]) -> None:
        """Have it told anew (`tell`) when the radio, USB, the sensors, the model's recalibration or the last
        update are otherwise, until cancelled; once in a few seconds at the most."""
        while True:
            progress.turn()
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)
            with suppress(TimeoutError):  # a card that stalls gives no file either
                self._last_update = await self._reading.ask(updates.last, _READ_WITHIN_SECONDS)
            said = self._changing()
            if said != self._told:
                self._told = said
                tell()

    def radio(self) -> RadioSaid | None:
        """The radio as it is now; None where there is none."""
        return None if self._collector is None else radio_said(self._collector.status(), self._enrolment)

    def usb(self) -> UsbSaid | None:
        """USB as it is now; None where it is off."""
        return None if self._usb is None else usb_said(self._usb.status(), self._enrolment)

    def inputs(self) -> InputsSaid | None:
        """Whether what the model is given differs; None where it was not looked at, or cannot be told."""
        found = None if self._watch is None else self._watch.last
        if found is None or not found.inputs:
            return None
        return InputsSaid(differ=list(found.differing), changed=list(found.changed))

    def update(self) -> UpdateSaid | None:
        """What became of the last update, when it was last looked; None where there was none."""
        last = self._last_update
        if last is None:
            return None
        return UpdateSaid.model_validate(
            {
                "outcome": last.outcome,
                "from": _release_said(last.from_),
                "to": _release_said(last.to),
                "why": last.why or "not said",
                "at": last.at,
            }
        )

    def _changing(self) -> object:
        return (
            len(self._enrolment.all),
            self.radio(),
            self.usb(),
            self.inputs(),
            _model_said(self._model),
            self.update(),
        )


def _release_said(release: updates.Release | None) -> ReleaseSaid | None:
    return None if release is None else ReleaseSaid(version=release.version, build=release.build)


def _model_said(model: DeteriorationModel | RhythmModel | None) -> dict[str, str] | None:
    if model is None:
        return None
    said = {"name": model.name, "version": model.version, "sha256": model.sha256}
    if isinstance(model, DeteriorationModel):
        made = "none" if model.recalibration is None else "applied"
        said["recalibration"] = made if model.refused is None else "refused"
    return said


def radio_said(status: CollectorStatus, enrolment: Enrolment) -> RadioSaid:
    """What is told of the radio, bounded whatever it is."""
    listed, not_listed = _in_trouble(
        enrolment, ((each.address, each.trouble) for each in status.sensors), on_usb=False
    )
    healing = status.healing
    return RadioSaid(
        usable=status.usable,
        words=_short(status.radio),
        adapters=[
            AdapterSaid(
                name=_short(each.name),
                address=_short(each.address),
                powered=each.powered,
                in_use=each.in_use,
            )
            for each in status.adapters[:_MOST_ADAPTERS]
        ],
        healing=HealingSaid(
            ails=None if healing.ails is None else _short(healing.ails),
            remedy=None if healing.remedy is None else healing.remedy.name.lower().replace("_", " "),
            tried_at=healing.tried_at,
            outcome=None if healing.outcome is None else _short(healing.outcome),
            tried=healing.tried,
        ),
        sensors_in_trouble=listed,
        not_listed=not_listed,
    )


def usb_said(status: UsbStatus, enrolment: Enrolment) -> UsbSaid:
    """What is told of USB, bounded whatever it is."""
    listed, not_listed = _in_trouble(
        enrolment, ((each.address, each.trouble) for each in status.sensors), on_usb=True
    )
    return UsbSaid(
        usable=status.usable, words=_short(status.words), sensors_in_trouble=listed, not_listed=not_listed
    )


def _in_trouble(
    enrolment: Enrolment, collected: Iterable[tuple[str, str | None]], *, on_usb: bool
) -> tuple[list[SensorInTrouble], int]:
    """Those of which the enrolment or the collector says so, and how many more there are."""
    in_trouble = {
        each.sensor.address: each.trouble
        for each in enrolment.all
        if each.trouble is not None and is_usb(each.sensor.address) is on_usb
    }
    for address, trouble in collected:
        if trouble is not None:
            in_trouble.setdefault(address, trouble)
    listed = [SensorInTrouble(address=address, words=_short(why)) for address, why in in_trouble.items()]
    return listed[:MOST_SENSORS_IN_TROUBLE], max(0, len(listed) - MOST_SENSORS_IN_TROUBLE)


def _short(text: str) -> str:
    return text[:_LONGEST_WORDS] or "not known"
