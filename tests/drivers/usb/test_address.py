from __future__ import annotations

import contextlib
import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.usb.address import UsbAddress, is_usb, tells_apart
from drivers.usb.bus import Kind, UsbDevice

WRITTEN = "".join(sorted(set(string.punctuation + string.digits + string.ascii_uppercase) - set("/@`{|}~")))
NUMBERS = st.integers(0, 0xFFFF)
INTERFACES = st.integers(0, 255)
SERIALS = st.text(WRITTEN, min_size=1, max_size=64)
PORTS = st.text(WRITTEN, min_size=1, max_size=100)
ADDRESSES = st.one_of(
    st.builds(UsbAddress, NUMBERS, NUMBERS, serial=SERIALS, interface=INTERFACES),
    st.builds(UsbAddress, NUMBERS, NUMBERS, port=PORTS, interface=INTERFACES),
)


def device(
    serial: str | None, port: str = "platform-fe980000.usb-usb-0:1.4", interface: int = 0
) -> UsbDevice:
    return UsbDevice("/sys/1", Kind.SERIAL, "/dev/ttyUSB0", 0x0403, 0x6001, port, serial, interface)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("USB:0403:6001:A9XK2P7Q", UsbAddress(0x0403, 0x6001, "A9XK2P7Q")),
        (
            "USB:10C4:EA60@PLATFORM-XHCI-HCD.0-USB-0:1.4",
            UsbAddress(0x10C4, 0xEA60, port="PLATFORM-XHCI-HCD.0-USB-0:1.4"),
        ),
        ("USB:0403:6010:FT3XYZ/1", UsbAddress(0x0403, 0x6010, "FT3XYZ", interface=1)),
        (
            "USB:1A86:7523@PCI-0000:00:14.0-USB-0:2/3",
            UsbAddress(0x1A86, 0x7523, port="PCI-0000:00:14.0-USB-0:2", interface=3),
        ),
        ("USB:0403:6001:00:1A:2B", UsbAddress(0x0403, 0x6001, "00:1A:2B")),
    ],
)
def test_an_address_is_written_and_read(text: str, address: UsbAddress) -> None:
    assert str(address) == text
    assert UsbAddress.parse(text) == address


@given(ADDRESSES)
def test_what_is_written_reads_as_the_same(address: UsbAddress) -> None:
    assert UsbAddress.parse(str(address)) == address


@given(ADDRESSES, st.randoms())
def test_small_letters_and_blanks_around_it_mean_the_same(address: UsbAddress, chance: object) -> None:
    assert UsbAddress.parse(f" {str(address).lower()}\n") == address


@given(ADDRESSES, ADDRESSES)
def test_two_addresses_are_written_alike_only_if_they_are_the_same(
    one: UsbAddress, other: UsbAddress
) -> None:
    assert (str(one) == str(other)) == (one == other)


@example("A/0", "USB:0403:6001:")
@example("A/007", "USB:0403:6001:")
@given(st.text(), st.sampled_from(["", "USB:", "USB:0403:6001:", "USB:0403:6001@"]))
def test_any_text_is_an_address_that_is_written_so_or_refused(text: str, before: str) -> None:
    with contextlib.suppress(ValueError):
        written = re.sub("/0+", "/", (before + text).strip().upper()).removesuffix("/")
        assert str(UsbAddress.parse(before + text)) == written, "the first interface is left out"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "USB:",
        "USB:0403:6001",
        "USB:0403:6001:",
        "USB:0403:6001@",
        "USB:403:6001:A",
        "USB:0403:6001:A B",
        "USB:0403:6001:A/",
        "USB:0403:6001:A/B",
        "USB:0403:6001:A/1/2",
        "USB:0403:6001:A@B",
        "USB:0403:6001:A\x1b",
        "USB:0403:6001:" + 65 * "A",
        "USB:0403:6001@" + 101 * "A",
        "C4:F2:17:00:00:01",
        "/dev/ttyUSB0",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="give a USB address as"):
        UsbAddress.parse(text)


def test_a_serial_number_or_a_socket_and_not_both() -> None:
    with pytest.raises(ValueError, match="not both or neither"):
        UsbAddress(1, 2)
    with pytest.raises(ValueError, match="not both or neither"):
        UsbAddress(1, 2, "A", "B")


@pytest.mark.parametrize(
    ("address", "usb"),
    [("USB:0403:6001:A", True), ("usb:0403", True), ("C4:F2:17:00:00:01", False), ("", False)],
)
def test_an_address_of_usb_is_none_of_bluetooth(address: str, usb: bool) -> None:
    assert is_usb(address) is usb


@pytest.mark.parametrize(
    "serial", ["A9XK2P7Q", "FT3XYZ", "20140315", "01234", "10", "0002", "00:1A:2B", "a50285bi", "1002"]
)
def test_a_serial_number_of_its_own_tells_apart(serial: str) -> None:
    assert tells_apart(serial)


@pytest.mark.parametrize(
    "serial",
    [
        None, "", "0", "1", "0001", "00000000", "000000000001", "0x0000", "12345678", "123456789",
        "08FF20140315",
        "0123456789ABCDEF", "0123456789abcdef", "FFFFFFFF", "xxxxxxxx", "N/A", "NA", "none", "Null",
        "Default string", "default_string", "Serial", "Serial Number", "SERIAL_NUMBER",
        "A B", "A/B", "A@B", "A\x1b", "\u00c9", 65 * "9A", "A\n",
    ],
)  # fmt: skip
def test_one_that_is_anybodys_does_not(serial: str | None) -> None:
    assert not tells_apart(serial)


@given(st.one_of(st.none(), st.text(max_size=70)))
def test_what_tells_apart_can_be_written_down(serial: str | None) -> None:
    address = device(serial).by_serial
    assert (address is not None) == tells_apart(serial)
    if address is not None:
        assert UsbAddress.parse(str(address)) == address


def test_a_device_is_known_by_its_serial_number_where_it_has_one_of_its_own() -> None:
    assert str(device("a9xk2p7q").address) == "USB:0403:6001:A9XK2P7Q"
    assert str(device("0001").address) == "USB:0403:6001@PLATFORM-FE980000.USB-USB-0:1.4"
    assert str(device(None, interface=1).address) == "USB:0403:6001@PLATFORM-FE980000.USB-USB-0:1.4/1"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("USB:0403:6001:A9XK2P7Q", True),
        ("USB:0403:6001@PLATFORM-FE980000.USB-USB-0:1.4", True),
        ("USB:0403:6001:A9XK2P7R", False),
        ("USB:0403:6015:A9XK2P7Q", False),
        ("USB:10C4:6001:A9XK2P7Q", False),
        ("USB:0403:6001:A9XK2P7Q/1", False),
        ("USB:0403:6001@PLATFORM-FE980000.USB-USB-0:1", False),
        ("USB:0403:6001@PLATFORM-FE980000.USB-USB-0:1.4/1", False),
    ],
)
def test_which_addresses_name_a_device(text: str, named: bool) -> None:
    assert device("A9XK2P7Q").is_named_by(UsbAddress.parse(text)) is named


def test_a_serial_number_that_is_anybodys_names_nothing() -> None:
    assert not device("0001").is_named_by(UsbAddress.parse("USB:0403:6001:0001"))
