"""The retained status: what it says of the radio and of USB, bounded; told anew when that changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from drivers.bluetooth.collector import BluetoothCollector, CollectorStatus, HealingStatus, SensorStatus
from drivers.bluetooth.radio import Adapter, Remedy
from drivers.usb.collector import UsbCollector, UsbSensorStatus, UsbStatus
from drivers.virtual.radio import VirtualRadio
from hub.assessment.deterioration import DeteriorationModel
from hub.assessment.recalibration import Recalibration
from hub.configuration.file import Sensor, load
from hub.readings import RawPayload
from hub.sensors.enrolment import Enrolment
from hub.store.database import FILE_NAME
from hub.store.writer import Writer
from hub.telling.status import MOST_SENSORS_IN_TROUBLE, HubStatus, radio_said, usb_said
from hub.uplink.cloudevents import LARGEST_EVENT, Event, to_json
from hub.uplink.forwarder import Presence
from tests.rigs.broker import until
from tests.rigs.contract import data_validator, event_faults, spoilt
from tests.rigs.house import CUFF, write_configuration
from tests.rigs.plugging import plugging

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEW = "C4:F2:17:00:00:77"


@asynccontextmanager
async def home(directory: Path) -> AsyncIterator[Enrolment]:
    config = load(write_configuration(directory))
    async with Writer(config.hub.data_directory / FILE_NAME, reserve_bytes=0) as writer:
        yield await Enrolment.load(config, writer)


def status_of(enrolment: Enrolment, collector: BluetoothCollector | None) -> HubStatus:
    return HubStatus(enrolment.configuration, None, enrolment, collector, lambda: None)


def troubled(number: int, words: str | None = "does not answer") -> SensorStatus:
    return SensorStatus(f"C4:F2:17:00:01:{number:02X}", "thermometer", False, None, None, words)


def collected(*sensors: SensorStatus, **what: Any) -> CollectorStatus:
    return CollectorStatus(
        **{
            "radio": "scanning for 5 sensor(s)",
            "usable": True,
            "sensors": sensors,
            "waiting": 0,
            "lost": 0,
            "adapters": (Adapter("hci0", "00:11:22:33:44:55", powered=True, in_use=True),),
            "healing": HealingStatus(),
            **what,
        }
    )


@dataclass
class Collecting:
    """What a collector says of itself at the moment."""

    now: CollectorStatus | UsbStatus

    def status(self) -> CollectorStatus | UsbStatus:
        return self.now


def collecting(status: CollectorStatus) -> tuple[Collecting, BluetoothCollector]:
    played = Collecting(status)
    return played, cast(BluetoothCollector, played)


HEALED = HealingStatus(None, Remedy.POWER_CYCLE, NOON, "hci0 was switched off and on", 3)
FAILING = HealingStatus("nothing was heard", Remedy.RESTART_BLUETOOTHD, NOON, None, 4)


async def test_a_radio_and_its_troubles_are_told_as_the_contract_says(tmp_path: Path) -> None:
    async with home(tmp_path) as enrolment:
        for status in (
            collected(),
            collected(troubled(1), troubled(2, None), healing=HEALED),
            collected(usable=False, radio="", adapters=(), healing=FAILING),
        ):
            _, collector = collecting(status)
            event = status_of(enrolment, collector).event(Presence.ONLINE)
            assert event_faults(event) == []
            data = json.loads(to_json(event))["data"]
            assert len(data["radio"]["sensors_in_trouble"]) == sum(
                s.trouble is not None for s in status.sensors
            )
            faults = [(what, wrong) for what, wrong in spoilt(data) if "radio" in what]
            assert faults
            for what, wrong in faults:
                assert not data_validator(event.type).is_valid(wrong), what


async def test_neither_a_last_will_nor_a_hub_that_stops_says_how_a_radio_is(tmp_path: Path) -> None:
    async with home(tmp_path) as enrolment:
        _, collector = collecting(collected())
        for presence in (Presence.LOST, Presence.OFFLINE):
            assert "radio" not in status_of(enrolment, collector).event(presence).data
        assert "radio" not in status_of(enrolment, None).event(Presence.ONLINE).data


async def test_however_many_are_in_trouble_and_however_long_the_words_an_event_stays_small(
    tmp_path: Path,
) -> None:
    async with home(tmp_path) as enrolment:
        adapters = tuple(Adapter(f"hci{number}", "x" * 5000, powered=True) for number in range(100))
        status = collected(
            *(troubled(n, "\u20ac" * 5000) for n in range(200)), radio="y" * 9000, adapters=adapters
        )
        _, collector = collecting(status)
        event = status_of(enrolment, collector).event(Presence.ONLINE)
        assert event_faults(event) == []
        said = radio_said(status, enrolment)
        assert len(said.sensors_in_trouble) == MOST_SENSORS_IN_TROUBLE
        assert said.not_listed == 200 - MOST_SENSORS_IN_TROUBLE
        assert len(to_json(event).encode()) < LARGEST_EVENT // 2


async def test_one_of_which_the_enrolment_says_that_it_is_nobodys_is_in_trouble_too(tmp_path: Path) -> None:
    async with home(tmp_path) as enrolment:
        await enrolment.add(Sensor(address=NEW, driver="thermometer", resident="R-0077"), "Sam")
        config = enrolment.configuration
        fewer = config.model_copy(update={"residents": config.residents[:1], "sensors": config.sensors[:1]})
        left = await Enrolment.load(fewer, enrolment._writer)
        (said,) = radio_said(collected(), left).sensors_in_trouble
        assert said.address == NEW
        assert "nobody's" in said.words


# --- USB

PLUGGED = "USB:0403:6001:A9XK2P7Q"


def on_usb(
    *troubles: str | None, usable: bool = True, words: str = "listening to what is plugged in"
) -> UsbStatus:
    sensors = tuple(
        UsbSensorStatus(f"USB:0403:6001:SERIAL{number}", True, True, "/dev/ttyUSB0", None, None, each, 0, 0)
        for number, each in enumerate(troubles)
    )
    return UsbStatus(words, usable, sensors, 0, 0)


def told_of_usb(enrolment: Enrolment, status: UsbStatus) -> Event:
    usb = cast(UsbCollector, Collecting(status))
    return HubStatus(enrolment.configuration, None, enrolment, None, lambda: None, usb).event(Presence.ONLINE)


async def test_usb_and_its_troubles_are_told_as_the_contract_says(tmp_path: Path) -> None:
    async with home(tmp_path) as enrolment:
        for status, in_trouble in (
            (on_usb(), 0),
            (on_usb("permission denied", None, "no frames"), 2),
            (on_usb(usable=False, words=""), 0),
        ):
            event = told_of_usb(enrolment, status)
            assert event_faults(event) == []
            data = json.loads(to_json(event))["data"]
            assert "radio" not in data
            assert (data["usb"]["usable"], len(data["usb"]["sensors_in_trouble"])) == (
                status.usable,
                in_trouble,
            )
            faults = [(what, wrong) for what, wrong in spoilt(data) if "usb" in what]
            assert faults
            for what, wrong in faults:
                assert not data_validator(event.type).is_valid(wrong), what


async def test_usb_that_is_off_is_not_told_of_nor_by_a_hub_that_stops(tmp_path: Path) -> None:
    async with home(tmp_path) as enrolment:
        assert "usb" not in status_of(enrolment, None).event(Presence.ONLINE).data
        usb = cast(UsbCollector, Collecting(on_usb()))
        told = HubStatus(enrolment.configuration, None, enrolment, None, lambda: None, usb)
        for presence in (Presence.LOST, Presence.OFFLINE):
            assert "usb" not in told.event(presence).data


async def test_what_is_told_of_usb_is_bounded_as_well(tmp_path: Path) -> None:
    async with home(tmp_path) as enrolment:
        status = on_usb(*["\u20ac" * 5000] * 200, words="y" * 9000)
        event = told_of_usb(enrolment, status)
        assert event_faults(event) == []
        said = usb_said(status, enrolment)
        assert len(said.sensors_in_trouble) == MOST_SENSORS_IN_TROUBLE
        assert said.not_listed == 200 - MOST_SENSORS_IN_TROUBLE
        assert len(to_json(event).encode()) < LARGEST_EVENT // 2


async def test_one_that_is_nobodys_is_told_of_by_what_it_is_on_and_once(tmp_path: Path) -> None:
    async with home(tmp_path) as enrolment:
        await enrolment.add(Sensor(address=NEW, driver="thermometer", resident="R-0077"), "Sam")
        await enrolment.add(Sensor(address=PLUGGED, driver="nonin_serial", resident="R-0077"), "Sam")
        config = enrolment.configuration
        fewer = config.model_copy(update={"residents": config.residents[:1], "sensors": config.sensors[:1]})
        left = await Enrolment.load(fewer, enrolment._writer)
        assert [each.address for each in radio_said(collected(), left).sensors_in_trouble] == [NEW]
        assert [each.address for each in usb_said(on_usb(), left).sensors_in_trouble] == [PLUGGED]


async def test_a_real_collector_of_usb_is_told_of(tmp_path: Path) -> None:
    async with home(tmp_path) as enrolment, plugging() as plugged:
        told = HubStatus(enrolment.configuration, None, enrolment, None, lambda: None, plugged.collector)
        said = told.usb()
        assert said is not None
        assert (said.usable, said.words, said.sensors_in_trouble) == (
            True,
            "listening to what is plugged in",
            [],
        )


# --- told anew


async def test_it_is_told_anew_when_something_has_changed_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.telling.status._LOOKS_EVERY_SECONDS", 0.0)
    async with home(tmp_path) as enrolment:
        played, collector = collecting(collected())
        on_ports = Collecting(on_usb())
        usb = cast(UsbCollector, on_ports)
        status = HubStatus(enrolment.configuration, None, enrolment, collector, lambda: None, usb)
        told: list[Event] = []

        def tell() -> None:
            told.append(status.event(Presence.ONLINE))

        tell()
        watching = asyncio.ensure_future(status.watch(tell))
        for change in (
            collected(troubled(1)),
            collected(usable=False, radio="bluetoothd is not running"),
            collected(healing=HEALED),
        ):
            before = len(told)
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(told) == before, "nothing has changed"
            played.now = change
            await until(lambda before=before: len(told) > before)  # type: ignore[misc]  # mypy: a default
            assert len(told) == before + 1
        before = len(told)
        on_ports.now = on_usb("permission denied")
        await until(lambda: len(told) > before)
        before = len(told)
        await enrolment.add(Sensor(address=NEW, driver="thermometer"), "Sam")
        await until(lambda: len(told) > before)
        assert told[-1].data["sensors"] == told[0].data["sensors"] + 1
        watching.cancel()


async def test_a_real_collector_is_told_of(tmp_path: Path) -> None:
    async def deliver(_payload: RawPayload) -> None:
        pass

    async with home(tmp_path) as enrolment, VirtualRadio.open() as radio:
        collector = BluetoothCollector(enrolment.to_collect, radio, deliver)
        running = asyncio.ensure_future(collector.run())
        await until(lambda: collector.status().usable)
        said = status_of(enrolment, collector).radio()
        assert said is not None
        assert (said.usable, said.sensors_in_trouble) == (True, [])
        assert CUFF in [sensor.address for sensor in collector.status().sensors]
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize(
    ("recalibration", "refused", "said"),
    [(None, None, "none"), (object(), None, "applied"), (None, "is of another model", "refused")],
)
async def test_what_became_of_a_recalibration_is_told_with_the_model(
    tmp_path: Path, recalibration: Recalibration | None, refused: str | None, said: str
) -> None:
    model = DeteriorationModel.configured(None)
    async with home(tmp_path) as enrolment:
        told = HubStatus(enrolment.configuration, model, enrolment, None, lambda: None)
        before = told._changing()
        model.recalibration, model.refused = recalibration, refused
        assert (told._changing() != before) == (said != "none"), "it is told anew"
        (model_said, rhythm_said) = (
            told.event(Presence.ONLINE).data[key] for key in ("model", "rhythm_model")
        )
    assert model_said["recalibration"] == said
    assert rhythm_said is None
