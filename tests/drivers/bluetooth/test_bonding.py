"""When a sensor is bonded with, and when the bond is given up."""

from __future__ import annotations

import pytest
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError
from hypothesis import given
from hypothesis import strategies as st

from drivers.bluetooth.bonding import BondPlan, Refusal, refusal, was_dropped
from drivers.gatt import Bonding


@pytest.mark.parametrize("name", ["Failed", "Rejected", "Canceled", "Timeout"])
def test_bluez_says_in_four_ways_that_a_sensor_did_not_pair(name: str) -> None:
    assert refusal(BleakDBusError(f"org.bluez.Error.Authentication{name}", [])) is Refusal.PAIRING


@pytest.mark.parametrize(
    "error",
    [
        BleakDBusError("org.bluez.Error.NotPermitted", ["Not paired"]),
        BleakGATTProtocolError(0x05),  # insufficient authentication
        BleakGATTProtocolError(0x0C),  # encryption key too short
        BleakGATTProtocolError(0x0F),  # insufficient encryption
    ],
)
def test_a_sensor_that_wants_a_bond_is_understood(error: BleakError) -> None:
    assert refusal(error) is Refusal.SECURITY


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionError("has no 2a35"),
        BleakDBusError("org.bluez.Error.ConnectionAttemptFailed", ["Page Timeout"]),
        BleakDBusError("org.bluez.Error.NotPermitted", ["Write not permitted"]),
        BleakGATTProtocolError(0x03),  # write not permitted
        BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]),
    ],
)
def test_other_failures_are_no_refusals(error: Exception) -> None:
    assert refusal(error) is None


def test_a_key_that_is_missing_is_a_lost_bond() -> None:
    assert refusal(BleakDBusError("org.bluez.Error.Failed", ["le-connection-key-missing"])) is Refusal.KEY


@pytest.mark.parametrize(
    "error",
    [
        BleakError("failed to discover services, device disconnected"),
        BleakDBusError("org.bluez.Error.Failed", ["le-connection-abort-by-local"]),
        BleakDBusError("org.bluez.Error.Failed", ["br-connection-canceled"]),
        BleakDBusError("org.bluez.Error.Failed", ["le-connection-unknown"]),
    ],
)
def test_a_link_that_was_dropped_at_once_is_known_by_each_of_its_names(error: Exception) -> None:
    assert was_dropped(error)


def test_a_link_that_was_not_made_was_not_dropped() -> None:
    assert not was_dropped(TimeoutError("no answer in time"))
    assert not was_dropped(BleakDBusError("org.bluez.Error.Failed", ["le-connection-refused"]))


def test_a_sensor_that_is_bonded_with_first_and_refuses_is_read_without() -> None:
    plan = BondPlan(Bonding.FIRST)
    assert plan.bonds(bonded=False)
    verdict = plan.failed(Refusal.PAIRING, bonded=False)
    assert "goes on without a bond" in str(verdict.words)
    assert not verdict.forget
    assert not verdict.slowly
    assert not plan.bonds(bonded=False)


def test_a_sensor_is_bonded_with_only_once_it_asks() -> None:
    plan = BondPlan(Bonding.WHEN_ASKED)
    assert not plan.bonds(bonded=False)
    assert not plan.failed(Refusal.SECURITY, bonded=False).slowly
    assert plan.bonds(bonded=False)
    assert not plan.bonds(bonded=True)


def test_a_sensor_that_wants_a_bond_and_makes_none_is_not_hammered() -> None:
    plan = BondPlan(Bonding.WHEN_ASKED)
    plan.failed(Refusal.SECURITY, bonded=False)
    verdict = plan.failed(Refusal.PAIRING, bonded=False)
    assert verdict.slowly
    assert "pairing mode" in str(verdict.words)
    assert plan.bonds(bonded=False)


def test_a_wrong_passkey_says_what_to_do_and_is_not_hammered() -> None:
    plan = BondPlan(Bonding.FIRST, has_passkey=True)
    verdict = plan.failed(Refusal.PAIRING, bonded=False)
    assert verdict.slowly
    assert "read the passkey off the sensor" in str(verdict.words)
    assert plan.bonds(bonded=False)


def test_a_lost_bond_is_forgotten_and_made_anew() -> None:
    plan = BondPlan(Bonding.FIRST)
    verdict = plan.failed(Refusal.KEY, bonded=True)
    assert verdict.forget
    assert "lost its bond" in str(verdict.words)
    assert plan.bonds(bonded=False)


def test_a_new_bond_that_does_not_work_either_is_not_forgotten_again() -> None:
    plan = BondPlan(Bonding.FIRST)
    assert plan.failed(Refusal.SECURITY, bonded=True).forget
    verdict = plan.failed(Refusal.SECURITY, bonded=True)
    assert not verdict.forget
    assert verdict.slowly
    plan.worked(bonded=False)
    assert not plan.failed(Refusal.SECURITY, bonded=True).forget
    plan.worked(bonded=True)
    assert plan.failed(Refusal.SECURITY, bonded=True).forget


def test_two_links_that_are_dropped_at_once_cost_no_bond() -> None:
    plan = BondPlan(Bonding.FIRST)
    for _ in range(2):
        assert not plan.failed(None, bonded=True, dropped_at_once=True).forget
    assert not plan.failed(None, bonded=True).forget  # it was not reached: it is far away
    for _ in range(2):
        assert not plan.failed(None, bonded=True, dropped_at_once=True).forget
    assert plan.failed(None, bonded=True, dropped_at_once=True).forget


def test_a_wish_for_a_bond_is_tried_once() -> None:
    plan = BondPlan(Bonding.WHEN_ASKED)
    plan.wishes()
    assert plan.bonds(bonded=False)
    plan.failed(Refusal.PAIRING, bonded=False)
    plan.wishes()
    assert not plan.bonds(bonded=False)


def test_a_sensor_that_is_never_bonded_with_says_so_if_it_asks() -> None:
    plan = BondPlan(Bonding.NEVER)
    assert plan.failed(Refusal.SECURITY, bonded=False).slowly
    assert not plan.bonds(bonded=False)


@given(
    st.sampled_from(Bonding),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from([*Refusal, None, "worked", "wished"]), st.booleans()), max_size=200),
)
def test_a_bond_is_never_given_up_twice_without_a_link_that_worked(
    bonding: Bonding, has_passkey: bool, links: list[tuple[Refusal | str | None, bool]]
) -> None:
    plan = BondPlan(bonding, has_passkey=has_passkey)
    bonded, worked_since = False, True
    for event, at_once in links:
        bonds = plan.bonds(bonded)
        assert not (bonds and (bonded or bonding is Bonding.NEVER))
        if event in ("worked", "wished"):
            bonded |= bonds
            worked_since |= bonded
            plan.worked(bonded=bonded)
            if event == "wished":
                plan.wishes()
            continue
        assert event is None or isinstance(event, Refusal)
        bonded |= bonds and event is Refusal.SECURITY
        verdict = plan.failed(event, bonded=bonded, dropped_at_once=at_once)
        if verdict.forget:
            assert bonded
            assert worked_since
            bonded = worked_since = False
