"""Which driver may read a sensor that is heard, by the devices that are known (`drivers/devices.py`).

`suggest` is what `carehub devices scan` asks. `python -m drivers.known_models` prints the table of
`drivers/README.md`, which a test holds to the data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from drivers.devices import MODELS


class Ground(IntEnum):
    """What a suggestion rests on, the strongest first."""

    NAME = 1
    SERVICE = 2
    SERVICE_WITHOUT_NAME = 3


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
    suggestions = sorted(_suggestions(called, offered), key=lambda each: each.ground)
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
