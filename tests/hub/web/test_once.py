"""What is sent twice is done once."""

from __future__ import annotations

import asyncio

import pytest

from hub.web.once import Once


class Work:
    """Counts how often it was done, and may be held or fail."""

    def __init__(self) -> None:
        self.done = 0
        self.let = asyncio.Event()
        self.fault: Exception | None = None

    async def __call__(self) -> int:
        self.done += 1
        await self.let.wait()
        if self.fault is not None:
            raise self.fault
        return self.done


@pytest.fixture
async def work() -> Work:
    return Work()


async def test_the_second_gets_what_came_of_the_first(work: Work) -> None:
    once: Once[int] = Once()
    both = asyncio.gather(once.do("a", "k", work), once.do("a", "k", work))
    work.let.set()
    assert list(await both) == [1, 1]
    assert await once.do("a", "k", work) == 1


async def test_another_key_or_somebody_else_is_other_work(work: Work) -> None:
    work.let.set()
    once: Once[int] = Once()
    assert [await once.do(*each, work) for each in (("a", "k"), ("a", "l"), ("b", "k"))] == [1, 2, 3]


async def test_without_a_key_it_is_done_each_time(work: Work) -> None:
    work.let.set()
    once: Once[int] = Once()
    assert [await once.do("a", "", work) for _ in range(2)] == [1, 2]


async def test_what_failed_may_be_tried_again(work: Work) -> None:
    work.let.set()
    work.fault = ValueError("no")
    once: Once[int] = Once()
    with pytest.raises(ValueError, match="no"):
        await once.do("a", "k", work)
    work.fault = None
    assert await once.do("a", "k", work) == 2


async def test_it_is_done_to_its_end_though_whoever_asked_has_hung_up(work: Work) -> None:
    once: Once[int] = Once()
    asking = asyncio.ensure_future(once.do("a", "k", work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    work.let.set()
    assert await once.do("a", "k", work) == 1


async def test_only_so_many_are_remembered(work: Work) -> None:
    work.let.set()
    once: Once[int] = Once(most=2)
    for key in "klm":
        await once.do("a", key, work)
    assert await once.do("a", "m", work) == 3
    assert await once.do("a", "k", work) == 4
