"""What an assessment means for alerts where a clock is wrong: a sensor's, or the hub's own."""

import pytest

from hub.alerts.life import Outcome
from hub.assessment.news2 import PARAMETERS, Band
from tests.rigs.assessments import (
    HIGH,
    MIND,
    MINUTE,
    NOON,
    PRESSURE,
    PULSE,
    RED,
    SATURATION,
    WELL,
    assessed,
    considered,
    existing,
    raised,
    seen,
    without,
)

# Doubtful times


EVERYTHING = frozenset(PARAMETERS)


def test_a_measurement_whose_time_is_doubtful_raises_an_alert_that_says_so() -> None:
    alert = considered(None, assessed(HIGH, 0, doubtful=frozenset({PULSE, PRESSURE}))).raised
    assert alert is not None
    assert alert.doubtful_time == {PULSE, PRESSURE}
    assert alert.words.endswith(
        "; when it was measured is doubtful, its sensor's clock may be wrong: systolic pressure, pulse rate"
    )
    assert "doubtful" not in raised(HIGH).words


def test_measurements_whose_time_is_doubtful_end_no_alert_however_long() -> None:
    doubted = [assessed(WELL, minute, doubtful=frozenset({SATURATION})) for minute in range(10, 300, 10)]
    alert = existing(considered(raised(RED), *doubted))
    assert alert.open
    assert alert.below_since == {}


@pytest.mark.parametrize("doubtful_minute", [10, 40])
def test_both_ends_of_a_recovery_must_be_sure_of_their_time(doubtful_minute: int) -> None:
    recovery = [
        assessed(WELL, minute, doubtful=EVERYTHING if minute == doubtful_minute else frozenset())
        for minute in (10, 40)
    ]
    alert = existing(considered(raised(HIGH), *recovery))
    assert (alert.open, alert.band) == (True, Band.HIGH)


def test_a_doubtful_time_of_what_did_not_contribute_hinders_no_recovery() -> None:
    recovery = [assessed(WELL, minute, doubtful=frozenset({PRESSURE})) for minute in (10, 40)]
    assert considered(raised(RED), *recovery).outcome is Outcome.RESOLVED


def test_a_bad_measurement_whose_time_is_doubtful_interrupts_a_recovery() -> None:
    interrupted = [assessed(WELL, 10), assessed(RED, 20, doubtful=EVERYTHING), assessed(WELL, 40)]
    assert considered(raised(RED), *interrupted).outcome is Outcome.UNCHANGED
    assert considered(raised(RED), *interrupted, assessed(WELL, 70)).outcome is Outcome.RESOLVED


# The hub's clock, set while an alert is open

YEAR = 525_600.0


def test_an_alert_of_a_clock_that_was_a_year_ahead_is_over_when_the_recovery_has_lasted() -> None:
    alert = seen(raised(HIGH, YEAR))
    assert considered(alert, assessed(WELL, 0), assessed(WELL, 29)).outcome is Outcome.UNCHANGED
    assert considered(alert, assessed(WELL, 0), assessed(WELL, 30)).outcome is Outcome.RESOLVED


def test_an_acknowledged_alert_of_a_clock_that_was_ahead_hides_no_relapse() -> None:
    alert = seen(raised(HIGH, YEAR))
    partly = [assessed(without(WELL, MIND), minute) for minute in (0, 60, 120)]
    open_still = existing(considered(alert, *partly))
    assert open_still.open
    assert considered(open_still, assessed(HIGH, 30 * 24 * 60)).outcome is Outcome.SUPERSEDED


def test_a_recovery_that_began_while_the_clock_was_ahead_is_delayed_by_no_more_than_its_length() -> None:
    begun = existing(considered(raised(RED, YEAR), assessed(WELL, YEAR + 10)))
    assert considered(begun, assessed(WELL, 0), assessed(WELL, 29)).outcome is Outcome.UNCHANGED
    assert considered(begun, assessed(WELL, 0), assessed(WELL, 30)).outcome is Outcome.RESOLVED


def test_what_waited_for_the_card_is_not_taken_for_a_clock_set_back() -> None:
    """It was received before what raised the alert, and is considered after it."""
    waited = [assessed(WELL, minute, considered=121) for minute in (0, 30, 60, 119)]
    alert = existing(considered(raised(RED, 120), *waited))
    assert alert.open
    assert alert.assessed_until == NOON + 120 * MINUTE
