"""What a USB device is known by: what it is, and its serial number or the socket that it is plugged into.

    USB:0403:6001:A9XK2P7Q                                  the one with this serial number, wherever it is
    USB:10C4:EA60@PLATFORM-XHCI-HCD.0-USB-0:1.4             the one of this kind in this socket
    USB:0403:6010:FT3XYZ/1                                  its second interface, where it has several

Never `/dev/ttyUSB0`: whichever was plugged in first is that. Many cheap adapters have no serial number of
their own, or all the same one ("0001"): those are known by their socket, which udev names by the controller
and the chain of ports (`ID_PATH`), as the numbers of the buses may change at a restart. Written in capitals,
like a Bluetooth address; upper and lower case mean the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PREFIX = "USB:"
_WRITTEN = re.compile(
    r"USB:(?P<vendor>[0-9A-F]{4}):(?P<product>[0-9A-F]{4})"
    r"(?::(?P<serial>[!-.0-?A-~]{1,64})|@(?P<port>[!-.0-?A-~]{1,100}))(?:/(?P<interface>[0-9]{1,3}))?"
)
"""A serial number and a socket are printable, without a space, a "/" or an "@"."""

_NOBODYS_OWN = re.compile(
    r"0*1?|(?:0?123456789?0?A?B?C?D?E?F?)|0X0*|(.)\1*|N/?A|NONE|NULL|DEFAULT.*|SERIAL.*"
    r"|08FF20[0-9]{6}"  # Sycreader's RFID readers (08ff:0009, ffff:0035) all say 08FF20140315
)


@dataclass(frozen=True, slots=True)
class UsbAddress:
    """Either `serial` or `port` is given. `str` writes it, `parse` reads it."""

    vendor: int
    product: int
    serial: str | None = None
    port: str | None = None
    interface: int = 0

    def __post_init__(self) -> None:
        if (self.serial is None) == (self.port is None):
            raise ValueError("give a serial number or a socket, not both or neither")

    def __str__(self) -> str:
        known_by = f":{self.serial}" if self.serial is not None else f"@{self.port}"
        interface = f"/{self.interface}" if self.interface else ""
        return f"{PREFIX}{self.vendor:04X}:{self.product:04X}{known_by}{interface}".upper()

    @classmethod
    def parse(cls, text: str) -> UsbAddress:
        """The address that a text writes. Raises `ValueError`, which says how one is written."""
        match = _WRITTEN.fullmatch(text.strip().upper())
        if match is None:
            raise ValueError(
                'give a USB address as "USB:0403:6001:A9XK2P7Q", as carehub devices scan shows it'
            )
        return cls(
            int(match["vendor"], 16),
            int(match["product"], 16),
            match["serial"],
            match["port"],
            int(match["interface"] or 0),
        )


def is_usb(address: str) -> bool:
    """Whether an address is one of USB, and not of Bluetooth."""
    return address.upper().startswith(PREFIX)


def tells_apart(serial: str | None) -> bool:
    """Whether a serial number is one of its own, as far as can be seen: not "0001", and none that an address
    cannot hold."""
    if serial is None or len(serial) > 64 or not re.fullmatch(r"[!-.0-?A-~]+", serial):
        return False
    return _NOBODYS_OWN.fullmatch(serial.upper()) is None
