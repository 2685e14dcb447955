"""Makes the collectors: each hears of its own enrolled sensors from now on, and hands in what they send."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from drivers.bluetooth.collector import BluetoothCollector
from drivers.bluetooth.device_information import DeviceInformation
from hub.attribution.rule import Attribution
from hub.attribution.scans import Scans
from hub.clock import local_now, stamp
from hub.configuration.file import Config
from hub.intake.reception import Reception
from hub.sensors.enrolment import Enrolment
from hub.sensors.information import SensorInformation
from hub.sensors.reboots import Reboots

if TYPE_CHECKING:
    from drivers.bluetooth.radio import Radio
    from drivers.usb.bus import UsbBus
    from drivers.usb.collector import UsbCollector


def collect_bluetooth(
    config: Config,
    enrolment: Enrolment,
    radio: Radio,
    reception: Reception,
    information: SensorInformation,
    reboots: Reboots,
) -> BluetoothCollector:
    """The collector of the sensors on a radio."""
    collector = BluetoothCollector(
        enrolment.to_collect,
        radio,
        reception.accept_from_radio,
        learned=information.learned,
        local_now=partial(local_now, ZoneInfo(config.site.timezone)),
        may_reboot=reboots.may_reboot,
    )
    enrolment.collect_with(collector)
    return collector


def collect_usb(
    config: Config,
    enrolment: Enrolment,
    ports: UsbBus,
    reception: Reception,
    information: SensorInformation,
    scans: Scans,
    attribution: Attribution,
) -> UsbCollector:
    """The collector of what is plugged in; what is read off wristbands goes to `scans`."""
    from drivers.usb.collector import UsbCollector  # a hub without USB does not pay for it

    def learned(address: str, said: DeviceInformation) -> None:
        attribution.learned(address, said, stamp())  # before anything that it has stored
        information.learned(address, said)

    collector = UsbCollector(
        enrolment.to_collect_usb,
        ports,
        reception.accept_from_radio,
        scanned=scans.scanned,
        unheard=scans.unheard,
        learned=learned,
        local_now=partial(local_now, ZoneInfo(config.site.timezone)),
    )
    enrolment.collect_usb_with(collector)
    return collector
