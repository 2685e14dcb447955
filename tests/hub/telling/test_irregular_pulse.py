"""What is found of a rhythm in a period: by windows that count, in their time; and by cuffs beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.virtual import encoding
from hub.assessment.rhythm import JudgedWindow, Pulse, RhythmModel
from hub.readings import Reading
from hub.telling.irregular_pulse import PulseSummary, pulses
from hub.telling.summaries import read
from hub.telling.summary import Period
from tests.rigs.clocks import SimulatedClock
from tests.rigs.house import CUFF, ILL, WELL, House, decoded, raw
from tests.rigs.simulated_machine import HOUR, MINUTE, SECOND, SimulatedMachine
from tests.rigs.straps import STRAPS, noise, regular, saying, worn

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = Period(NOON - 6 * HOUR, NOON + 6 * HOUR)
IRREGULAR_PULSE, MOVED = 0x04, 0x01  # of the Measurement Status (Blood Pressure Service 1.1.1, 3.1.1.7)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = worn_in(tmp_path, saying(0.9), 0)
    yield house
    house.connection.close()


def worn_in(directory: Path, rhythm: RhythmModel, beats: int, since: datetime = NOON) -> House:
    """A house in which a strap has told so many beats."""
    house = House(directory, STRAPS, rhythm=rhythm)
    wear(house, regular(beats), since)
    return house


def wear(house: House, intervals: list[float], since: datetime = NOON) -> None:
    for reading in worn(intervals, since):
        house.take(reading)
    house.end_streams()


def found(house: House, period: Period = DAY) -> dict[str, PulseSummary]:
    return pulses(house.connection, period, 1)


def measured(at: datetime, status: int = 0) -> Reading:
    payload = encoding.blood_pressure(125, 80, pulse=72, status=status)
    return decoded(raw(CUFF, "blood_pressure", payload, at))


# --- windows


def test_an_irregular_pulse_that_lasts_is_a_finding_that_asks_for_an_ecg(house: House) -> None:
    wear(house, regular(600))
    (of_ill,) = found(house).values()
    assert of_ill.finding is not None
    assert (of_ill.finding.pulse, of_ill.finding.good, of_ill.finding.irregular) == (Pulse.IRREGULAR, 10, 10)
    assert of_ill.words == "irregular pulse: consider an ECG (10 of 10 good windows irregular)"
    assert 470 * SECOND < of_ill.good_time == of_ill.irregular_time < 490 * SECOND
    assert of_ill.model is not None
    assert of_ill.model.name == "saying"


@pytest.mark.parametrize(
    ("says", "beats", "pulse"),
    [
        (0.1, 600, Pulse.NOT_IRREGULAR),
        (0.9, 120, Pulse.UNKNOWN),
    ],
)
def test_a_regular_one_or_a_short_one_is_no_finding(
    tmp_path: Path, says: float, beats: int, pulse: Pulse
) -> None:
    of_ill = found(worn_in(tmp_path, saying(says), beats))[ILL]
    assert of_ill.finding is not None
    assert of_ill.finding.pulse is pulse
    assert "consider an ECG" not in of_ill.words


def test_noisy_minutes_count_for_nothing_though_the_model_cries(house: House) -> None:
    wear(house, noise(600))
    (of_ill,) = found(house).values()
    assert of_ill.finding is not None
    assert (of_ill.finding.pulse, of_ill.finding.good) == (Pulse.UNKNOWN, 0)
    assert of_ill.good_time == 0 * SECOND


def test_a_window_counts_in_the_period_in_which_it_ended_and_in_no_other(house: House) -> None:
    wear(house, regular(600))
    middle = NOON + 5 * MINUTE
    parts = [found(house, period) for period in (Period(DAY.since, middle), Period(middle, DAY.until))]
    windows = [part[ILL].finding.windows for part in parts if part[ILL].finding is not None]  # type: ignore[union-attr]  # just asked
    assert sum(windows) == 10
    assert min(windows) > 1


def test_what_another_model_said_is_left_out(tmp_path: Path) -> None:
    worn_in(tmp_path, saying(0.9, "before"), 300).connection.close()
    of_ill = found(worn_in(tmp_path, saying(0.1, "now"), 180, NOON + HOUR))[ILL]
    assert of_ill.finding is not None
    assert of_ill.model is not None
    assert (of_ill.model.name, of_ill.finding.windows, of_ill.finding.irregular) == ("now", 3, 0)


def test_windows_of_before_the_clock_was_set_are_in_their_true_period(tmp_path: Path) -> None:
    """A hub that starts in the morning with the clock of the night before."""
    machine = SimulatedMachine(-10 * HOUR, synchronised=False)
    clock = SimulatedClock(machine)
    house = House(tmp_path, STRAPS, rhythm=saying(0.9), clock=clock)
    for reading in worn(regular(600), machine.wall):
        machine.pass_time(reading.raw.received_at - machine.wall)
        house.take(reading)
    house.end_streams()
    true = Period(machine.true - HOUR, machine.true + HOUR)
    assert found(house, true) == {}
    machine.pass_time(MINUTE)
    machine.set_from_network()
    clock.look()
    with house.transaction() as transaction:
        house.follower.follow(transaction)
    of_ill = found(house, true)[ILL]
    assert of_ill.finding is not None
    assert of_ill.finding.windows == 10
    assert of_ill.finding.since is not None
    assert of_ill.finding.since > true.since


def test_a_window_that_cannot_be_read_is_passed_over_and_said(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    wear(house, regular(180))
    house.connection.execute(
        "UPDATE rhythm_window SET quality = 'x' WHERE ended = (SELECT min(ended) FROM rhythm_window)"
    )
    finding = found(house)[ILL].finding
    assert finding is not None
    assert finding.windows == 2
    assert "1 window(s) of a rhythm on the card cannot be read" in caplog.text


# --- cuffs


def test_how_often_a_cuff_said_irregular_stands_beside_it(house: House) -> None:
    for minute, status in enumerate([0, IRREGULAR_PULSE, 0, 0, IRREGULAR_PULSE]):
        house.take(measured(NOON + minute * MINUTE, status))
    house.take(measured(NOON + 7 * HOUR, IRREGULAR_PULSE))
    assert found(house) == {ILL: PulseSummary(cuff_measured=5, cuff_irregular=2)}
    assert found(house)[ILL].words == "cuff said irregular 2 of 5 times"
    wear(house, regular(600), NOON + HOUR)
    assert found(house)[ILL].words.endswith("windows irregular); cuff said irregular 2 of 5 times")


def test_a_cuff_that_never_said_so_is_nothing_found(house: House) -> None:
    house.take(measured(NOON))
    assert found(house) == {}


def test_what_a_cuff_says_of_a_measurement_that_is_not_usable_does_not_count(house: House) -> None:
    house.take(measured(NOON, IRREGULAR_PULSE | MOVED))
    assert found(house) == {}


def test_a_reading_that_cannot_be_read_is_passed_over_and_said(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.take(measured(NOON, IRREGULAR_PULSE))
    house.take(measured(NOON + MINUTE, IRREGULAR_PULSE))
    house.connection.execute("UPDATE reading SET measurements = '[[4,' WHERE sequence = 1")
    assert found(house)[ILL].cuff_measured == 1
    assert "1 reading(s) on the card cannot be read" in caplog.text


# --- in the summary


def test_it_is_in_the_summary_of_whom_it_is_of_and_of_nobody_else(house: House) -> None:
    wear(house, regular(600))
    _, residents = read(house.connection, house.config, DAY)
    said = {each.resident: each.pulse for each in residents}
    assert said == {ILL: found(house)[ILL], WELL: None}


def test_a_fault_of_it_takes_no_summary_away(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wear(house, regular(600))

    def broken(_judged: list[JudgedWindow], _threshold: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("hub.telling.irregular_pulse.judge", broken)
    _, residents = read(house.connection, house.config, DAY)
    assert [each.pulse for each in residents] == [None, None]
    assert residents[0].sets > 0
    assert "what was found of rhythms is in no summary" in caplog.text


def test_a_damaged_part_of_the_card_takes_rhythms_from_the_summary_and_nothing_else(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.connection.execute("DROP TABLE rhythm_window")
    _, residents = read(house.connection, house.config, DAY)
    assert [each.pulse for each in residents] == [None, None]
    assert "what was found of rhythms is in no summary" in caplog.text
