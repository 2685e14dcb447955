"""A machine is started anew for its radio once a day at the most, whatever its clock says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import trail
from hub.clock import ClockQuality, ClockStamp
from hub.sensors.reboots import LEAST_BETWEEN, Asked, Reboots, is_long_ago
from hub.store.audit import newest
from hub.store.database import FILE_NAME, open_for_reading
from hub.store.errors import NotCommittedError
from hub.store.writer import Writer
from hub.trail import Audited, Moment

THIS, EARLIER = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BELIEVED, NOT_YET = ClockQuality.SYNCHRONISED, ClockQuality.NOT_YET
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def asked(quality: ClockQuality = BELIEVED, boot: UUID = EARLIER, since_boot: timedelta = MINUTE) -> Asked:
    return Asked(NOON, ClockStamp(boot, since_boot, quality))


def stamp(since_boot: timedelta, quality: ClockQuality = BELIEVED) -> ClockStamp:
    return ClockStamp(THIS, since_boot, quality)


def test_after_a_day_by_a_clock_that_was_believed_both_times_it_is_long_ago() -> None:
    assert is_long_ago(asked(), NOON + DAY, stamp(MINUTE))
    assert not is_long_ago(asked(), NOON + DAY - MINUTE, stamp(MINUTE))


@pytest.mark.parametrize(("then", "now"), [(BELIEVED, NOT_YET), (NOT_YET, BELIEVED), (NOT_YET, NOT_YET)])
def test_a_clock_that_is_not_believed_proves_nothing_and_a_day_without_a_start_does(
    then: ClockQuality, now: ClockQuality
) -> None:
    assert not is_long_ago(asked(then), NOON + 30 * DAY, stamp(DAY - MINUTE, now))
    assert is_long_ago(asked(then), NOON - 30 * DAY, stamp(DAY, now))


def test_where_the_machine_did_not_start_anew_after_all_the_day_counts_from_the_asking() -> None:
    before = asked(boot=THIS, since_boot=30 * DAY)
    assert not is_long_ago(before, NOON + DAY, stamp(31 * DAY - MINUTE))
    assert is_long_ago(before, NOON, stamp(31 * DAY))


@given(
    shift=st.timedeltas(timedelta(days=-9999), timedelta(days=9999)),
    quality=st.sampled_from(ClockQuality),
    since_boot=st.timedeltas(timedelta(0), DAY - timedelta(microseconds=1)),
)
def test_no_setting_of_an_unbelieved_clock_makes_it_sooner(
    shift: timedelta, quality: ClockQuality, since_boot: timedelta
) -> None:
    assert not is_long_ago(asked(NOT_YET), NOON + shift, stamp(since_boot, quality))


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    async with Writer(tmp_path / FILE_NAME, reserve_bytes=0) as writer:
        yield writer


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime, since_boot: timedelta, boot: UUID = THIS) -> None:
    present = Moment(moment, ClockStamp(boot, since_boot, BELIEVED))
    monkeypatch.setattr(trail.Moment, "present", classmethod(lambda _cls: present))


async def test_leave_is_given_once_a_day_and_is_on_the_card_before_it_is_given(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reboots = Reboots(writer, lambda: False, allowed=True)
    at(monkeypatch, NOON, 5 * MINUTE, EARLIER)
    assert await reboots.may_reboot()
    with closing(open_for_reading(tmp_path / FILE_NAME)) as connection:
        entry = newest(connection, Audited.REBOOT)
    assert entry is not None
    assert "Bluetooth" in str(entry.detail["reason"])
    assert not await reboots.may_reboot()
    at(monkeypatch, NOON + 10 * MINUTE, MINUTE)
    after_the_start = Reboots(writer, lambda: False, allowed=True)
    assert not await after_the_start.may_reboot()
    at(monkeypatch, NOON + LEAST_BETWEEN, MINUTE)
    assert await after_the_start.may_reboot()


@pytest.mark.parametrize(("allowed", "waits"), [(False, False), (True, True)])
async def test_it_is_refused_where_it_is_not_allowed_or_something_is_in_memory_alone(
    writer: Writer, allowed: bool, waits: bool
) -> None:
    assert not await Reboots(writer, lambda: waits, allowed=allowed).may_reboot()
    assert await writer.write(lambda transaction: transaction.fact("reboot asked for")) is None


async def test_it_is_refused_where_the_card_cannot_remember_it(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_writer: Writer, _work: object, **_how: object) -> None:
        raise NotCommittedError(tmp_path, "nothing was stored: disk full", "full")

    monkeypatch.setattr(Writer, "write", fails)
    assert not await Reboots(writer, lambda: False, allowed=True).may_reboot()


@pytest.mark.parametrize(
    "kept", ["", "{}", "[]", '{"at": "x"}', "null", '{"at":"2026-03-01T12:00:00","boot":1}']
)
async def test_where_nobody_knows_when_it_was_only_a_day_without_a_start_gives_leave(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    await writer.write(lambda transaction: transaction.set_fact("reboot asked for", kept))
    reboots = Reboots(writer, lambda: False, allowed=True)
    at(monkeypatch, NOON, DAY - MINUTE)
    assert not await reboots.may_reboot()
    at(monkeypatch, NOON, DAY)
    assert await reboots.may_reboot()
