"""Streams are kept apart, gathered into stretches, and no more of them is remembered than is needed."""

from __future__ import annotations

import gc
import math
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from drivers.stretch import MOST_SAMPLES, payloads
from drivers.virtual import encoding
from hub.assessment.news2 import OxygenScale
from hub.assessment.stream import Sample
from hub.clock import ClockQuality, ClockStamp
from hub.configuration.file import ObservationSets, Resident
from hub.intake.streams import ClosedStretch, Streams
from hub.readings import Flag, Reading, Vital
from tests.rigs.house import ILL, OXIMETER, WELL, decoded, raw

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
NAN, OUT = math.nan, -math.inf
"""No number; and no number, as no finger is in it."""
SETS = ObservationSets()
BOOT = uuid.UUID(int=7)
SATURATION = Vital.OXYGEN_SATURATION
RESIDENTS = {name: Resident(id=name) for name in (ILL, WELL)}


def stamp(seconds: float, quality: ClockQuality = ClockQuality.SYNCHRONISED) -> ClockStamp:
    return ClockStamp(BOOT, seconds * SECOND, quality)


def streamed(saturation: float, at: datetime, device: str = OXIMETER) -> Reading:
    payload = encoding.continuous(
        NAN if saturation == OUT else saturation, 72 if math.isfinite(saturation) else NAN
    )
    reading = decoded(raw(device, "pulse_oximeter", payload, at, "2a5f"))
    return replace(reading, flags=reading.flags | {Flag.SENSOR_DISPLACED}) if saturation == OUT else reading


class Gathering:
    """Streams whose owner is whoever `resident` names; and what is over."""

    def __init__(
        self, noon: datetime, sets: ObservationSets = SETS, resident: Resident | None = None
    ) -> None:
        self.noon = noon
        self.resident: Resident | None = resident or RESIDENTS[ILL]
        self.asked: list[ClockStamp | None] = []
        self.streams = Streams(sets, self._owner)
        self.over: list[ClosedStretch] = []

    def _owner(self, _reading: Reading, _stamp: ClockStamp, began: ClockStamp | None) -> Resident | None:
        self.asked.append(began)
        return self.resident

    def say(
        self, seconds: Iterable[float], saturation: float | Callable[[float], float] = 97.0
    ) -> list[ClosedStretch]:
        """One sample at each second after noon; what is over by them."""
        over: list[ClosedStretch] = []
        for second in seconds:
            value = saturation if isinstance(saturation, float) else saturation(second)
            over += self.streams.add(streamed(value, self.noon + second * SECOND), stamp(second))
        self.over += over
        return over

    def ends(self, over: list[ClosedStretch]) -> list[float]:
        """When each ended, in seconds after noon."""
        return [(each.reading.raw.received_at - self.noon) / SECOND for each in over]


def samples(closed: ClosedStretch) -> list[float]:
    """The saturations of its samples, as its driver reads them again."""
    found = [decoded(each).measurements[0].value for each in payloads(closed.reading.raw)]
    return [NAN if value is None else float(value) for value in found]


@pytest.fixture
def gathering(noon: datetime) -> Gathering:
    return Gathering(noon)


# --- when a stretch is over


def test_a_steady_stream_is_one_row_a_minute_with_its_observation(gathering: Gathering) -> None:
    over = gathering.say(range(1000))
    assert gathering.ends(over) == [15, *range(75, 1000, 60)]
    for closed in over[1:]:
        assert (closed.samples, closed.reading.stretch and closed.reading.stretch.duration) == (60, MINUTE)
        assert {each.vital: each.value for each in closed.observed}[SATURATION] == 97


def test_every_payload_is_in_it_and_is_read_again_as_it_was(gathering: Gathering, noon: datetime) -> None:
    over = gathering.say(range(200), lambda second: 97 - second % 5)
    sent = [streamed(97 - second % 5, noon + second * SECOND).raw for second in range(196)]
    assert [each for closed in over for each in payloads(closed.reading.raw)] == sent


def test_a_fall_ends_it_as_soon_as_it_is_observed_and_a_rise_too(gathering: Gathering) -> None:
    gathering.say(range(80))
    fall = gathering.say(range(80, 120), 88.0)
    assert gathering.ends(fall) == [95]
    assert fall[0].observed[0].value == 88
    assert gathering.ends(gathering.say(range(120, 170))) == [135]


def test_a_wander_within_one_sub_score_does_not_end_it(gathering: Gathering) -> None:
    over = gathering.say(range(600), lambda second: 96.0 + second // 20 % 4)
    assert gathering.ends(over) == [15, *range(75, 600, 60)]


def test_on_scale_2_a_rise_that_matters_on_oxygen_alone_ends_it(noon: datetime) -> None:
    """Whether they breathe air or oxygen is not known here: 95 and 97 % differ for one of the two."""
    second_scale = Resident(id=ILL, oxygen_scale=OxygenScale.SCALE_2, oxygen_scale_prescriber="Dr No")
    gathering = Gathering(noon, resident=second_scale)
    gathering.say(range(80), 92.0)
    assert gathering.ends(gathering.say(range(80, 120), 95.0)) == [95]
    assert gathering.ends(gathering.say(range(120, 160), 97.0)) == [135]


def test_a_sensor_that_falls_silent_ends_it_after_ten_seconds(gathering: Gathering) -> None:
    gathering.say(range(40))
    assert gathering.streams.silent(stamp(48)) == []
    (closed,) = gathering.streams.silent(stamp(49))
    assert (gathering.ends([closed]), closed.samples) == ([39], 24)
    assert closed.observed, "more than ten seconds after the last observation"
    assert gathering.streams.silent(stamp(50)) == []


def test_a_gap_ends_it_and_counts_for_no_time(gathering: Gathering) -> None:
    gathering.say(range(30))
    (before,) = gathering.say([45.0])
    assert gathering.ends([before]) == [29]
    (after,) = gathering.streams.close()
    assert after.reading.stretch is not None
    assert (after.samples, after.reading.stretch.duration) == (1, timedelta(0))


@pytest.mark.parametrize("shift", [-3600, -2, 11, 3600])
def test_a_wall_clock_that_is_set_ends_it(gathering: Gathering, noon: datetime, shift: int) -> None:
    gathering.say(range(30))
    over = gathering.streams.add(streamed(96, noon + (30 + shift) * SECOND), stamp(30))
    assert gathering.ends(over)[0] == 29


def test_a_clock_that_is_believed_from_now_on_ends_it(gathering: Gathering, noon: datetime) -> None:
    for second in range(5):
        gathering.streams.add(streamed(97, noon + second * SECOND), stamp(second, ClockQuality.NOT_YET))
    (closed,) = gathering.say([5.0])
    assert closed.stamp == stamp(4, ClockQuality.NOT_YET)


def test_a_device_that_floods_ends_it_by_number_and_is_observed_all_the_same(
    gathering: Gathering, noon: datetime
) -> None:
    over = gathering.say([number / 100 for number in range(4000)], 88.0)
    assert max(each.samples for each in over) == MOST_SAMPLES
    assert any(each.observed for each in over)


def test_large_payloads_end_it_before_it_is_too_large_to_be_told(
    gathering: Gathering, noon: datetime
) -> None:
    over = []
    for second in range(60):
        sample = streamed(97, noon + second * SECOND)
        large = replace(sample, raw=replace(sample.raw, payload=bytes([second]) * 512))
        over += gathering.streams.add(large, stamp(second))
    assert [sum(len(each.payload) for each in payloads(closed.reading.raw)) for closed in over] == [
        16 * 512,
        32 * 512,
    ]


def test_what_comes_twice_is_in_one_stretch_once(gathering: Gathering) -> None:
    gathering.say(range(40))
    gathering.say(range(20, 40))
    gathering.over += gathering.streams.close()
    assert sum(each.samples for each in gathering.over) == 40


# --- whose it is


def test_another_owner_ends_it_and_what_was_said_before_is_not_observed_of_them(
    gathering: Gathering,
) -> None:
    gathering.say(range(40), 88.0)
    gathering.resident = RESIDENTS[WELL]
    over = gathering.say(range(40, 60))
    assert [(each.owner and each.owner.id, gathering.ends([each])) for each in over] == [
        (ILL, [39]),
        (WELL, [55]),
    ]
    assert set(samples(over[0])) == {88}
    assert over[1].observed[0].value == 97


def test_what_is_nobodys_is_a_stretch_of_its_own_and_never_observed(gathering: Gathering) -> None:
    gathering.resident = None
    over = gathering.say(range(200), 80.0)
    assert gathering.ends(over) == [60, 120, 180]
    assert {(each.owner, each.observed) for each in over} == {(None, ())}


def test_what_is_nobodys_for_a_while_does_not_begin_their_observation_anew(gathering: Gathering) -> None:
    gathering.say(range(35), 97.0)
    gathering.resident = None
    gathering.say(range(35, 40), NAN)
    gathering.resident = RESIDENTS[ILL]
    over = gathering.say(range(40, 70), 88.0)
    # Of the thirty seconds to second 54 it has 25, and 15 of these are low.
    assert gathering.ends([each for each in over if each.observed and each.observed[0].value == 88])[0] < 60


def test_one_sensors_values_of_two_residents_are_never_taken_together(gathering: Gathering) -> None:
    """It goes from one to the other every three seconds."""
    for second in range(0, 60, 3):
        gathering.resident = RESIDENTS[(ILL, WELL)[second // 3 % 2]]
        gathering.say(range(second, second + 3), 88.0 if gathering.resident is RESIDENTS[ILL] else 97.0)
    for closed in gathering.over:
        assert set(samples(closed)) == ({88} if closed.owner is RESIDENTS[ILL] else {97})
        assert closed.observed == ()


def test_a_run_begins_anew_after_a_finger_was_out_for_three_seconds(gathering: Gathering) -> None:
    gathering.say(range(5))
    gathering.say(range(5, 8), OUT)  # two seconds from the first to the last
    gathering.say([7.9])
    assert set(gathering.asked) == {stamp(0)}
    gathering.asked.clear()
    gathering.say(range(8, 12), OUT)
    gathering.say([12.0, 13.0])
    assert gathering.asked == [stamp(0), stamp(0), stamp(0), None, stamp(12), stamp(12)]


def test_a_finger_that_moves_for_long_is_still_the_same_finger(gathering: Gathering) -> None:
    """Whoever was scanned meanwhile: what it says when it lies still again is not theirs."""
    gathering.say(range(5))
    gathering.say(range(5, 60), NAN)
    gathering.say([5.0 + 55, 61.0])
    gathering.say([62.0, 63.0], OUT)
    gathering.say([64.0], NAN)
    gathering.say([65.0, 66.0], OUT)
    gathering.say([67.0])
    assert set(gathering.asked) == {stamp(0)}


def test_a_run_begins_with_the_finger_though_the_sensor_searches_first(gathering: Gathering) -> None:
    """Who is scanned while it searches is not the one whose finger is in it."""
    gathering.say(range(5), OUT)
    gathering.say(range(5, 12), NAN)
    gathering.say([12.0])
    assert gathering.asked == [None] * 5 + [stamp(5)] * 8


def test_a_run_is_over_after_twenty_seconds_of_silence(gathering: Gathering) -> None:
    """Less may be a link that was lost, with the finger still in."""
    gathering.say([0.0, 19.9, 39.9])
    assert gathering.asked == [stamp(0), stamp(0), stamp(39.9)]


def test_a_stretch_says_when_the_run_of_its_last_sample_began(gathering: Gathering) -> None:
    gathering.say(range(20))
    (closed,) = gathering.say([40.0])
    assert (closed.began, closed.stamp) == (stamp(0), stamp(19))


# --- what it comes to


@pytest.mark.parametrize(("scale", "threshold", "below"), [(1, 90.0, 20), (2, 88.0, 10)])
def test_the_time_below_the_threshold_of_their_scale_is_counted(
    noon: datetime, scale: int, threshold: float, below: int
) -> None:
    resident = Resident(id=ILL, oxygen_scale=OxygenScale(scale), oxygen_scale_prescriber="Dr No")
    gathering = Gathering(noon, resident=resident)
    gathering.say(range(61), lambda second: 97.0 if second < 41 else 89.0 if second < 51 else 87.0)
    gathering.over += gathering.streams.close()
    ranges = [
        said
        for each in gathering.over
        if each.reading.stretch is not None
        for said in each.reading.stretch.vitals
        if said.vital is SATURATION
    ]
    assert {each.threshold for each in ranges} == {threshold}
    assert sum((each.below or timedelta(0) for each in ranges), timedelta(0)) == below * SECOND
    assert min(each.lowest for each in ranges) == 87


def test_thresholds_are_configured(noon: datetime) -> None:
    gathering = Gathering(noon, ObservationSets(low_saturation=95))
    gathering.say(range(16), 94.0)
    (closed,) = gathering.over
    assert closed.reading.stretch is not None
    assert closed.reading.stretch.vitals[0].below == 15 * SECOND


def test_it_has_what_any_sample_said_but_is_test_data_only_as_a_whole(
    gathering: Gathering, noon: datetime
) -> None:
    for second in range(10):
        sample = streamed(97, noon + second * SECOND)
        said = {Flag.LOW_PERFUSION, Flag.FOR_TESTING} if second == 5 else set[Flag]()
        gathering.streams.add(replace(sample, flags=frozenset(said)), stamp(second))
    (closed,) = gathering.streams.close()
    assert closed.reading.flags == {Flag.LOW_PERFUSION}
    gathering.streams.add(
        replace(streamed(97, noon + 10 * SECOND), flags=frozenset({Flag.FOR_TESTING})), stamp(10)
    )
    (closed,) = gathering.streams.close()
    assert closed.reading.flags == {Flag.FOR_TESTING}


# --- how much is remembered


def samples_alive() -> int:
    gc.collect()
    return sum(isinstance(each, Sample | Reading) for each in gc.get_objects())


def test_what_is_over_is_forgotten(gathering: Gathering, noon: datetime) -> None:
    before = samples_alive()
    for second in range(1000):
        gathering.streams.add(streamed(97, noon + second * SECOND), stamp(second))
    remembered = samples_alive() - before
    assert 0 < remembered <= 60 + 120  # a minute of the stretch; and thirty seconds to a minute and a half
    gathering.streams.silent(stamp(1100))
    assert samples_alive() == before


def test_of_many_sensors_the_one_that_was_silent_for_longest_is_closed(
    gathering: Gathering, noon: datetime
) -> None:
    over = []
    for number in range(150):
        device = f"C4:F2:17:00:01:{number:02X}"
        over += gathering.streams.add(streamed(97, noon, device), stamp(number / 100))
    assert [each.reading.raw.device for each in over] == [f"C4:F2:17:00:01:{n:02X}" for n in range(50)]
    assert len(gathering.streams.close()) == 100


def test_one_sensor_is_closed_by_its_address(gathering: Gathering, noon: datetime) -> None:
    for device in ("A", "B"):
        gathering.streams.add(streamed(97, noon, device), stamp(0))
    assert [each.reading.raw.device for each in gathering.streams.close("B")] == ["B"]
    assert [each.reading.raw.device for each in gathering.streams.close()] == ["A"]
