"""How long the collector of USB waits for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds. A device that cannot be opened, or whose line breaks while it is plugged in, is tried again
    from `again_least` to `again_most`; after `frameless` without a whole frame in what it sends that is said.
    `rest` lies between two reads of a sensor that streams, `answer` between two of one that is asked;
    udev that does not work is asked again after `udev_least` to `udev_most`. At the end what was received has
    `drain` to be stored.
    """

    again_least: float = 0.5
    again_most: float = 15.0
    frameless: float = 10.0
    rest: float = 0.05
    answer: float = 0.005
    udev_least: float = 1.0
    udev_most: float = 30.0
    drain: float = 5.0
