"""Which adapter collects, what is said when none can, and that one that is lost gives way to another."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from drivers.bluetooth.adapters import choose
from drivers.bluetooth.bluez import Adapter, BlueZRadio, bluez_state
from tests.rigs.collecting import CUFF, collecting, until
from tests.rigs.fake_bluez import FakeBlueZ, FakeSensor
from tests.rigs.using import using

ADDRESS = "C4:F2:17:00:00:01"
HCI0, HCI1 = "00:1A:7D:DA:71:13", "00:1A:7D:DA:71:14"

names = some.sampled_from(["hci0", "hci1", "hci2", "hci10"])
adapters = some.lists(
    some.builds(Adapter, names, some.sampled_from([HCI0, HCI1]), some.booleans()),
    unique_by=lambda each: each.name,
)


@given(adapters, some.none() | names, some.none() | names, some.frozensets(names))
def test_an_adapter_is_chosen_if_and_only_if_one_is_powered(
    there: list[Adapter], wanted: str | None, in_use: str | None, given_up: frozenset[str]
) -> None:
    chosen = choose(there, wanted, in_use, given_up)
    powered = {each.name for each in there if each.powered}
    assert (chosen is not None) == bool(powered)
    if chosen is None:
        return
    assert chosen.name in powered
    assert chosen.name not in given_up or powered <= given_up
    for first, then in ((wanted, in_use), (in_use, None)):
        if first in powered - given_up and (first == wanted or wanted not in powered - given_up):
            assert chosen.name == first, (first, then)


async def test_the_state_of_bluez_is_told_in_words(system_bus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "bluetoothd is not running" in str((await bluez_state()).problem)
    bluez = FakeBlueZ()
    await bluez.start(adapter=False)
    assert "no Bluetooth adapter" in str((await bluez_state()).problem)
    bluez.stop()
    await bluez.start(powered=False)
    assert "switched off" in str((await bluez_state()).problem)
    bluez.set_powered(True)
    state = await bluez_state()
    assert state.problem is None
    assert state.adapters == (Adapter("hci0", HCI0, powered=True),)
    assert "no Bluetooth adapter hci1, only hci0" in str((await bluez_state("hci1")).problem)
    assert (await bluez_state(HCI0.lower())).problem is None
    monkeypatch.setattr("drivers.bluetooth.bus.ANSWER_SECONDS", 0.1)
    bluez.hung = True
    assert "bluetoothd does not answer" in str((await bluez_state()).problem)
    bluez.stop()


async def test_the_adapters_are_listed_with_the_one_in_use(system_bus: str) -> None:
    radio = BlueZRadio("hci1")
    async with FakeBlueZ() as bluez:
        assert await radio.adapters() == (Adapter("hci0", HCI0, powered=True),)
        bluez.add_adapter("hci10", powered=False)
        bluez.add_adapter("hci1")
        async with using(radio):
            assert [(each.name, each.in_use) for each in await radio.adapters()] == [
                ("hci0", False),
                ("hci1", True),
                ("hci10", False),
            ]
            assert bluez.discovers("hci1")
            assert not bluez.discovers("hci0")
    assert await radio.adapters() == ()


async def test_an_adapter_that_is_wanted_by_its_address_is_used_whatever_its_name(system_bus: str) -> None:
    async with FakeBlueZ() as bluez:
        bluez.add_adapter("hci1")
        async with using(BlueZRadio(HCI1)):
            assert bluez.discovers("hci1")


async def test_an_adapter_that_is_lost_gives_way_to_another_and_its_sensors_are_collected_from(
    system_bus: str, caplog: pytest.LogCaptureFixture
) -> None:
    cuff = FakeSensor(ADDRESS)
    async with FakeBlueZ(cuff) as bluez, collecting(BlueZRadio(), (ADDRESS, CUFF)) as collected:
        bluez.add_adapter("hci1")
        await until(lambda: bluez.discovers("hci0"))
        bluez.remove_adapter("hci0")
        await until(lambda: bluez.discovers("hci1"))
        bluez.tell(cuff, b"\x04")
        await collected.until_received(1)
    assert "hci1 collects instead of hci0; what was bonded with that must be bonded anew" in caplog.text


async def test_an_adapter_in_use_is_kept_when_another_comes_or_goes(system_bus: str) -> None:
    async with FakeBlueZ() as bluez:
        bluez.remove_adapter("hci0")
        bluez.add_adapter("hci1")
        async with using(BlueZRadio(look_seconds=0.02)) as use:
            bluez.add_adapter("hci0")
            await asyncio.sleep(0.1)
            bluez.set_powered(False, "hci0")
            bluez.remove_adapter("hci0")
            await asyncio.sleep(0.1)
            assert not use.lost.done()
            bluez.set_powered(False, "hci1")
            assert "hci1" in await use.lost


async def test_the_adapter_that_is_wanted_takes_over_again_when_it_is_back(system_bus: str) -> None:
    radio = BlueZRadio("hci1", look_seconds=0.02)
    async with FakeBlueZ() as bluez:
        async with using(radio) as use:
            assert bluez.discovers("hci0")
            bluez.add_adapter("hci1")
            assert await use.lost == "hci1 is to collect instead of hci0"
        async with using(radio):
            assert bluez.discovers("hci1")


async def test_an_adapter_that_is_plugged_in_while_there_was_none_collects(system_bus: str) -> None:
    cuff, bluez = FakeSensor(ADDRESS), FakeBlueZ()
    bluez.sensors = (cuff,)
    await bluez.start(adapter=False)
    async with collecting(BlueZRadio(), (ADDRESS, CUFF)) as collected:
        await until(lambda: "no Bluetooth adapter" in collected.collector.status().radio)
        bluez.add_adapter("hci0", powered=False)
        await until(lambda: "hci0 is switched off" in collected.collector.status().radio)
        bluez.set_powered(True)
        await until(lambda: bluez.discovering)
        bluez.tell(cuff, b"\x04")
        await collected.until_received(1)
    bluez.stop()


async def test_a_bond_stays_with_the_adapter_that_made_it_and_forgetting_removes_all(system_bus: str) -> None:
    cuff = FakeSensor(ADDRESS, hangs_up=False)
    cuff.payloads.append(b"\x04")
    radio = BlueZRadio()
    async with FakeBlueZ(cuff) as bluez:
        bluez.add_adapter("hci1")
        async with using(radio) as use, use.connected(ADDRESS, bond=True):
            assert await radio.is_bonded(ADDRESS)
        bluez.set_powered(False, "hci0")
        async with using(radio) as use:
            assert not await radio.is_bonded(ADDRESS)
            async with use.connected(ADDRESS, bond=True):
                assert await radio.is_bonded(ADDRESS)
        assert bluez.properties(cuff, "hci0")["Paired"]
        await radio.forget(ADDRESS)
        assert not bluez.properties(cuff, "hci0")
        assert not bluez.properties(cuff, "hci1")


async def test_a_bluetoothd_that_ended_is_started_again_by_the_bus(
    system_bus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = tmp_path / "bus.services"
    services.mkdir()
    (services / "org.bluez.service").write_text(
        "[D-BUS Service]\n"
        "Name=org.bluez\n"
        f'Exec={sys.executable} -c \'import runpy, sys; sys.path.insert(0, "{Path.cwd()}"); '
        'runpy.run_module("tests.rigs.fake_bluetoothd", run_name="__main__")\'\n',
        encoding="utf-8",
    )
    radio = BlueZRadio()
    bluez = FakeBlueZ()
    await bluez.start()
    assert await radio.problem() is None
    bluez.stop()
    assert "not running" in str((await bluez_state()).problem)  # who only looks does not start it
    await until_no_problem(radio)
    assert [each.name for each in await radio.adapters()] == ["hci0"]


async def until_no_problem(radio: BlueZRadio) -> None:
    async with asyncio.timeout(60):  # a Python begins
        while await radio.problem() is not None:
            await asyncio.sleep(0.05)
