"""What heals BlueZ: each remedy does what it says, within limits, and says in words why it could not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from drivers.bluetooth.bluez import BlueZRadio
from drivers.bluetooth.radio import Remedy, RemedyError
from tests.rigs.collecting import until
from tests.rigs.fake_bluez import FakeBlueZ
from tests.rigs.fake_system import FakeSystem
from tests.rigs.using import using


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was refused is tried again soon."""
    monkeypatch.setattr("drivers.bluetooth.remedies._BETWEEN_TRIES", 0.01)


@contextlib.contextmanager
def hanging(bluez: FakeBlueZ) -> Iterator[None]:
    """It answers nothing, and is waited for shortly: only here, as all else may be slow to answer."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("drivers.bluetooth.bus.ANSWER_SECONDS", 0.5)
        bluez.hung = True
        yield


async def test_a_power_cycle_switches_the_adapter_in_use_off_and_on_and_heals_its_controller(
    system_bus: str,
) -> None:
    radio = BlueZRadio()
    async with FakeBlueZ() as bluez:
        bluez.add_adapter("hci1")
        bluez.hung_controllers.add("hci0")
        assert await radio.problem() is None
        assert await radio.heal(Remedy.POWER_CYCLE) == "hci0 was switched off and on"
        assert bluez.powered == [("hci0", False), ("hci0", True)]
        assert not bluez.hung_controllers
        async with using(radio):
            assert bluez.discovers("hci0")


async def test_an_adapter_that_is_being_power_cycled_is_not_given_up_for_another(system_bus: str) -> None:
    radio = BlueZRadio()
    async with FakeBlueZ() as bluez:
        bluez.add_adapter("hci1")
        async with using(radio) as use:
            bluez.refused_switches = 2
            healing = asyncio.create_task(radio.heal(Remedy.POWER_CYCLE))
            assert "hci0" in await use.lost
            assert await radio.problem() is None  # waits until the cycle is over
            assert healing.done()
            assert [each.name for each in await radio.adapters() if each.in_use] == ["hci0"]
        assert bluez.powered[-1] == ("hci0", True)


async def test_an_adapter_that_stays_off_is_said_to(system_bus: str) -> None:
    radio = BlueZRadio()
    async with FakeBlueZ() as bluez:
        assert await radio.problem() is None
        bluez.refused_switches = 100
        with pytest.raises(RemedyError, match=r"power cycle: .*Busy"):
            await radio.heal(Remedy.POWER_CYCLE)


async def test_no_power_cycle_where_there_is_no_adapter_or_a_bluetoothd_that_hangs(system_bus: str) -> None:
    radio = BlueZRadio()
    with pytest.raises(RemedyError, match="there is no adapter"):
        await radio.heal(Remedy.POWER_CYCLE)
    async with FakeBlueZ() as bluez:
        assert await radio.problem() is None
        with hanging(bluez), pytest.raises(RemedyError, match="power cycle: no answer in time"):
            await radio.heal(Remedy.POWER_CYCLE)
        assert bluez.powered == []


async def test_a_hand_over_makes_another_adapter_collect_and_keeps_to_it(system_bus: str) -> None:
    radio = BlueZRadio("hci0", look_seconds=0.02)
    async with FakeBlueZ() as bluez:
        bluez.add_adapter("hci1")
        async with using(radio) as use:
            assert bluez.discovers("hci0")
            words = await radio.heal(Remedy.HAND_OVER)
            assert words == "hci1 collects from now on; what was bonded with hci0 must be bonded anew"
            assert "to collect instead of hci0" in await use.lost
        async with using(radio) as use:
            assert bluez.discovers("hci1")
            await asyncio.sleep(0.1)
            assert not use.lost.done()
            bluez.remove_adapter("hci0")  # plugged in anew, it is worth another try
            await asyncio.sleep(0.1)
            assert await radio.problem() is None
            bluez.add_adapter("hci0")
            assert await use.lost == "hci0 is to collect instead of hci1"


async def test_no_hand_over_where_no_other_adapter_is_switched_on(system_bus: str) -> None:
    radio = BlueZRadio()
    async with FakeBlueZ() as bluez:
        bluez.add_adapter("hci1", powered=False)
        async with using(radio) as use:
            with pytest.raises(RemedyError, match="hand over: there is no other adapter"):
                await radio.heal(Remedy.HAND_OVER)
            assert not use.lost.done()


async def test_a_hung_bluetoothd_is_killed_and_restarted_by_systemd(system_bus: str) -> None:
    radio, bluez = BlueZRadio(), FakeBlueZ()
    await bluez.start()

    async def restart() -> None:
        bluez.stop()
        bluez.hung = False
        await bluez.start()

    async with FakeSystem(on_restart=restart) as system:
        with hanging(bluez):
            assert await radio.problem() == "bluetoothd does not answer: sudo systemctl restart bluetooth"
        assert await radio.heal(Remedy.RESTART_BLUETOOTHD) == "bluetoothd was restarted"
        assert system.calls == [
            ("KillUnit", "bluetooth.service", "all", "9"),
            ("RestartUnit", "bluetooth.service", "replace"),
        ]
        assert await radio.problem() is None
    bluez.stop()


async def test_a_bluetoothd_that_does_not_come_back_is_said_not_to(
    system_bus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.bluetooth.remedies._START_SECONDS", 0.3)
    async with FakeBlueZ(), FakeSystem():
        with pytest.raises(RemedyError, match="restart bluetoothd: bluetoothd did not come back"):
            await BlueZRadio().heal(Remedy.RESTART_BLUETOOTHD)


async def test_systemd_is_asked_to_restart_the_machine_in_good_order(system_bus: str) -> None:
    async with FakeSystem() as system:
        assert await BlueZRadio().heal(Remedy.REBOOT) == "the machine is being restarted"
        assert system.calls == [("Reboot", "False")]


@pytest.mark.parametrize("remedy", [Remedy.RESTART_BLUETOOTHD, Remedy.REBOOT])
async def test_a_remedy_that_polkit_refuses_says_what_to_install(system_bus: str, remedy: Remedy) -> None:
    async with FakeSystem(refuses=True):
        with pytest.raises(RemedyError, match=r"install polkitd, and .*50-carehub-bluetooth.rules"):
            await BlueZRadio().heal(remedy)


@pytest.mark.parametrize("remedy", list(Remedy))
async def test_a_remedy_without_a_bus_or_without_what_it_needs_is_refused_in_words(
    system_bus: str, remedy: Remedy, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RemedyError):
        await BlueZRadio().heal(remedy)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")
    with pytest.raises(RemedyError):
        await BlueZRadio().heal(remedy)


async def test_a_bluetoothd_that_hangs_while_it_collects_is_noticed(system_bus: str) -> None:
    async with FakeBlueZ() as bluez, using(BlueZRadio(look_seconds=0.2)) as use:
        await until(lambda: bluez.pairing is not None and bluez.pairing.has_default)
        await asyncio.sleep(0.05)  # what it asks now was to be answered as at all other times
        with hanging(bluez):
            assert await use.lost == "bluetoothd does not answer: sudo systemctl restart bluetooth"


async def test_a_bluetoothd_that_was_busy_for_a_moment_is_not_taken_for_one_that_hangs(
    system_bus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.bluetooth.bus.ANSWER_SECONDS", 3.0)  # this machine may be busy, too
    async with FakeBlueZ() as bluez, using(BlueZRadio(look_seconds=0.02)) as use:
        await until(lambda: bluez.pairing is not None and bluez.pairing.has_default)
        bluez.unanswered = 1
        await until(lambda: not bluez.unanswered)
        await asyncio.sleep(3.4)
        assert not use.lost.done()
