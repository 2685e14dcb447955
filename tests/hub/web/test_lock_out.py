"""Wrong PINs are counted by name and by device, and lock out for longer each time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.web.lock_out import (
    FIRST_SECONDS,
    FORGOTTEN_AFTER_SECONDS,
    LONGEST_SECONDS,
    WRONG_BY_ADDRESS,
    WRONG_BY_NAME,
    LockOut,
    Wrong,
)

CARA, SAM, HERE, THERE = "cara night", "sam senior", "192.168.1.20", "192.168.1.21"


class Clock:
    def __init__(self) -> None:
        self.moment = 1000.0

    def __call__(self) -> float:
        return self.moment


def wrong(lock_out: LockOut, times: int, key: str = CARA, address: str = HERE) -> None:
    for _ in range(times):
        lock_out.was_wrong(key, address)


def test_it_locks_for_a_minute_and_then_for_twice_as_long_up_to_fifteen() -> None:
    clock = Clock()
    lock_out = LockOut(clock)
    wrong(lock_out, WRONG_BY_NAME - 1)
    assert lock_out.seconds_locked(CARA, HERE) == 0
    spans = []
    for _ in range(7):
        wrong(lock_out, 1)
        spans.append(lock_out.seconds_locked(CARA, HERE))
        clock.moment += spans[-1]
        assert lock_out.seconds_locked(CARA, HERE) == 0
    assert spans == [60, 120, 240, 480, 900, 900, 900]


def test_a_name_is_locked_from_every_device_and_others_are_not() -> None:
    lock_out = LockOut(Clock())
    wrong(lock_out, WRONG_BY_NAME)
    assert lock_out.seconds_locked(CARA, THERE) == FIRST_SECONDS
    assert lock_out.seconds_locked(SAM, HERE) == 0
    assert lock_out.locked_names() == {CARA}


def test_a_device_is_locked_for_every_name_and_others_are_not() -> None:
    lock_out = LockOut(Clock())
    for number in range(WRONG_BY_ADDRESS):
        wrong(lock_out, 1, f"name {number}")
    assert lock_out.seconds_locked(SAM, HERE) == FIRST_SECONDS
    assert lock_out.seconds_locked(SAM, THERE) == 0


def test_a_right_pin_forgets_the_wrong_ones_of_the_name_and_not_of_the_device() -> None:
    lock_out = LockOut(Clock())
    for number in range(WRONG_BY_ADDRESS):
        lock_out.was_right(CARA)  # whoever guesses has a PIN of their own
        wrong(lock_out, 1, f"name {number}")
    assert lock_out.seconds_locked(SAM, HERE) > 0
    wrong(lock_out, WRONG_BY_NAME - 1, SAM, THERE)
    lock_out.was_right(SAM)
    wrong(lock_out, WRONG_BY_NAME - 1, SAM, THERE)
    assert lock_out.seconds_locked(SAM, THERE) == 0


def test_what_was_wrong_long_ago_is_forgotten() -> None:
    clock = Clock()
    lock_out = LockOut(clock)
    wrong(lock_out, WRONG_BY_NAME - 1)
    clock.moment += FORGOTTEN_AFTER_SECONDS
    wrong(lock_out, WRONG_BY_NAME - 1)
    assert lock_out.seconds_locked(CARA, HERE) == 0


def test_a_flood_of_names_does_not_let_a_locked_one_go() -> None:
    lock_out = LockOut(Clock())
    wrong(lock_out, WRONG_BY_NAME)
    for number in range(6000):
        lock_out.was_wrong(f"name {number}", f"10.0.{number // 250}.{number % 250}")
    assert lock_out.seconds_locked(CARA, THERE) > 0
    assert len(lock_out._names) <= 5001


def test_a_device_with_many_addresses_of_ipv6_is_one() -> None:
    lock_out = LockOut(Clock())
    for number in range(WRONG_BY_ADDRESS):
        wrong(lock_out, 1, f"name {number}", f"2001:db8::{number:x}")
    assert lock_out.seconds_locked(SAM, "2001:db8::ffff") > 0
    assert lock_out.seconds_locked(SAM, "2001:db8:0:1::1") == 0
    assert lock_out.seconds_locked(SAM, "::ffff:192.168.1.20") == 0


@given(st.lists(st.integers(0, 2000), max_size=40))
def test_whatever_is_tried_nobody_gets_more_than_so_many_tries(pauses: list[int]) -> None:
    """A name is tried at most five times before each lock, and once after it: within a day some 100 times."""
    clock = Clock()
    known, tries, first = Wrong(), 0, clock.moment
    for pause in pauses:
        clock.moment += pause
        if known.seconds_locked(clock.moment) == 0:
            known = known.once_more(clock.moment, WRONG_BY_NAME)
            tries += 1
            assert known.count < WRONG_BY_NAME or known.seconds_locked(clock.moment) >= FIRST_SECONDS
    assert known.locked_until - known.last <= LONGEST_SECONDS
    assert tries <= WRONG_BY_NAME + (clock.moment - first) / FIRST_SECONDS + 1
