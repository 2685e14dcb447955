"""What was noted by a clock that was set later: put right, marked, or told anew; and never both."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import ClockQuality, ClockStamp, HubClock, Step, StepKind, from_microseconds
from hub.readings import DeviceTime, Flag, RawPayload, Reading, reading_id
from hub.timekeeping.correction import Told, corrected, measured_by_present, placed, present
from hub.timekeeping.timing import ClockRule, TimeQuality
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine

RULE = ClockRule(5 * MINUTE, timedelta(days=30), ZoneInfo("Europe/London"))


class Noting:
    """A machine, the clock's steps on it, and what was noted: as the hub would, and in truth."""

    def __init__(self, error: timedelta, *, synchronised: bool = False) -> None:
        self.machine = SimulatedMachine(error, synchronised=synchronised)
        self.hub = HubClock(self.machine.boot, self.machine.look())
        self.steps: list[Step] = []

    def look(self) -> None:
        if (step := self.hub.look(self.machine.look())) is not None:
            self.steps.append(step)

    def set_from_network(self) -> None:
        self.machine.set_from_network()
        self.look()

    def set_by_hand(self, by: timedelta) -> None:
        self.machine.set_by_hand(by)
        self.look()

    @property
    def stamp(self) -> ClockStamp:
        return self.machine.stamp(self.hub.state.quality)

    def note(self, after: timedelta = timedelta(0)) -> tuple[datetime, ClockStamp]:
        self.machine.pass_time(after)
        return self.machine.wall, self.stamp

    def reading(self, sensor: timedelta | None = None, *flags: Flag) -> tuple[Reading, ClockStamp]:
        """A reading received now; the sensor's clock is ahead of the truth by so much, if it has one."""
        shown = None
        if sensor is not None:
            local = (self.machine.true + sensor).astimezone(RULE.zone)
            shown = DeviceTime(*local.timetuple()[:6])
        raw = RawPayload("a", "b", b"x", self.machine.wall)
        reading = Reading(reading_id(raw, shown), raw, (), flags=frozenset(flags), device_time=shown)
        return reading, self.stamp


def test_what_was_noted_before_the_clock_was_first_set_moves_with_it() -> None:
    hub = Noting(-5 * HOUR)
    at, stamp = hub.note()
    assert corrected(at, stamp, hub.steps) == (at, Told.NOT_SET)
    hub.machine.pass_time(2 * MINUTE)
    hub.set_from_network()
    assert corrected(at, stamp, hub.steps) == (at + 5 * HOUR, Told.CORRECTED)


def test_what_was_noted_by_a_synchronised_clock_never_moves() -> None:
    hub = Noting(-5 * HOUR)
    hub.set_from_network()
    at, stamp = hub.note(10 * MINUTE)
    assert corrected(at, stamp, hub.steps) == (at, Told.TRULY)
    hub.machine.pass_time(2 * MINUTE)
    hub.set_by_hand(HOUR)
    assert corrected(at, stamp, hub.steps) == (at, Told.CONTRADICTED)
    stepped_at, stepped = hub.note(5 * MINUTE)
    assert corrected(stepped_at, stepped, hub.steps) == (stepped_at, Told.CONTRADICTED)


def test_what_was_corrected_and_then_contradicted_is_both() -> None:
    hub = Noting(-5 * HOUR)
    at, stamp = hub.note()
    hub.machine.pass_time(HOUR)
    hub.set_from_network()
    hub.machine.pass_time(HOUR)
    hub.set_by_hand(HOUR)
    assert corrected(at, stamp, hub.steps) == (at + 5 * HOUR, Told.CONTRADICTED)


def test_a_clock_that_is_set_by_hand_moves_nothing_until_the_network_confirms_it() -> None:
    hub = Noting(-5 * HOUR)
    first, first_stamp = hub.note()
    hub.machine.pass_time(10 * MINUTE)
    hub.set_by_hand(4 * HOUR)
    second, second_stamp = hub.note(10 * MINUTE)
    assert corrected(first, first_stamp, hub.steps) == (first, Told.NOT_SET)
    hub.machine.pass_time(48 * HOUR)
    hub.set_from_network()
    assert corrected(first, first_stamp, hub.steps) == (first + 5 * HOUR, Told.CORRECTED)
    assert corrected(second, second_stamp, hub.steps) == (second + HOUR, Told.CORRECTED)


def test_another_boots_steps_correct_nothing() -> None:
    earlier, later = Noting(-5 * HOUR), Noting(-3 * HOUR)
    at, stamp = earlier.note()
    later.machine.pass_time(HOUR)
    later.set_from_network()
    assert corrected(at, stamp, later.steps) == (at, Told.NOT_SET)


@pytest.mark.parametrize("error", [-5 * HOUR, 5 * HOUR, -3 * MINUTE, 400 * HOUR])
@pytest.mark.parametrize("delay", [timedelta(0), 0.3 * SECOND, 20 * SECOND])
def test_what_waits_for_its_stamp_while_the_clock_is_set_is_corrected(
    error: timedelta, delay: timedelta
) -> None:
    hub = Noting(error)
    at, true = hub.machine.wall, hub.machine.true
    hub.machine.pass_time(delay)
    hub.set_from_network()
    stamp = hub.stamp
    assert stamp.quality is ClockQuality.SYNCHRONISED
    assert corrected(at, stamp, hub.steps) == (true, Told.CORRECTED)
    after, after_stamp = hub.note()
    assert corrected(after, after_stamp, hub.steps) == (after, Told.TRULY)


def test_what_waits_for_its_stamp_longer_than_the_clock_was_moved_is_as_its_stamp_says() -> None:
    hub = Noting(-0.5 * SECOND)
    hub.machine.pass_time(SECOND)
    hub.set_from_network()
    at, _ = hub.note(SECOND)
    _, stamp = hub.note(0.4 * SECOND)
    assert corrected(at, stamp, hub.steps) == (at, Told.TRULY)


def test_a_clock_set_wrong_for_a_moment_does_not_confuse_what_waits_for_its_stamp() -> None:
    hub = Noting(timedelta(0), synchronised=True)
    at, true = hub.machine.wall, hub.machine.true
    hub.machine.pass_time(SECOND)
    hub.set_by_hand(HOUR)
    wrong = hub.machine.wall
    wrong_true = hub.machine.true
    hub.machine.pass_time(SECOND)
    hub.set_from_network()
    stamp = hub.stamp
    assert present(at, stamp, hub.steps, stamp) == true
    assert present(wrong, stamp, hub.steps, stamp) == wrong_true


# When it was measured, decided anew


@pytest.mark.parametrize(
    ("hub_error", "sensor_error", "flags", "before", "after", "age_minutes"),
    [
        # a right sensor beside a hub that is behind was called doubtful, or ahead: also of a memory's age
        (-5 * HOUR, timedelta(0), (), TimeQuality.DOUBTFUL, TimeQuality.AGREED, 0),
        (5 * HOUR, timedelta(0), (), TimeQuality.DOUBTFUL, TimeQuality.AGREED, 0),
        # a sensor that is as wrong as the hub agreed with it
        (-5 * HOUR, -5 * HOUR, (), TimeQuality.AGREED, TimeQuality.SENSOR, 300),
        (5 * HOUR, 5 * HOUR, (), TimeQuality.AGREED, TimeQuality.DOUBTFUL, 0),
        (-HOUR, -HOUR, (), TimeQuality.AGREED, TimeQuality.DOUBTFUL, 0),  # perhaps summer time
        # two hours in memory
        (-5 * HOUR, -2 * HOUR, (Flag.FROM_MEMORY,), TimeQuality.DOUBTFUL, TimeQuality.SENSOR, 120),
        (-5 * HOUR, None, (), TimeQuality.RECEIVED, TimeQuality.RECEIVED, 0),
    ],
)
def test_when_it_was_measured_is_decided_anew_once_the_clock_is_set(
    hub_error: timedelta,
    sensor_error: timedelta | None,
    flags: tuple[Flag, ...],
    before: TimeQuality,
    after: TimeQuality,
    age_minutes: int,
) -> None:
    hub = Noting(hub_error)
    reading, stamp = hub.reading(sensor_error, *flags)
    true = hub.machine.true
    at_first = placed(reading, stamp, hub.steps, RULE)
    assert (at_first.measured_at, at_first.time_quality, at_first.told) == (
        reading.raw.received_at,
        before,
        Told.NOT_SET,
    )
    hub.machine.pass_time(HOUR)
    hub.set_from_network()
    now = placed(reading, stamp, hub.steps, RULE)
    assert (now.received_at, now.told, now.time_quality) == (true, Told.CORRECTED, after)
    assert now.measured_at == true - age_minutes * MINUTE


def test_when_it_was_measured_is_not_decided_anew_by_a_clock_that_contradicts_itself() -> None:
    hub = Noting(timedelta(0), synchronised=True)
    reading, stamp = hub.reading(-2 * HOUR)
    before = placed(reading, stamp, hub.steps, RULE)
    assert before.time_quality is TimeQuality.SENSOR
    hub.machine.pass_time(HOUR)
    hub.set_by_hand(5 * HOUR)
    assert placed(reading, stamp, hub.steps, RULE) == replace(before, told=Told.CONTRADICTED)
    live, live_stamp = hub.reading(timedelta(0))
    place = placed(live, live_stamp, hub.steps, RULE)
    assert (place.measured_at, place.time_quality) == (live.raw.received_at, TimeQuality.DOUBTFUL)


# Windows


@pytest.mark.parametrize("by", [-5 * HOUR, 5 * HOUR])
@pytest.mark.parametrize("synchronised", [True, False])
def test_what_was_measured_two_minutes_apart_stays_so_though_the_clock_is_set(
    by: timedelta, synchronised: bool
) -> None:
    hub = Noting(-by, synchronised=synchronised)
    one, one_stamp = hub.reading()
    hub.machine.pass_time(2 * MINUTE)
    hub.set_by_hand(by)
    other, other_stamp = hub.reading()
    moments = [
        measured_by_present(reading, stamp, hub.steps, RULE, hub.stamp)
        for reading, stamp in ((one, one_stamp), (other, other_stamp))
    ]
    assert moments[0] is not None
    assert moments[1] is not None
    assert moments[1] - moments[0] == 2 * MINUTE
    assert other.raw.received_at - one.raw.received_at != 2 * MINUTE  # as the wall clock would have it


def test_what_comes_from_memory_keeps_its_age_in_a_window() -> None:
    hub = Noting(timedelta(0), synchronised=True)
    reading, stamp = hub.reading(-10 * MINUTE)
    hub.machine.pass_time(5 * MINUTE)
    hub.set_by_hand(-5 * HOUR)
    moment = measured_by_present(reading, stamp, hub.steps, RULE, hub.stamp)
    assert moment == hub.machine.wall - 15 * MINUTE


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_an_age_across_boots_is_known_only_where_both_clocks_were_believed(before: bool, after: bool) -> None:
    earlier = Noting(timedelta(0), synchronised=before)
    reading, stamp = earlier.reading()
    later = Noting(timedelta(0), synchronised=after)
    moment = measured_by_present(reading, stamp, earlier.steps, RULE, later.stamp)
    assert moment == (reading.raw.received_at if before and after else None)


# Under anything that may happen

ACTS = st.lists(
    st.tuples(
        st.sampled_from(["note", "note", "note", "pass", "slew", "hand", "network", "lose", "look"]),
        st.floats(0.001, 1),
        st.booleans(),
    ),
    max_size=40,
)


@given(ACTS, st.sampled_from([-400 * HOUR, -5 * HOUR, -HOUR, timedelta(0), 5 * HOUR]), st.booleans())
def test_times_are_right_or_marked_and_ages_are_right_whatever_is_set(
    acts: list[tuple[str, float, bool]], error: timedelta, synchronised: bool
) -> None:
    """The account: what time it truly was, and whether the clock had been called synchronised by then."""
    hub = Noting(timedelta(0) if synchronised else error, synchronised=synchronised)
    noted: list[tuple[datetime, ClockStamp, datetime, bool]] = []
    first_set, stepped_at, slewed = synchronised, None, timedelta(0)
    for act, size, sign in acts:
        direction = 1 if sign else -1
        match act:
            case "note":
                at, stamp = hub.note()
                noted.append((at, stamp, hub.machine.true, first_set))
            case "pass":
                hub.machine.pass_time(size * 20 * HOUR)
            case "slew":
                hub.machine.pass_time(HOUR, slewed=direction * size * HOUR * 500e-6)
                slewed += size * HOUR * 500e-6
            case "hand":
                hub.set_by_hand(direction * (10 * SECOND + slewed * 3 + size * 100 * HOUR))
                stepped_at = hub.machine.since_boot if first_set else None
            case "network":
                off = abs(hub.machine.error) > 10 * SECOND + 3 * slewed
                if first_set and not off and abs(hub.machine.error) > SECOND:
                    continue  # so far off that it may be called a step or not
                hub.set_from_network()
                stepped_at = hub.machine.since_boot if first_set and off else stepped_at
                first_set = True
            case "lose":
                hub.machine.synchronised = False
            case _:
                hub.look()
        hub.machine.pass_time(MINUTE + SECOND)
        slewed += 3 * SECOND if act == "network" else timedelta(0)  # what is below a step is called slewing
    now = hub.stamp
    hub.look()
    for at, stamp, true, was_set in noted:
        moved, told = corrected(at, stamp, hub.steps)
        if was_set:
            assert moved == at
        elif first_set:
            assert told in {Told.CORRECTED, Told.CONTRADICTED}
            assert abs(moved - true) <= 2 * slewed + SECOND
        else:
            assert (moved, told) == (at, Told.NOT_SET)
        contradicted = stepped_at is not None and stamp.since_boot <= stepped_at
        assert not contradicted or told is Told.CONTRADICTED
        assert stepped_at is not None or told is not Told.CONTRADICTED
        shown = present(at, stamp, hub.steps, now)
        assert shown is not None
        assert abs((hub.machine.wall - shown) - (hub.machine.true - true)) <= 2 * slewed + SECOND


def test_with_no_steps_every_time_is_as_told() -> None:
    stamp = ClockStamp(uuid.uuid4(), HOUR, ClockQuality.SYNCHRONISED)
    assert corrected(from_microseconds(0), stamp, ()) == (from_microseconds(0), Told.TRULY)


def test_a_step_of_nothing_confirms_what_was_noted() -> None:
    hub = Noting(timedelta(0))
    at, stamp = hub.note()
    hub.machine.pass_time(SECOND)
    hub.set_from_network()
    assert [step.kind for step in hub.steps] == [StepKind.FIRST_SET]
    assert corrected(at, stamp, hub.steps) == (at, Told.CORRECTED)
