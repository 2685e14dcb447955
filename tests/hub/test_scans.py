"""A scan changes whose turn it is at once; the trail follows; no code is anywhere."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.clock import stamp
from hub.config import Resident, Sensor
from hub.residents import Register
from hub.rounds import Rounds
from hub.scans import Scans
from hub.store.audit import AuditEntry, entries
from hub.store.database import FILE_NAME
from hub.store.errors import NotCommittedError
from hub.store.writer import Writer
from hub.trail import Audited, Moment

READER, READER_B = "USB:0C2E:0B61:S1", "USB:0C2E:0B61:S2"
ANNAS_CODE, BERTS_CODE, UNKNOWN = "9434765919", "WB-0077-X", "4010232137"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RESIDENTS = (Resident(id="R-1", wristband=ANNAS_CODE), Resident(id="R-2", wristband=BERTS_CODE))
SENSORS = (
    Sensor(address=READER, driver="wristband_reader"),
    Sensor(address=READER_B, driver="wristband_reader", kit="b"),
)


def present() -> Moment:
    """Now, by a wall clock that does not stray."""
    at = stamp()
    return Moment(NOON + at.since_boot, at)


class Home:
    """Two residents, two readers, and a real database."""

    def __init__(self, writer: Writer, lasts: timedelta = timedelta(minutes=10)) -> None:
        self.writer = writer
        self.register = Register(RESIDENTS, SENSORS)
        self.rounds = Rounds(lasts)
        self.scans = Scans(writer, self.register, self.rounds, present=present, retry_seconds=0.01)

    def turns(self) -> list[tuple[str | None, str]]:
        """Whose turn it is, by kit."""
        return [(each.kit, each.resident) for each in self.scans.open_rounds()]

    async def trail(self) -> list[AuditEntry]:
        """What is in the trail, oldest first."""
        await self.scans.noted()
        return list(reversed(await self.writer.write(lambda each: entries(each.connection))))

    async def told(self) -> list[tuple[str, object, object]]:
        """Of each entry what, who and why."""
        return [
            (entry.what, entry.detail["resident"], entry.detail.get("why")) for entry in await self.trail()
        ]


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    async with Writer(tmp_path / FILE_NAME, reserve_bytes=0) as writer:
        yield writer


@pytest.fixture
async def home(writer: Writer) -> Home:
    return Home(writer)


async def test_a_scan_opens_a_round_at_once_and_the_trail_says_so(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    assert home.turns() == [(None, "R-1")]
    (opened,) = await home.trail()
    assert opened.what == Audited.ROUND_OPENED
    assert opened.detail == {"resident": "R-1", "kit": None, "reader": READER}
    (of_now,) = home.scans.open_rounds()
    assert opened.stamp == of_now.opened.stamp


async def test_the_next_scan_opens_the_next_round(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    home.scans.scanned(READER, BERTS_CODE)
    assert home.turns() == [(None, "R-2")]
    assert await home.told() == [
        (Audited.ROUND_OPENED, "R-1", None),
        (Audited.ROUND_CLOSED, "R-1", "next scan"),
        (Audited.ROUND_OPENED, "R-2", None),
    ]


async def test_a_code_is_the_same_in_upper_and_lower_case(home: Home) -> None:
    home.scans.scanned(READER, BERTS_CODE.lower())
    assert home.turns() == [(None, "R-2")]


@pytest.mark.parametrize("code", [UNKNOWN, ANNAS_CODE[:-1], ANNAS_CODE + "0", ""])
async def test_a_code_of_nobody_closes_the_round_and_is_counted(home: Home, code: str) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    home.scans.scanned(READER, code)
    assert home.turns() == []
    assert (home.scans.unknown, home.scans.damaged) == (1, 0)
    assert (await home.told())[-1] == (Audited.ROUND_CLOSED, "R-1", "unknown code")


async def test_a_damaged_scan_closes_the_round_and_is_counted(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    home.scans.scanned(READER, None)
    assert home.turns() == []
    assert (home.scans.unknown, home.scans.damaged) == (0, 1)
    assert (await home.told())[-1] == (Audited.ROUND_CLOSED, "R-1", "damaged scan")


async def test_the_same_wristband_again_is_one_round_and_one_entry(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    (first,) = home.scans.open_rounds()
    home.scans.scanned(READER, ANNAS_CODE)
    (again,) = home.scans.open_rounds()
    assert again.opened == first.opened
    assert again.until > first.until
    assert await home.told() == [(Audited.ROUND_OPENED, "R-1", None)]


async def test_each_reader_opens_rounds_on_its_kit(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    home.scans.scanned(READER_B.lower(), BERTS_CODE)
    assert home.turns() == [(None, "R-1"), ("b", "R-2")]
    home.scans.scanned(READER_B, UNKNOWN)
    assert home.turns() == [(None, "R-1")]
    assert [entry.detail["kit"] for entry in await home.trail()] == [None, "b", "b"]


async def test_an_engineer_is_told_whose_turn_it_is(home: Home) -> None:
    home.scans.scanned(READER, UNKNOWN)
    home.scans.scanned(READER_B, None)
    home.scans.scanned(READER_B, BERTS_CODE)
    (of_now,) = home.scans.open_rounds()
    since = of_now.opened.at
    assert json.loads(json.dumps(home.scans.data())) == {
        "open": [
            {
                "resident": "R-2",
                "kit": "b",
                "reader": READER_B,
                "since": since.isoformat(),
                "until": (since + timedelta(minutes=10)).isoformat(),
            }
        ],
        "unknown_scans": 1,
        "damaged_scans": 1,
    }


async def test_a_reader_that_is_not_enrolled_opens_nothing_and_closes_nothing(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    for code in (BERTS_CODE, UNKNOWN, None):
        home.scans.scanned("USB:FFFF:0001:S3", code)
    assert home.turns() == [(None, "R-1")]
    home.register.forget(READER_B)
    home.scans.scanned(READER_B, BERTS_CODE)
    assert home.turns() == [(None, "R-1")]


async def test_a_reader_that_is_not_heard_any_more_ends_the_round_and_damages_no_scan(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    home.scans.scanned(READER_B, BERTS_CODE)
    home.scans.unheard(READER)
    assert home.turns() == [("b", "R-2")]
    assert (home.scans.unknown, home.scans.damaged) == (0, 0)
    assert (await home.told())[-1] == (Audited.ROUND_CLOSED, "R-1", "reader not heard")


async def test_a_reader_that_was_not_heard_until_now_may_have_missed_a_scan(home: Home) -> None:
    """Of two readers of a kit one is plugged in: what it read before it was taken nobody knows."""
    second = Sensor(address="USB:0C2E:0B61:S9", driver="wristband_reader")
    home.register.enrol(second)
    home.scans.scanned(READER, ANNAS_CODE)
    home.scans.unheard(second.address)
    assert home.turns() == []


async def test_a_reader_that_is_forgotten_leaves_no_round_behind(home: Home) -> None:
    """Who is scanned with it from now on is not told to the hub, nor where it is enrolled for another kit."""
    home.scans.scanned(READER, ANNAS_CODE)
    home.register.forget(READER)
    home.scans.unheard(READER)
    assert home.turns() == []
    assert (await home.told())[-1] == (Audited.ROUND_CLOSED, "R-1", "reader not heard")


async def test_when_a_round_has_timed_out_the_trail_says_so_with_when_it_was(writer: Writer) -> None:
    home = Home(writer, timedelta(milliseconds=60))
    home.scans.scanned(READER, ANNAS_CODE)
    await asyncio.sleep(0.02)
    home.scans.scanned(READER_B, BERTS_CODE)
    rounds = home.scans.open_rounds()
    async with asyncio.timeout(20):
        while len(told := await home.trail()) < 4:
            await asyncio.sleep(0.01)
    assert home.turns() == []
    opened = {entry.detail["resident"]: entry for entry in told[:2]}
    for entry in told[2:]:
        assert (entry.what, entry.detail["why"]) == (Audited.ROUND_CLOSED, "time-out")
        (of_it,) = (each for each in rounds if each.resident == entry.detail["resident"])
        assert entry.stamp.since_boot == of_it.until
        assert entry.at - opened[str(entry.detail["resident"])].at == timedelta(milliseconds=60)
    home.scans.scanned(READER, UNKNOWN)
    assert len(await home.trail()) == 4, "it is told once"


def _fails(tmp_path: Path) -> Callable[..., object]:
    async def fails(_writer: Writer, _work: object, **_how: object) -> None:
        await asyncio.sleep(0.01)
        raise NotCommittedError(tmp_path, "nothing was stored: disk full", "full")

    return fails


async def test_while_the_card_takes_nothing_rounds_go_on_and_the_trail_has_all_of_it_later(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = present()
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", _fails(tmp_path))
        for code, resident in [(ANNAS_CODE, "R-1"), (BERTS_CODE, "R-2")] * 3:
            home.scans.scanned(READER, code)
            assert home.turns() == [(None, resident)]
            await asyncio.sleep(0.007)
    after = present()
    told = [(what, resident) for what, resident, _ in await home.told()]
    changes = [(Audited.ROUND_OPENED, "R-1"), (Audited.ROUND_CLOSED, "R-1")]
    changes += [(Audited.ROUND_OPENED, "R-2"), (Audited.ROUND_CLOSED, "R-2")]
    assert told == (changes * 3)[:-1], "all of it, in its order"
    assert all(before.at <= entry.at <= after.at for entry in await home.trail())


async def test_what_waits_for_the_trail_is_bounded(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write", _fails(tmp_path))
        for _ in range(600):
            home.scans.scanned(READER, ANNAS_CODE)
            home.scans.scanned(READER, UNKNOWN)
        await asyncio.sleep(0.05)
    told = await home.told()
    assert len(told) == 1000
    assert told[-1] == (Audited.ROUND_CLOSED, "R-1", "unknown code")


async def test_no_code_is_in_the_log_or_on_the_card(
    home: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for code in (ANNAS_CODE, UNKNOWN, None, BERTS_CODE):
        home.scans.scanned(READER, code)
    home.scans.scanned("USB:FFFF:0001:S3", UNKNOWN)
    await home.trail()
    assert "a round is open for R-1" in caplog.text
    kept = b"".join(each.read_bytes() for each in tmp_path.iterdir() if each.is_file())
    assert b"R-1" in kept
    for code in (ANNAS_CODE, BERTS_CODE, UNKNOWN):
        assert code not in caplog.text
        assert code.encode() not in kept
        assert code not in repr((home.register.residents, home.rounds.__dict__, home.scans.__dict__))
