"""Pulse oximeters by the Bluetooth SIG's Pulse Oximeter Profile (PLX).

Source: Pulse Oximeter Service 1.0.1, sections 3.1 (PLX Spot-Check Measurement 2A5E) and 3.2 (PLX
Continuous Measurement 2A5F), tables 3.2 to 3.7.

A spot-check is flags (1 byte), SpO2, pulse rate (SFLOAT each), then as the flags announce time
stamp (7), measurement status (2), device and sensor status (3), pulse amplitude index (SFLOAT).
A continuous measurement has no time stamp, but may have two more pairs of SpO2 and pulse rate
after the first, by a faster and a slower averaging.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from drivers.driver import Decoded
from drivers.gatt import Bonding, GattDriver
from drivers.ieee11073 import Number, sfloat
from drivers.payload import (
    ALWAYS,
    DATE_TIME,
    FOUR_OCTETS,
    SFLOAT,
    THREE_OCTETS,
    UNSIGNED_16,
    Layout,
    date_time,
)
from drivers.quality import StatusBit, Verdict, measurements, verdict
from hub.readings import DeviceTime, Flag, Quality, Vital

_SPOT_CHECK = Layout(
    (ALWAYS, SFLOAT),  # SpO2
    (ALWAYS, SFLOAT),  # pulse rate
    (0x01, DATE_TIME),  # time stamp
    (0x02, UNSIGNED_16),  # measurement status
    (0x04, THREE_OCTETS),  # device and sensor status
    (0x08, SFLOAT),  # pulse amplitude index
)
_SPOT_CHECK_CLOCK_NOT_SET = 0x10  # in the flags

_CONTINUOUS = Layout(
    (ALWAYS, SFLOAT),  # SpO2, normal
    (ALWAYS, SFLOAT),  # pulse rate, normal
    (0x01, FOUR_OCTETS),  # SpO2 and pulse rate, fast
    (0x02, FOUR_OCTETS),  # SpO2 and pulse rate, slow
    (0x04, UNSIGNED_16),  # measurement status
    (0x08, THREE_OCTETS),  # device and sensor status
    (0x10, SFLOAT),  # pulse amplitude index
)

_DEVICE_STATUS_SHIFT = 16

# Named here, since Python 3.11 runs code each time a member is named.
_SATURATION, _PULSE = Vital.OXYGEN_SATURATION, Vital.PULSE_RATE
_CLOCK_NOT_SET, _FROM_MEMORY = Flag.CLOCK_NOT_SET, Flag.FROM_MEMORY

STATUS_BITS = (
    # Measurement Status, table 3.4; bits 7 (validated) and 8 (fully qualified) take nothing away.
    StatusBit(5, Flag.MEASUREMENT_ONGOING, Quality.QUESTIONABLE),
    StatusBit(6, Flag.EARLY_ESTIMATE, Quality.QUESTIONABLE),
    StatusBit(9, Flag.FROM_MEMORY, Quality.GOOD),
    StatusBit(10, Flag.FOR_DEMONSTRATION, Quality.UNUSABLE),
    StatusBit(11, Flag.FOR_TESTING, Quality.UNUSABLE),
    StatusBit(12, Flag.CALIBRATION_ONGOING, Quality.UNUSABLE),
    StatusBit(13, Flag.MEASUREMENT_UNAVAILABLE, Quality.UNUSABLE),
    StatusBit(14, Flag.QUESTIONABLE_MEASUREMENT, Quality.QUESTIONABLE),
    StatusBit(15, Flag.INVALID_MEASUREMENT, Quality.UNUSABLE),
    # Device and Sensor Status, table 3.5, its bit 0 at 16.
    StatusBit(16, Flag.EXTENDED_DISPLAY_UPDATE, Quality.QUESTIONABLE),
    StatusBit(17, Flag.EQUIPMENT_MALFUNCTION, Quality.UNUSABLE),
    StatusBit(18, Flag.SIGNAL_PROCESSING_IRREGULARITY, Quality.QUESTIONABLE),
    StatusBit(19, Flag.INADEQUATE_SIGNAL, Quality.UNUSABLE),
    StatusBit(20, Flag.POOR_SIGNAL, Quality.QUESTIONABLE),
    StatusBit(21, Flag.LOW_PERFUSION, Quality.QUESTIONABLE),
    StatusBit(22, Flag.ERRATIC_SIGNAL, Quality.UNUSABLE),
    StatusBit(23, Flag.NONPULSATILE_SIGNAL, Quality.UNUSABLE),
    StatusBit(24, Flag.QUESTIONABLE_PULSE, Quality.QUESTIONABLE, pulse_only=True),
    StatusBit(25, Flag.SIGNAL_ANALYSIS_ONGOING, Quality.QUESTIONABLE),
    StatusBit(26, Flag.SENSOR_INTERFERENCE, Quality.QUESTIONABLE),
    StatusBit(27, Flag.SENSOR_UNCONNECTED, Quality.UNUSABLE),  # from the user
    StatusBit(28, Flag.UNKNOWN_SENSOR, Quality.UNUSABLE),
    StatusBit(29, Flag.SENSOR_DISPLACED, Quality.UNUSABLE),
    StatusBit(30, Flag.EQUIPMENT_MALFUNCTION, Quality.UNUSABLE),  # of the sensor
    StatusBit(31, Flag.SENSOR_UNCONNECTED, Quality.UNUSABLE),  # from the device
)
"""The Measurement Status in bits 0 to 15, the Device and Sensor Status in bits 16 to 39.

As a spot-check means them. A continuous measurement is always ongoing, so there bit 5 says nothing.
"""

_CONTINUOUS_STATUS_BITS = tuple(
    replace(bit, quality=Quality.GOOD) if bit.flag is Flag.MEASUREMENT_ONGOING else bit for bit in STATUS_BITS
)


@lru_cache(maxsize=256)
def _spot_check_verdict(status: int) -> Verdict:
    return verdict(STATUS_BITS, status)


@lru_cache(maxsize=256)
def _continuous_verdict(status: int) -> Verdict:
    return verdict(_CONTINUOUS_STATUS_BITS, status)


def decode_spot_check(payload: bytes) -> Decoded:
    """Decode a PLX Spot-Check Measurement (2A5E). Raises `DecodeError`."""
    sent_flags, saturation, pulse, time_stamp, status, device_status, _ = _SPOT_CHECK.read(payload)
    time, clock_not_set = date_time(time_stamp)
    verdict = _spot_check_verdict(_status(status, device_status))
    flags = verdict.flags
    if clock_not_set or sent_flags & _SPOT_CHECK_CLOCK_NOT_SET:
        flags |= {_CLOCK_NOT_SET}
    return _decoded(sfloat(saturation), sfloat(pulse), verdict, flags, time)


def decode_continuous(payload: bytes) -> Decoded:
    """Decode a PLX Continuous Measurement (2A5F). Raises `DecodeError`.

    The values are those of SpO2PR-Normal; the fast and the slow pair are not kept.
    """
    _, saturation, pulse, _, _, status, device_status, _ = _CONTINUOUS.read(payload)
    verdict = _continuous_verdict(_status(status, device_status))
    return _decoded(sfloat(saturation), sfloat(pulse), verdict, verdict.flags, None)


def _status(measurement_status: int | None, device_status: bytes | None) -> int:
    """Measurement Status and Device and Sensor Status as one number; what was not sent says nothing."""
    status = measurement_status or 0
    if device_status is not None:
        status |= int.from_bytes(device_status, "little") << _DEVICE_STATUS_SHIFT
    return status


def _decoded(
    saturation: Number, pulse: Number, status: Verdict, flags: frozenset[Flag], time: DeviceTime | None
) -> Decoded:
    if _FROM_MEMORY in flags and (time is None or _CLOCK_NOT_SET in flags):
        # A stored value of unknown age must not be scored as if it were of now.
        status = Verdict(flags, Quality.UNUSABLE, Quality.UNUSABLE)
    judged, flags = measurements(
        [(_SATURATION, saturation, status.quality), (_PULSE, pulse, status.pulse_quality)], flags
    )
    return Decoded(judged, flags, time)


DRIVER = GattDriver(
    name="pulse_oximeter",
    title="Pulse oximeter (Bluetooth Pulse Oximeter Profile)",
    service="1822",
    characteristics={"2a5e": decode_spot_check, "2a5f": decode_continuous},
    streaming=frozenset({"2a5f"}),
    # Its characteristics ask for an encrypted link (Pulse Oximeter Profile 1.0.1, on security).
    bonding=Bonding.FIRST,
    # There only where the oximeter stores spot-checks. PLX Features (2A60) says so too, and how much status
    # it sends; each payload says that by its own flags, so 2A60 is not read.
    records="2a52",
)
