"""What the card has in hand: since when it is stalled, and what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, timedelta
from pathlib import Path
from time import monotonic, sleep, thread_time

import pytest

from hub.clock import stamp
from hub.store import in_hand
from hub.store.in_hand import InHand
from hub.store.transaction import Transaction
from hub.store.writer import Writer
from hub.timekeeping.present import Present
from hub.timekeeping.timing import ClockRule
from tests.rigs.broker import until
from tests.rigs.stalling_card import stalling_card


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    async with Writer(tmp_path / "carehub.db", timedelta(0)) as writer:
        yield writer


def alarming(transaction: Transaction) -> None:
    transaction.tell(0, "alert", '{"id": "a"}')


def test_what_computes_is_not_held_by_the_card_and_what_waits_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window of a day is computed for seconds where the clock was set; and what never ends is a hang."""
    monkeypatch.setattr(in_hand, "STALLED_AFTER", 0.02)
    held, told = InHand(), ["event"]
    computed: list[Sequence[str] | None] = []
    give_up = monotonic() + 60
    while None not in computed and monotonic() < give_up:  # other processes may take the processor meanwhile
        with held.transaction(told):
            until_then = thread_time() + 0.03
            while thread_time() < until_then:
                pass
            computed.append(held.stalled)
    assert None in computed
    with held.transaction(told):
        sleep(0.03)
        assert held.stalled is told
        with held.waiting_for_company():
            assert held.stalled is None
        assert held.stalled is told
    assert (held.stalled, held.came_back) == (None, len(computed) + 1)


def test_the_wait_for_company_is_not_the_card_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_hand, "STALLED_AFTER", 0.02)
    held = InHand()
    with held.transaction():
        with held.waiting_for_company():
            sleep(0.05)
        assert held.stalled is None


async def test_what_was_told_of_work_that_was_undone_is_not_told_by_a_stall(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def undone(transaction: Transaction) -> None:
        alarming(transaction)
        raise ValueError("a fault of the work")

    told: list[Sequence[str]] = []
    with stalling_card(writer, monkeypatch) as card:
        watching = asyncio.create_task(writer.watch_card(lambda _error, events: told.append(events)))
        card.stall()
        working = asyncio.ensure_future(writer.write(undone))
        await until(lambda: told)
        assert told == [()]
        card.come_back()
        with pytest.raises(ValueError, match="a fault of the work"):
            await working
        watching.cancel()


async def test_a_rehearsal_beside_a_commit_does_not_ask_the_card_though_the_clock_was_set(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = ClockRule(timedelta(minutes=5), timedelta(days=90), UTC)

    def set_and_alarming(transaction: Transaction) -> None:
        transaction.tell_anew(Present.of(rule, transaction.steps, stamp()), 1)
        alarming(transaction)

    with stalling_card(writer, monkeypatch) as card:
        await writer.write(lambda transaction: transaction.hours("R-0412"))
        writer._recent._connection = card  # type: ignore[assignment]  # as in `stalling_card`
        card.stall()
        committing = asyncio.ensure_future(writer.write(alarming))
        await until(lambda: writer.is_stalled)
        card.stall("")  # whatever it is asked for
        async with asyncio.timeout(5):
            assert await writer.rehearse(set_and_alarming) == ['{"id": "a"}']
        card.come_back()
        with suppress(asyncio.CancelledError):
            await committing
