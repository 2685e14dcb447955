"""What of a sensor's services serves a driver, also where it lies about them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.service import BleakGATTService
from bleak.uuids import normalize_uuid_str
from hypothesis import given
from hypothesis import strategies as st

from drivers.bluetooth.offer import Offer
from drivers.gatt import GattDriver
from tests.rigs.collecting import CUFF, OXIMETER

BOTH_WAYS = replace(OXIMETER, alternatives=(frozenset({"2a5e"}), frozenset({"2a5f"})))


def has(service: str, name: str, *properties: CharacteristicPropertyName) -> BleakGATTCharacteristic:
    return BleakGATTCharacteristic(
        None,
        0,
        normalize_uuid_str(name),
        list(properties),
        lambda: 20,
        BleakGATTService(None, 0, normalize_uuid_str(service)),
    )


def test_what_the_driver_reads_is_subscribed_to_in_its_order_and_nothing_else() -> None:
    spot, stream = has("1822", "2a5e", "indicate"), has("1822", "2a5f", "notify")
    offer = Offer([has("180f", "2a19", "notify"), stream, spot], OXIMETER)
    assert offer.to_subscribe_to() == [("2a5e", spot), ("2a5f", stream)]


def test_of_two_ways_to_tell_the_same_one_is_taken() -> None:
    spot, stream = has("1822", "2a5e", "indicate"), has("1822", "2a5f", "notify")
    assert Offer([stream, spot], BOTH_WAYS).to_subscribe_to() == [("2a5e", spot)]
    assert Offer([stream], BOTH_WAYS).to_subscribe_to() == [("2a5f", stream)]


def test_the_drivers_own_service_comes_before_another_with_the_same_characteristic() -> None:
    own, other = has("1810", "2a35", "indicate"), has("ff00", "2a35", "indicate")
    assert Offer([other, own], CUFF).to_subscribe_to() == [("2a35", own)]
    assert Offer([other], CUFF).to_subscribe_to() == [("2a35", other)]


def test_a_sensor_with_none_of_it_is_named() -> None:
    with pytest.raises(ConnectionError, match=r"has no 2a35.*right driver"):
        Offer([has("1809", "2a1c", "indicate")], CUFF).to_subscribe_to()
    with pytest.raises(ConnectionError, match="has no 2a5e or 2a5f"):
        Offer([], OXIMETER).to_subscribe_to()


def test_a_sensor_that_cannot_tell_it_is_named() -> None:
    with pytest.raises(ConnectionError, match="has 2a35, and neither indicates nor notifies"):
        Offer([has("1810", "2a35", "read", "write")], CUFF).to_subscribe_to()


def test_of_thousands_of_characteristics_a_few_are_subscribed_to() -> None:
    liar = [has("1810", "2a35", "indicate") for _ in range(5000)]
    assert len(Offer(liar, CUFF).to_subscribe_to()) == 4


def test_the_clock_of_the_drivers_own_service_is_the_one_that_is_set() -> None:
    shared, own = has("1805", "2a2b", "read", "write"), has("1810", "2a08", "write")
    assert Offer([shared, own], CUFF).clock() == ("2a08", own)
    assert Offer([shared], CUFF).clock() == ("2a2b", shared)


def test_a_clock_that_can_only_be_read_is_not_set() -> None:
    assert Offer([has("1805", "2a2b", "read", "notify")], CUFF).clock() is None
    assert Offer([], CUFF).clock() is None


@given(
    st.sampled_from([CUFF, OXIMETER, BOTH_WAYS]),
    st.lists(
        st.builds(
            lambda service, name, properties: has(service, name, *properties),
            st.sampled_from(["1810", "1822", "1805", "ff00"]),
            st.sampled_from(["2a35", "2a5e", "2a5f", "2a08", "2a2b"]),
            st.lists(st.sampled_from(["read", "write", "notify", "indicate"]), unique=True),
        ),
        max_size=30,
    ),
)
def test_whatever_is_offered_only_what_can_tell_is_subscribed_to(
    driver: GattDriver, offered: list[BleakGATTCharacteristic]
) -> None:
    try:
        wanted = Offer(offered, driver).to_subscribe_to()
    except ConnectionError:
        return
    assert wanted
    for name, characteristic in wanted:
        assert name in driver.subscribed
        assert characteristic.uuid == normalize_uuid_str(name)
        assert {"indicate", "notify"} & set(characteristic.properties)
