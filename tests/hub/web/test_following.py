"""Open tabs are told what changed: soon, seldom, and no more than a set of names."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from hub.clock import now
from hub.control.control_socket import ControlError
from hub.web.asking import Asking, SilentHubError
from hub.web.board import Board
from hub.web.following import MOST_TABS, Following, TooManyTabsError
from hub.web.topics import ALERTS, HOME, HUB, ROUNDS, SENSORS, of_resident
from tests.rigs.house import ILL, House, oximeter


class Daemon(Asking):
    """A daemon that answers what a test has it answer."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))
        self.says: dict[str, object] | ControlError = {"card": "well", "rounds": {"open": []}}

    async def ask(self, command: str, *, by: str | None = None, **arguments: object) -> dict[str, object]:
        if isinstance(self.says, ControlError):
            raise self.says
        return self.says


@pytest.fixture(autouse=True)
def between(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tab is told sooner than of a real hub, so that a test need not wait."""
    monkeypatch.setattr("hub.web.following._BETWEEN_MESSAGES", 0.05)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.connection.close()


@pytest.fixture
def following(house: House) -> Iterator[Following]:
    following = Following(house.config, Board(house.config), Daemon(), every_seconds=0.002)
    yield following
    following.close()


@pytest.fixture
async def running(following: Following) -> AsyncIterator[Following]:
    task = asyncio.create_task(following.run())
    yield following
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def daemon_of(following: Following) -> Daemon:
    assert isinstance(following._asking, Daemon)
    return following._asking


def test_what_was_committed_is_told_and_nothing_else(following: Following, house: House) -> None:
    assert HOME in following.look()
    assert following.look() == frozenset()
    house.take(oximeter(97, now()))
    assert following.look() >= {HOME, of_resident(ILL)}
    assert following.look() == frozenset()


async def test_a_tab_is_told_of_a_new_reading(running: Following, house: House) -> None:
    tab = running.open_tab()
    while running._board.read_at is None:
        await asyncio.sleep(0)
    house.take(oximeter(97, now()))
    told: frozenset[str] = frozenset()
    while of_resident(ILL) not in told:
        told = await tab.next(5)
    tab.close()
    assert running.tabs == 0


async def test_what_comes_together_is_told_together(following: Following) -> None:
    tab = following.open_tab()
    following.tell({HOME})
    assert await tab.next(5) == {HOME}
    for each in range(1000):
        following.tell({of_resident(f"R-{each % 3}"), HOME})
    assert await tab.next(5) == {HOME, *map(of_resident, ("R-0", "R-1", "R-2"))}
    assert await tab.next(0) == frozenset()


async def test_a_tab_is_not_told_again_at_once(following: Following) -> None:
    tab = following.open_tab()
    following.tell({HOME})
    await tab.next(5)
    following.tell({HOME})
    soon = asyncio.create_task(tab.next(5))
    await asyncio.wait([soon], timeout=0.02)
    assert not soon.done()
    following.tell({ALERTS})
    assert await soon == {HOME, ALERTS}, "what came while it waited goes along"


async def test_each_tab_is_told_for_itself(following: Following) -> None:
    one, other = following.open_tab(), following.open_tab()
    following.tell({HOME})
    assert await one.next(0) == {HOME}
    assert await other.next(0) == {HOME}


def test_there_is_an_end_to_tabs(following: Following) -> None:
    tabs = [following.open_tab() for _ in range(MOST_TABS)]
    with pytest.raises(TooManyTabsError):
        following.open_tab()
    tabs[0].close()
    following.open_tab()


def test_without_a_database_it_says_so_and_goes_on_once_it_is_there(tmp_path: Path) -> None:
    house = House(tmp_path)
    aside = house.path.with_suffix(".aside")
    house.connection.close()
    house.path.rename(aside)
    board = Board(house.config)
    following = Following(house.config, board, Daemon())
    assert following.look() == {HOME, ALERTS, HUB}
    assert board.trouble is not None
    assert "does not exist" in board.trouble
    assert following.look() == frozenset(), "it is told once"
    aside.rename(house.path)
    assert following.look() >= {HOME, ALERTS, HUB}
    assert board.trouble is None
    assert board.read_at is not None
    following.close()


def test_a_fault_of_ours_leaves_no_old_list_that_looks_new(
    following: Following, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    following.look()
    house.take(oximeter(97, now()))
    with monkeypatch.context() as broken:
        broken.setattr(Board, "follow", lambda _board, _connection: [][0])
        assert following.look() == {HOME, ALERTS, HUB}
    assert following._board.trouble is not None
    assert of_resident(ILL) in following.look(), "all is read again"
    assert following._board.trouble is None


def test_a_card_that_does_not_answer_makes_the_list_old(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    following.look()
    assert following._board.trouble is None
    monkeypatch.setattr("hub.web.board._OLD_AFTER", -1.0)
    assert following._board.trouble is not None


def test_another_file_in_its_place_is_read(following: Following, house: House, tmp_path: Path) -> None:
    following.look()
    other = House(tmp_path / "other")
    other.take(oximeter(97, now()))
    other.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.connection.close()
    other.path.replace(house.path)
    for end in ("-wal", "-shm"):
        Path(f"{house.path}{end}").unlink(missing_ok=True)
    assert of_resident(ILL) in following.look()
    glance = following._board.glance(ILL)
    assert glance is not None
    assert glance.score is not None


async def test_a_daemon_that_falls_silent_is_told_once(following: Following) -> None:
    assert await following.ask() == {HUB, SENSORS}
    assert await following.ask() == frozenset()
    daemon_of(following).says = SilentHubError("silent")
    assert HOME in await following.ask()
    since = following.silent_since
    assert since is not None
    assert await following.ask() == frozenset()
    assert following.silent_since == since
    daemon_of(following).says = {"card": "full"}
    assert await following.ask() == {HOME, ALERTS, HUB, SENSORS, ROUNDS}
    assert following.silent_since is None


async def test_that_the_card_takes_nothing_and_which_alerts_it_has_not_is_told(following: Following) -> None:
    await following.ask()
    unkept = {"alert": str(UUID(int=1)), "resident": ILL, "band": "high", "raised_at": now().isoformat()}
    full: dict[str, object] = {"card": "full"}
    for said in (full, {**full, "alerts_in_memory": [unkept]}):
        daemon_of(following).says = said
        assert await following.ask() >= {HOME, ALERTS}
        assert await following.ask() == frozenset()


async def test_an_answer_that_nobody_foresaw_keeps_it_from_asking_no_more(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def ask(_following: Following) -> frozenset[str]:
        if not asked.is_set():
            asked.set()
            raise ValueError("half an answer")
        following.silent_since = now()
        return frozenset()

    monkeypatch.setattr(Following, "ask", ask)
    monkeypatch.setattr(following, "_ask_every", 0.001)
    task = asyncio.create_task(following.run())
    async with asyncio.timeout(5):
        while following.silent_since is None:
            await asyncio.sleep(0.001)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_an_open_round_is_on_the_board(following: Following, house: House) -> None:
    at = now().isoformat()
    opened = {"resident": ILL, "kit": None, "reader": None, "since": at, "until": at}
    daemon_of(following).says = {"rounds": {"open": [opened, {"resident": "half"}, None]}}
    task = asyncio.create_task(following.run())
    while not following._board.rounds:
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert [each.resident for each in following._board.rounds] == [ILL]
