"""Which driver may read what is heard or plugged in, by the devices that are known (`drivers/devices.py`).

`suggest` and `suggest_usb` are what `carehub devices scan` asks. `python -m drivers.known_models` prints the
table of `drivers/README.md`, which a test holds to the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from drivers.catalogue import DRIVERS
from drivers.devices import MODELS
from drivers.known_model import KnownModel
from drivers.usb.bus import Kind, UsbDevice
from drivers.wristband_reader import KeyboardDriver


class Ground(IntEnum):
    """What a suggestion rests on, the strongest first.

    NAME is what it is called or, on USB, its own number. IN_MANY is what many other things have as well: the
    chip of a cable, or that it types.
    """

    NAME = 1
    SERVICE = 2
    SERVICE_WITHOUT_NAME = 3
    IN_MANY = 4

    @property
    def doubtful(self) -> bool:
        """Whether it may be another thing all the same."""
        return self in (Ground.SERVICE_WITHOUT_NAME, Ground.IN_MANY)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A driver that may be the one, the ground for that, and why in words.

    `driver` None says that the sensor is known and that nothing here reads it rightly.
    """

    driver: str | None
    ground: Ground
    why: str


def suggest(name: str | None, services: Sequence[str]) -> list[Suggestion]:
    """Which drivers may read a sensor that advertises this name and these services, the likeliest first.

    Each that may is given once, and nothing is chosen among them: cuffs of different layouts share a service.
    None at all where nothing is known. Where the name was not heard (None, or empty), all that it would have
    told apart are given. A sensor of which the name says that nothing reads it gets that answer alone.
    `services` are 16-bit or whole UUIDs, in any case.
    """
    called = (name or "").strip("\0 ")  # some are filled up with zeros
    offered = {_short(service) for service in services}
    return _the_best_of(_suggestions(called, offered))


def suggest_usb(device: UsbDevice) -> list[Suggestion]:
    """Which drivers may read what is plugged in, as `suggest`.

    What is recognised by its own number, or by what it is called, is that: what only its chip would suggest
    is then left out. Anything that types may be a reader of wristbands.
    """
    suggestions = _the_best_of(_suggestions_on_usb(device))
    if any(each.ground is Ground.NAME for each in suggestions):
        return [each for each in suggestions if each.ground is Ground.NAME]
    if not suggestions and device.kind is Kind.KEYBOARD:
        why = "types, as readers of wristbands do and as keyboards for people do"
        return [
            Suggestion(name, Ground.IN_MANY, why)
            for name, each in DRIVERS.items()
            if isinstance(each, KeyboardDriver)
        ]
    return suggestions


def _the_best_of(found: Iterable[Suggestion]) -> list[Suggestion]:
    """Each driver once, with the best ground for it; where the best of all is that nothing reads it, that."""
    suggestions = sorted(found, key=lambda each: each.ground)
    if suggestions and suggestions[0].driver is None:
        return suggestions[:1]
    once: dict[str | None, Suggestion] = {}
    for suggestion in suggestions:
        once.setdefault(suggestion.driver, suggestion)
    return list(once.values())


def _suggestions(called: str, offered: set[str]) -> Iterable[Suggestion]:
    for model in MODELS:
        if called and any(re.match(pattern, called) for pattern in model.names):
            ground, why = Ground.NAME, f"is named as {model.title}"
            if not model.drivers:
                yield Suggestion(None, ground, f"{why}, which nothing here reads: {model.remark}")
        elif (service := next((each for each in model.services if each in offered), None)) is None:
            continue
        elif not model.names:
            ground, why = Ground.SERVICE, f"advertises {service}, as {model.title}"
        elif not called:
            ground = Ground.SERVICE_WITHOUT_NAME
            why = f"advertises {service}, as {model.title}; its name was not heard"
        else:
            continue
        for driver in model.drivers:
            yield Suggestion(driver, ground, f"{why} ({model.remark})" if model.remark else why)


def _suggestions_on_usb(device: UsbDevice) -> Iterable[Suggestion]:
    number = f"{device.vendor:04x}:{device.product:04x}"
    called = f"{device.manufacturer} {device.name}"
    for model in MODELS:
        if any(re.search(pattern, called) for pattern in model.usb_names):
            ground, why = Ground.NAME, f"is called as {model.title}"
        elif not any(number.startswith(known) for known in model.usb):
            continue
        elif model.in_many:
            ground, why = Ground.IN_MANY, f"has the number {number} of many things, among them {model.title}"
        else:
            ground, why = Ground.NAME, f"has the number {number}, as {model.title}"
        yield from _read_by(model, device.kind, ground, why)


def _read_by(model: KnownModel, kind: Kind, ground: Ground, why: str) -> Iterable[Suggestion]:
    """A reader of wristbands is read where it types, all else where it is a serial line."""
    drivers = [name for name in model.drivers if _types(name) is (kind is Kind.KEYBOARD)]
    for name in drivers:
        yield Suggestion(name, ground, f"{why} ({model.remark})" if model.remark else why)
    if not drivers:
        how = "" if not model.drivers else f" as a {kind.value}"
        yield Suggestion(None, ground, f"{why}, which nothing here reads{how}: {model.remark}")


def _types(driver: str) -> bool:
    return isinstance(DRIVERS.get(driver), KeyboardDriver)


_BASE_UUID = re.compile(r"0000([0-9a-f]{4})-0000-1000-8000-00805f9b34fb")


def _short(uuid: str) -> str:
    """A UUID as a driver writes it: four hex digits where it is one of the Bluetooth SIG's."""
    sig = _BASE_UUID.fullmatch(uuid.lower())
    return sig[1] if sig else uuid.lower()


def table() -> str:
    """The models as a table in Markdown."""
    rows = [("device", "driver", "tested against", "to know"), ("---",) * 4]
    for model in MODELS:
        drivers = ", ".join(f"`{driver}`" for driver in model.drivers) or "none"
        rows.append((model.title, drivers, model.evidence if model.drivers else "-", model.remark))
    return (
        "".join(f"| {' | '.join(row)} |\n" for row in rows)
        .replace("| --- |", "|---|")
        .replace(" --- |", "---|")
    )


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201  # this is what it is for
