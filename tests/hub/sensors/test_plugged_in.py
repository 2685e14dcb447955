"""What is plugged in, as an engineer is told of it: a real collector on virtual sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.usb.bus import UsbDevice
from hub.configuration.file import Config
from hub.control.control_socket import ControlError
from hub.errors import CareportError
from hub.sensors.enrolment import Enrolment
from hub.sensors.information import SensorInformation
from hub.sensors.plugged_in import is_refused
from hub.sensors.requests import SensorRequests
from tests.rigs.enrolling import SAM, new_home, running
from tests.rigs.house import ILL, SHARED
from tests.rigs.plugging import Plugged, Talker, adapter, plugging, reader

ADAPTER, READER = "USB:0403:6001:A9XK2P7Q", "USB:0C2E:0B61:R1"
IN_SOCKET = "USB:0403:6001@PLATFORM-USB-0:1.1"


class Asked:
    """A hub with Bluetooth off, and what is asked of it."""

    def __init__(self, enrolment: Enrolment, plugged: Plugged | None) -> None:
        self.plugged = plugged
        self.enrolment = enrolment
        information = SensorInformation(enrolment._writer, {}, lambda _address: True)
        usb = None if plugged is None else plugged.collector
        self.requests = SensorRequests(enrolment, information, None, usb)
        if usb is not None:
            enrolment.collect_usb_with(usb)

    async def plug(self, *devices: UsbDevice) -> None:
        """Plug these in, and wait until the hub knows."""
        assert self.plugged is not None
        for device in devices:
            if device.node:
                self.plugged.usb.plug_keyboard(device)
            else:
                self.plugged.usb.plug(device, Talker())
        collector = self.plugged.collector
        await self.plugged.until(lambda: len(collector.sightings()) >= len(devices))

    async def seen(self) -> list[Any]:
        return list(_list((await self.requests.scan({}))["plugged_in"]))

    async def add(self, address: str, **said: object) -> tuple[str, list[str]]:
        """What is answered, and what is noted beside it."""
        answer = await self.requests.enrol({"address": address, "by": SAM, **said})
        return str(answer["words"]), [str(note) for note in _list(answer["notes"])]

    async def listed(self, address: str) -> Mapping[str, Any]:
        sensors = _list((await self.requests.sensors({}))["sensors"])
        return next(each for each in sensors if each["address"] == address)


def _list(value: object) -> Sequence[Any]:
    assert isinstance(value, list)
    return value


@asynccontextmanager
async def asked(config: Config) -> AsyncIterator[Asked]:
    async with running(config) as enrolment, plugging() as plugged:
        yield Asked(enrolment, plugged)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return new_home(tmp_path)


def wearing(config: Config, code: str = "R0412") -> Config:
    """The home, its first resident with a wristband."""
    first, *others = config.residents
    return config.model_copy(update={"residents": (first.model_copy(update={"wristband": code}), *others)})


# --- seen


async def test_what_is_plugged_in_is_seen_with_what_it_may_be(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter(name="FT232R USB UART"), reader())
        chip, scanner = await hub.seen()
        assert (chip["address"], chip["by_socket"], chip["socket"]) == (ADAPTER, IN_SOCKET, "1.1")
        assert (chip["manufacturer"], chip["name"], chip["kind"]) == (
            "FTDI",
            "FT232R USB UART",
            "serial line",
        )
        assert "nonin_serial" in [each["driver"] for each in chip["suggested"]]
        assert (chip["certain"], chip["enrolled"], chip["may_open"]) == (False, False, True)
        assert scanner["address"] == READER
        assert [each["driver"] for each in scanner["suggested"]] == ["wristband_reader"]
        assert scanner["certain"] is True
        assert (await hub.requests.scan({}))["radio"] is None, "and Bluetooth is off"


async def test_what_is_enrolled_by_its_socket_is_seen_so_whatever_its_serial_number(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter())
        await hub.add(IN_SOCKET, driver="nonin_serial", resident=ILL)
        (seen,) = await hub.seen()
        assert (seen["address"], seen["enrolled_as"], seen["resident"]) == (ADAPTER, IN_SOCKET, ILL)


async def test_two_of_one_serial_number_are_each_shown_by_their_socket(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter(), adapter(port="platform-usb-0:1.2"))
        seen = await hub.seen()
        assert [each["address"] for each in seen] == [IN_SOCKET, "USB:0403:6001@PLATFORM-USB-0:1.2"]
        assert [each["serial_is_shared"] for each in seen] == [True, True]


async def test_what_the_hub_may_not_open_is_said_unless_it_is_somebodys_keyboard() -> None:
    seen = {"enrolled": False, "kind": "serial line", "certain": False, "may_open": False}
    assert is_refused(seen)
    assert not is_refused(seen | {"may_open": True})
    assert not is_refused(seen | {"kind": "keyboard"})
    assert is_refused(seen | {"kind": "keyboard", "certain": True})
    assert is_refused(seen | {"kind": "keyboard", "enrolled": True})


@pytest.mark.parametrize(
    ("there", "allowed", "may"), [(True, True, True), (True, False, False), (False, False, True)]
)
async def test_whether_the_hub_may_open_it_is_asked_of_a_node_that_is_there(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool, allowed: bool, may: bool
) -> None:
    """A virtual keyboard has none."""
    node = tmp_path / "event9"
    if there:
        node.touch()
    # The tests may run as root, who may open anything.
    monkeypatch.setattr(
        "hub.sensors.plugged_in.os.access", lambda path, _mode: allowed or str(path) != str(node)
    )
    async with asked(config) as hub:
        await hub.plug(replace(reader(), node=str(node)))
        (seen,) = await hub.seen()
        assert seen["may_open"] is may


async def test_where_usb_and_bluetooth_are_off_what_to_set_is_said(config: Config) -> None:
    async with running(config) as enrolment:
        hub = Asked(enrolment, None)
        with pytest.raises(ControlError, match=r'bluetooth\.radio = "bluez".*usb\.ports = "udev"'):
            await hub.requests.scan({})
        _, notes = await hub.add(ADAPTER, driver="nonin_serial")
        assert notes[0].startswith("nothing is collected: USB is off on this hub")


# --- enrolled


async def test_a_reader_of_a_known_make_needs_no_driver_named(config: Config) -> None:
    async with asked(wearing(config)) as hub:
        await hub.plug(reader())
        words, notes = await hub.add(READER)
        assert words.startswith(f"{READER} is enrolled as wristband_reader, ")
        assert "whose readings come next from the shared sensors of its kit" in words
        # The home's shared oximeter is of the same kit: of that without a name.
        assert notes == [
            "only the hub hears what it types from now on: on no other screen does a code appear"
        ]
        assert hub.plugged is not None
        plugged = hub.plugged
        await plugged.until(lambda: plugged.status(READER).connected)
        row = await hub.listed(READER)
        assert (row["plugged_in"], row["connected"], row["trouble"]) == (True, True, None)


async def test_of_a_chip_that_may_be_in_anything_the_driver_must_be_named(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter())
        with pytest.raises(ControlError) as caught:
            await hub.add(ADAPTER, resident=ILL)
        words = str(caught.value)
        assert words.startswith(
            f"{ADAPTER}: may be another thing as well: look at the sensor, and name its driver"
        )
        assert "(--driver nonin_serial or --driver nonin_df8)" in words
        assert "of many things, among them Nonin" in words
        words, notes = await hub.add(ADAPTER, resident=ILL, driver="nonin_serial")
        assert f"Its readings are those of {ILL}" in words
        (note,) = notes
        assert "whatever is put on that cable is taken for it" in note


async def test_of_what_says_nothing_of_itself_the_drivers_on_usb_are_named_and_no_others(
    config: Config,
) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter(vendor=0x2341, product=0x0043))
        for address, why in (
            ("USB:2341:0043:A9XK2P7Q", "does not say what it is"),
            ("USB:2341:0043:ELSEWHERE", "is not plugged in, so what it is is not known"),
        ):
            with pytest.raises(ControlError, match=why) as caught:
                await hub.add(address)
            assert "nonin_serial" in str(caught.value)
            assert "thermometer" not in str(caught.value)


async def test_what_is_not_plugged_in_is_enrolled_with_a_note_and_taken_up_when_it_is(config: Config) -> None:
    async with asked(config) as hub:
        _, notes = await hub.add(ADAPTER, driver="nonin_serial", resident=ILL)
        assert notes == ["it is not plugged in: it is collected from as soon as it is"]
        assert (await hub.listed(ADAPTER))["plugged_in"] is False
        await hub.plug(adapter())
        assert hub.plugged is not None
        plugged = hub.plugged
        await plugged.until(lambda: plugged.status(ADAPTER).connected)


async def test_of_one_that_is_known_by_its_socket_that_is_said(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter(serial="0001"))
        (seen,) = await hub.seen()
        assert seen["address"] == IN_SOCKET
        _, (note,) = await hub.add(IN_SOCKET, driver="nonin_serial", resident=ILL)
        assert "whatever of this kind is plugged into that socket is taken for it" in note


async def test_of_two_of_one_serial_number_that_neither_is_listened_to_is_said(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter(), adapter(port="platform-usb-0:1.2"))
        _, notes = await hub.add(ADAPTER, driver="nonin_serial", resident=ILL)
        assert notes[0].startswith(
            "2 devices that are plugged in say this serial number, so none is listened to"
        )
        assert IN_SOCKET in notes[0]
        trouble = (await hub.listed(ADAPTER))["trouble"]
        assert "enrol each by its socket" in trouble


@pytest.mark.parametrize(("first", "second"), [(ADAPTER, IN_SOCKET), (IN_SOCKET, ADAPTER)])
async def test_one_device_is_not_enrolled_by_both_its_names(config: Config, first: str, second: str) -> None:
    """Its readings would be one resident's by the one name and another's by the other."""
    async with asked(config) as hub:
        await hub.plug(adapter())
        await hub.add(first, driver="nonin_serial", resident=ILL)
        with pytest.raises(
            ControlError, match=f"{second}: is enrolled already, as {first}: forget that first"
        ):
            await hub.add(second, driver="nonin_serial")
        assert [each.sensor.address for each in hub.enrolment.all if each.by is not None] == [first]


async def test_of_two_in_two_sockets_each_is_enrolled_by_its_own(config: Config) -> None:
    async with asked(config) as hub:
        other = "USB:0403:6001@PLATFORM-USB-0:1.2"
        await hub.plug(adapter(), adapter(port="platform-usb-0:1.2"))
        await hub.add(IN_SOCKET, driver="nonin_serial", resident=ILL)
        await hub.add(other, driver="nonin_serial")
        assert [(each["enrolled_as"], each["resident"]) for each in await hub.seen()] == [
            (IN_SOCKET, ILL),
            (other, None),
        ]


async def test_a_serial_number_is_not_enrolled_beside_the_socket_of_one_that_says_it(config: Config) -> None:
    """When the other is pulled out it would mean the one in the socket, whose readings are another's."""
    async with asked(config) as hub:
        await hub.plug(adapter(), adapter(port="platform-usb-0:1.2"))
        await hub.add(IN_SOCKET, driver="nonin_serial", resident=ILL)
        with pytest.raises(ControlError, match=f"{ADAPTER}: is enrolled already, as {IN_SOCKET}"):
            await hub.add(ADAPTER, driver="nonin_serial")


async def test_a_line_is_no_reader_and_what_types_is_no_sensor(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter(), reader())
        with pytest.raises(ControlError, match="is a serial line, and wristband_reader reads a keyboard"):
            await hub.add(ADAPTER, driver="wristband_reader")
        with pytest.raises(ControlError, match="is a keyboard, and nonin_serial reads a serial line"):
            await hub.add(READER, driver="nonin_serial")
        assert all(each.by is None for each in hub.enrolment.all)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"driver": "thermometer"}, "is on USB, and thermometer reads what is on Bluetooth"),
        ({"driver": "nonin_serial", "bonding": "never"}, "what is on USB is not bonded with"),
        ({"driver": "nonin_serial", "passkey": "012345"}, "what is on USB is not bonded with"),
        ({"driver": "wristband_reader", "resident": ILL}, "nobody's own"),
        ({"driver": "nonin_serial", "resident": ILL, "kit": "ward-a"}, "of a kit is shared"),
        ({"driver": "nonin_serial", "kit": "ward a"}, "--kit: "),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_enrolled(
    config: Config, said: dict[str, object], words: str
) -> None:
    async with asked(config) as hub:
        with pytest.raises(CareportError) as caught:
            await hub.add(ADAPTER, **said)
        assert words in str(caught.value)
        assert "012345" not in str(caught.value)
        assert all(each.by is None for each in hub.enrolment.all)


@pytest.mark.parametrize("address", ["USB:0403:6001", "USB:nonsense", "USB:"])
async def test_what_is_no_address_is_refused_with_both_ways_of_writing_one(
    config: Config, address: str
) -> None:
    async with asked(config) as hub:
        with pytest.raises(ControlError) as caught:
            await hub.add(address, driver="nonin_serial")
        assert '"USB:0403:6001:A9XK2P7Q"' in str(caught.value)
        assert '"C4:F2:17:00:00:01"' in str(caught.value)


async def test_a_glucose_by_cable_raises_no_alert_either_and_that_is_said(config: Config) -> None:
    async with asked(config) as hub:
        _, notes = await hub.add("USB:067B:2303@P-USB-0:1.1", driver="onetouch_ultra_easy", resident=ILL)
        assert notes[0].startswith("a glucose raises no alert, however low or high")


# --- readers and kits


async def test_a_reader_that_can_name_nobody_says_why(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(reader())
        _, notes = await hub.add(READER, kit="a")
        assert notes[1:] == [
            "no shared sensor of the kit a is enrolled yet: there is nothing whose readings it could name",
            "no resident has a wristband in the configuration, so it can name nobody: give theirs there"
            " (residents.wristband), and restart the hub",
        ]


async def test_a_second_reader_of_a_kit_is_noted_and_one_of_another_is_not(config: Config) -> None:
    other = replace(reader(), id="other", port="platform-usb-0:1.8", serial="R2", node="/dev/input/event8")
    third = replace(reader(), id="third", port="platform-usb-0:1.7", serial="R3", node="/dev/input/event7")
    async with asked(wearing(config)) as hub:
        await hub.plug(reader(), other, third)
        await hub.add(READER)
        _, notes = await hub.add("USB:0C2E:0B61:R2")
        assert f"there is another reader without a kit ({READER})" in notes[1]
        _, notes = await hub.add("USB:0C2E:0B61:R3", kit="ward-b")
        assert not any("another reader" in note for note in notes)


async def test_a_shared_sensor_of_a_kit_with_a_reader_is_whose_wristband_was_scanned(config: Config) -> None:
    async with asked(wearing(config)) as hub:
        await hub.plug(reader(), adapter())
        await hub.add(READER, kit="ward-a")
        words, _ = await hub.add(ADAPTER, driver="nonin_serial", kit="ward-a")
        assert f"is of whose wristband was scanned (with {READER})" in words
        words, _ = await hub.add("C4:F2:17:00:00:77", driver="thermometer", kit="ward-b")
        assert "It is shared: its readings wait until a person says whose they are" in words


async def test_a_shared_sensor_of_the_file_counts_as_one_that_a_reader_names(config: Config) -> None:
    async with asked(wearing(config)) as hub:
        assert any(each.sensor.address == SHARED for each in hub.enrolment.all)
        _, notes = await hub.add(READER, driver="wristband_reader")
        assert not any("no shared sensor" in note for note in notes)


# --- forgotten


async def test_what_is_forgotten_is_closed_and_a_stranger_again(config: Config) -> None:
    async with asked(config) as hub:
        await hub.plug(adapter())
        await hub.add(ADAPTER, driver="nonin_serial", resident=ILL)
        answer = await hub.requests.forget({"address": ADAPTER.lower(), "by": SAM})
        assert f"{ADAPTER} (nonin_serial) is forgotten" in str(answer["words"])
        assert hub.plugged is not None
        assert hub.plugged.collector.status().sensors == ()
        (seen,) = await hub.seen()
        assert seen["enrolled"] is False
