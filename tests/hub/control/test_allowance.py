"""The token bucket: so many at once, and so many a minute from then on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.control.allowance import Allowance


def test_so_many_at_once_and_then_one_for_each_share_of_a_minute() -> None:
    moment = [0.0]
    allowance = Allowance(3, per_minute=6, clock=lambda: moment[0])
    assert [allowance.take() for _ in range(5)] == [True, True, True, False, False]
    moment[0] = 9.9
    assert not allowance.take()
    moment[0] = 10.0
    assert [allowance.take() for _ in range(2)] == [True, False]
    moment[0] = 10_000.0
    assert [allowance.take() for _ in range(5)] == [True, True, True, False, False]


@given(
    at_once=st.integers(1, 20),
    per_minute=st.floats(0, 600),
    pauses=st.lists(st.floats(0, 30), max_size=200),
)
def test_never_more_than_the_allowance_whatever_the_pauses(
    at_once: int, per_minute: float, pauses: list[float]
) -> None:
    moment = [0.0]
    allowance = Allowance(at_once, per_minute, clock=lambda: moment[0])
    taken = 0
    for pause in pauses:
        moment[0] += pause
        taken += allowance.take()
    assert taken <= at_once + moment[0] * per_minute / 60 + 1e-6
