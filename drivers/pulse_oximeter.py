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

from drivers.driver import Decoded, Driver
from drivers.ieee11073 import Number
from drivers.payload import Payload
from drivers.quality import StatusBit, Verdict, measurements, verdict
from hub.readings import DeviceTime, Flag, Quality, Vital

_SPOT_CHECK_TIME_STAMP = 0x01
_SPOT_CHECK_MEASUREMENT_STATUS = 0x02
_SPOT_CHECK_DEVICE_STATUS = 0x04
_SPOT_CHECK_PULSE_AMPLITUDE_INDEX = 0x08
_SPOT_CHECK_CLOCK_NOT_SET = 0x10

_CONTINUOUS_FAST = 0x01
_CONTINUOUS_SLOW = 0x02
_CONTINUOUS_MEASUREMENT_STATUS = 0x04
_CONTINUOUS_DEVICE_STATUS = 0x08
_CONTINUOUS_PULSE_AMPLITUDE_INDEX = 0x10

_DEVICE_STATUS_SHIFT = 16

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
    content = Payload(payload)
    present = content.unsigned(1)
    saturation, pulse = content.sfloat(), content.sfloat()
    flags: set[Flag] = set()
    time = content.date_time(flags) if present & _SPOT_CHECK_TIME_STAMP else None
    status = _read_status(
        content, present & _SPOT_CHECK_MEASUREMENT_STATUS, present & _SPOT_CHECK_DEVICE_STATUS
    )
    if present & _SPOT_CHECK_PULSE_AMPLITUDE_INDEX:
        content.sfloat()
    content.finish()
    if present & _SPOT_CHECK_CLOCK_NOT_SET:
        flags.add(Flag.CLOCK_NOT_SET)
    return _decoded(saturation, pulse, _spot_check_verdict(status), flags, time)


def decode_continuous(payload: bytes) -> Decoded:
    """Decode a PLX Continuous Measurement (2A5F). Raises `DecodeError`.

    The values are those of SpO2PR-Normal; the fast and the slow pair are not kept.
    """
    content = Payload(payload)
    present = content.unsigned(1)
    saturation, pulse = content.sfloat(), content.sfloat()
    if present & _CONTINUOUS_FAST:
        content.unsigned(4)
    if present & _CONTINUOUS_SLOW:
        content.unsigned(4)
    status = _read_status(
        content, present & _CONTINUOUS_MEASUREMENT_STATUS, present & _CONTINUOUS_DEVICE_STATUS
    )
    if present & _CONTINUOUS_PULSE_AMPLITUDE_INDEX:
        content.sfloat()
    content.finish()
    return _decoded(saturation, pulse, _continuous_verdict(status), set(), None)


def _read_status(content: Payload, has_measurement_status: int, has_device_status: int) -> int:
    status = content.unsigned(2) if has_measurement_status else 0
    if has_device_status:
        status |= content.unsigned(3) << _DEVICE_STATUS_SHIFT
    return status


def _decoded(
    saturation: Number, pulse: Number, status: Verdict, flags: set[Flag], time: DeviceTime | None
) -> Decoded:
    flags |= status.flags
    if Flag.FROM_MEMORY in flags and (time is None or Flag.CLOCK_NOT_SET in flags):
        # A stored value of unknown age must not be scored as if it were of now.
        status = Verdict(status.flags, Quality.UNUSABLE, Quality.UNUSABLE)
    return Decoded(
        measurements=measurements(
            [
                (Vital.OXYGEN_SATURATION, saturation, status.quality),
                (Vital.PULSE_RATE, pulse, status.pulse_quality),
            ],
            flags,
        ),
        flags=frozenset(flags),
        device_time=time,
    )


DRIVER = Driver(
    name="pulse_oximeter",
    title="Pulse oximeter (Bluetooth Pulse Oximeter Profile)",
    service="1822",
    characteristics={"2a5e": decode_spot_check, "2a5f": decode_continuous},
    streaming=frozenset({"2a5f"}),
)
