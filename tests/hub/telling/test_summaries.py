"""Summaries on a real card: when they are due, what they are read from, and that each is told once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from drivers.bluetooth.device_information import DeviceInformation
from hub.alerts.answers import acknowledge
from hub.alerts.book import _row
from hub.clock import to_microseconds
from hub.readings import Door, Vital
from hub.store.sensors import EnrolledRow, InformationRow, enrol, note_information
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.telling.summaries import LONGEST, Summaries, last_due, read
from hub.telling.summary import HubSummary, Period, ResidentSummary
from hub.uplink.cloudevents import Event
from hub.uplink.contract import Channel
from tests.rigs.house import (
    CUFF,
    ILL,
    OXIMETER,
    SHARED,
    WELL,
    WELL_OXIMETER,
    House,
    cuff,
    decoded,
    door,
    entry,
    meter,
    oximeter,
    raw,
    scale,
    thermometer,
)

LONDON = ZoneInfo("Europe/London")
TIMES = (time(7), time(19))
HOUR, MINUTE, DAYS = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
NINE = datetime(2026, 3, 3, 9, tzinfo=UTC)
TODAY = Period(datetime(2026, 3, 3, 7, tzinfo=UTC), datetime(2026, 3, 3, 19, tzinfo=UTC))


def local(*moment: int, fold: int = 0) -> datetime:
    return datetime(*moment, tzinfo=LONDON, fold=fold).astimezone(UTC)  # type: ignore[arg-type,misc]  # year..


# --- when one is due


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        (local(2026, 1, 5, 7), local(2026, 1, 5, 7)),
        (local(2026, 1, 5, 6, 59), local(2026, 1, 4, 19)),
        (local(2026, 1, 5, 23), local(2026, 1, 5, 19)),
        (local(2026, 7, 5, 7), datetime(2026, 7, 5, 6, tzinfo=UTC)),
    ],
)
def test_one_is_due_when_the_clock_on_the_wall_says_so(moment: datetime, due: datetime) -> None:
    assert last_due(TIMES, moment, LONDON) == due


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
@pytest.mark.parametrize("times", [TIMES, (time(1, 30),), (time(0, 30), time(1, 30), time(2, 30))])
def test_on_the_days_on_which_the_clock_is_set_each_is_due_once(
    day: datetime, times: tuple[time, ...]
) -> None:
    """In March the clock goes from 1:00 to 2:00, in October from 2:00 to 1:00: 1:30 and 2:30 may be one."""
    minutes = (day + n * MINUTE for n in range(-60, 24 * 60 - 60))
    dues = {last_due(times, minute, LONDON) for minute in minutes}
    one = day.month == 3 and len(times) == 3
    assert len([each for each in dues if each >= day - HOUR]) == len(times) - one


def test_the_night_in_which_the_clock_is_set_ahead_is_an_hour_shorter() -> None:
    evening = last_due(TIMES, local(2026, 3, 28, 20), LONDON)
    assert last_due(TIMES, local(2026, 3, 29, 8), LONDON) - evening == 11 * HOUR
    evening = last_due(TIMES, local(2026, 10, 24, 20), LONDON)
    assert last_due(TIMES, local(2026, 10, 25, 8), LONDON) - evening == 13 * HOUR


# --- what it is read from


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "house")


def summary(house: House, period: Period = TODAY) -> tuple[HubSummary, dict[str, ResidentSummary]]:
    hub, residents = read(house.connection, house.config, period)
    return hub, {each.resident: each for each in residents}


def test_a_set_of_four_sensors_and_a_carer_is_done(house: House) -> None:
    house.take(oximeter(97, NINE))
    house.take(thermometer(37, NINE + MINUTE))
    house.take(cuff(120, NINE + 2 * MINUTE))
    house.take(entry(NINE + 3 * MINUTE), ILL)
    hub, residents = summary(house)
    ill = residents[ILL]
    assert (ill.sets, ill.done, ill.due) == (4, 1, 1.0)
    assert hub.unobserved == (WELL,)
    assert (hub.readings, hub.unassigned, hub.not_decoded, hub.residents) == (4, 0, 0, 2)


def test_whoever_was_weighed_and_nothing_else_is_among_those_not_observed(house: House) -> None:
    house.take(scale(61.5, NINE))
    hub, residents = summary(house)
    assert residents[ILL].vitals[Vital.BODY_WEIGHT].count == 1
    assert hub.unobserved == (ILL, WELL)


def test_what_is_of_the_room_is_a_reading_and_nobodys_measurement(house: House) -> None:
    house.take(door(Door.OPEN, NINE))
    house.take(door(Door.OPEN, NINE, device=SHARED))
    house.take(oximeter(97, NINE, device=SHARED))
    hub, residents = summary(house)
    assert (hub.readings, hub.unassigned, hub.not_decoded) == (3, 1, 0)
    assert residents[ILL].vitals == {}
    assert hub.unobserved == (ILL, WELL)


@pytest.mark.parametrize("strays", [0, 5_000])  # whether the rows before the period before are gone through
def test_a_meters_records_do_not_hide_the_score_of_days_ago_that_says_how_often_a_set_is_due(
    house: House, monkeypatch: pytest.MonkeyPatch, strays: int
) -> None:
    monkeypatch.setattr("hub.telling.summaries._STRAYS", strays)
    house.take(oximeter(85, NINE - 3 * DAYS))
    for n in range(70):
        house.take(meter(5.4, NINE - 3 * DAYS + HOUR + n * MINUTE, number=n))
    house.take(oximeter(97, NINE, device=WELL_OXIMETER))
    assert summary(house)[1][ILL].due == 12.0


def test_what_could_not_be_used_is_counted(house: House) -> None:
    house.take(oximeter(97, NINE, device=SHARED))
    house.take(decoded(raw(OXIMETER, "pulse_oximeter", b"\x00", NINE + MINUTE)))
    hub, _ = summary(house)
    assert (hub.readings, hub.unassigned, hub.not_decoded) == (2, 1, 1)
    devices = {device.device: device for device in hub.devices}
    assert (devices[OXIMETER].readings, devices[OXIMETER].not_decoded) == (1, 1)
    assert devices[SHARED].last_heard == NINE
    assert devices[CUFF].last_heard is None
    assert devices[CUFF].battery is None, "it has not said: not known, and not 0 %"
    assert len(devices) == len(house.config.sensors)


def test_a_reader_of_wristbands_is_no_sensor_that_was_not_heard(house: House) -> None:
    row = EnrolledRow("USB:0C2E:0B61:R1", "wristband_reader", None, "", None, None, None, NINE, "Sam", NINE)
    with house.transaction() as transaction:
        enrol(transaction.connection, row)
    assert [each.device for each in summary(house)[0].devices] == [
        each.address for each in house.config.sensors
    ]


def test_a_sensor_that_was_enrolled_by_command_is_among_them_and_each_with_its_battery(house: House) -> None:
    address = "C4:F2:17:00:00:77"
    row = EnrolledRow(address, "pulse_oximeter", WELL, "", None, None, None, NINE, "Sam", NINE)
    with house.transaction() as transaction:
        enrol(transaction.connection, row)
        for each, percent in ((address, 80), (CUFF, 15)):
            said = InformationRow(DeviceInformation(battery=percent), NINE, NINE)
            note_information(transaction.connection, each, said)
    house.take(oximeter(97, NINE, device=address))
    devices = {each.device: each for each in summary(house)[0].devices}
    assert (devices[address].readings, devices[address].battery) == (1, 80)
    assert devices[CUFF].battery == 15
    assert devices[SHARED].battery is None


def test_a_sensor_that_was_heard_before_the_period_says_when(house: House) -> None:
    house.take(oximeter(97, NINE - 3 * DAYS))
    hub, _ = summary(house)
    heard = next(device for device in hub.devices if device.device == OXIMETER)
    assert (heard.readings, heard.last_heard) == (0, NINE - 3 * DAYS)


def test_how_often_a_set_is_due_is_known_from_a_score_of_days_ago(house: House) -> None:
    for n in range(3):
        house.take(oximeter(85, NINE - 3 * DAYS + n * MINUTE))
    assert summary(house)[1][ILL].due == 12.0


def test_alerts_are_counted_with_how_long_they_waited(house: House) -> None:
    house.take(oximeter(85, NINE))
    (raised,) = house.open_alerts()
    seen = acknowledge(raised, "a carer", raised.raised_at + 14 * MINUTE, "cli").alert
    with house.transaction() as transaction:
        row = transaction.alert(seen.id)
        assert row is not None
        transaction.update_alert(_row(seen, row.reading, row.assessment))
    period = Period(raised.raised_at - HOUR, raised.raised_at + HOUR)
    hub, residents = summary(house, period)
    assert (hub.alerts.raised, hub.alerts.acknowledged) == (1, 1)
    assert residents[ILL].alerts.longest_wait == 14 * MINUTE
    assert residents[WELL].alerts.raised == 0


def test_the_hub_tells_its_trail_its_outbox_and_what_was_dropped(house: House) -> None:
    house.take(oximeter(85, NINE))
    with house.transaction() as transaction:
        transaction.set_fact("removed: readings", "7")
    state = summary(house)[0].state
    assert state.waiting == len(house.events())
    assert state.removed == {"readings": 7}
    count, _, digest = state.trail.partition(":")
    assert (int(count), len(digest)) == (house.count("audit"), 64)


def test_rows_that_cannot_be_read_are_left_out_and_the_others_are_told(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.take(oximeter(85, NINE))
    house.take(oximeter(97, NINE, device="C4:F2:17:00:00:12"))
    house.take(oximeter(86, NINE + MINUTE))
    house.connection.execute("UPDATE assessment SET band = 'purple' WHERE sequence = 1")
    house.connection.execute("UPDATE alert SET body = '{}'")
    (raised_at,) = house.connection.execute("SELECT raised_at FROM alert").fetchone()
    assert raised_at
    hub, residents = summary(house)
    assert (residents[ILL].sets, residents[WELL].sets) == (1, 1)
    assert "1 assessment(s) on the card cannot be read" in caplog.text
    assert hub.readings == 3


def test_readings_whose_times_were_wrong_hide_none_that_came_before_them(house: House) -> None:
    """Nothing but the order of arrival is indexed."""
    house.take(oximeter(97, NINE))
    for n in range(30):
        house.take(oximeter(97, NINE - 400 * DAYS + n * MINUTE))
    assert summary(house)[1][ILL].vitals


def test_a_set_assessed_anew_of_a_reading_before_the_period_hides_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was set within the period."""
    monkeypatch.setattr("hub.telling.summaries._STRAYS", 0)
    house.take(oximeter(97, NINE - 2 * DAYS))
    house.take(oximeter(97, NINE))
    house.connection.execute(
        "INSERT INTO assessment (resident, at, reading, scale, observations, band, total)"
        " SELECT resident, ?, reading, scale, observations, band, total FROM assessment WHERE sequence = 1",
        (to_microseconds(NINE),),
    )
    assert summary(house)[1][ILL].sets == 2


# --- each is told once


class Told:
    """Summaries over a card, and the periods that they told."""

    def __init__(self, house: House, writer: Writer) -> None:
        self.periods: list[Period] = []
        self._house = house
        self._writer = writer
        self.summaries = Summaries(house.config, house.path, writer, self._tell)

    def _tell(self, hub: HubSummary, residents: Sequence[ResidentSummary]) -> list[Event]:
        self.periods.append(hub.period)
        number = str(len(self.periods))
        return [Event(number, "s", "t", hub.period.until, {"residents": len(residents)})]

    async def at(self, moment: datetime, *, believed: bool = True) -> None:
        """Look as often as the hub would in a while."""
        for n in range(3):
            await self.summaries.tell_if_due(moment + n * timedelta(seconds=30), believed=believed)

    async def again(self) -> None:
        """As after a restart."""
        self.summaries = Summaries(self._house.config, self._house.path, self._writer, self._tell)


@pytest.fixture
async def writer(house: House):  # type: ignore[no-untyped-def]  # an async generator of pytest's
    house.connection.close()
    async with Writer(house.path, timedelta(0)) as writer:
        yield writer


@pytest.fixture
def told(house: House, writer: Writer) -> Told:
    return Told(house, writer)


async def test_a_hub_that_begins_tells_nothing_of_before_it_and_then_each_once(told: Told) -> None:
    await told.at(NINE)
    assert told.periods == []
    await told.at(NINE + 9 * HOUR)
    assert told.periods == []
    await told.at(NINE + 10 * HOUR)
    await told.again()
    await told.at(NINE + 11 * HOUR)
    assert told.periods == [TODAY]


async def test_what_was_missed_while_it_was_off_is_told_as_one(told: Told) -> None:
    await told.at(NINE)
    await told.again()
    await told.at(NINE + 2 * DAYS)
    assert told.periods == [Period(TODAY.since, TODAY.since + 2 * DAYS)]


async def test_no_period_is_longer_than_a_week(told: Told) -> None:
    await told.at(NINE)
    await told.at(NINE + 20 * DAYS)
    assert told.periods == [Period(TODAY.since + 20 * DAYS - LONGEST, TODAY.since + 20 * DAYS)]


async def test_a_clock_that_was_set_back_has_none_told_twice(told: Told) -> None:
    await told.at(NINE)
    for days in range(5):
        await told.at(NINE + days * DAYS)
        await told.at(NINE + days * DAYS + 11 * HOUR)
    before = list(told.periods)
    await told.at(NINE + 2 * DAYS, believed=False)
    await told.at(NINE + 3 * DAYS + 11 * HOUR, believed=False)
    assert told.periods == before
    await told.at(NINE + 5 * DAYS)
    assert told.periods == [*before, Period(TODAY.until + 4 * DAYS, TODAY.since + 5 * DAYS)]


async def test_a_clock_that_was_years_ahead_silences_none_when_it_is_right_again(told: Told) -> None:
    await told.at(NINE)
    await told.at(NINE + 2000 * DAYS, believed=False)
    assert len(told.periods) == 1, "one, and no flood"
    await told.at(NINE + HOUR)
    assert len(told.periods) == 1
    await told.at(NINE + 11 * HOUR)
    assert told.periods[1:] == [TODAY]


async def test_the_days_that_a_clock_was_ahead_are_told_when_they_come(told: Told) -> None:
    await told.at(NINE)
    await told.at(NINE + 1 * DAYS, believed=False)
    await told.at(NINE + HOUR)
    await told.at(NINE + 11 * HOUR)
    await told.at(NINE + 1 * DAYS)
    assert told.periods[1:] == [TODAY, Period(TODAY.until, TODAY.since + DAYS)]


async def test_its_events_wait_behind_alerts_and_hurry_nobody(told: Told, writer: Writer) -> None:
    await told.at(NINE)
    await told.at(NINE + 10 * HOUR)

    def look(transaction: Transaction) -> tuple[list[tuple[int, str]], bool]:
        rows = transaction.connection.execute("SELECT sequence >> 48, channel FROM outbox").fetchall()
        return rows, transaction.urgent

    rows, urgent = await writer.write(look)
    assert rows == [(Channel.SUMMARY.priority, "summary")]
    assert not urgent


async def test_it_is_told_and_noted_in_one_transaction(
    told: Told, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it cannot be noted, it must not wait in the outbox: it would be told again."""
    await told.at(NINE)

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "set_fact", fails)
        with pytest.raises(Exception, match="disk I/O error"):
            await told.at(NINE + 10 * HOUR)
    count = "SELECT count(*) FROM outbox"
    assert await writer.write(lambda transaction: transaction.connection.execute(count).fetchone()) == (0,)
    await told.at(NINE + 10 * HOUR)
    assert await writer.write(lambda transaction: transaction.connection.execute(count).fetchone()) == (1,)


async def test_a_note_that_cannot_be_read_begins_anew(told: Told, writer: Writer) -> None:
    await writer.write(lambda transaction: transaction.set_fact("summaries told", "yesterday"))
    await told.at(NINE)
    await told.at(NINE + 10 * HOUR)
    assert told.periods == [TODAY]


async def test_the_note_does_not_grow_for_ever(told: Told, writer: Writer) -> None:
    for days in range(-60, 0):
        for hours in (0, 11):
            await told.summaries.tell_if_due(NINE + days * DAYS + hours * HOUR, believed=True)
    noted = await writer.write(lambda transaction: transaction.note_fact("summaries told", ""))
    assert len(noted.split()) == 100
    assert noted.split()[-1] == str(to_microseconds(TODAY.until - DAYS))
