"""Whether a release has proved itself: over looks, without a clock, a process or a systemd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.keeper.health import Said, understood
from provisioning.keeper.judge import PACE, Before, Judge, Judgement, Look, UnitSeen
from tests.rigs.releases import WELL

ACTIVE = UnitSeen("active", "running")
STARTING = UnitSeen("activating", "start")
GOOD = Said(connected=True, card="well", progress=True, radio=True, usb=True)
BEFORE = Before(connected=True, card="well", radio=True, usb=True)
WHOLE = Look(0, ACTIVE, GOOD, None, committed=True)


def looks(at: Callable[[float], Look], until: float = 120.0) -> Iterator[Look]:
    """Every half second, as they are on a hub."""
    moment = 0.5
    while moment <= until:
        yield replace(at(moment), at=moment)
        moment += PACE.look


def judged(at: Callable[[float], Look], before: Before = BEFORE) -> tuple[float, Judgement]:
    """When the judgement came, and which."""
    judge = Judge(before)
    for look in looks(at):
        judgement = judge.look(look)
        if judgement is not None:
            return look.at, judgement
    raise AssertionError("no judgement")


def ready_after(seconds: float, then: Look = WHOLE) -> Callable[[float], Look]:
    return lambda at: then if at >= seconds else Look(at, STARTING)


def test_a_release_that_starts_answers_and_gets_on_is_kept_after_the_soak() -> None:
    at, judgement = judged(ready_after(2))
    assert judgement.good
    assert "reached the broker" in judgement.why
    assert at == 2 + PACE.soak


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (UnitSeen("failed", "failed", "exit-code", code=1), "the hub ended with exit code 1"),
        (UnitSeen("activating", "auto-restart", "exit-code", code=3), "the configuration is wrong for it"),
        (UnitSeen("activating", "auto-restart", "success"), "ended by itself"),
        (UnitSeen("activating", "auto-restart-queued", "success"), "ended by itself"),
        (UnitSeen("active", "running", "success", restarts=1), "ended by itself and was started again"),
        (UnitSeen("failed", "failed", "core-dump"), "crashed"),
        (UnitSeen("activating", "auto-restart", "watchdog"), "the watchdog ended it"),
        (UnitSeen("failed", "failed", "timeout"), "was not ready"),
        (UnitSeen("failed", "failed", "oom-kill"), "memory"),
        (UnitSeen("failed", "failed", "something new"), "something new"),
        (UnitSeen("inactive", "dead"), "does not run"),
    ],
)
def test_one_that_ends_is_refused_at_the_first_look(ended: UnitSeen, words: str) -> None:
    at, judgement = judged(lambda at: replace(WHOLE, hub=ended) if at >= 5 else WHOLE)
    assert not judgement.good
    assert words in judgement.why
    assert at == 5
    assert judged(lambda _: replace(WHOLE, hub=ended))[0] == 0.5


def test_one_whose_start_is_still_queued_has_not_ended() -> None:
    queued = Look(0, UnitSeen("inactive", "dead", queued=True))
    _, judgement = judged(lambda at: queued if at < 2 else WHOLE)
    assert judgement.good


def test_one_that_is_ready_and_never_answers_is_refused_within_seconds() -> None:
    at, judgement = judged(ready_after(2, replace(WHOLE, said=None)))
    assert "hung" in judgement.why
    assert at == 2 + PACE.silence


def test_one_that_hangs_during_the_soak_is_refused_within_seconds() -> None:
    at, judgement = judged(lambda at: WHOLE if at < 7 else replace(WHOLE, said=None))
    assert "hung" in judgement.why
    assert at <= 7 + PACE.silence


def test_one_unanswered_question_begins_the_soak_again_and_is_no_hang() -> None:
    at, judgement = judged(lambda at: replace(WHOLE, said=None) if at == 5 else WHOLE)
    assert judgement.good
    assert at == 5.5 + PACE.soak


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (replace(WHOLE, said=replace(GOOD, connected=False)), "did not reach the broker"),
        (replace(WHOLE, said=replace(GOOD, card="read-only")), "the card was read-only"),
        (replace(WHOLE, said=replace(GOOD, progress=None)), "did not say whether its stages get on"),
        (replace(WHOLE, said=replace(GOOD, progress=False, troubles=("intake: hangs",))), "intake: hangs"),
        (replace(WHOLE, said=replace(GOOD, radio=False)), "Bluetooth was not usable"),
        (replace(WHOLE, said=replace(GOOD, radio=None)), "Bluetooth was not usable"),
        (replace(WHOLE, said=replace(GOOD, usb=False)), "USB was not usable"),
        (replace(WHOLE, committed=False), "did not commit"),
    ],
)
def test_what_was_well_and_is_not_is_named_after_the_time_to_prove_it(look: Look, words: str) -> None:
    at, judgement = judged(ready_after(1, look))
    assert not judgement.good
    assert words in judgement.why
    assert at == 1 + PACE.prove


def test_what_was_not_well_before_is_not_held_against_the_new_one() -> None:
    poor = Said(connected=False, card="full", progress=True, radio=False, usb=False)
    before = Before.of(poor, page=False)
    _, judgement = judged(lambda at: Look(at, ACTIVE, poor), before)
    assert judgement.good
    assert "broker was not asked" in judgement.why


def test_of_a_release_before_that_did_not_answer_only_a_well_card_is_asked() -> None:
    before = Before.of(None, page=False)
    lonely = replace(GOOD, connected=False, radio=None, usb=None)
    assert judged(lambda _: replace(WHOLE, said=lonely), before)[1].good
    full = replace(WHOLE, said=replace(lonely, card="full"))
    assert not judged(lambda _: full, before)[1].good


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (UnitSeen("failed", "failed", "exit-code", code=1), "the staff page ended with exit code 1"),
        (UnitSeen("activating"), "the staff page did not run"),
    ],
)
def test_a_staff_page_that_ran_must_run(page: UnitSeen, words: str) -> None:
    before = replace(BEFORE, page=True)
    _, judgement = judged(lambda _: replace(WHOLE, page=page), before)
    assert words in judgement.why
    assert judged(lambda _: replace(WHOLE, page=ACTIVE), before)[1].good


def test_one_that_never_is_ready_is_refused_once_patience_ends_and_not_before_a_longer_one_does() -> None:
    at, judgement = judged(lambda at: Look(at, STARTING))
    assert at == PACE.patience
    assert "was not ready (20 s after its start)" in judgement.why
    patient = Judge(BEFORE, replace(PACE, patience=60))
    decided = [(each.at, found) for each in looks(ready_after(45)) if (found := patient.look(each))]
    assert decided[0][0] == 45 + PACE.soak
    assert decided[0][1].good


def test_well_for_a_moment_between_reconnections_is_not_well() -> None:
    away = replace(WHOLE, said=replace(GOOD, connected=False))
    _, judgement = judged(lambda at: WHOLE if at % 3 == 0 else away)
    assert not judgement.good


SAID = st.none() | st.builds(
    Said,
    connected=st.booleans(),
    card=st.sampled_from(["well", "full"]),
    progress=st.sampled_from([True, False, None]),
    radio=st.sampled_from([True, False, None]),
    usb=st.sampled_from([True, False, None]),
)
UNITS = st.sampled_from([ACTIVE] * 8 + [STARTING, UnitSeen("failed", "failed", "exit-code", code=1)])


@given(st.lists(st.tuples(UNITS, SAID, st.booleans()), min_size=1, max_size=80), st.booleans())
def test_whatever_is_seen_a_verdict_comes_in_time_and_good_is_only_what_was_well_to_its_end(
    seen: list[tuple[UnitSeen, Said | None, bool]], connected: bool
) -> None:
    before = replace(BEFORE, connected=connected)

    def at(moment: float) -> Look:
        unit, said, committed = seen[int(moment / PACE.look) % len(seen)]
        return Look(moment, unit, said if unit.running else None, None, committed)

    moment, judgement = judged(at, before)
    assert moment <= PACE.patience + PACE.soak
    if judgement.good:
        steady = [each for each in looks(at, moment) if each.at >= moment - PACE.steady]
        assert all(each.said is not None and each.said.progress and each.committed for each in steady)
        assert not connected or all(each.said is not None and each.said.connected for each in steady)
        soaked = [each for each in looks(at, moment) if each.at >= moment - PACE.soak]
        assert all(each.said is not None for each in soaked)


def test_a_hubs_status_is_understood_and_what_is_none_is_an_error() -> None:
    assert understood(WELL) == GOOD
    assert understood({**WELL, "progress": None, "radio": None}) == replace(GOOD, progress=None, radio=None)
    stuck = {"well": False, "stages": {"intake": {"well": False, "words": "hangs"}}}
    assert understood({**WELL, "progress": stuck}).troubles == ("intake: hangs",)
    with pytest.raises(KeyError):
        understood({"broker": {"connected": True}})
