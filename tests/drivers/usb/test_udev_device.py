"""What udev and sysfs say of a device, as umockdev plays both; see tests/rigs/umockdev.py."""

from __future__ import annotations

from dataclasses import replace

from drivers.usb.address import UsbAddress
from drivers.usb.bus import Kind, UsbDevice
from drivers.usb.udev import UdevBus
from hub.readings import Origin
from tests.rigs.umockdev import CONSUMER_KEYS, KEYBOARD_KEYS, POWER_KEYS, Testbed, on_a_testbed
from tests.rigs.watching_udev import CH340, FTDI, READER, THERE, the_only_one, watching

# --- what a device is


@on_a_testbed
async def test_a_serial_adapter_as_udev_describes_it(testbed: Testbed) -> None:
    path = testbed.plug_serial(FTDI)
    assert await the_only_one() == UsbDevice(
        id=path,
        kind=Kind.SERIAL,
        node="/dev/ttyUSB0",
        vendor=0x0403,
        product=0x6001,
        port="platform-fe980000.usb-usb-0:1.4",
        serial="A9XK2P7Q",
        interface=0,
        manufacturer="FTDI",
        name="FT232R USB UART",
    )


@on_a_testbed
async def test_its_readings_are_a_sensors(testbed: Testbed) -> None:
    assert UdevBus(THERE).origin is Origin.SENSOR


@on_a_testbed
async def test_a_serial_adapter_that_udev_says_nothing_of(testbed: Testbed) -> None:
    testbed.plug_serial(FTDI, says={})
    device = await the_only_one()
    assert device.port == "sysfs-platform-soc-fe980000.usb-usb-0:1.4"
    assert (device.vendor, device.product, device.serial) == (0x0403, 0x6001, "A9XK2P7Q")
    assert (device.manufacturer, device.name) == ("FTDI", "FT232R USB UART")


@on_a_testbed
async def test_what_udev_says_is_not_mixed_with_what_sysfs_says(testbed: Testbed) -> None:
    """The message is of an adapter without a serial number; in its place is one that has one, by now."""
    testbed.plug_serial(FTDI, says=CH340.said_by_udev())
    device = await the_only_one()
    assert (device.vendor, device.product, device.serial) == (0x1A86, 0x7523, None)


@on_a_testbed
async def test_the_second_interface_of_a_device(testbed: Testbed) -> None:
    plug = replace(FTDI, product="6010")
    testbed.plug_serial(plug, "ttyUSB0", interface=0)
    testbed.plug_serial(plug, "ttyUSB1", interface=1)
    async with watching() as watch:
        addresses = {device.node: str(device.address) for device in await watch.there()}
    assert addresses == {"/dev/ttyUSB0": "USB:0403:6010:A9XK2P7Q", "/dev/ttyUSB1": "USB:0403:6010:A9XK2P7Q/1"}


@on_a_testbed
async def test_the_second_line_of_one_interface_is_known_by_its_socket(testbed: Testbed) -> None:
    testbed.plug_serial(FTDI, "ttyUSB0", line=0)
    testbed.plug_serial(FTDI, "ttyUSB1", line=1)
    async with watching() as watch:
        devices = await watch.there()
    assert {device.node: device.port for device in devices} == {
        "/dev/ttyUSB0": "platform-fe980000.usb-usb-0:1.4",
        "/dev/ttyUSB1": "platform-fe980000.usb-usb-0:1.4-port1",
    }
    assert len({device.address for device in devices}) == 2


@on_a_testbed
async def test_a_name_that_only_udevs_list_knows(testbed: Testbed) -> None:
    plug = replace(READER, manufacturer="05f9", name="2203")  # what udev writes where a device says nothing
    known = {
        "ID_VENDOR_FROM_DATABASE": "PSC Scanning, Inc.",
        "ID_MODEL_FROM_DATABASE": "Point of Sale Scanner",
    }
    testbed.plug_keyboard(plug, says=plug.said_by_udev() | known)
    device = await the_only_one()
    assert (device.manufacturer, device.name) == ("PSC Scanning, Inc.", "Point of Sale Scanner")


@on_a_testbed
async def test_a_terminal_that_is_not_on_usb_is_passed_over(testbed: Testbed) -> None:
    testbed.add("tty", "virtual/tty/tty1", None, {"dev": "4:1"}, {"DEVNAME": "/dev/tty1"})
    testbed.add("tty", "platform/serial8250/tty/ttyS0", None, {"dev": "4:64"}, {"DEVNAME": "/dev/ttyS0"})
    async with watching() as watch:
        assert await watch.there() == []


@on_a_testbed
async def test_what_is_on_bluetooth_is_not_on_usb_though_the_adapter_is(testbed: Testbed) -> None:
    above = testbed.interface(replace(FTDI, name="Bluetooth adapter"))
    adapter = testbed.add("bluetooth", "bluetooth/hci0", above, {}, {"DEVTYPE": "host"})
    link = testbed.add("bluetooth", "hci0:12", adapter, {}, {"DEVTYPE": "link"})
    says = {**FTDI.said_by_udev(), "ID_INPUT_KEYBOARD": "1"}
    input_ = testbed.add("input", "input/input7", link, {"capabilities/key": KEYBOARD_KEYS})
    event = {"DEVNAME": "/dev/input/event7", **says}
    testbed.add("input", "event7", input_, {"dev": "13:71"}, event)
    testbed.add("tty", "tty/rfcomm0", link, {"dev": "216:0"}, {"DEVNAME": "/dev/rfcomm0", **says})
    async with watching() as watch:
        assert await watch.there() == []


# --- keyboards


@on_a_testbed
async def test_a_reader_is_a_keyboard(testbed: Testbed) -> None:
    testbed.plug_keyboard(READER)
    device = await the_only_one()
    assert (device.kind, device.node) == (Kind.KEYBOARD, "/dev/input/event5")
    assert str(device.address) == "USB:05F9:2203@PLATFORM-FE980000.USB-USB-0:1.2"
    assert UsbAddress.parse(str(device.address)) == device.address


@on_a_testbed
async def test_of_the_input_devices_of_a_reader_the_one_that_types_is_told(testbed: Testbed) -> None:
    """udev marks the others with ID_INPUT_KEY as well, and says ID_INPUT_KEYBOARD of some."""
    marked = READER.said_by_udev(1) | {"ID_INPUT_KEY": "1", "ID_INPUT_KEYBOARD": "1"}
    testbed.plug_keyboard(READER, 5)
    testbed.plug_keyboard(READER, 6, interface=1, keys=CONSUMER_KEYS, says=marked)
    testbed.plug_keyboard(READER, 7, interface=1, keys=POWER_KEYS, says=marked)
    assert (await the_only_one()).node == "/dev/input/event5"


# Bits 2 to 11 are 1 to 0; 28 Enter; 71, 72, 73, 75, 76, 77, 79 to 82 the keypad's digits; 96 its Enter.
DIGITS_AND_ENTER = f"{sum(1 << key for key in (*range(2, 12), 28)):x}"
KEYPAD = f"{sum(1 << key - 64 for key in (71, 72, 73, 75, 76, 77, 79, 80, 81, 82, 96)):x} 0"
NO_ENTER = f"{sum(1 << key for key in range(2, 12)):x}"
NO_NINE = f"{sum(1 << key for key in (*range(2, 10), 11, 28)):x}"


@on_a_testbed
async def test_a_reader_needs_no_more_keys_than_digits_and_enter(testbed: Testbed) -> None:
    """udev does not call these keyboards, as they have no letters."""
    testbed.plug_keyboard(READER, 5, keys=DIGITS_AND_ENTER)
    testbed.plug_keyboard(replace(READER, chain="1.3"), 6, keys=KEYPAD)
    testbed.plug_keyboard(replace(READER, chain="1.4"), 7, keys=NO_ENTER)
    testbed.plug_keyboard(replace(READER, chain="1.1"), 8, keys=NO_NINE)
    async with watching() as watch:
        nodes = {device.node for device in await watch.there()}
    assert nodes == {"/dev/input/event5", "/dev/input/event6"}


@on_a_testbed
async def test_where_the_kernel_does_not_say_what_keys_there_are_udev_is_believed(testbed: Testbed) -> None:
    testbed.plug_keyboard(READER, 5, keys="", says=READER.said_by_udev() | {"ID_INPUT_KEYBOARD": "1"})
    testbed.plug_keyboard(
        replace(READER, chain="1.3"), 6, keys="??", says=READER.said_by_udev() | {"ID_INPUT_KEY": "1"}
    )
    assert (await the_only_one()).node == "/dev/input/event5"


# --- what hostile devices say of themselves


@on_a_testbed
async def test_an_endless_serial_number_is_none(testbed: Testbed) -> None:
    testbed.plug_serial(replace(FTDI, serial="9" * 10_000))
    device = await the_only_one()
    assert device.serial is None
    assert device.address == device.by_port


@on_a_testbed
async def test_control_characters_are_in_no_serial_number_and_no_name(testbed: Testbed) -> None:
    plug = replace(FTDI, serial="A\x1b[2J1", name="Pulse\x1b]0;x\x07 oximeter\t\x9b1m", manufacturer="\x00")
    testbed.plug_serial(replace(plug, manufacturer=r"\x00\x1b\x0a"), says=None)
    device = await the_only_one()
    assert device.serial is None
    assert (device.name, device.manufacturer) == ("Pulse ]0;x oximeter 1m", "")


@on_a_testbed
async def test_what_is_no_text_is_in_no_serial_number_and_no_name(testbed: Testbed) -> None:
    testbed.plug_serial(
        replace(FTDI, serial=b"A\xff\xfe1", name=b"Pulse\xff", manufacturer=r"Caf\xc3\xa9\xff")
    )
    device = await the_only_one()
    assert device.serial is None
    assert (device.name, device.manufacturer) == ("", "Café\N{REPLACEMENT CHARACTER}")


@on_a_testbed
async def test_the_same_of_sysfs_where_udev_says_nothing(testbed: Testbed) -> None:
    testbed.plug_serial(replace(FTDI, serial=b"A\xff\x1b1", name=b"Pulse\xff\x1b" + 500 * b"x"), says={})
    device = await the_only_one()
    assert device.serial is None
    assert device.name == ("Pulse\N{REPLACEMENT CHARACTER} " + 500 * "x")[:80]
    assert device.address == device.by_port


@on_a_testbed
async def test_numbers_that_are_none_are_no_device(testbed: Testbed) -> None:
    testbed.plug_serial(replace(FTDI, vendor="zzzz"))
    async with watching() as watch:
        assert await watch.there() == []
