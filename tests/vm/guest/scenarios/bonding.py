"""Bonds with the real BlueZ, by the hub's own agent."""

from __future__ import annotations

import asyncio

import pytest

from drivers.bluetooth.agent import Agent
from drivers.bluetooth.session import EnrolledSensor
from drivers.virtual.profiles import BLOOD_PRESSURE_CUFF, CLOCK_CUFF, PASSKEY_CUFF
from tests.vm.guest.scenarios.conftest import Measured
from tests.vm.guest.stage import CUFF, Stage, blood_pressure_of, until


async def test_a_cuff_that_asks_for_a_bond_gets_one_before_it_is_discovered(
    stage: Stage, measured: Measured
) -> None:
    await stage.adapter()
    cuff = stage.place(CLOCK_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        cuff.report(blood_pressure_of(120))
        measured(until_bonded_and_delivered=await hub.has(blood_pressure_of(120)))
        assert cuff.links == 1
        await until(lambda: not hub.sensor(cuff).connected, 20)
        assert await hub.radio.is_bonded(cuff.address)
        assert cuff.pairing.bonded
        cuff.report(blood_pressure_of(121))
        measured(until_delivered_with_the_bond=await hub.has(blood_pressure_of(121)))
        await until(lambda: not hub.sensor(cuff).connected, 20)
    measured(links=cuff.links)
    assert hub.payloads == [blood_pressure_of(120), blood_pressure_of(121)]


async def test_without_the_agent_there_is_no_bond(
    stage: Stage, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: if this cuff could be collected from, the scenario above would show nothing."""

    async def register(*_arguments: object, **_named: object) -> None:
        """Be unknown to bluetoothd."""

    monkeypatch.setattr(Agent, "register", register)
    await stage.adapter()
    cuff = stage.place(CLOCK_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        cuff.report(blood_pressure_of(120))
        await until(lambda: hub.sensor(cuff).trouble is not None, 60)
        await asyncio.sleep(3)
        assert not await hub.radio.is_bonded(cuff.address)
        measured(trouble=hub.sensor(cuff).trouble)
    assert hub.payloads == []


async def test_a_cuff_that_lost_its_bond_is_bonded_with_anew(stage: Stage, measured: Measured) -> None:
    await stage.adapter()
    cuff = stage.place(CLOCK_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        cuff.report(blood_pressure_of(120))
        await hub.has(blood_pressure_of(120))
        await until(lambda: not hub.sensor(cuff).connected, 20)
        cuff.pairing.lose_bonds()
        cuff.report(blood_pressure_of(121))
        measured(until_bonded_anew_and_delivered=await hub.has(blood_pressure_of(121), seconds=150))
        assert await hub.radio.is_bonded(cuff.address)
    measured(links=cuff.links)


async def test_a_cuff_whose_key_is_another_is_bonded_with_anew(stage: Stage, measured: Measured) -> None:
    await stage.adapter()
    cuff = stage.place(CLOCK_CUFF)
    async with stage.collecting((cuff, CUFF)) as hub:
        await hub.scans()
        cuff.report(blood_pressure_of(120))
        await hub.has(blood_pressure_of(120))
        await until(lambda: not hub.sensor(cuff).connected, 20)
        cuff.pairing.change_keys()
        cuff.report(blood_pressure_of(121))
        measured(until_bonded_anew_and_delivered=await hub.has(blood_pressure_of(121), seconds=150))
        assert await hub.radio.is_bonded(cuff.address)
    measured(links=cuff.links)


async def test_a_cuff_with_a_passkey_is_bonded_with_if_it_is_the_right_one(
    stage: Stage, measured: Measured
) -> None:
    await stage.adapter()
    cuff = stage.place(PASSKEY_CUFF)
    enrolled = EnrolledSensor(cuff.address, CUFF, passkey=PASSKEY_CUFF.passkey)
    async with stage.collecting(enrolled) as hub:
        await hub.scans()
        cuff.report(blood_pressure_of(120))
        measured(until_bonded_and_delivered=await hub.has(blood_pressure_of(120)))
        assert await hub.radio.is_bonded(cuff.address)


async def test_a_wrong_passkey_bonds_with_nobody_and_disturbs_nobody(
    stage: Stage, measured: Measured
) -> None:
    await stage.adapter()
    cuff, other = stage.place(PASSKEY_CUFF), stage.place(BLOOD_PRESSURE_CUFF)
    enrolled = EnrolledSensor(cuff.address, CUFF, passkey=PASSKEY_CUFF.passkey + 1)
    async with stage.collecting(enrolled, EnrolledSensor(other.address, CUFF)) as hub:
        await hub.scans()
        cuff.report(blood_pressure_of(120))
        await until(lambda: hub.sensor(cuff).trouble is not None, 60)
        other.report(blood_pressure_of(121))
        measured(until_the_other_is_delivered=await hub.has(blood_pressure_of(121)))
        assert not await hub.radio.is_bonded(cuff.address)
        measured(trouble=hub.sensor(cuff).trouble)
    assert hub.payloads == [blood_pressure_of(121)]
