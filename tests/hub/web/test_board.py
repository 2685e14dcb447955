"""The board says what the card says, whatever happens while it follows."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import trail
from hub.alerts.life import Resolution
from hub.assessment.news2 import PARAMETERS, Band
from hub.clock import now
from hub.overview.glance import OpenRound
from hub.readings import AbsentReason, Door, Measurement, Quality, Vital
from hub.residents import trail as resident_trail
from hub.residents.care import Care, Whereabouts
from hub.store.database import open_for_reading
from hub.store.people import CareRow, note_care
from hub.trail import Audited, Moment
from hub.web.board import _ACCOUNTED_FOR, Board
from hub.web.topics import ALERTS, HOME, ROUNDS, TRAY, of_resident
from hub.web.turn_page import newest
from tests.rigs.desk import MINUTE, NOON, Desk
from tests.rigs.home import Home
from tests.rigs.house import (
    ILL,
    SHARED,
    WELL,
    House,
    cuff,
    door,
    entry,
    measured_by,
    oximeter,
    scale,
    thermometer,
)
from tests.rigs.simulated_machine import HOUR, SimulatedMachine


class Followed:
    """A desk's house, and a board that follows it."""

    def __init__(self, directory: Path) -> None:
        self.desk = Desk(directory)
        self.connection = open_for_reading(self.desk.house.path)
        self.board = Board(self.desk.house.config, lambda: NOON + 3 * HOUR)
        self.board.load(self.connection)

    def follow(self) -> frozenset[str]:
        return self.board.follow(self.connection)

    def read_anew(self) -> Board:
        board = Board(self.desk.house.config, lambda: NOON + 3 * HOUR)
        board.load(self.connection)
        return board


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    made = Followed(tmp_path)
    yield made
    made.connection.close()
    made.desk.house.connection.close()


def observe(desk: Desk, minute: float, *, resident: str = ILL, saturation: float = 97) -> None:
    """All seven parameters of somebody."""
    at = NOON + minute * MINUTE
    desk.take(cuff(120, at), resident)
    desk.take(oximeter(saturation, at), resident)
    desk.take(thermometer(37.0, at), resident)
    desk.take(entry(at), resident)


def test_nobody_was_observed(followed: Followed) -> None:
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert (glance.score, glance.due.at, glance.missing, glance.newest) == (None, None, PARAMETERS, {})
    assert [each.id for each in followed.board.glances] == [ILL, WELL]
    assert followed.board.glance("R-9999") is None


def test_a_reading_is_told_and_seen(followed: Followed) -> None:
    followed.desk.take(oximeter(93, NOON))
    assert followed.follow() >= {HOME, of_resident(ILL)}
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert glance.score is not None
    assert (glance.score.news2.total, glance.score.complete) == (2, False)
    known = glance.newest[Vital.OXYGEN_SATURATION]
    assert (known.value, known.measured_at) == (93, NOON)
    assert glance.complete is None
    assert Vital.TEMPERATURE in glance.missing
    assert of_resident(WELL) not in followed.follow()


def test_nothing_new_is_nothing_told(followed: Followed) -> None:
    version = followed.board.version
    assert followed.follow() == frozenset()
    assert followed.board.version == version


def test_a_partial_score_does_not_hide_the_complete_one(followed: Followed) -> None:
    observe(followed.desk, 0)
    followed.desk.take(oximeter(97, NOON + 60 * MINUTE))
    followed.follow()
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert glance.score is not None
    assert glance.complete is not None
    assert (glance.score.at, glance.score.complete) == (NOON + 60 * MINUTE, False)
    assert (glance.complete.at, glance.complete.news2.total) == (NOON, 0)
    assert glance.due.at == NOON + timedelta(hours=12), "half a round puts no round off"


def test_what_is_of_the_room_or_failed_is_no_value(followed: Followed) -> None:
    followed.desk.take(door(Door.OPEN, NOON))
    failed = Measurement(Vital.OXYGEN_SATURATION, None, AbsentReason.NOT_A_NUMBER)
    unusable = Measurement(Vital.PULSE_RATE, 200.0, quality=Quality.UNUSABLE)
    followed.desk.take(measured_by("pulse_oximeter", NOON, failed, unusable))
    followed.follow()
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert glance.newest == {}


def test_weight_is_a_value_and_no_score(followed: Followed) -> None:
    followed.desk.take(scale(61.5, NOON))
    followed.follow()
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert (glance.newest[Vital.BODY_WEIGHT].value, glance.score) == (61.5, None)


def test_an_alert_is_seen_taken_and_gone(followed: Followed) -> None:
    desk = followed.desk
    desk.take(oximeter(80, NOON))
    assert followed.follow() >= {ALERTS, HOME}
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert glance.alert is not None
    assert glance.alert.band is Band.SINGLE_RED
    desk.acknowledge(glance.alert)
    assert ALERTS in followed.follow()
    taken = followed.board.glance(ILL)
    assert taken is not None
    assert taken.alert is not None
    assert taken.alert.acknowledged_by is not None
    for minute in (10, 50):
        desk.take(oximeter(98, NOON + minute * MINUTE))
    assert ALERTS in followed.follow()
    over = followed.board.glance(ILL)
    assert over is not None
    assert over.alert is None
    assert desk.house.alerts()[0].resolution is Resolution.RECOVERED


def test_an_alert_that_cannot_be_read_is_still_open(followed: Followed) -> None:
    followed.desk.take(oximeter(80, NOON))
    followed.desk.house.connection.execute("UPDATE alert SET body = '{'")
    followed.follow()
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert glance.alert is None
    (identifier,) = followed.desk.house.connection.execute("SELECT id FROM alert").fetchone()
    assert glance.unreadable_alert == uuid.UUID(bytes=identifier)


def test_an_alert_of_somebody_who_is_not_listed_is_seen(followed: Followed) -> None:
    followed.desk.take(oximeter(80, NOON))
    followed.desk.house.connection.execute("UPDATE alert SET resident = 'R-GONE'")
    followed.follow()
    glance = followed.board.glance("R-GONE")
    assert glance is not None
    assert glance.alert is not None
    assert (glance.listed, glance.name) == (False, "R-GONE")


def test_a_reading_of_nobody_is_for_the_tray(followed: Followed) -> None:
    reading = followed.desk.shared(97, 0)
    assert followed.follow() == {TRAY}
    followed.desk.assign(ILL, reading)
    assert followed.follow() >= {TRAY, HOME, of_resident(ILL)}
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert glance.newest[Vital.OXYGEN_SATURATION].device == SHARED


def test_a_correction_takes_it_from_one_and_gives_it_to_the_other(followed: Followed) -> None:
    desk = followed.desk
    desk.take(oximeter(97, NOON - 30 * MINUTE))
    reading = desk.shared(84, 0)
    desk.assign(ILL, reading)
    followed.follow()
    wrong = followed.board.glance(ILL)
    assert wrong is not None
    assert wrong.newest[Vital.OXYGEN_SATURATION].value == 84
    desk.correct(reading, WELL)
    followed.follow()
    wrong, right = followed.board.glance(ILL), followed.board.glance(WELL)
    assert wrong is not None
    assert right is not None
    assert wrong.newest[Vital.OXYGEN_SATURATION].value == 97
    assert right.newest[Vital.OXYGEN_SATURATION].value == 84
    assert wrong.alert is None


def test_who_goes_to_hospital_is_shown_so(followed: Followed) -> None:
    connection = followed.desk.house.connection
    care = Care(whereabouts=Whereabouts.IN_HOSPITAL)
    moment = Moment.present()
    note_care(connection, CareRow(ILL, care.model_dump_json(), moment.at, "Mo"))
    with followed.desk.house.transaction() as transaction:
        transaction.audit(resident_trail.care_changed(moment, ILL, ["whereabouts"], care.model_dump(), "Mo"))
    assert followed.follow() >= {HOME, of_resident(ILL)}
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert not glance.watched


def test_an_entry_of_a_kind_that_is_not_known_here_has_all_read_again(followed: Followed) -> None:
    desk = followed.desk
    desk.take(oximeter(97, NOON))
    followed.follow()
    desk.house.connection.execute("UPDATE reading SET resident = ?", (WELL,))
    with desk.house.transaction() as transaction:
        transaction.audit(replace(trail.hub_stopped(Moment.present()), what="something new"))
    followed.follow()
    glance = followed.board.glance(WELL)
    assert glance is not None
    assert Vital.OXYGEN_SATURATION in glance.newest


def test_of_each_kind_of_entry_somebody_has_thought() -> None:
    """What is not accounted for has everybody read again: a second each time."""
    all_read_again = {Audited.CLOCK_SET, Audited.TIMES_CORRECTED, Audited.SALVAGED}
    assert set(Audited) - _ACCOUNTED_FOR == all_read_again


def test_a_round_is_shown_and_told_once(followed: Followed) -> None:
    opened = OpenRound(ILL, None, NOON, NOON + 10 * MINUTE)
    assert followed.board.take_rounds([opened]) == {ROUNDS, HOME, of_resident(ILL)}
    longer = OpenRound(ILL, None, NOON, NOON + 20 * MINUTE)
    assert followed.board.take_rounds([longer]) == frozenset()
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert glance.round == longer
    assert followed.board.take_rounds([]) == {ROUNDS, HOME, of_resident(ILL)}


def test_what_a_sensor_doubted_is_marked(followed: Followed) -> None:
    doubted = Measurement(Vital.PULSE_RATE, 80.0, quality=Quality.QUESTIONABLE)
    followed.desk.take(measured_by("pulse_oximeter", NOON, doubted))
    followed.follow()
    glance = followed.board.glance(ILL)
    assert glance is not None
    assert glance.newest[Vital.PULSE_RATE].quality is Quality.QUESTIONABLE


def test_a_damaged_row_hides_nobody_else(followed: Followed) -> None:
    desk = followed.desk
    desk.take(oximeter(97, NOON))
    desk.take(cuff(120, NOON))
    desk.house.connection.execute("UPDATE reading SET measurements = '[[' WHERE sequence = 1")
    desk.house.connection.execute("UPDATE assessment SET band = 'purple' WHERE sequence = 1")
    glance = followed.read_anew().glance(ILL)
    assert glance is not None
    assert set(glance.newest) == {
        Vital.SYSTOLIC_PRESSURE,
        Vital.DIASTOLIC_PRESSURE,
        Vital.MEAN_ARTERIAL_PRESSURE,
        Vital.PULSE_RATE,
    }
    assert glance.score is not None


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["own", "shared", "shared", "assign", "assign", "correct", "discard", "round"]),
        st.sampled_from([ILL, WELL]),
        st.sampled_from([84.0, 93.0, 97.0]),
        st.sampled_from([True, True, True, False]),
    ),
    min_size=1,
    max_size=16,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_to_follow_comes_to_the_same_as_to_read_anew(
    acts: list[tuple[str, str, float, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    followed = Followed(tmp_path_factory.mktemp("followed"))
    desk = followed.desk
    waiting, given_to = [], []
    for minute, (what, resident, saturation, looks) in enumerate(acts):
        if what == "own":
            desk.take(oximeter(saturation, NOON + minute * MINUTE), resident)
        elif what == "shared":
            waiting.append(desk.shared(saturation, minute))
        elif what == "round":
            observe(desk, minute, resident=resident, saturation=saturation)
        elif what == "assign" and waiting:
            given_to.append((waiting.pop(), resident))
            desk.assign(resident, given_to[-1][0])
        elif what == "correct" and given_to:
            reading, was = given_to.pop()
            desk.correct(reading, WELL if was == ILL else ILL)
        elif what == "discard" and waiting:
            desk.discard(waiting.pop())
        if looks:
            followed.follow()
    followed.follow()
    with closing(followed.connection), closing(desk.house.connection):
        assert followed.board.glances == followed.read_anew().glances


def test_times_are_put_right_once_the_clock_is_set(tmp_path: Path) -> None:
    machine = SimulatedMachine(-5 * HOUR)
    home = Home(tmp_path, machine)
    home.watch()
    true = machine.true
    home.take(oximeter(97, machine.wall))
    connection = open_for_reading(home.house.path)
    board = Board(home.house.config, lambda: true + HOUR)
    board.load(connection)
    assert _measured(board) == true - 5 * HOUR
    home.network()
    board.follow(connection)
    assert abs(_measured(board) - true) < timedelta(seconds=1)
    glance = board.glance(ILL)
    assert glance is not None
    assert glance.score is not None
    assert abs(glance.score.at - true) < timedelta(seconds=1)
    connection.close()


def _measured(board: Board) -> datetime:
    glance = board.glance(ILL)
    assert glance is not None
    return glance.newest[Vital.OXYGEN_SATURATION].measured_at


def test_a_card_that_fails_is_the_callers_matter(followed: Followed) -> None:
    followed.connection.close()
    with pytest.raises(sqlite3.Error):
        followed.follow()


def test_what_a_clock_said_that_was_ahead_hides_nothing_that_is_measured_now(tmp_path: Path) -> None:
    house = House(tmp_path)
    at = now()
    ahead = at + 3 * HOUR
    well = (cuff(128, ahead), oximeter(97, ahead), thermometer(36.7, ahead), entry(ahead))
    ill = (cuff(85, at), oximeter(84, at), thermometer(39.5, at), entry(at, rate=30))
    for reading in (*well, *ill):
        house.take(reading, ILL if reading.raw.driver == "manual" else None)
    board = Board(house.config)
    board.load(house.connection)
    glance = board.glance(ILL)
    assert glance is not None
    assert glance.score is not None
    assert glance.score.news2.band is Band.HIGH
    assert glance.newest[Vital.OXYGEN_SATURATION].value == 84
    assert glance.due.at is not None
    assert glance.due.at <= at + HOUR
    round_of = newest(house.connection, house.config, ILL)
    assert round_of is not None
    assert round_of.news2.band is Band.HIGH
    house.connection.close()
