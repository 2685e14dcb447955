"""A driver that cannot be of what is at an address is refused, in the file and by command."""

from __future__ import annotations

import pytest

from drivers.catalogue import DRIVERS
from drivers.gatt import GattDriver
from hub.configuration.file import Sensor
from hub.sensors.fitting import Misfit, drivers_at, misfit

CUFF, PLUGGED = "C4:F2:17:00:00:01", "USB:0403:6001:A9XK2P7Q"


def said(address: str, driver: str, **more: object) -> Misfit | None:
    return misfit(Sensor.model_validate({"address": address, "driver": driver, **more}))


@pytest.mark.parametrize("driver", sorted(DRIVERS))
def test_every_driver_fits_one_kind_of_address_and_no_other(driver: str) -> None:
    on_bluetooth = isinstance(DRIVERS[driver], GattDriver)
    assert (said(CUFF, driver) is None) is on_bluetooth
    assert (said(PLUGGED, driver) is None) is not on_bluetooth


def test_of_a_misfit_the_drivers_that_would_fit_are_named() -> None:
    wrong = said(PLUGGED, "blood_pressure")
    assert wrong is not None
    assert wrong.key == "driver"
    assert wrong.words == (
        f"{PLUGGED} is on USB, and blood_pressure reads what is on Bluetooth; of USB there are:"
        f" {', '.join(drivers_at(PLUGGED))}"
    )
    assert "onetouch_ultra_easy" in wrong.words
    wrong = said(CUFF, "wristband_reader")
    assert wrong is not None
    assert wrong.words.startswith(
        f"{CUFF} is on Bluetooth, and wristband_reader reads what is on USB; of Blue"
    )


def test_a_driver_that_there_is_not_is_named_whatever_the_address() -> None:
    for address in (CUFF, PLUGGED):
        wrong = said(address, "telepathy")
        assert wrong is not None
        assert "no driver is named 'telepathy'" in wrong.words


def test_a_reader_of_wristbands_is_nobodys_own() -> None:
    assert said(PLUGGED, "wristband_reader", kit="ward-a") is None
    wrong = said(PLUGGED, "wristband_reader", resident="R-1")
    assert wrong is not None
    assert (wrong.key, "nobody's own" in wrong.words) == ("resident", True)


def test_a_meter_on_usb_may_be_somebodys() -> None:
    assert said(PLUGGED, "onetouch_ultra_easy", resident="R-1") is None
