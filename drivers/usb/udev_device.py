"""What udev says of one device, in the hub's words; where udev says nothing, what sysfs says.

Nothing of it is to be trusted: whoever makes a device writes its serial number and its names.
"""

from __future__ import annotations

import re
import struct
from typing import Any, NamedTuple

from drivers.usb.bus import Kind, UsbDevice

SUBSYSTEMS = ("tty", "input")
"""What may be a sensor or a reader."""

_LONGEST_SERIAL = 64
_LONGEST_PORT = 90
_LONGEST_NAME = 80

# Keys, by the numbers of input-event-codes.h.
_DIGITS = frozenset(range(2, 12))
_KEYPAD_DIGITS = frozenset({71, 72, 73, 75, 76, 77, 79, 80, 81, 82})
_ENDS = frozenset({28, 96, 15})  # Enter, that of the keypad, Tab
_BITS_OF_A_WORD = 8 * struct.calcsize("l")  # the kernel writes its bitmaps in words of this program's size


class PluggedIn(NamedTuple):
    """A device, and the number that the kernel gave it when it was plugged in: another each time."""

    device: UsbDevice
    number: str


def read(device: Any) -> PluggedIn | None:
    """What a `pyudev.Device` is: None where it is nothing on USB that may be a sensor or a reader, or is gone
    by now."""
    usb = device.find_parent("usb", "usb_device")
    interface = device.find_parent("usb", "usb_interface")
    kind = _kind(device)
    # A keyboard or a serial port over Bluetooth has the adapter's USB above it.
    if usb is None or interface is None or kind is None or device.find_parent("bluetooth") is not None:
        return None
    said = _said_by_udev(device) if _property(device, "ID_VENDOR_ID") else _said_by_sysfs(usb, interface)
    line = _attribute(device.find_parent("usb-serial"), "port_number")
    first_line = line in ("", "0")
    try:
        plugged_in = UsbDevice(
            id=device.sys_path,
            kind=kind,
            node=device.device_node,
            vendor=int(said.vendor, 16),
            product=int(said.product, 16),
            # The later lines of an adapter that has several on one interface: as in /dev/serial/by-path.
            port=_port(device, usb) + ("" if first_line else f"-port{line}"),
            serial=_serial(said.serial) if first_line else None,
            interface=int(said.interface or "0", 16),
            manufacturer=_name(said.manufacturer),
            name=_name(said.name),
        )
    except ValueError:  # what is being pulled out has no numbers any more
        return None
    return PluggedIn(plugged_in, _attribute(usb, "devnum"))


def _kind(device: Any) -> Kind | None:
    if not device.device_node:
        return None
    if device.subsystem == "tty":
        return Kind.SERIAL
    if device.subsystem == "input" and device.sys_name.startswith("event") and _types_codes(device):
        return Kind.KEYBOARD
    return None


def _types_codes(device: Any) -> bool:
    """Whether it can type digits, and Enter or Tab.

    A reader often has several input devices: its keyboard, and others for volume, power and sleep. udev marks
    a keyboard by the whole block of keys from Escape to S (`ID_INPUT_KEYBOARD`), which a reader of numbers
    need not have; so the kernel's own list of keys decides, and udev only where that is not to be had.
    """
    keys = _keys(_attribute(device.find_parent("input"), "capabilities/key"))
    if not keys:
        return _property(device, "ID_INPUT_KEYBOARD") == "1"
    return bool(keys & _ENDS) and (keys >= _DIGITS or keys >= _KEYPAD_DIGITS)


def _keys(bitmap: str) -> frozenset[int]:
    """The keys in a bitmap as the kernel writes it: words in hexadecimal, the highest first."""
    try:
        words = [int(word, 16) for word in reversed(bitmap.split())]
    except ValueError:
        return frozenset()
    return frozenset(
        place * _BITS_OF_A_WORD + bit
        for place, word in enumerate(words)
        for bit in range(_BITS_OF_A_WORD)
        if word >> bit & 1
    )


class _Said(NamedTuple):
    """What a device says of itself, as udev or sysfs writes it."""

    vendor: str
    product: str
    interface: str
    serial: str
    manufacturer: str
    name: str


def _said_by_udev(device: Any) -> _Said:
    """All of one message, or one record of udev's: no mixture with what sysfs says of a later device."""
    vendor, product = _property(device, "ID_VENDOR_ID"), _property(device, "ID_MODEL_ID")
    manufacturer, name = (_decoded(_property(device, key)) for key in ("ID_VENDOR_ENC", "ID_MODEL_ENC"))
    return _Said(
        vendor,
        product,
        _property(device, "ID_USB_INTERFACE_NUM"),
        _property(device, "ID_SERIAL_SHORT"),
        # Where a device says no name udev writes its number, and may know the name from its list.
        _property(device, "ID_VENDOR_FROM_DATABASE") if manufacturer in ("", vendor) else manufacturer,
        _property(device, "ID_MODEL_FROM_DATABASE") if name in ("", product) else name,
    )


def _said_by_sysfs(usb: Any, interface: Any) -> _Said:
    return _Said(
        _attribute(usb, "idVendor"),
        _attribute(usb, "idProduct"),
        _attribute(interface, "bInterfaceNumber"),
        "_".join(_attribute(usb, "serial").split()),  # as udev writes it
        _attribute(usb, "manufacturer"),
        _attribute(usb, "product"),
    )


def _port(device: Any, usb: Any) -> str:
    """The socket: the controller, and the chain of ports from there."""
    path = _property(device, "ID_PATH")
    if path:
        port = re.sub(r":[0-9]+\.[0-9]+$", "", path)
    else:
        controller = re.sub(r"^.*?/devices/|/usb[0-9]+/.*$", "", usb.sys_path)
        port = f"sysfs-{controller}-usb-0:{_attribute(usb, 'devpath')}".replace("/", "-")
    if len(port) > _LONGEST_PORT or not re.fullmatch(r"[!-.0-?A-~]+", port):
        raise ValueError("a socket that no address can name")
    return port


def _serial(text: str) -> str | None:
    """One that is too long is not cut: it might then be another's."""
    text = text.strip()
    return text if text and len(text) <= _LONGEST_SERIAL and text.isprintable() else None


def _name(text: str) -> str:
    """One line that may be printed."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * _LONGEST_NAME])
    return " ".join(printable.split())[:_LONGEST_NAME]


def _decoded(text: str) -> str:
    r"""A text in which udev has written unusual bytes as "\x20"."""
    octets = re.sub(
        rb"\\x([0-9a-fA-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode(errors="replace")
    )
    return octets.decode(errors="replace").strip()


def _property(device: Any, name: str) -> str:
    try:
        return str(device.properties.get(name, ""))
    except UnicodeDecodeError:
        return ""


def _attribute(device: Any | None, name: str) -> str:
    """A file in sysfs; "" where there is none, or not any more."""
    octets: bytes = b"" if device is None else device.attributes.get(name, b"")
    return octets.decode(errors="replace").strip()
