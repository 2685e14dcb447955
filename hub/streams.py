"""What the sensors that stream have said of late, remembered until it makes an observation."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hub.assessment.stream import Sample, medians
from hub.readings import Measurement, Reading

_TIMES_IN_EACH_SPAN = 3  # ten seconds of the thirty: a fall is late by no more, and the card is spared


@dataclass(slots=True)
class _Stream:
    """One sensor's samples of one resident, by reading; and which of them was observed last, and when."""

    samples: dict[uuid.UUID, Sample] = field(default_factory=dict)
    observed: tuple[uuid.UUID, datetime] | None = None


class Streams:
    """Turns streams into observations: one every third of `over` at the most, by the rule of `stream.py`.

    Nothing here is stored, and nothing has to be undone with a transaction: a reading that is taken
    again, since it was not committed, counts once and gives the same again. A restart forgets the last
    `over`, so that the next observation comes half of `over` later at the earliest.
    """

    def __init__(self, over: timedelta) -> None:
        self._over = over
        self._every = over / _TIMES_IN_EACH_SPAN
        self._streams: dict[tuple[str, str, str], _Stream] = {}

    def observe(self, resident: str, reading: Reading, at: datetime) -> tuple[Measurement, ...]:
        """Remember what a stream said at the moment `at`; return what is to be observed now, if anything."""
        raw = reading.raw
        name = resident, raw.device, raw.characteristic
        stream = self._streams.get(name) or self._streams.setdefault(name, _Stream())
        stream.samples[reading.id] = Sample(at, reading.measurements)
        if stream.observed is not None:
            last, when = stream.observed
            # Either way: a clock that was set back must not stop it.
            if last != reading.id and abs(at - when) < self._every:
                return ()
        stream.samples = {
            known: sample for known, sample in stream.samples.items() if abs(at - sample.at) <= self._over
        }
        found = medians(stream.samples.values(), at, self._over)
        if found:
            stream.observed = reading.id, at
        return found
