"""A person says whose a reading is: what follows of it for the one and for the other."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.virtual.encoding import continuous
from hub.alerts.concern import SoftSign, concern_reading
from hub.alerts.life import Outcome, Resolution
from hub.assessment.news2 import Band
from hub.attribution.reassignment import ReassignmentError
from hub.readings import Door, Vital
from hub.residents.care import Care, Whereabouts
from hub.residents.register import NotWatchedError, UnknownResidentError
from hub.store.numbers import Numbers
from hub.store.ownership import DISCARDED, reading_by_id
from hub.store.queries import unassigned
from hub.trail import Audited
from hub.uplink.contract import AlertChange
from tests.rigs.desk import BY, MINUTE, NOON, SECOND, Desk
from tests.rigs.house import (
    ILL,
    SHARED,
    WELL,
    WELL_OXIMETER,
    decoded,
    door,
    entry,
    oximeter,
    raw,
    thermometer,
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.house.connection.close()


def test_what_is_nobodys_is_assigned_and_scored_at_the_moment_of_its_measurement(desk: Desk) -> None:
    reading = desk.shared(97, 0)
    desk.clock.at = NOON + 20 * MINUTE
    became = desk.assign(ILL, reading)
    assert (desk.owner(reading), became.resident, became.outcome) == (ILL, ILL, Outcome.NOTHING)
    assert [at for at, _, _ in desk.scores(ILL)] == [NOON]
    assert "theirs now" in became.words
    (noted,) = desk.noted(Audited.ASSIGNED)
    assert noted == {"resident": ILL, "by": BY}


def test_what_is_assigned_raises_an_alert_from_now_on(desk: Desk) -> None:
    reading = desk.shared(84, 0)
    desk.clock.at = NOON + 20 * MINUTE
    became = desk.assign(ILL, reading)
    assert became.outcome is Outcome.RAISED
    assert "An alert is raised" in became.words
    alert = desk.open_of(ILL)
    assert alert is not None
    assert (alert.raised_at, alert.measured_at) == (NOON + 20 * MINUTE, NOON), "its ladder begins now"


def test_what_was_measured_too_long_ago_raises_none_and_says_so(desk: Desk) -> None:
    reading = desk.shared(84, 0)
    desk.clock.at = NOON + timedelta(hours=24, minutes=1)
    became = desk.assign(ILL, reading)
    assert became.outcome is Outcome.TOO_LATE
    assert "too long ago" in became.words
    assert desk.open_of(ILL) is None


def test_what_is_assigned_late_belongs_with_what_was_measured_since(desk: Desk) -> None:
    reading = desk.shared(84, 0)
    desk.take(thermometer(36.8, NOON + 5 * MINUTE))
    desk.assign(ILL, reading)
    newest = max(desk.scores(ILL))
    assert newest[0] == NOON + 5 * MINUTE
    assert {"oxygen_saturation", "temperature"} <= newest[2].keys()


def test_several_are_assigned_in_the_order_of_their_measurement(desk: Desk) -> None:
    bad, good = desk.shared(84, 0), desk.shared(97, 1)
    became = desk.assign(ILL, good, bad)
    assert became.outcome is Outcome.RAISED
    assert max(desk.scores(ILL))[2]["oxygen_saturation"] == 97


def test_assigned_twice_is_assigned_once(desk: Desk) -> None:
    reading = desk.shared(97, 0)
    desk.assign(ILL, reading)
    again = desk.assign(ILL, reading)
    assert again.readings == ()
    assert len(desk.scores(ILL)) == len(desk.noted(Audited.ASSIGNED)) == 1


def test_all_are_assigned_or_none(desk: Desk) -> None:
    mine, taken = desk.shared(97, 0), desk.shared(96, 1)
    desk.assign(WELL, taken)
    with pytest.raises(ReassignmentError, match="somebody else meanwhile"):
        desk.assign(ILL, mine, taken)
    assert (desk.owner(mine), desk.owner(taken)) == (None, WELL)
    assert desk.scores(ILL) == []


def test_what_says_nothing_of_anybody_can_be_nobodys(desk: Desk) -> None:
    with pytest.raises(ReassignmentError, match="of a room"):
        desk.assign(ILL, desk.take(door(Door.OPEN, NOON, device=SHARED)))
    with pytest.raises(ReassignmentError, match="not kept here"):
        desk.assign(ILL, replace(oximeter(97, NOON), id=uuid.uuid4()))
    with pytest.raises(UnknownResidentError):
        desk.assign("R-9999", desk.shared(97, 0))


def test_nothing_is_given_to_who_was_not_here_when_it_was_measured(desk: Desk) -> None:
    reading = desk.shared(97, 0)
    desk.clock.at = NOON + 20 * MINUTE
    desk.house.register.list_resident(desk.house.register.resident(ILL), Care(), since=NOON + 10 * MINUTE)
    with pytest.raises(ReassignmentError, match="before they were here"):
        desk.assign(ILL, reading)
    desk.house.register.list_resident(
        desk.house.register.resident(ILL), Care(whereabouts=Whereabouts.IN_HOSPITAL)
    )
    with pytest.raises(NotWatchedError):
        desk.assign(ILL, reading)


def test_what_is_discarded_waits_for_nobody_and_is_kept(desk: Desk) -> None:
    reading = desk.shared(97, 0)
    assert unassigned(desk.house.connection, NOON - MINUTE) == 1
    desk.discard(reading)
    assert unassigned(desk.house.connection, NOON - MINUTE) == 0
    stored = reading_by_id(desk.house.connection, reading.id)
    assert stored is not None
    assert (stored.placed.reading.problem, stored.placed.reading.measurements) == (
        DISCARDED,
        reading.measurements,
    )
    assert desk.noted(Audited.DISCARDED) == [{"reason": "cuff slipped", "by": BY}]
    assert desk.discard(reading).readings == ()


def test_what_was_discarded_by_mistake_can_be_assigned(desk: Desk) -> None:
    reading = desk.shared(84, 0)
    desk.discard(reading)
    assert desk.assign(ILL, reading).outcome is Outcome.RAISED
    stored = reading_by_id(desk.house.connection, reading.id)
    assert stored is not None
    assert stored.placed.reading.problem is None


def test_what_is_somebodys_is_not_discarded(desk: Desk) -> None:
    reading = desk.shared(97, 0)
    desk.assign(ILL, reading)
    with pytest.raises(ReassignmentError, match="cannot be discarded"):
        desk.discard(reading)


def test_an_alert_of_the_wrong_resident_is_closed_and_the_right_one_gets_theirs(desk: Desk) -> None:
    reading = desk.shared(84, 0)
    desk.assign(WELL, reading)
    wrong = desk.open_of(WELL)
    assert wrong is not None
    desk.clock.at = NOON + 30 * MINUTE
    became = desk.correct(reading, ILL)
    assert (desk.owner(reading), became.outcome, became.withdrawn) == (ILL, Outcome.RAISED, 1)
    assert desk.open_of(WELL) is None
    (closed,) = [each for each in desk.house.alerts() if each.resident == WELL]
    assert (closed.id, closed.resolution) == (wrong.id, Resolution.WITHDRAWN)
    right = desk.open_of(ILL)
    assert right is not None
    assert (right.raised_at, right.measured_at) == (NOON + 30 * MINUTE, NOON)
    assert (desk.scores(WELL), len(desk.scores(ILL))) == ([], 1)


def test_an_alert_that_anothers_good_values_ended_is_raised_again_and_calls(desk: Desk) -> None:
    """The worst of it: somebody bad, whom the wrong reading has silenced."""
    desk.take(oximeter(84, NOON, device=WELL_OXIMETER))
    for minute in (5, 40):
        wrong = desk.take(oximeter(97, NOON + minute * MINUTE, device=SHARED), WELL)
        if minute == 5:
            first = wrong
    assert desk.open_of(WELL) is None, "by the values of another"
    became = desk.correct(wrong, ILL)
    assert "An alert is raised for them" in became.words
    alert = desk.open_of(WELL)
    assert alert is not None
    assert (alert.raised_at, alert.acknowledged_at, alert.rung) == (NOON + 40 * MINUTE, None, 0)
    assert desk.house.told_alerts(AlertChange.RAISED)[-1].resident == WELL
    desk.correct(first, ILL)
    assert desk.open_of(WELL) is not None


def test_what_other_readings_completed_is_formed_anew_without_it(desk: Desk) -> None:
    reading = desk.take(oximeter(84, NOON, device=SHARED), WELL)
    desk.take(entry(NOON + 5 * MINUTE), WELL)
    assert max(desk.scores(WELL))[2]["oxygen_saturation"] == 84
    became = desk.correct(reading, None)
    assert (became.withdrawn, desk.owner(reading)) == (2, None)
    ((at, total, values),) = desk.scores(WELL)
    assert (at, total) == (NOON + 5 * MINUTE, 0)
    assert "oxygen_saturation" not in values
    assert desk.open_of(WELL) is None
    assert unassigned(desk.house.connection, NOON - MINUTE) == 1, "it waits for a person again"


def test_an_earlier_value_of_their_own_comes_back(desk: Desk) -> None:
    desk.take(oximeter(95, NOON, device=WELL_OXIMETER))
    wrong = desk.take(oximeter(84, NOON + 5 * MINUTE, device=SHARED), WELL)
    desk.take(entry(NOON + 10 * MINUTE), WELL)
    desk.correct(wrong, ILL)
    assert max(desk.scores(WELL))[2]["oxygen_saturation"] == 95
    desk.take(thermometer(36.8, NOON + 12 * MINUTE), WELL)
    assert max(desk.scores(WELL))[2]["oxygen_saturation"] == 95


def test_an_alert_that_other_values_hold_goes_on_as_what_is_left(desk: Desk) -> None:
    wrong = desk.take(oximeter(84, NOON, pulse=140, device=SHARED), WELL)
    desk.take(entry(NOON + MINUTE, rate=26), WELL)
    before = desk.open_of(WELL)
    assert before is not None
    desk.correct(wrong, ILL)
    after = desk.open_of(WELL)
    assert after is not None
    assert after.band.rank < before.band.rank
    assert after.contributing == {Vital.RESPIRATION_RATE}
    assert after.news2.total == 3
    assert [each.change for each in desk.house.told_alerts() if each.resident == WELL][-1] is (
        AlertChange.STEPPED_DOWN
    )


def test_what_somebody_acknowledged_of_another_does_not_count_for_what_is_theirs(desk: Desk) -> None:
    """Their own fast breathing has called nobody: an alert of that band was open, and somebody had looked."""
    wrong = desk.take(oximeter(84, NOON, pulse=120, device=SHARED), WELL)
    alert = desk.open_of(WELL)
    assert alert is not None
    desk.acknowledge(alert)
    desk.take(oximeter(97, NOON + 40 * MINUTE, device=WELL_OXIMETER))
    desk.take(entry(NOON + 41 * MINUTE, rate=26), WELL)
    assert [each.id for each in desk.house.alerts()] == [alert.id]
    desk.correct(wrong, ILL)
    theirs = desk.open_of(WELL)
    assert theirs is not None
    assert (theirs.id != alert.id, theirs.acknowledged_at) == (True, None)
    assert theirs.contributing == {Vital.RESPIRATION_RATE}


def test_what_an_alert_of_another_had_hidden_is_still_there_after_two_corrections(desk: Desk) -> None:
    desk.take(oximeter(97, NOON + 6 * MINUTE, pulse=120, device=WELL_OXIMETER))
    hot = desk.take(thermometer(39.5, NOON + 9 * MINUTE), WELL)
    breaths = desk.take(entry(NOON + 20 * MINUTE, rate=21), WELL)
    desk.take(oximeter(97, NOON + 32 * MINUTE, pulse=140, device=WELL_OXIMETER))
    fast = desk.take(entry(NOON + 62 * MINUTE, rate=26), WELL)
    for each in (hot, fast, breaths):
        desk.correct(each, ILL)
    theirs = desk.open_of(WELL)
    assert theirs is not None
    assert theirs.contributing == {Vital.PULSE_RATE}


def test_an_alert_that_was_open_for_days_is_found_again(desk: Desk) -> None:
    desk.take(oximeter(84, NOON, device=WELL_OXIMETER))
    two_days = 48 * 60
    first = desk.take(oximeter(97, NOON + two_days * MINUTE, device=SHARED), WELL)
    last = desk.take(oximeter(97, NOON + (two_days + 40) * MINUTE, device=SHARED), WELL)
    assert desk.open_of(WELL) is None
    desk.correct(last, ILL)
    desk.correct(first, ILL)
    theirs = desk.open_of(WELL)
    assert theirs is not None
    assert theirs.measured_at == NOON


def test_sets_that_were_formed_anew_keep_their_place_in_the_order(desk: Desk) -> None:
    fast = desk.take(oximeter(97, NOON + MINUTE, pulse=140, device=SHARED), WELL)
    breaths = desk.take(entry(NOON + 2 * MINUTE, rate=26), WELL)
    faster = desk.take(oximeter(97, NOON + 4 * MINUTE, pulse=120, device=SHARED), WELL)
    desk.take(entry(NOON + 35 * MINUTE), WELL)
    for each in (breaths, fast, faster):
        desk.correct(each, ILL)
    assert desk.open_of(WELL) is None
    (over,) = [each for each in desk.house.alerts() if each.resident == WELL and each.supersedes is None]
    assert over.resolution is Resolution.WITHDRAWN


def test_what_ended_since_somebody_was_in_hospital_is_not_raised_again(desk: Desk) -> None:
    desk.take(oximeter(84, NOON, device=WELL_OXIMETER))
    wrong = desk.take(thermometer(39.5, NOON + MINUTE), WELL)
    desk.left(WELL)
    desk.clock.at = NOON + 5 * 24 * 60 * MINUTE
    assert "An alert is raised" not in desk.correct(wrong, ILL).words
    assert desk.open_of(WELL) is None


def test_what_is_raised_of_the_wrong_one_who_is_back_is_closed(desk: Desk) -> None:
    desk.take(oximeter(84, NOON, device=WELL_OXIMETER))
    desk.left(WELL)
    wrong = desk.take(oximeter(84, NOON + 300 * MINUTE, device=SHARED), WELL)
    assert desk.open_of(WELL) is not None
    desk.correct(wrong, ILL)
    assert desk.open_of(WELL) is None


def test_somebody_who_has_looked_since_is_not_called_again_for_what_they_looked_at(desk: Desk) -> None:
    desk.take(thermometer(34.0, NOON), WELL)
    first = desk.open_of(WELL)
    assert first is not None
    desk.clock.at = NOON + 5 * MINUTE
    desk.acknowledge(first)
    wrong = desk.take(oximeter(84, NOON + 10 * MINUTE, pulse=140, device=SHARED), WELL)
    second = desk.open_of(WELL)
    assert second is not None
    assert second.supersedes == first.id
    desk.clock.at = NOON + 15 * MINUTE
    desk.acknowledge(second)
    desk.correct(wrong, ILL)
    assert len([each for each in desk.house.alerts() if each.resident == WELL]) == 2


def test_a_concern_holds_an_alert_that_a_wrong_reading_was_in(desk: Desk) -> None:
    wrong = desk.take(oximeter(84, NOON, device=SHARED), WELL)
    desk.take(concern_reading(BY, NOON + MINUTE, [SoftSign.NOT_RIGHT]), WELL)
    became = desk.correct(wrong, ILL)
    alert = desk.open_of(WELL)
    assert alert is not None
    assert (alert.concerned, alert.but_for_concern) == (True, Band.ZERO)
    assert "stays open for the concern" in became.words


def test_a_concern_itself_is_settled_and_not_corrected(desk: Desk) -> None:
    said = desk.take(concern_reading(BY, NOON, [SoftSign.NOT_RIGHT]), WELL)
    with pytest.raises(ReassignmentError, match="Settle it"):
        desk.correct(said, ILL)


def test_an_open_alert_that_does_not_follow_from_what_is_kept_is_not_closed(desk: Desk) -> None:
    """As where its readings are gone: it may be of something that is not known any more."""
    wrong = desk.take(oximeter(84, NOON, device=SHARED), WELL)
    before = desk.open_of(WELL)
    assert before is not None
    other = (uuid.uuid4().bytes, "UPDATE alert SET id = ?, body = json_set(body, '$.id', ?)")
    desk.house.connection.execute(other[1], (other[0], str(uuid.UUID(bytes=other[0]))))
    desk.house.connection.execute("UPDATE alert SET assessment = 0")
    assert "not certain" in desk.correct(wrong, ILL).words
    assert desk.open_of(WELL) is not None


def test_both_versions_are_in_the_trail(desk: Desk) -> None:
    reading = desk.take(oximeter(84, NOON, device=SHARED), WELL)
    desk.take(entry(NOON + 5 * MINUTE), WELL)
    desk.correct(reading, ILL)
    (noted,) = desk.noted(Audited.CORRECTED)
    assert (noted["was"], noted["resident"], noted["reason"], noted["by"]) == (WELL, ILL, "wrong room", BY)
    scores = noted["scores"]
    assert isinstance(scores, list)
    assert [(each["was"]["total"], each["is"]) for each in scores] == [
        (3, None),
        (3, {"total": 0, "band": "zero"}),
    ]
    assert desk.house.count("withdrawn_assessment") == 2


def test_numbers_of_what_was_withdrawn_are_not_given_again(desk: Desk, tmp_path: Path) -> None:
    reading = desk.take(oximeter(97, NOON, device=SHARED), WELL)
    desk.correct(reading, None)
    assert desk.house.count("assessment") == 0
    assert Numbers.of(desk.house.connection).assessment == 1


def test_windows_of_rhythm_of_a_stretch_that_was_not_theirs_are_gone(desk: Desk) -> None:
    sampled = [
        decoded(raw(SHARED, "pulse_oximeter", continuous(96, 72), NOON + second * SECOND, "2a5f"))
        for second in range(60)
    ]
    for each in sampled:
        desk.clock.at = each.raw.received_at
        desk.house.take(each)
    desk.house.end_streams()
    (stretch,) = desk.house.stretches()
    assert stretch.placed.resident is None
    desk.assign(ILL, stretch.placed.reading)
    ((_, _, values),) = desk.scores(ILL)
    assert values["oxygen_saturation"] == 96, "observed by the rule of streams"
    desk.house.connection.execute(
        "INSERT INTO model (number, name, version, sha256) VALUES (9, 'm', '1', 'x')"
    )
    desk.house.connection.execute(
        "INSERT INTO rhythm_window VALUES (?, 1, 0, 60, 60, 1.0, 0.5, 0.9, 9)", (stretch.sequence,)
    )
    desk.correct(stretch.placed.reading, WELL)
    assert desk.house.count("rhythm_window") == 0
