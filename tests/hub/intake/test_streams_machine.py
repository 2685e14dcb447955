"""Whatever comes, and in whatever order: each sample is in one stretch, of whoever it was.

The machine keeps its own account of what was said, and of whom, and holds all stretches against it.
"""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from drivers.stretch import MOST_BYTES, MOST_SAMPLES, payloads
from drivers.virtual import encoding
from hub.clock import ClockQuality, ClockStamp
from hub.configuration.file import ObservationSets, Resident
from hub.intake.streams import LONGEST, SILENCE, ClosedStretch, Streams
from hub.readings import Reading
from tests.rigs.house import ILL, WELL, decoded, raw

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NONE = timedelta(0)
DEVICES = ("C4:F2:17:00:00:02", "C4:F2:17:00:00:12")
RESIDENTS = (None, Resident(id=ILL), Resident(id=WELL))
Said = tuple[str, datetime, bytes]


class Gathering(RuleBasedStateMachine):
    """Two sensors that stream, whose owner may change at any moment, and a clock that may be set."""

    def __init__(self) -> None:
        super().__init__()
        self.owner: Resident | None = None
        self.streams = Streams(ObservationSets(), lambda _reading, _stamp, _began: self.owner)
        self.account: dict[Said, str | None] = {}
        self.newest: dict[str, Reading] = {}
        self.said_at: dict[str, timedelta] = {}
        self.over: list[ClosedStretch] = []
        self.since_boot, self.ahead = NONE, NONE
        self.quality = ClockQuality.NOT_YET

    @property
    def stamp(self) -> ClockStamp:
        return ClockStamp(uuid.UUID(int=1), self.since_boot, self.quality)

    def say(self, device: str, saturation: float) -> None:
        at = NOON + self.since_boot + self.ahead
        sample = decoded(raw(device, "pulse_oximeter", encoding.continuous(saturation, 72), at, "2a5f"))
        said = (device, at, sample.raw.payload)
        if said in self.account:
            return  # by a clock that was set back, the very same again: nobody could tell
        self.account[said] = None if self.owner is None else self.owner.id
        self.newest[device], self.said_at[device] = sample, self.since_boot
        self.over += self.streams.add(sample, self.stamp)

    @rule(
        device=st.sampled_from(DEVICES),
        count=st.integers(1, 150),
        every=st.sampled_from([10, 200, 1000, 1007, 4000, 9999]),
        saturation=st.sampled_from([97.0, 95.0, 91.0, 88.0, float("nan")]),
    )
    def stream(self, device: str, count: int, every: int, saturation: float) -> None:
        """For a while one sensor says the same."""
        for _ in range(count):
            self.since_boot += timedelta(milliseconds=every)
            self.say(device, saturation)

    @rule(count=st.integers(1, 40))
    def both_stream(self, count: int) -> None:
        """Both, by turns."""
        for second in range(count):
            self.since_boot += SECOND
            for device in DEVICES:
                self.say(device, 97.0 - second // 20)

    @precondition(lambda self: self.newest)
    @rule(device=st.sampled_from(DEVICES))
    def twice(self, device: str) -> None:
        """The newest sample comes once more, within the minute for which it is known."""
        if device in self.newest and self.since_boot - self.said_at[device] < LONGEST:
            assert self.streams.add(self.newest[device], self.stamp) == []

    @rule(owner=st.sampled_from(RESIDENTS))
    def change_owner(self, owner: Resident | None) -> None:
        self.owner = owner

    @rule(seconds=st.integers(1, 200))
    def time_passes(self, seconds: int) -> None:
        self.since_boot += seconds * SECOND
        self.over += self.streams.silent(self.stamp)

    @rule(seconds=st.integers(-5000, 5000), quality=st.sampled_from(ClockQuality))
    def set_the_clock(self, seconds: int, quality: ClockQuality) -> None:
        self.ahead += seconds * SECOND
        self.quality = quality

    @rule()
    def close(self) -> None:
        self.over += self.streams.close()

    @invariant()
    def no_more_is_open_than_a_minute(self) -> None:
        stored = sum(each.samples for each in self.over)
        assert len(self.account) - stored <= len(DEVICES) * MOST_SAMPLES

    def teardown(self) -> None:
        self.over += self.streams.close()
        assert self.streams.close() == []
        found: Counter[Said] = Counter()
        observed: dict[tuple[str, str | None], list[ClosedStretch]] = {}
        for closed in self.over:
            single = payloads(closed.reading.raw)
            owners = {self.account[each.device, each.received_at, each.payload] for each in single}
            assert owners == {closed.owner and closed.owner.id}
            found.update((each.device, each.received_at, each.payload) for each in single)
            self._is_whole(closed)
            if closed.observed:
                assert closed.owner is not None
                key = (closed.reading.raw.device, closed.owner.id)
                observed.setdefault(key, []).append(closed)
        assert found == Counter(dict.fromkeys(self.account, 1))
        for ordered in observed.values():
            for one, next_one in itertools.pairwise(ordered):
                apart = next_one.reading.raw.received_at - one.reading.raw.received_at
                between = self._between(one, next_one)
                assert abs(apart) >= 10 * SECOND or between, "ten seconds apart, unless another had it"

    def _between(self, one: ClosedStretch, next_one: ClosedStretch) -> bool:
        """Whether the sensor was another resident's in between."""
        first, last = self.over.index(one), self.over.index(next_one)
        device = one.reading.raw.device
        return any(
            each.owner not in (None, one.owner) and each.reading.raw.device == device
            for each in self.over[first:last]
        )

    def _is_whole(self, closed: ClosedStretch) -> None:
        single, stretch = payloads(closed.reading.raw), closed.reading.stretch
        assert stretch is not None
        times = [each.received_at for each in single]
        assert times == sorted(times)
        assert stretch.samples == len(single) <= MOST_SAMPLES
        assert sum(len(each.payload) for each in single) < MOST_BYTES
        assert all(later - earlier < SILENCE for earlier, later in itertools.pairwise(times))
        assert NONE <= stretch.duration < LONGEST + SILENCE
        for each in stretch.vitals:
            assert NONE <= (each.below or NONE) <= each.usable <= stretch.duration


Gathering.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestGathering = Gathering.TestCase
