"""What is on USB is enrolled as what is on Bluetooth is, and each collector is told of its own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from drivers.bluetooth.collector import BluetoothCollector
from drivers.virtual.radio import VirtualRadio
from hub.configuration.file import Config, ConfigError
from hub.readings import RawPayload
from hub.sensors.enrolment import EnrolmentError, refuse_misfits
from hub.store.audit import newest
from hub.store.database import FILE_NAME, open_for_reading
from hub.trail import Audited
from tests.rigs.enrolling import NEW, SAM, new_home, owner, running, sensor
from tests.rigs.house import CUFF, ILL
from tests.rigs.plugging import Talker, adapter, plugging

PLUGGED, READER = "USB:0403:6001:A9XK2P7Q", "USB:0C2E:0B61:R1"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return new_home(tmp_path)


async def deliver(_raw: RawPayload) -> None:
    """Nothing comes of it."""


async def test_what_is_on_usb_is_enrolled_like_any_other_and_is_there_after_a_restart(config: Config) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(PLUGGED.lower(), driver="nonin_serial"), SAM)
        await enrolment.add(sensor(READER, None, driver="wristband_reader", kit="ward-a"), SAM)
        assert owner(enrolment, PLUGGED) == ILL
        assert owner(enrolment, READER) is None
    async with running(config) as enrolment:
        assert owner(enrolment, PLUGGED) == ILL
        assert [each.sensor.kit for each in enrolment.all[-2:]] == [None, "ward-a"]
        assert [(str(each.address), each.driver.name) for each in enrolment.to_collect_usb] == [
            (PLUGGED, "nonin_serial"),
            (READER, "wristband_reader"),
        ]
        assert PLUGGED not in [each.address for each in enrolment.to_collect]
        assert CUFF not in [str(each.address) for each in enrolment.to_collect_usb]
    with closing(open_for_reading(config.hub.data_directory / FILE_NAME)) as connection:
        entry = newest(connection, Audited.ENROLLED)
    assert entry is not None
    assert entry.detail["kit"] == "ward-a"


async def test_each_collector_is_told_of_its_own_and_forgets_its_own(config: Config) -> None:
    device = adapter()
    async with running(config) as enrolment, plugging() as plugged, VirtualRadio.open() as radio:
        collector = BluetoothCollector(enrolment.to_collect, radio, deliver)
        enrolment.collect_with(collector)
        enrolment.collect_usb_with(plugged.collector)
        plugged.usb.plug(device, Talker())
        await enrolment.add(sensor(PLUGGED, driver="nonin_serial"), SAM)
        await enrolment.add(sensor(NEW), SAM)
        assert [each.address for each in plugged.collector.status().sensors] == [PLUGGED]
        assert NEW in [each.address for each in collector.status().sensors]
        assert PLUGGED not in [each.address for each in collector.status().sensors]
        await plugged.until(lambda: plugged.status(PLUGGED).connected)
        for address in (PLUGGED, NEW):
            await enrolment.forget(address, SAM)
        assert plugged.collector.status().sensors == ()
        assert NEW not in [each.address for each in collector.status().sensors]


@pytest.mark.parametrize(("address", "goes_on"), [(PLUGGED, True), ("USB:10C4:EA60@P-USB-0:1.1", False)])
async def test_enrolled_anew_for_the_same_one_it_goes_on_unless_another_may_be_in_that_socket(
    config: Config, address: str, *, goes_on: bool
) -> None:
    """A device that was put into the socket meanwhile brings the memory of somebody else."""
    async with running(config) as enrolment:
        first = await enrolment.add(sensor(address, driver="contec_cms50"), SAM)
        await enrolment.forget(address, SAM)
        again = await enrolment.add(sensor(address, driver="contec_cms50"), SAM)
        assert (again.since == first.since) is goes_on


@pytest.mark.parametrize(
    ("address", "driver", "words"),
    [
        (PLUGGED, "blood_pressure", "is on USB, and blood_pressure reads what is on Bluetooth"),
        (NEW, "nonin_serial", "is on Bluetooth, and nonin_serial reads what is on USB"),
        (READER, "wristband_reader", "nobody's own"),
    ],
)
async def test_a_driver_that_cannot_be_right_is_refused_and_in_the_file_as_well(
    config: Config, address: str, driver: str, words: str
) -> None:
    wrong = sensor(address, driver=driver)
    async with running(config) as enrolment:
        with pytest.raises(EnrolmentError, match=words):
            await enrolment.add(wrong, SAM)
        assert owner(enrolment, address) is None
    with pytest.raises(ConfigError) as caught:
        refuse_misfits(config.model_copy(update={"sensors": (*config.sensors, wrong)}))
    (problem,) = caught.value.problems
    assert problem.startswith(f"sensors[{len(config.sensors)}].")
    assert words in problem


async def test_one_on_the_card_that_no_driver_fits_any_more_is_nobodys_and_is_not_collected_from(
    config: Config,
) -> None:
    async with running(config) as enrolment:
        await enrolment.add(sensor(PLUGGED, driver="nonin_serial"), SAM)
        await enrolment._writer.write(
            lambda transaction: transaction.connection.execute(
                "UPDATE enrolled_sensor SET driver = 'thermometer' WHERE address = ?", (PLUGGED,)
            ),
            urgent=True,
        )
    async with running(config) as enrolment:
        assert enrolment.all[-1].trouble is not None
        assert "nothing is collected: " in enrolment.all[-1].trouble
        assert PLUGGED not in [each.address for each in enrolment.to_collect]
        assert enrolment.to_collect_usb == []
