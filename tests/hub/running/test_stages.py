"""Each stage of a whole hub: a hang that is planted in it is seen and named; a hub that only waits is well.

Time is not waited for: the account is told that many seconds have gone by between two looks, in which the
real hub had one to turn in.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.bluetooth.patience import Patience
from drivers.bluetooth.scanning import Scanning
from drivers.usb.bus import UsbError
from drivers.usb.collector import UsbCollector
from drivers.virtual.usb import VirtualUsb
from drivers.virtual.ward import DETERIORATING
from hub.alerts import beacon, ladders
from hub.alerts.acknowledgements import Acknowledgements
from hub.clock import now
from hub.configuration.file import load
from hub.control.control_socket import ControlServer
from hub.daemon import Hub, running
from hub.intake import reception
from hub.intake.reception import Reception
from hub.running import housekeeping, probes
from hub.running.progress import PATIENCE
from hub.shadow import watch as model_watch
from hub.shadow.watch import ModelWatch
from hub.telling import status, summaries
from hub.telling.summaries import Summaries
from hub.timekeeping.watch import Timekeeper
from hub.updates import requests as update_requests
from hub.uplink import forwarder
from hub.uplink.cloudevents import to_json
from hub.uplink.contract import acknowledgement_event
from hub.uplink.unkept import WithUnkept
from tests.rigs.broker import Ics, Mosquitto, until
from tests.rigs.house import oximeter, write_configuration
from tests.rigs.small_card import small_card
from tests.rigs.stalling_card import stalling_card

_FURTHER = """
[beacon]
output = "file"
write_to = "{directory}/lamp"
"""
_USB = '[usb]\nports = "virtual"\nscenario = "{directory}/plugged_in.toml"\n'
_SCENARIO = """
title = "A reader that nobody has enrolled"
[devices.reader]
kind = "wristband_reader"
usb = "0c2e:0b61"
port = "platform-virtual-usb-0:1.3"
[[events]]
at = 0
device = "reader"
do = "plug in"
"""
_STEP = PATIENCE * 0.4  # three of these are more than patience, and in each there is time to turn
_TURN_SECONDS = 0.4


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(autouse=True)
def turns_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is changed but how often it is looked."""
    for module, name in (
        (ladders, "_SECONDS"),
        (reception, "_LOOKS_EVERY_SECONDS"),
        (status, "_LOOKS_EVERY_SECONDS"),
        (summaries, "_LOOKS_EVERY_SECONDS"),
        (housekeeping, "_EVERY_SECONDS"),
        (model_watch, "_EVERY_SECONDS"),
        (probes, "_EVERY_SECONDS"),
        (update_requests, "_LOOKS_EVERY_SECONDS"),
        (beacon, "_AGAIN_SECONDS"),
        (forwarder, "_LOOKS_AT_LEAST_EVERY"),
    ):
        monkeypatch.setattr(module, name, 0.1)
    defaults = Timekeeper.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "every", timedelta(seconds=0.1))


@asynccontextmanager
async def a_hub(directory: Path, port: int, *, radio: bool = True) -> AsyncIterator[Hub]:
    """A hub that runs, with a radio, sockets and a beacon of software; its own looks are the test's."""
    (directory / "lamp").touch()
    (directory / "plugged_in.toml").write_text(_SCENARIO)
    further, usb = (each.format(directory=directory) for each in (_FURTHER, _USB))
    path = write_configuration(directory, further, port=port, model="", usb=usb)
    virtual = f'radio = "virtual"\nscenario = "{DETERIORATING}"'
    if radio:
        path.write_text(path.read_text().replace('radio = "off"', virtual))
    async with running(load(path)) as hub:
        if hub._collector is not None:
            hub._collector._scanning._patience = Patience(watch=0.1)
        hub.progress.watch = asyncio.Event().wait  # type: ignore[assignment,method-assign]
        task = asyncio.create_task(hub.run())
        await until(lambda: {"USB", "beacon", "clock", "delivery settled"} <= stages(hub).keys())
        try:
            yield hub
        finally:
            task.cancel()
            await asyncio.wait([task])


def stages(hub: Hub) -> dict[str, dict[str, object]]:
    named = hub.progress.data()["stages"]
    assert isinstance(named, dict)
    return named


async def until_at_work(hub: Hub, name: str) -> None:
    """Wait until a stage has begun and gets on."""
    await until(lambda: stages(hub).get(name, {}).get("words") == "it gets on")


async def hanging(hub: Hub, looks: int = 4, seconds: float = _STEP) -> set[str]:
    """What hangs after so many looks, so many seconds after one another."""
    hub.progress.look(0.0)
    for _ in range(looks):
        await asyncio.sleep(_TURN_SECONDS)
        hub.progress.look(seconds)
    return {name for name, said in stages(hub).items() if not said["well"]}


async def for_ever(*_arguments: object, **_named: object) -> None:
    await asyncio.Event().wait()


# --- where nothing hangs


async def test_a_hub_that_has_nothing_to_do_is_well(tmp_path: Path, broker: Mosquitto) -> None:
    async with a_hub(tmp_path, broker.port) as hub:
        await until(lambda: hub._forwarder.status().connected)
        assert await hanging(hub, 8) == set()
        ask = hub._requests.handlers
        assert (await ask["status"]({}))["progress"] == await ask["progress"]({}) == hub.progress.data()
        assert all(said["turned"] for said in stages(hub).values()), stages(hub)
        at_work = {name for name, said in stages(hub).items() if said["words"] == "it gets on"}
        assert at_work >= {
            "store", "control socket, asked", "forwarder", "escalation", "clock", "streams", "beacon",
            "status", "housekeeping", "summaries", "model watch", "Bluetooth",
        }  # fmt: skip


async def test_a_hub_whose_broker_is_away_is_well(tmp_path: Path) -> None:
    async with a_hub(tmp_path, 1, radio=False) as hub:
        await hub._reception.accept(oximeter(97, now()).raw)
        assert await hanging(hub, 8) == set()


async def test_a_hub_whose_card_is_full_is_well_though_readings_wait(
    tmp_path: Path, broker: Mosquitto
) -> None:
    """A restart would mend no card, and would lose what waits in memory."""
    with small_card(tmp_path, 8) as card:
        (tmp_path / "data").symlink_to(card.root)
        async with a_hub(tmp_path, broker.port, radio=False) as hub:
            card.fill()
            hub._writer.reserve.give_up()
            card.fill()
            for saturation in (97, 98, 99):
                await hub._reception.accept_from_radio(oximeter(saturation, now()).raw)
            await until(lambda: hub._reception.waiting >= 3)
            assert await hanging(hub, 8) == set()


async def test_a_hub_whose_card_stalls_is_well_for_minutes_and_not_for_ever(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart would lose what is told from memory; and after minutes nothing else is left."""
    with Ics(broker) as ics:
        async with a_hub(tmp_path, broker.port, radio=False) as hub:
            await until(lambda: hub._forwarder.status().connected)
            with stalling_card(hub._writer, monkeypatch) as card:
                card.stall()
                arriving = asyncio.ensure_future(hub._reception.accept(oximeter(80, now()).raw))
                await until(lambda: ics.on("alert"))
                assert ics.on("alert")[0].user_properties["committed"] == "false"
                ask = hub._requests.handlers["status"]
                assert (await ask({}))["card"] == "stalled"
                assert await hanging(hub, 2, 140.0) == set()
                assert await hanging(hub, 1, 30.0) == {"the card"}
                card.come_back()
                await arriving
                await until(lambda: hub._card_trouble is None)
                assert await hanging(hub, 1, 1.0) == set()


# --- where something does


async def test_a_store_that_hangs_is_named(tmp_path: Path, broker: Mosquitto) -> None:
    released = threading.Event()
    async with a_hub(tmp_path, broker.port) as hub:
        waiting = asyncio.ensure_future(hub._writer.write(lambda _transaction: released.wait(30)))
        await asyncio.sleep(0.3)
        arriving = asyncio.ensure_future(hub._reception.accept(oximeter(97, now()).raw))
        try:
            assert {"store", "escalation", "reception"} <= await hanging(hub)
        finally:
            released.set()
            await asyncio.wait([waiting, arriving])
        assert await hanging(hub, 1) == set()
        assert hub.progress.data()["well"] is True, "what got on again is pardoned"


_LOOPS: dict[str, tuple[object, str, object]] = {
    "escalation": (ladders, "_SECONDS", 3600.0),
    "streams": (reception, "_LOOKS_EVERY_SECONDS", 3600.0),
    "status": (status, "_LOOKS_EVERY_SECONDS", 3600.0),
    "beacon": (beacon.Beacon, "_wait", for_ever),
    "clock": (Timekeeper, "hand_on", for_ever),
    "control socket, asked": (ControlServer, "_answer", for_ever),
    "forwarder": (WithUnkept, "waiting", for_ever),
}


async def test_each_loop_that_hangs_is_named_and_no_other(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_hub(tmp_path, broker.port) as hub:
        await until(lambda: hub._forwarder.status().connected)
        planted = set[str]()
        for stage, (place, name, hang) in _LOOPS.items():
            monkeypatch.setattr(place, name, hang)
            planted.add(stage)
            await asyncio.sleep(0.3)
            assert await hanging(hub) == planted


_WITH_TIME: dict[str, tuple[object, str, float]] = {
    "Bluetooth": (Scanning, "run", 60.0),
    "housekeeping": (housekeeping.Housekeeping, "turn", 600.0),
    "summaries": (Summaries, "tell_if_due", 600.0),
    "updates": (update_requests.UpdateRequests, "_tell_end", 300.0),
    "model watch": (ModelWatch, "take_recalibration", 900.0),
}


async def test_what_may_take_its_time_has_it_and_no_more(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, name, _ in _WITH_TIME.values():
        monkeypatch.setattr(place, name, for_ever)
    async with a_hub(tmp_path, broker.port) as hub:
        await until(lambda: all(stages(hub)[each]["words"] == "it gets on" for each in _WITH_TIME))
        await hanging(hub, 1, 0.0)
        passed = 0.0
        for least in sorted({seconds for _, _, seconds in _WITH_TIME.values()}):
            hub.progress.look(least - 1 - passed)
            assert all(stages(hub)[name]["well"] for name, (_, _, has) in _WITH_TIME.items() if has >= least)
            hub.progress.look(2)
            passed = least + 1
            assert not any(
                stages(hub)[name]["well"] for name, (_, _, has) in _WITH_TIME.items() if has <= least
            )


async def test_a_queue_that_is_not_emptied_is_named(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_hub(tmp_path, broker.port) as hub:
        for collector in (hub._collector, hub._usb):
            assert collector is not None
            monkeypatch.setattr(collector.handing_over, "_deliver", for_ever)
            collector.handing_over.receive(oximeter(97, now()).raw)
        assert await hanging(hub) == {"Bluetooth, handing over", "USB, handing over"}


async def test_a_reception_that_hangs_is_named(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reception, "_commit", for_ever)
    async with a_hub(tmp_path, broker.port, radio=False) as hub:
        await hub._reception.accept_from_radio(oximeter(97, now()).raw)
        assert await hanging(hub) == {"reception"}


async def test_usb_that_cannot_let_go_of_what_was_plugged_in_is_named(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changes(_bus: VirtualUsb) -> object:
        raise UsbError("udev cannot be listened to")

    monkeypatch.setattr(VirtualUsb, "changes", changes)
    monkeypatch.setattr(UsbCollector, "_leave_all", for_ever)
    async with a_hub(tmp_path, broker.port, radio=False) as hub:
        assert await hanging(hub) == {"USB"}


async def test_what_the_broker_answered_and_is_not_settled_is_named(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WithUnkept, "delivered", for_ever)
    with Ics(broker) as ics:
        async with a_hub(tmp_path, broker.port, radio=False) as hub:
            await hub._reception.accept(oximeter(97, now()).raw)
            await until(lambda: ics.on("observation"))
            await until_at_work(hub, "delivery settled")
            assert await hanging(hub) == {"delivery settled"}


async def test_an_acknowledgement_that_is_not_taken_is_named(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Acknowledgements, "take", for_ever)
    with Ics(broker) as ics:
        async with a_hub(tmp_path, broker.port, radio=False) as hub:
            await until(lambda: hub._forwarder.status().connected)
            event = acknowledgement_event("uk.example.ics", uuid.uuid4(), "desk", now(), "on my way")
            ics.publish(
                hub._identity.topic("ack"), to_json(event), ContentType="application/cloudevents+json"
            )
            await until_at_work(hub, "acknowledgements")
            assert await hanging(hub) == {"acknowledgements"}
