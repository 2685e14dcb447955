"""Which remedy a radio that fails is given, and when."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bluetooth.healing import LADDER, Failure, Healer, Ladder, Silence, Step, none_can_be_connected
from drivers.bluetooth.radio import Remedy, RemedyError
from drivers.virtual.radio import VirtualRadio

POWER_CYCLE, HAND_OVER = Remedy.POWER_CYCLE, Remedy.HAND_OVER
RESTART, REBOOT = Remedy.RESTART_BLUETOOTHD, Remedy.REBOOT
MINUTE = 60.0
HOUR = 60 * MINUTE


def remedies(ladder: Ladder, begin: float, end: float) -> list[tuple[float, Remedy]]:
    """What a radio is given that fails from `begin` to `end`, looked at each second."""
    given_: list[tuple[float, Remedy]] = []
    now = begin
    while now < end:
        if (remedy := ladder.failing(now)) is not None:
            given_.append((now, remedy))
            ladder.tried(now, had=True)
        now += 1
    return given_


def test_a_radio_that_goes_on_failing_is_given_each_remedy_the_mildest_first() -> None:
    tried = remedies(Ladder(), 0, 15 * MINUTE)
    assert [remedy for _, remedy in tried][:5] == [POWER_CYCLE, HAND_OVER, RESTART, POWER_CYCLE, REBOOT]


def test_a_machine_is_restarted_only_when_its_radio_has_failed_for_ten_minutes() -> None:
    tried = {remedy: at for at, remedy in reversed(remedies(Ladder(), 0, HOUR))}
    assert tried[RESTART] < MINUTE
    assert tried[REBOOT] >= 10 * MINUTE


def test_each_remedy_has_time_to_work_before_the_next() -> None:
    ladder = Ladder()
    assert ladder.failing(0) is None
    assert ladder.failing(4.9) is None
    assert ladder.failing(5) is POWER_CYCLE
    ladder.tried(9, had=True)
    assert ladder.failing(18.9) is None
    assert ladder.failing(19) is HAND_OVER


def test_a_remedy_that_could_not_be_had_gives_way_to_the_next_without_a_wait_of_its_own() -> None:
    ladder = Ladder()
    ladder.failing(0)
    assert ladder.failing(20) is POWER_CYCLE
    ladder.tried(20, had=False)
    assert ladder.failing(20) is HAND_OVER
    ladder.tried(20, had=False)
    assert ladder.failing(20) is RESTART


def test_a_radio_that_fails_again_soon_after_a_remedy_is_given_the_next_one() -> None:
    ladder = Ladder()
    remedies(ladder, 0, 6)
    for now in range(6, 600):
        ladder.well(float(now))
    assert remedies(ladder, 600, 611) == [(610, HAND_OVER)]


def test_a_radio_that_was_well_for_half_an_hour_begins_with_the_mildest_again() -> None:
    ladder = Ladder()
    remedies(ladder, 0, 6)
    for now in range(6, 1900):
        ladder.well(float(now))
    assert remedies(ladder, 1900, 1906) == [(1905, POWER_CYCLE)]


def test_half_an_hour_in_which_nobody_looked_counts_as_well_when_it_began_well() -> None:
    ladder = Ladder()
    remedies(ladder, 0, 6)
    ladder.well(10)
    assert remedies(ladder, 2000, 2006) == [(2005, POWER_CYCLE)]


def test_remedies_that_were_all_in_vain_are_given_more_and_more_rarely() -> None:
    day = remedies(Ladder(), 0, 24 * HOUR)
    first, last = (sum(begin <= at < begin + 6 * HOUR for at, _ in day) for begin in (0, 18 * HOUR))
    assert first > last
    assert 0 < last <= 12
    assert sum(remedy is REBOOT for _, remedy in day) <= 12


def test_what_was_tried_for_something_of_lesser_weight_does_not_make_a_reboot_the_next_remedy() -> None:
    """Two straps that are heard and too far away; then bluetoothd hangs."""
    ladder = Ladder()
    given = []
    for now in range(0, 3600, 60):
        remedy = ladder.failing(now, now - 40.0, Remedy.RESTART_BLUETOOTHD)
        if remedy is not None:
            given.append(remedy)
            ladder.tried(now, had=True)
        ladder.well(now + 20.0)
    assert given == [Remedy.POWER_CYCLE, Remedy.HAND_OVER, Remedy.RESTART_BLUETOOTHD]
    assert [remedy for _, remedy in remedies(ladder, 3600.0, 3660.0)] == given


def test_a_radio_that_is_lost_now_and_then_in_a_silent_night_is_not_one_that_fails_all_night() -> None:
    ladder = Ladder()
    assert [ladder.failing(hour * HOUR, since=hour * HOUR) for hour in range(8)] == [None] * 8


def test_what_may_be_a_quiet_home_never_restarts_anything() -> None:
    ladder = Ladder()
    assert ladder.failing(1000, since=0, at_most=POWER_CYCLE) is POWER_CYCLE
    ladder.tried(1000, had=True)
    assert all(
        ladder.failing(1000 + later, since=0, at_most=POWER_CYCLE) is None for later in range(0, 5000, 50)
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["well", "failing", "had", "not had"]), st.floats(0.1, 4000)), max_size=100
    )
)
def test_no_remedy_is_ever_due_sooner_after_the_last_than_its_step_says(
    happenings: list[tuple[str, float]],
) -> None:
    waits = {step.remedy: step.wait for step in reversed(LADDER)}  # of one that comes twice, the shorter
    ladder, now, last = Ladder(), 0.0, float("-inf")
    for happening, later in happenings:
        now += later
        if happening == "well":
            ladder.well(now)
            continue
        remedy = ladder.failing(now)
        if remedy is not None:
            assert now - last >= waits[remedy] - 1e-6
            ladder.tried(now, had=happening != "not had")
            if happening != "not had":
                last = now


# --- silence


def heard_each(silence: Silence, interval: float, until: float) -> None:
    silence.listen(0)
    now = 0.0
    while now < until:
        now += interval
        silence.heard(now)


def test_where_something_is_always_heard_ten_minutes_of_nothing_are_suspicious() -> None:
    silence = Silence()
    heard_each(silence, 1, HOUR)
    assert not silence.too_long(HOUR + 9 * MINUTE)
    assert silence.too_long(HOUR + 10 * MINUTE)


def test_where_hours_pass_between_two_advertisements_they_are_nothing_to_worry_about() -> None:
    silence = Silence()
    heard_each(silence, 8 * HOUR, 48 * HOUR)
    assert not silence.too_long(48 * HOUR + 24 * HOUR)
    assert silence.too_long(48 * HOUR + 32 * HOUR)


def test_a_suspicion_that_was_in_vain_comes_again_only_after_twice_as_long() -> None:
    silence = Silence()
    heard_each(silence, 1, HOUR)
    begin = HOUR + 10 * MINUTE
    assert silence.too_long(begin)
    silence.listen(begin)
    assert not silence.too_long(begin + 19 * MINUTE)
    assert silence.too_long(begin + 20 * MINUTE)


def test_a_silence_that_a_remedy_may_have_ended_does_not_count_as_usual() -> None:
    silence = Silence()
    heard_each(silence, 1, HOUR)
    assert silence.too_long(3 * HOUR)
    silence.heard(4 * HOUR)
    assert silence.too_long(4 * HOUR + 10 * MINUTE)


@pytest.mark.parametrize(
    ("failures", "the_radio"),
    [([], False), ([9], False), ([10], True), ([3, 2], False), ([3, 3], True), ([0, 0, 9, 2], False)],
)
def test_one_sensor_that_cannot_be_connected_to_is_not_the_radio(
    failures: list[int], the_radio: bool
) -> None:
    assert none_can_be_connected(failures) is the_radio


# --- the healer, on a radio of software


class Patient(VirtualRadio):
    """A radio that notes what it is healed with; some of it cannot be had."""

    def __init__(self, *not_had: Remedy) -> None:
        super().__init__()
        self.not_had = not_had
        self.given: list[Remedy] = []

    async def heal(self, remedy: Remedy) -> str:
        self.given.append(remedy)
        if remedy in self.not_had:
            raise RemedyError(remedy, "there is none here")
        return f"did {remedy.name}"


AT_ONCE = [Step(step.remedy, 0.0) for step in LADDER]
FAILURE = Failure("it does not scan")


def test_sensors_that_are_heard_and_too_far_away_are_suspicious_more_and_more_rarely() -> None:
    assert [none_can_be_connected([3, 3], suspicions) for suspicions in range(4)] == [True, True, True, False]
    assert none_can_be_connected([6, 6], 3)
    assert not none_can_be_connected([11, 11], 4)
    assert none_can_be_connected([40], 4)


def allowing(answer: bool) -> Callable[[], Awaitable[bool]]:
    async def may() -> bool:
        return answer

    return may


async def test_what_was_tried_and_what_came_of_it_can_be_told() -> None:
    healer = Healer(Patient(POWER_CYCLE), ladder=AT_ONCE)
    at_first = healer.status
    assert at_first.ails is None
    await healer.heal(FAILURE)
    failed = healer.status
    assert (failed.ails, failed.remedy, failed.tried) == (FAILURE.words, POWER_CYCLE, 1)
    assert failed.outcome == "power cycle: there is none here"
    assert failed.tried_at is not None
    await healer.heal(FAILURE)
    done = healer.status
    assert (done.remedy, done.outcome, done.tried) == (HAND_OVER, "did HAND_OVER", 2)
    healer.well()
    assert healer.status.ails is None
    assert healer.status.remedy is HAND_OVER


@pytest.mark.parametrize("may", [True, False])
async def test_the_machine_is_restarted_only_where_it_may_be(
    may: bool, caplog: pytest.LogCaptureFixture
) -> None:
    patient = Patient()
    healer = Healer(patient, allowing(may), AT_ONCE)
    with caplog.at_level(logging.WARNING):
        for _ in LADDER:
            await healer.heal(FAILURE)
    assert patient.given == [POWER_CYCLE, HAND_OVER, RESTART, POWER_CYCLE, *([REBOOT] if may else [])]
    assert ("may not be restarted" in caplog.text) is not may


async def test_nobody_who_was_not_asked_lets_the_machine_be_restarted() -> None:
    patient = Patient()
    healer = Healer(patient, ladder=AT_ONCE)
    for _ in LADDER:
        await healer.heal(FAILURE)
    assert len(patient.given) == len(LADDER) - 1
    assert REBOOT not in patient.given
