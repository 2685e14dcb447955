"""How long a sensor is left alone after a link that failed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.bluetooth.backoff import Backoff
from drivers.bluetooth.patience import Patience


def test_a_sensor_that_leaves_soon_is_tried_again_soon_and_one_that_streams_has_time() -> None:
    patience = Patience()
    cuff, strap = Backoff(patience, leaves_soon=True), Backoff(patience, leaves_soon=False)
    assert [cuff.after_failure(slowly=False) for _ in range(12)] == [1, 2, 4, 4, 4, 4, 4, 4, 4, 4, 60, 60]
    assert [strap.after_failure(slowly=False) for _ in range(6)] == [1, 2, 4, 8, 15, 15]


def test_a_cuff_that_fails_ten_times_has_been_tried_all_through_the_minute_it_is_there() -> None:
    backoff = Backoff(Patience(), leaves_soon=True)
    assert sum(backoff.after_failure(slowly=False) for _ in range(10)) < 60


def test_where_only_a_person_can_help_the_waits_are_long() -> None:
    backoff = Backoff(Patience(), leaves_soon=True)
    assert [backoff.after_failure(slowly=True) for _ in range(6)] == [10, 20, 40, 80, 120, 120]
    backoff.reset()
    assert backoff.after_failure(slowly=True) == 10


@given(st.booleans(), st.lists(st.booleans(), max_size=500))
def test_no_wait_is_without_end_or_none(leaves_soon: bool, failures: list[bool]) -> None:
    patience = Patience()
    backoff = Backoff(patience, leaves_soon=leaves_soon)
    for slowly in failures:
        assert patience.sensor_least <= backoff.after_failure(slowly=slowly) <= patience.refused_most


def test_three_failures_in_a_row_are_in_vain_until_a_link_works() -> None:
    backoff = Backoff(Patience(), leaves_soon=True)
    told = []
    for _ in range(4):
        told.append(backoff.is_in_vain)
        backoff.after_failure(slowly=False)
    assert told == [False, False, False, True]
    backoff.reset()
    assert not backoff.is_in_vain
