"""A scan changes whose turn it is at once; the trail follows; no code is anywhere."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.attribution.rounds import Rounds
from hub.attribution.scans import Scans
from hub.clock import stamp
from hub.configuration.file import Resident, Sensor
from hub.residents.care import Care, Whereabouts
from hub.residents.register import NotWatchedError, Register, UnknownResidentError
from hub.store.audit import AuditEntry, entries
from hub.store.database import FILE_NAME
from hub.store.errors import NotCommittedError
from hub.store.writer import Writer
from hub.trail import Audited, Moment

READER, READER_B = "USB:0C2E:0B61:S1", "USB:0C2E:0B61:S2"
ANNAS_CODE, BERTS_CODE, UNKNOWN = "9434765919", "WB-0077-X", "4010232137"
JO = "Jo Carer"
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
                "by": None,
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


async def test_a_person_opens_a_round_as_a_scan_would_and_the_trail_says_who(home: Home) -> None:
    current, closed = home.scans.opened_by(JO, "R-1", None)
    assert (current.resident, current.by, current.reader, closed) == ("R-1", JO, None, [])
    assert home.turns() == [(None, "R-1")]
    (opened,) = await home.trail()
    assert opened.detail == {"resident": "R-1", "kit": None, "reader": None, "by": JO}
    again, closed = home.scans.opened_by("Al", "R-1", None)
    assert (again.opened, again.by, closed) == (current.opened, JO, []), "theirs goes on"
    assert again.until > current.until


async def test_a_round_that_is_opened_for_another_closes_the_one_there_is(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    _, closed = home.scans.opened_by(JO, "R-2", None)
    assert [each.resident for each in closed] == ["R-1"]
    assert await home.told() == [
        (Audited.ROUND_OPENED, "R-1", None),
        (Audited.ROUND_CLOSED, "R-1", "opened for another"),
        (Audited.ROUND_OPENED, "R-2", None),
    ]
    home.scans.scanned(READER, ANNAS_CODE)
    assert home.turns() == [(None, "R-1")]


async def test_a_person_closes_a_round_and_the_trail_says_who(home: Home) -> None:
    home.scans.scanned(READER, ANNAS_CODE)
    closed = home.scans.closed_by(JO, None)
    assert closed is not None
    assert closed.resident == "R-1"
    assert home.turns() == []
    entry = (await home.trail())[-1]
    assert (entry.detail["why"], entry.detail["by"]) == ("by a person", JO)
    assert home.scans.closed_by(JO, None) is None
    assert len(await home.trail()) == 2


async def test_whoever_closes_the_round_of_one_does_not_close_that_of_another(home: Home) -> None:
    """Two carers at one kit: the other has gone on by then."""
    home.scans.opened_by(JO, "R-1", None)
    home.scans.opened_by("Al", "R-2", None)
    assert home.scans.closed_by(JO, None, "R-1") is None
    assert home.turns() == [(None, "R-2")]


async def test_no_round_is_opened_for_who_is_not_known_or_not_watched(home: Home) -> None:
    home.scans.opened_by(JO, "R-1", None)
    with pytest.raises(UnknownResidentError):
        home.scans.opened_by(JO, "R-9", None)
    home.register.list_resident(RESIDENTS[1], Care(whereabouts=Whereabouts.IN_HOSPITAL))
    with pytest.raises(NotWatchedError):
        home.scans.opened_by(JO, "R-2", None)
    assert home.turns() == [(None, "R-1")], "the one that is open stays"


async def test_the_rounds_of_who_leaves_are_over(home: Home) -> None:
    home.scans.opened_by(JO, "R-1", None)
    home.scans.scanned(READER_B, BERTS_CODE)
    home.scans.left("R-1", "Mo")
    assert home.turns() == [("b", "R-2")]
    entry = (await home.trail())[-1]
    assert (entry.detail["why"], entry.detail["by"]) == ("resident not watched any more", "Mo")


async def test_a_round_that_timed_out_before_was_closed_by_nobody(writer: Writer) -> None:
    home = Home(writer, timedelta(milliseconds=1))
    home.scans.opened_by(JO, "R-1", None)
    while home.turns():
        pass  # nothing else may run: it is seen to be over when the next is opened
    home.scans.opened_by(JO, "R-2", None)
    _, ended, _ = (await home.trail())[:3]
    assert (ended.detail["resident"], ended.detail["why"]) == ("R-1", "time-out")
    assert "by" not in ended.detail


async def test_no_name_is_in_the_log(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    home.scans.opened_by("Quincey", "R-1", None)
    home.scans.closed_by("Quincey", None)
    await home.trail()
    assert "R-1" in caplog.text
    assert "Quincey" not in caplog.text


async def test_when_a_round_has_timed_out_the_trail_says_so_with_when_it_was(writer: Writer) -> None:
    lasts = timedelta(seconds=1)  # both are to be opened before the first is over
    home = Home(writer, lasts)
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
        assert entry.at - opened[str(entry.detail["resident"])].at == lasts
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
