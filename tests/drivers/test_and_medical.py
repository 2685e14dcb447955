"""A&D's cuff and thermometer: payloads as captured, and what their drivers add to the profiles'."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drivers import blood_pressure, thermometer
from drivers.and_medical import DRIVERS, UA651BLE, UT201BLE
from drivers.driver import Decoded
from drivers.gatt import Bonding, GattDriver
from hub.readings import AbsentReason, DeviceTime, Measurement, RawPayload, Vital

NAN = AbsentReason.NOT_A_NUMBER

# HEADS-project/ThingML-BLE, Documentation/AND_Medical_UA651BLE.md: "Got Blood pressure indication".
MEASURED = bytes.fromhex(
    "16"  # flags: time stamp, pulse rate, measurement status; mmHg
    "7d00 5000 6600"  # 125, 80, 102
    "e107 01 10 0c 27 36"  # 2017-01-16 12:39:54
    "4000"  # pulse 64
    "0000"  # status: nothing to say
)
FAILED = bytes.fromhex(
    "16"
    "ff07 ff07 ff07"  # NaN
    "e107 01 10 00 39 1c"  # 2017-01-16 00:57:28
    "ff07"  # NaN
    "0000"  # and no bit says why
)
# gebo, "BLE thermometer to LINE from a Raspberry Pi 1" (Qiita, 2020): the author reads 37.1 degC (in one
# place, by a slip, 36.1), 2020-05-02 10:40:19, body.
TEMPERATURE = bytes.fromhex(
    "06"  # flags: time stamp, temperature type; degC
    "730100ff"  # 371 * 10**-1
    "e407 05 02 0a 28 13"  # 2020-05-02 10:40:19
    "02"  # body
)


def test_a_measurement_of_the_cuff_decodes_as_the_profile_has_it() -> None:
    assert UA651BLE.characteristics["2a35"](MEASURED) == Decoded(
        (
            Measurement(Vital.SYSTOLIC_PRESSURE, 125.0),
            Measurement(Vital.DIASTOLIC_PRESSURE, 80.0),
            Measurement(Vital.MEAN_ARTERIAL_PRESSURE, 102.0),
            Measurement(Vital.PULSE_RATE, 64.0),
        ),
        device_time=DeviceTime(2017, 1, 16, 12, 39, 54),
    )


def test_a_cuff_that_failed_gives_no_number_and_the_time_of_its_failure() -> None:
    decoded = UA651BLE.characteristics["2a35"](FAILED)
    assert [each.absent for each in decoded.measurements] == [NAN] * 4
    assert decoded.device_time == DeviceTime(2017, 1, 16, 0, 57, 28)


def test_what_the_cuff_sends_again_at_the_next_connection_is_one_reading() -> None:
    # The capture has it twice: as the last of one connection and the first of the next.
    first = datetime(2017, 1, 16, 1, 0, tzinfo=UTC)
    sent = [
        RawPayload("C4:F2:17:00:00:01", UA651BLE.name, FAILED, first + n * timedelta(minutes=3), "2a35")
        for n in range(2)
    ]
    assert len({UA651BLE.read(raw).id for raw in sent}) == 1


def test_a_temperature_of_the_thermometer_decodes_as_the_profile_has_it() -> None:
    assert UT201BLE.characteristics["2a1c"](TEMPERATURE) == Decoded(
        (Measurement(Vital.TEMPERATURE, 37.1, site="body"),), device_time=DeviceTime(2020, 5, 2, 10, 40, 19)
    )


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_they_are_bonded_first_and_their_clock_is_set_before_all_else(driver: GattDriver) -> None:
    assert driver.bonding is Bonding.FIRST
    assert driver.clock_first
    assert driver.greeting == ()
    assert not driver.only_streams  # they leave soon: their turn comes before that of a strap


@pytest.mark.parametrize(
    ("driver", "profile"),
    [(UA651BLE, blood_pressure.DRIVER), (UT201BLE, thermometer.DRIVER)],
    ids=lambda driver: driver.name,
)
def test_what_they_send_is_read_as_the_profile_has_it(driver: GattDriver, profile: GattDriver) -> None:
    assert driver.service == profile.service
    assert driver.characteristics is profile.characteristics
    assert driver.subscribed == profile.subscribed
