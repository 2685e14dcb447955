"""Streams are gathered into stretches: what is stored of a sensor that says something every second.

A stretch is what one sensor said of one person without a break: one row on the card, with every payload in it
(`drivers/stretch.py`) and what they come to (`hub/assessment/stretch.py`). It is over

- when it is a minute long, or as large as one may be;
- when the sensor was silent for ten seconds, the wall clock was set, or it is another's stream now;
- when what is observed says something new: another sub-score of NEWS2 than the last observation, whether they
  breathe air or oxygen, or something was not observed within the last minute. It is looked for every third of
  `observation_sets.stream` at the most (ten seconds of thirty: so much later comes an alert, and the card is
  spared);
- when the hub stops, or the sensor is forgotten.

With it comes what is then to be observed, by the rule of `hub/assessment/stream.py`, unless something was
within that third. What is in no stretch yet is in memory, and a power cut loses it: a minute at the most, of
which nothing was told.

**Whose it is** is asked for each sample, with the moment at which the run began that it belongs to: of one
finger as far as anybody knows. A run begins with the finger, though the sensor searches first. It goes on
until the sensor has said for three seconds that no finger is in it, or was silent for twenty. Samples of two
owners are never in one stretch, nor in one observation.

Nothing here is stored, and time is not asked: all follows from what is handed in. One task at a time.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from drivers.stretch import MOST_BYTES, MOST_SAMPLES, joined
from hub.assessment import news2
from hub.assessment.news2 import OxygenScale
from hub.assessment.stream import Sample, medians
from hub.assessment.stretch import summed_up
from hub.clock import ClockStamp
from hub.readings import Breathing, Flag, Measurement, Reading, Vital, reading_id
from hub.stretch import Fate

if TYPE_CHECKING:
    from hub.configuration.file import ObservationSets, Resident

LONGEST = timedelta(minutes=1)
SILENCE = timedelta(seconds=10)

_TIMES_IN_EACH_SPAN = 3
_MOST_STREAMS = 100
_MOST_OBSERVED = 600  # samples of one observation: beyond 20 a second, some are passed over
_RUN_ENDS_AFTER_SILENCE = timedelta(seconds=20)
_RUN_ENDS_AFTER_OUT = timedelta(seconds=3)
_OUT = frozenset({Flag.SENSOR_DISPLACED, Flag.SENSOR_UNCONNECTED, Flag.NO_SKIN_CONTACT})
_TEST_FLAGS = frozenset({Flag.FOR_DEMONSTRATION, Flag.FOR_TESTING})

Owner = Callable[[Reading, ClockStamp, ClockStamp | None], "Resident | None"]
"""Whose a sample is that was taken then, of a run that began then (None: there is no usable value)."""

_Scores = Mapping[Vital, tuple[int | None, ...]]


@dataclass(frozen=True, slots=True)
class ClosedStretch:
    """A stretch that is over, as one reading, received with its last sample; and what is observed by it.

    `stamp` is when the last sample was taken, `began` when the run began that it belongs to. `tells_beats` is
    whether any sample has times between beats. Whoever stores it says so in its `fate`.
    """

    reading: Reading
    stamp: ClockStamp
    owner: Resident | None
    began: ClockStamp | None = None
    observed: tuple[Measurement, ...] = ()
    tells_beats: bool = False
    fate: Fate = field(default_factory=Fate)

    @property
    def samples(self) -> int:
        """How many there are in it."""
        return self.reading.stretch.samples if self.reading.stretch is not None else 0


@dataclass(slots=True)
class _Run:
    """A run of samples of one finger, as far as anybody knows.

    It is over when the sensor has said for some time that no finger is in it, or has been silent for long:
    it was switched off, or out of reach. Not when nothing is usable: so does a finger look that moves, and
    what it says next must not be taken for another's who was scanned meanwhile.
    """

    began: ClockStamp | None = None
    heard: timedelta = timedelta(0)
    out_since: timedelta | None = None

    def goes_on(self, stamp: ClockStamp, reading: Reading) -> ClockStamp | None:
        """Take the next sample in; when the run began that it belongs to, if to any."""
        at = stamp.since_boot
        usable = any(each.usable for each in reading.measurements)
        if usable or _OUT.isdisjoint(reading.flags):
            self.out_since = None
        elif self.out_since is None:
            self.out_since = at
        is_out = self.out_since is not None and at - self.out_since >= _RUN_ENDS_AFTER_OUT
        if is_out or at - self.heard >= _RUN_ENDS_AFTER_SILENCE:
            self.began = None
        if self.out_since is None and self.began is None:
            self.began = stamp  # as soon as it is in: a sensor may search for ten seconds before it tells
        self.heard = at
        return self.began


@dataclass(slots=True)
class _Stream:
    """What one sensor says on one characteristic: the open stretch, and what an observation is made of."""

    stamp: ClockStamp
    run: _Run = field(default_factory=_Run)
    began: ClockStamp | None = None  # as of the newest sample, like the stamp
    owner: Resident | None = None
    open: list[Reading] = field(default_factory=list)
    fate: Fate = field(default_factory=Fate)  # of the open stretch
    octets: int = 0
    since: datetime | None = None  # from when on the open stretch speaks
    last: datetime | None = None
    known: dict[uuid.UUID, Fate] = field(default_factory=dict)  # of the stretch that each is in
    observed_of: str | None = None
    of_late: deque[Sample] = field(default_factory=lambda: deque(maxlen=_MOST_OBSERVED))
    looked_at: datetime | None = None
    observed_at: datetime | None = None
    scores: _Scores = field(default_factory=dict)

    def is_of(self, owner: Resident | None) -> None:
        """What comes now is theirs; of what was another's nothing is observed any more. What is nobody's is
        not observed either, and takes nothing from what is theirs before and after it."""
        self.owner = owner
        if owner is not None and owner.id != self.observed_of:
            self.observed_of = owner.id
            self.of_late.clear()
            self.looked_at = self.observed_at = None
            self.scores = {}


class Streams:
    """Gathers samples into stretches. Memory is bounded, whatever comes and in whatever order."""

    def __init__(self, sets: ObservationSets, owner: Owner) -> None:
        self._over = sets.stream
        self._every = sets.stream / _TIMES_IN_EACH_SPAN
        self._low = {
            OxygenScale.SCALE_1: {Vital.OXYGEN_SATURATION: sets.low_saturation},
            OxygenScale.SCALE_2: {Vital.OXYGEN_SATURATION: sets.low_saturation_on_scale_2},
        }
        self._owner = owner
        self._streams: dict[tuple[str, ...], _Stream] = {}  # the one heard last at the end

    def add(self, reading: Reading, stamp: ClockStamp) -> list[ClosedStretch]:
        """Take a sample in; the stretches that are over by it. One that comes again soon changes nothing,
        unless it was not stored."""
        raw, name = reading.raw, _name(reading)
        stream = self._streams.pop(name, None) or _Stream(stamp)
        self._streams[name] = stream
        if (fate := stream.known.pop(reading.id, None)) is not None and fate.is_stored is not False:
            stream.known[reading.id] = fate
            return []
        began = stream.run.goes_on(stamp, reading)
        owner = self._owner(reading, stamp, began)
        closed: list[ClosedStretch] = []
        if _is_broken(stream, raw.received_at, stamp) or _id(owner) != _id(stream.owner):
            closed += self._close(stream)
            stream.last = None
        stream.is_of(owner)
        self._take(stream, reading, stamp, began)
        closed += self._close_if_due(stream)
        while len(self._streams) > _MOST_STREAMS:
            closed += self._close(self._streams.pop(next(iter(self._streams))))
        return closed

    def fate(self, reading: Reading) -> Fate | None:
        """What becomes of a sample that has just been taken in."""
        stream = self._streams.get(_name(reading))
        return None if stream is None else stream.known.get(reading.id)

    def silent(self, now: ClockStamp) -> list[ClosedStretch]:
        """The stretches that are over since their sensors have been silent."""
        closed: list[ClosedStretch] = []
        for name, stream in list(self._streams.items()):
            silence = now.since_boot - stream.stamp.since_boot
            if silence >= SILENCE:
                closed += self._close(stream)
            if silence >= max(LONGEST, self._over):
                del self._streams[name]  # no observation to come can have anything of it
        return closed

    def close(self, device: str | None = None) -> list[ClosedStretch]:
        """Close what is open, of one sensor or of all."""
        return [
            closed
            for (name, *_), stream in self._streams.items()
            if device is None or name == device
            for closed in self._close(stream)
        ]

    def _take(self, stream: _Stream, reading: Reading, stamp: ClockStamp, began: ClockStamp | None) -> None:
        at = reading.raw.received_at
        if not stream.open:
            stream.since, stream.octets = stream.last or at, 0
        stream.open.append(reading)
        stream.octets += len(reading.raw.payload)
        stream.last, stream.stamp, stream.began = at, stamp, began
        stream.known[reading.id] = stream.fate
        if len(stream.known) > MOST_SAMPLES:
            del stream.known[next(iter(stream.known))]
        of_late = stream.of_late
        if stream.owner is not None and not (
            of_late and abs(at - of_late[-1].at) < self._over / _MOST_OBSERVED
        ):
            of_late.append(Sample(at, reading.measurements))

    def _close_if_due(self, stream: _Stream) -> list[ClosedStretch]:
        """Close the open stretch where it is long enough, or what is observed by now says something new."""
        assert stream.last is not None
        assert stream.since is not None
        at = stream.last
        found: tuple[Measurement, ...] = ()
        if stream.owner is not None and _apart(at, stream.looked_at, self._every):
            found = self._observed(stream)
            if found:
                stream.looked_at = at
        news = bool(found) and (
            _apart(at, stream.observed_at, max(LONGEST, self._every))
            or any(stream.scores.get(vital) != points for vital, points in _scores(stream, found).items())
        )
        full = len(stream.open) >= MOST_SAMPLES or stream.octets >= MOST_BYTES
        return self._close(stream) if news or full or at - stream.since >= LONGEST else []

    def _observed(self, stream: _Stream) -> tuple[Measurement, ...]:
        assert stream.last is not None
        while stream.of_late and abs(stream.last - stream.of_late[0].at) > self._over:
            stream.of_late.popleft()
        return medians(stream.of_late, stream.last, self._over)

    def _close(self, stream: _Stream) -> list[ClosedStretch]:
        if not stream.open:
            return []
        assert stream.last is not None
        assert stream.since is not None
        samples, stream.open = stream.open, []
        fate, stream.fate = stream.fate, Fate()
        scale = stream.owner.oxygen_scale if stream.owner is not None else OxygenScale.SCALE_1
        observed: tuple[Measurement, ...] = ()
        if stream.owner is not None and _apart(stream.last, stream.observed_at, self._every):
            observed = self._observed(stream)
        if observed:
            stream.looked_at = stream.observed_at = stream.last
            stream.scores = _scores(stream, observed)
        stretch, measured = summed_up(
            [Sample(each.raw.received_at, each.measurements) for each in samples],
            stream.since,
            self._over,
            self._low[scale],
        )
        raw = joined([each.raw for each in samples])
        identifier = reading_id(raw, None)
        reading = Reading(identifier, raw, measured, _flags(samples), streaming=True, stretch=stretch)
        tells_beats = any(each.beat_intervals for each in samples)
        return [ClosedStretch(reading, stream.stamp, stream.owner, stream.began, observed, tells_beats, fate)]


def _name(reading: Reading) -> tuple[str, ...]:
    raw = reading.raw
    return raw.device, raw.driver, raw.characteristic, raw.origin


def _is_broken(stream: _Stream, at: datetime, stamp: ClockStamp) -> bool:
    """Whether a sample is not the next of the one before it: by silence, or by a clock that was set."""
    if stream.last is None:
        return False
    return not timedelta(0) <= at - stream.last < SILENCE or (stamp.boot, stamp.quality) != (
        stream.stamp.boot,
        stream.stamp.quality,
    )


def _apart(at: datetime, before: datetime | None, least: timedelta) -> bool:
    """Either way: a clock that was set back must not stop it."""
    return before is None or abs(at - before) >= least


def _scores(stream: _Stream, observed: tuple[Measurement, ...]) -> _Scores:
    """The sub-scores of what is observed: on air and on oxygen, since on scale 2 it matters which, and which
    it is may not be known."""
    assert stream.owner is not None
    values = {each.vital: each.value for each in observed if each.value is not None}
    both = [
        news2.score(values | {Vital.SUPPLEMENTAL_OXYGEN: breathing}, stream.owner.oxygen_scale).sub_scores
        for breathing in Breathing
    ]
    return {vital: tuple(each.get(vital) for each in both) for vital in values}


def _flags(samples: list[Reading]) -> frozenset[Flag]:
    """What any of them said; but that it is test data only where all did, or an alert were taken for it."""
    said = [each.flags for each in samples]
    return frozenset[Flag]().union(*said) - (_TEST_FLAGS - frozenset[Flag].intersection(*said))


def _id(owner: Resident | None) -> str | None:
    return None if owner is None else owner.id
