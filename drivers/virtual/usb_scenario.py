"""A scenario of USB: what is plugged in when, what it measures from when on, which wristbands are scanned.

It is a TOML file (or JSON, if it is named so): the devices, each under a name, and the events, each with its
second:

    title = "A morning at a bedside"

    [devices.oximeter]
    kind = "contec_cms50"           # as the drivers are named; "wristband_reader"
    usb = "10c4:ea60"               # vendor and product
    port = "platform-xhci-hcd.0-usb-0:1.2"
    serial = "A9XK2P7Q"             # if it has one
    options = { model = "CMS50E" }  # of its emulator, if any

    [[events]]
    at = 1                          # seconds after the start
    device = "oximeter"
    do = "plug in"                  # or "pull out", or "pull out in the middle of a frame"

    [[events]]
    at = 5
    device = "oximeter"
    values = { saturation = 91, pulse = 110 }   # from now on; `VALUES` has the names

    [[events]]
    at = 8
    device = "reader"
    scan = "R-0412"                 # types it, and Enter
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from drivers.usb.bus import Kind, UsbDevice
from drivers.virtual import VirtualWardError
from drivers.virtual.contec import ClassicCms50, Cms50
from drivers.virtual.nonin import VirtualNonin
from drivers.virtual.onetouch import OneTouchMeter
from drivers.virtual.scenario_file import read_scenario
from drivers.virtual.typing_keys import keys_of

PLUGGED_IN = Path(__file__).with_name("plugged_in.toml")
"""An oximeter at a bedside, pulled out once and put back, a glucose meter and a reader of wristbands."""
SHARED_KIT = Path(__file__).with_name("shared_kit.toml")
"""An oximeter for everybody, and a reader that says who has it."""


class Emulator(Protocol):
    """What a device at the other end of a serial line does. `at` is a monotonic clock in seconds."""

    def hear(self, octets: bytes, at: float) -> bytes:
        """The hub has written these bytes; what the device answers at once."""
        ...

    def due(self, at: float) -> bytes:
        """What the device says by itself by now: asked some hundred times a second."""
        ...


_READER = "wristband_reader"
_EMULATORS: Mapping[str, Callable[..., Emulator]] = {
    "contec_cms50": Cms50,
    "contec_cms50_classic": ClassicCms50,
    "nonin_serial": VirtualNonin,
    "nonin_df8": lambda **options: VirtualNonin(8, **options),
    "onetouch_ultra_easy": OneTouchMeter,
}
_OF_A_FINGER = frozenset({"saturation", "pulse", "strength", "inside", "searching"})
_OF_NONIN = frozenset({"saturation", "pulse", "finger", "connected", "artefact", "battery_low"})
VALUES: Mapping[str, frozenset[str]] = {
    "contec_cms50": _OF_A_FINGER,
    "contec_cms50_classic": _OF_A_FINGER,
    "nonin_serial": _OF_NONIN,
    "nonin_df8": _OF_NONIN,
    "onetouch_ultra_easy": frozenset({"milligrams_per_decilitre", "on_cable"}),
}
"""What a device of each kind can be told to measure, as its emulator has it. A glucose is measured once."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScenarioDevice(_Part):
    """A device of the scenario."""

    kind: Literal[
        "contec_cms50",
        "contec_cms50_classic",
        "nonin_serial",
        "nonin_df8",
        "onetouch_ultra_easy",
        "wristband_reader",
    ]
    usb: Annotated[str, Field(pattern=r"^[0-9a-f]{4}:[0-9a-f]{4}$")]
    port: str
    serial: str | None = None
    manufacturer: str = ""
    name: str = ""
    options: dict[str, int | float | str | bool] = {}

    @property
    def device(self) -> UsbDevice:
        """As it is plugged in. Raises `ValueError` where it cannot be addressed."""
        vendor, product = (int(number, 16) for number in self.usb.split(":"))
        is_reader = self.kind == _READER
        device = UsbDevice(
            f"/sys/virtual/{self.port}",
            Kind.KEYBOARD if is_reader else Kind.SERIAL,
            f"/dev/virtual/{self.port}" if is_reader else "",
            vendor,
            product,
            self.port,
            self.serial,
            manufacturer=self.manufacturer,
            name=self.name,
        )
        type(device.address).parse(str(device.address))
        return device

    def emulator(self) -> Emulator:
        """What it does, from its first moment on. Raises `ValueError` where it has no such options."""
        try:
            return _EMULATORS[self.kind](**self.options)
        except TypeError as error:
            raise ValueError(f"a {self.kind} does not have these options: {error}") from error


class UsbEvent(_Part):
    """At a second after the start something happens to a device: one of `do`, `values` and `scan`."""

    at: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
    device: str
    do: Literal["plug in", "pull out", "pull out in the middle of a frame"] | None = None
    values: dict[str, int | float | bool] | None = None
    scan: Annotated[str, Field(min_length=1)] | None = None


class UsbScenario(_Part):
    """The whole file."""

    title: str
    devices: dict[str, ScenarioDevice]
    events: tuple[UsbEvent, ...] = ()

    @property
    def in_order(self) -> list[UsbEvent]:
        """The events as they happen."""
        return sorted(self.events, key=lambda event: event.at)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ports = [entry.port for entry in self.devices.values()]
        for name, entry in self.devices.items():
            if ports.count(entry.port) > 1:
                raise ValueError(f"{entry.port} is the port of two devices")
            try:
                _ = entry.device
                if entry.kind != _READER:
                    entry.emulator()
            except ValueError as error:
                raise ValueError(f"devices.{name}: {error}") from error
        plugged: set[str] = set()
        for event in self.in_order:
            try:
                self._check(event, plugged)
            except (ValueError, VirtualWardError) as error:
                raise ValueError(f"event at {event.at:g} s: {error}") from error
        return self

    def _check(self, event: UsbEvent, plugged: set[str]) -> None:
        entry = self.devices.get(event.device)
        if entry is None:
            raise ValueError(f"there is no device {event.device}, only {', '.join(self.devices)}")
        if [event.do, event.values, event.scan].count(None) != 2:
            raise ValueError("give one of do, values and scan")
        if event.do is not None:
            if (event.do == "plug in") is (event.device in plugged):
                raise ValueError(f"{event.device} is {'' if event.device in plugged else 'not '}plugged in")
            (plugged.add if event.do == "plug in" else plugged.discard)(event.device)
        if event.values is not None and not event.values.keys() <= (
            has := VALUES.get(entry.kind, frozenset())
        ):
            raise ValueError(f"a {entry.kind} has the values {', '.join(sorted(has)) or 'none'}")
        if event.scan is not None:
            if entry.kind != _READER or event.device not in plugged:
                raise ValueError(f"{event.device} is no reader that is plugged in")
            keys_of(event.scan)


def load_usb_scenario(path: Path) -> UsbScenario:
    """Read and check a scenario file: JSON if it is named so, else TOML.

    Raises:
        VirtualWardError: it cannot be read, or a key is wrong; each wrong key is named.
    """
    return read_scenario(path, UsbScenario)


def measure(emulator: Emulator, values: Mapping[str, Any]) -> None:
    """A device measures these from now on, whose names are those of its kind (`VALUES`)."""
    told = dict(values)
    if isinstance(emulator, OneTouchMeter) and "milligrams_per_decilitre" in told:
        emulator.measure(int(told.pop("milligrams_per_decilitre")))
    target = emulator.finger if isinstance(emulator, Cms50 | ClassicCms50) else emulator
    for name, value in told.items():
        setattr(target, name, value)
