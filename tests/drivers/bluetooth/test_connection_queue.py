"""Whose turn it is to be connected to."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.bluetooth import connection_queue
from drivers.bluetooth.connection_queue import ConnectionQueue


class Street:
    """Sensors that queue; each is held until it is let go."""

    def __init__(self) -> None:
        self.queue = ConnectionQueue()
        self.order: list[str] = []
        self.holding = 0
        self._done: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def arrives(self, name: str, *, leaves_soon: bool, in_vain: bool = False) -> None:
        self._done[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._connect(name, leaves_soon, in_vain))
        await asyncio.sleep(0)

    async def _connect(self, name: str, leaves_soon: bool, in_vain: bool) -> None:
        async with self.queue.turn(leaves_soon=leaves_soon, in_vain=in_vain):
            self.holding += 1
            assert self.holding == 1, "two connections are being made at once"
            self.order.append(name)
            try:
                await self._done[name].wait()
            finally:
                self.holding -= 1

    async def let_all_go(self) -> None:
        for event in self._done.values():
            event.set()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


async def test_a_cuff_that_is_about_to_switch_off_goes_before_a_strap_that_came_earlier() -> None:
    street = Street()
    await street.arrives("first", leaves_soon=False)
    await street.arrives("strap", leaves_soon=False)
    await street.arrives("cuff", leaves_soon=True)
    await street.arrives("thermometer", leaves_soon=True)
    await street.let_all_go()
    assert street.order == ["first", "cuff", "thermometer", "strap"]


async def test_a_strap_that_has_waited_long_gives_way_to_nobody_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 0.0
    monkeypatch.setattr(connection_queue, "monotonic", lambda: clock)
    street = Street()
    await street.arrives("first", leaves_soon=False)
    await street.arrives("strap", leaves_soon=False)
    clock = 21.0
    await street.arrives("cuff", leaves_soon=True)
    await street.let_all_go()
    assert street.order == ["first", "strap", "cuff"]


@pytest.mark.parametrize(("waited", "next_one"), [(100.0, "cuff"), (130.0, "far")])
async def test_one_that_was_tried_in_vain_gives_way_to_all_others_but_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, waited: float, next_one: str
) -> None:
    clock = 0.0
    monkeypatch.setattr(connection_queue, "monotonic", lambda: clock)
    street = Street()
    await street.arrives("first", leaves_soon=True)
    await street.arrives("far", leaves_soon=True, in_vain=True)
    clock = waited
    await street.arrives("cuff", leaves_soon=True)
    await street.let_all_go()
    assert street.order[1] == next_one


async def test_whoever_is_cancelled_while_it_waits_or_holds_does_not_keep_the_others_waiting() -> None:
    street = Street()
    for name in ("holds", "waits", "next"):
        await street.arrives(name, leaves_soon=True)
    street.tasks["waits"].cancel()
    street.tasks["holds"].cancel()
    await asyncio.sleep(0.01)
    assert street.order == ["holds", "next"]
    assert len(street.queue) == 0
    await street.let_all_go()


async def test_one_that_is_cancelled_in_the_moment_in_which_it_is_called_passes_the_turn_on() -> None:
    street = Street()
    async with street.queue.turn(leaves_soon=True):
        await street.arrives("called", leaves_soon=True)
        await street.arrives("next", leaves_soon=True)
    street.tasks["called"].cancel()
    await asyncio.sleep(0.01)
    assert street.order == ["next"]
    await street.let_all_go()


async def test_one_that_is_cancelled_in_the_moment_in_which_a_turn_ends_does_not_take_it_along() -> None:
    street = Street()
    for name in ("holds", "leaves", "next"):
        await street.arrives(name, leaves_soon=True)
    street._done["holds"].set()
    street.tasks["leaves"].cancel()
    await asyncio.sleep(0.01)
    assert street.order == ["holds", "next"]
    await street.let_all_go()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["soon", "time", "go", "cancel"]), st.integers(0, 9)), max_size=40))
def test_whatever_happens_one_is_connected_at_a_time_and_all_who_stay_have_their_turn(
    happenings: list[tuple[str, int]],
) -> None:
    async def play() -> None:
        street = Street()
        cancelled: set[str] = set()
        for number, (happening, which) in enumerate(happenings):
            one = list(street.tasks)[which % len(street.tasks)] if street.tasks else None
            match happening:
                case "soon" | "time":
                    await street.arrives(str(number), leaves_soon=happening == "soon")
                case "go" if one is not None:
                    street._done[one].set()
                case "cancel" if one is not None:
                    street.tasks[one].cancel()
                    cancelled.add(one)
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await street.let_all_go()
        assert set(street.tasks) - cancelled <= set(street.order)
        assert len(street.queue) == 0
        async with asyncio.timeout(1), street.queue.turn(leaves_soon=False):
            pass

    asyncio.run(play())
