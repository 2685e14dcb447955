"""The aims of issue 3, and why one of them is missed where that is known: the one place that says it."""

from __future__ import annotations

from dataclasses import dataclass

_UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Aim:
    """What is aimed at, in words; `reason` is why it is missed, and is told only when it is."""

    what: str
    reason: str = _UNKNOWN


@dataclass(frozen=True, slots=True)
class Found:
    """What came of an aim: what was measured, and beside what; `met` is None where it was not measured."""

    aim: Aim
    measured: str
    beside: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "met", False: "MISSED", None: "NOT MEASURED"}[self.met]

    def __str__(self) -> str:
        if self.met is None:
            return f"{self.aim.what}: {self.verdict}: {self.measured}"
        against = f" against {self.beside}" if self.beside else ""
        why = "" if self.met else f". Why: {self.aim.reason}"
        return f"{self.aim.what}: {self.verdict}, measured {self.measured}{against}{why}"


_PASSES_ON = (
    "the hub decodes, attributes, scores twice (NEWS2 and the model), forms the set, has all of it synced to "
    "the disk and makes FHIR of it, on one core, before it is done with a reading"
)

FLOOD_BESIDE_THINGSBOARD = Aim(
    "flood: at least 3 times as many readings/s as ThingsBoard's gateway with sqlite",
    f"{_PASSES_ON}; the gateway passes bytes on, and says accepted before anything is on the disk",
)
FLOOD_BESIDE_RAW = Aim(
    "flood: at least 60 % of the raw limit at the same batch size",
    f"{_PASSES_ON}; the raw limit commits and passes on bytes, and does nothing else",
)
ALERT = Aim("200 readings/s: alert p99 of 60 ms at most")
ALERT_BESIDE_THINGSBOARD = Aim("200 readings/s: alert p99 of 1/5 of ThingsBoard's reading p99 at most")
WRITTEN = Aim("200 readings/s: 900 bytes to disk a reading at most")
MEMORY = Aim(
    "memory with the model loaded: 80 MB at most",
    "76 MB are there before the first reading (libraries and interpreter 34, Python's objects 26, the C "
    "library's heap 13, SQLite 1), 78 with 200 residents, and a flood adds 6: the window of recent "
    "measurements, SQLite's caches, what is under way",
)
KILLS = Aim(
    "kill -9 online, in an outage, at boot, while draining; outage; black hole: 0 of the committed lost, "
    "duplicates all recognisable by id"
)
POWER = Aim("60 power cuts: 0 of the committed lost, and a control (synchronous=NORMAL) that does lose")
OVERTAKES = Aim("100,000 readings of backlog: an alert raised then is at the subscriber within 1 s")
DRAINS = Aim(
    "100,000 readings of backlog: they drain at 60 % or more of the raw window rate",
    "a message of the hub is 20 readings that are read back from the card and put into words as they are "
    "sent, and deleted with a synced commit; the raw window sends as many bytes that are there already",
)
FULL_CARD = Aim("card full for 60 s, then freed: goes on by itself, 0 of the committed lost")
FLAT = Aim("memory and descriptors flat over 200,000 readings and 500 reconnects")

OF_THE_FAULTS = (KILLS, POWER, OVERTAKES, DRAINS, FULL_CARD, FLAT)
"""Those that `make test-faults` measures, in the issue's order."""
