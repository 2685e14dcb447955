"""Whose turn it is: opened by a scan, closed by the next, by what is nobody's, and by time."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub.attribution.rounds import REMEMBERED, Closing, Round, Rounds
from hub.clock import ClockQuality, ClockStamp
from hub.trail import Moment

BOOT = UUID("6f1f9b3e-7a52-4a0b-9a55-5f2b1f1f0a01")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA, BERT, READER = "R-1", "R-2", "USB:0C2E:0B61:S1"
LASTS = 600


def stamp(seconds: float) -> ClockStamp:
    return ClockStamp(BOOT, timedelta(seconds=seconds), ClockQuality.SYNCHRONISED)


def moment(seconds: float) -> Moment:
    return Moment(NOON + timedelta(seconds=seconds), stamp(seconds))


@pytest.fixture
def rounds() -> Rounds:
    return Rounds(timedelta(seconds=LASTS))


def whose(rounds: Rounds, seconds: float, kit: str | None = None) -> str | None:
    found = rounds.at(kit, stamp(seconds))
    return None if found is None else found.resident


def test_a_scan_opens_a_round_from_then_on(rounds: Rounds) -> None:
    (opened,) = rounds.open(None, ANNA, READER, moment(100))
    assert (opened.resident, opened.reader, opened.closed) == (ANNA, READER, None)
    assert opened.ends_at == NOON + timedelta(seconds=700)
    assert [whose(rounds, at) for at in (99.9, 100, 699.9, 700)] == [None, ANNA, ANNA, None]


def test_the_next_scan_closes_it_and_it_is_remembered(rounds: Rounds) -> None:
    rounds.open(None, ANNA, READER, moment(100))
    closed, opened = rounds.open(None, BERT, READER, moment(160))
    assert (closed.resident, closed.closed, closed.until) == (ANNA, Closing.NEXT_SCAN, timedelta(seconds=160))
    assert (opened.resident, opened.closed) == (BERT, None)
    assert [whose(rounds, at) for at in (100, 159.9, 160)] == [ANNA, ANNA, BERT]


@pytest.mark.parametrize("why", [Closing.UNKNOWN_CODE, Closing.DAMAGED_SCAN])
def test_what_is_nobodys_closes_it_and_opens_none(rounds: Rounds, why: Closing) -> None:
    rounds.open(None, ANNA, READER, moment(100))
    (closed,) = rounds.close(None, why, moment(130))
    assert (closed.resident, closed.closed) == (ANNA, why)
    assert [whose(rounds, at) for at in (129.9, 130, 200)] == [ANNA, None, None]
    assert rounds.close(None, why, moment(140)) == []


def test_the_same_resident_scanned_again_goes_on_and_it_is_one_round(rounds: Rounds) -> None:
    rounds.open(None, ANNA, READER, moment(100))
    assert rounds.open(None, ANNA, "another reader", moment(600)) == []
    assert [whose(rounds, at) for at in (100, 1199, 1200)] == [ANNA, ANNA, None]
    (timed_out,) = rounds.time_out(stamp(1200))
    assert timed_out.opened == moment(100)


def test_scanned_again_after_its_end_it_is_another_round(rounds: Rounds) -> None:
    rounds.open(None, ANNA, READER, moment(100))
    timed_out, opened = rounds.open(None, ANNA, READER, moment(700))
    assert (timed_out.closed, timed_out.until) == (Closing.TIME_OUT, timedelta(seconds=700))
    assert opened.opened == moment(700)


def test_a_round_that_timed_out_is_told_once_with_its_own_end(rounds: Rounds) -> None:
    rounds.open(None, ANNA, READER, moment(100))
    assert rounds.time_out(stamp(699)) == []
    (closed,) = rounds.time_out(stamp(5000))
    assert (closed.closed, closed.until) == (Closing.TIME_OUT, timedelta(seconds=700))
    assert rounds.time_out(stamp(5001)) == []
    assert rounds.close(None, Closing.UNKNOWN_CODE, moment(5002)) == []


def test_a_scan_after_the_end_closes_nothing_a_second_time(rounds: Rounds) -> None:
    rounds.open(None, ANNA, READER, moment(100))
    closed, opened = rounds.open(None, BERT, READER, moment(5000))
    assert (closed.closed, closed.until) == (Closing.TIME_OUT, timedelta(seconds=700))
    assert opened.resident == BERT
    assert whose(rounds, 4999) is None


def test_kits_have_rounds_of_their_own(rounds: Rounds) -> None:
    rounds.open("a", ANNA, READER, moment(100))
    rounds.open("b", BERT, READER, moment(110))
    assert [whose(rounds, 120, kit) for kit in ("a", "b", None)] == [ANNA, BERT, None]
    assert [each.resident for each in rounds.open_rounds(stamp(120))] == [ANNA, BERT]
    rounds.close("a", Closing.UNKNOWN_CODE, moment(130))
    assert [each.resident for each in rounds.open_rounds(stamp(130))] == [BERT]
    assert rounds.open_rounds(stamp(2000)) == ()


def test_a_moment_of_another_boot_is_in_no_round(rounds: Rounds) -> None:
    rounds.open(None, ANNA, READER, moment(100))
    other = dataclasses.replace(stamp(110), boot=UUID(int=1))
    assert rounds.at(None, other) is None


def test_only_so_many_are_remembered_and_what_is_older_is_nobodys(rounds: Rounds) -> None:
    for number in range(REMEMBERED + 5):
        rounds.open(None, f"R-{number}", READER, moment(number))
    assert [whose(rounds, at) for at in (0, 4, 5, 6)] == [None, None, "R-5", "R-6"]


class ByTheSecond(RuleBasedStateMachine):
    """Whose turn each second was, noted as it goes by; asked of the rounds at the end of each step."""

    KITS = ("a", None)

    def __init__(self) -> None:
        super().__init__()
        self.rounds = Rounds(timedelta(seconds=60))
        self.now = 0
        self.turn: dict[str | None, tuple[str, int] | None] = dict.fromkeys(self.KITS)  # and its end
        self.noted: dict[tuple[str | None, int], str | None] = {}
        self.told: dict[str | None, list[Round]] = {kit: [] for kit in self.KITS}

    def current(self, kit: str | None) -> str | None:
        turn = self.turn[kit]
        return turn[0] if turn is not None and self.now < turn[1] else None

    @rule(seconds=st.one_of(st.integers(1, 5), st.integers(50, 70)))
    def time_passes(self, seconds: int) -> None:
        for _ in range(seconds):
            self.noted |= {(kit, self.now): self.current(kit) for kit in self.KITS}
            self.now += 1

    @rule(kit=st.sampled_from(KITS), resident=st.sampled_from([ANNA, BERT]))
    def scan(self, kit: str | None, resident: str) -> None:
        self.told[kit] += self.rounds.open(kit, resident, READER, moment(self.now))
        self.turn[kit] = resident, self.now + 60

    @rule(kit=st.sampled_from(KITS), why=st.sampled_from([Closing.UNKNOWN_CODE, Closing.DAMAGED_SCAN]))
    def scan_nobodys(self, kit: str | None, why: Closing) -> None:
        self.told[kit] += self.rounds.close(kit, why, moment(self.now))
        self.turn[kit] = None

    @rule()
    def time_out(self) -> None:
        for each in self.rounds.time_out(stamp(self.now)):
            assert each.closed is Closing.TIME_OUT
            self.told[each.kit].append(each)

    @invariant()
    def whose_turn_it_was_and_is(self) -> None:
        for (kit, second), resident in self.noted.items():
            assert whose(self.rounds, second, kit) == resident
        for kit in self.KITS:
            assert whose(self.rounds, self.now, kit) == self.current(kit)
        there = {each.kit: each.resident for each in self.rounds.open_rounds(stamp(self.now))}
        assert there == {kit: self.current(kit) for kit in self.KITS if self.current(kit) is not None}

    @invariant()
    def each_round_is_told_when_it_opens_and_when_it_closes(self) -> None:
        for told in self.told.values():
            assert [each.closed is None for each in told] == [index % 2 == 0 for index in range(len(told))]
            for opened, closed in zip(told[::2], told[1::2], strict=False):
                assert (closed.resident, closed.opened) == (opened.resident, opened.opened)
                assert closed.until <= timedelta(seconds=self.now)


TestByTheSecond = ByTheSecond.TestCase
TestByTheSecond.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
