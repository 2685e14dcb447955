"""Whether a release has proved itself: over looks, without a clock, a process or a systemd."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.keeper.health import Said, understood
from provisioning.keeper.judge import PACE, Before, Judge, Judgement, Look, Probation, UnitSeen
from tests.rigs.releases import WELL

ACTIVE = UnitSeen("active", "running")
STARTING = UnitSeen("activating", "start")
LINE = "USB:0C2E:0204:S1234567"
GOOD = Said(
    connected=True, card="well", progress=True, stages=1, radio=True, usb=True, open=frozenset({LINE})
)
BEFORE = Before.of(GOOD, published=True)
WHOLE = Look(0, ACTIVE, GOOD, None, committed=True, published=True)


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
        (replace(WHOLE, said=replace(GOOD, progress=False, troubles={"intake": "hangs"})), "intake: hangs"),
        (replace(WHOLE, said=replace(GOOD, troubles={"intake": "never turned"})), "intake: never turned"),
        (replace(WHOLE, said=replace(GOOD, stages=0)), "no stage that could get on"),
        (replace(WHOLE, published=False), "did not take what it published"),
        (replace(WHOLE, said=replace(GOOD, open=frozenset())), "did not open 1 of the sensors on USB"),
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
    hung = {"Bluetooth": "it failed 7 times"}
    poor = Said(connected=False, card="full", progress=False, stages=2, troubles=hung, radio=False, usb=False)
    before = Before.of(poor, page=False)
    _, judgement = judged(
        lambda at: Look(at, ACTIVE, replace(poor, card="full, and says so otherwise")), before
    )
    assert judgement.good
    worse = replace(poor, troubles={**hung, "intake": "hangs"})
    assert "(intake: hangs)" in judged(lambda at: Look(at, ACTIVE, worse), before)[1].why
    assert "broker was not asked" in judgement.why


def test_of_a_release_before_that_did_not_answer_nothing_can_be_expected() -> None:
    before = Before.of(None, page=False)
    lonely = replace(GOOD, connected=False, card="full", radio=None, usb=None)
    assert judged(lambda at: Look(at, ACTIVE, lonely), before)[1].good
    assert not judged(lambda at: Look(at, ACTIVE, replace(lonely, stages=0)), before)[1].good


def test_what_works_at_any_look_at_the_release_before_is_asked_of_the_new_one() -> None:
    dropped = replace(GOOD, connected=False, usb=False)
    first = Before().with_later(Before.of(dropped))
    assert not first.whole(dropped)
    both = first.with_later(Before.of(None, page=True)).with_later(Before.of(GOOD, published=True))
    assert both.whole(GOOD)
    assert both == replace(BEFORE, page=True)
    assert both.with_later(Before.of(dropped)) == both
    assert Before.of(replace(GOOD, radio=None)).whole(replace(GOOD, radio=None)), "it has none"


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


def test_a_staff_page_that_is_starting_is_waited_for_longer_than_a_hub_and_not_for_ever() -> None:
    """Eight hubs that share two cores took theirs back for it."""
    before = replace(BEFORE, page=True)
    at, judgement = judged(lambda at: replace(WHOLE, page=ACTIVE if at >= 30 else STARTING), before)
    assert (at, judgement.good) == (30 + PACE.steady, True)
    at, judgement = judged(lambda _: replace(WHOLE, page=STARTING), before)
    assert (at, judgement.good) == (0.5 + PACE.prove + PACE.patience, False)
    # Nothing else is waited for longer, since the page is.
    broken = replace(WHOLE, said=replace(GOOD, connected=False), page=STARTING)
    at, judgement = judged(lambda _: broken, before)
    assert (at, judgement.good) == (0.5 + PACE.prove, False)


def test_one_that_never_is_ready_is_refused_once_patience_ends_and_not_before_a_longer_one_does() -> None:
    at, judgement = judged(lambda at: Look(at, STARTING))
    assert at == PACE.patience
    assert "was not ready (20 s after its start)" in judgement.why
    patient = Judge(BEFORE, PACE.patient(60))
    decided = [(each.at, found) for each in looks(ready_after(45)) if (found := patient.look(each))]
    assert decided[0][0] == 45 + PACE.soak
    assert decided[0][1].good


def test_patience_by_hand_is_patience_with_the_broker_and_with_answers_too() -> None:
    assert PACE.patient(120).prove == 6 * PACE.prove
    assert PACE.patient(120).silence == 2 * PACE.patient(120).answer
    assert replace(PACE.patient(10), patience=20) == PACE, "less of it is no less time for the broker"


@pytest.mark.parametrize(
    ("started_in", "database", "patience"),
    [(None, 0, 20), (2.0, 20e6, 20), (12.0, 20e6, 39), (2.0, 300e6, 75), (2.0, 1e12, 615)],
)
def test_a_slow_machine_and_a_large_database_have_more_patience(
    started_in: float | None, database: float, patience: float
) -> None:
    pace = PACE.like(started_in, int(database))
    assert pace.patience == patience
    assert pace.back == PACE.back + patience - 20, "the release before takes as long to start"
    assert (pace.prove, pace.silence) == (PACE.prove, PACE.silence)


def test_well_for_a_moment_between_reconnections_is_not_well() -> None:
    away = replace(WHOLE, said=replace(GOOD, connected=False))
    _, judgement = judged(lambda at: WHOLE if at % 3 == 0 else away)
    assert not judgement.good


SAID = st.none() | st.builds(
    Said,
    connected=st.booleans(),
    card=st.sampled_from(["well", "full"]),
    progress=st.sampled_from([True, False, None]),
    stages=st.just(1),
    troubles=st.sampled_from([{}, {"intake": "hangs"}]),
    open=st.just(frozenset({LINE})),
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
        return Look(moment, unit, said if unit.running else None, None, committed, published=True)

    moment, judgement = judged(at, before)
    assert moment <= PACE.patience + PACE.soak
    if judgement.good:
        steady = [each for each in looks(at, moment) if each.at >= moment - PACE.steady]
        assert all(each.said is not None and each.said.progress and each.committed for each in steady)
        assert all(each.said is not None and not each.said.troubles for each in steady)
        assert not connected or all(each.said is not None and each.said.connected for each in steady)
        soaked = [each for each in looks(at, moment) if each.at >= moment - PACE.soak]
        assert all(each.said is not None for each in soaked)


def test_a_hubs_status_is_understood_and_what_is_none_is_an_error() -> None:
    good = replace(GOOD, open=frozenset())
    assert understood(WELL) == good
    bare = understood({**WELL, "progress": None, "radio": None})
    assert bare == replace(good, progress=None, stages=0, radio=None)
    stuck = {"well": False, "stages": {"intake": {"well": False, "words": "hangs"}}}
    assert understood({**WELL, "progress": stuck}).troubles == {"intake": "hangs"}
    sensors = [{"address": each, "connected": True} for each in (LINE, "C4:F2:17:00:00:01")]
    shut = {"address": "USB:1:2:3", "connected": False}
    assert understood({**WELL, "sensors": [*sensors, shut]}).open == {LINE}
    with pytest.raises(KeyError):
        understood({"broker": {"connected": True}})


def test_a_stage_must_have_got_on_once_where_the_release_says_whether_it_has() -> None:
    def stages(**said: object) -> dict[str, object]:
        return {**WELL, "progress": {"well": True, "stages": {"intake": {"well": True, "words": "", **said}}}}

    assert understood(stages(turned=False)).troubles == {"intake": "it has not got on once"}
    assert understood(stages(turned=True)).troubles == {}
    assert understood(stages()).troubles == {}, "an older release"


def test_words_of_a_broken_hub_are_one_line_without_escape_sequences() -> None:
    hostile = {"\x1b]0;x\x07\x1b[2J": {"well": False, "words": "\x1b[31mred\n\u202eand\tmore " + 999 * "x"}}
    said = understood({**WELL, "card": "\x1b[2Jfull", "progress": {"well": False, "stages": hostile}})
    ((name, words),) = said.troubles.items()
    assert (name, words[:17]) == ("?]0;x??[2J", "?[31mred ?and mor")
    assert len(words) == 300
    assert said.card == "?[2Jfull"


def on_probation(*seen: tuple[float, UnitSeen], database: int = 0) -> Judgement | None:
    judge = Probation(database=database)
    for at, unit in seen:
        if (judgement := judge.look(at, unit)) is not None:
            return judgement
    return None


def ended(times: int, unit: UnitSeen = ACTIVE) -> UnitSeen:
    return replace(unit, restarts=times)


def test_one_that_runs_for_ten_minutes_in_a_row_is_on_probation_no_longer() -> None:
    good = on_probation((0, ACTIVE), (599, ACTIVE), (600, ACTIVE))
    assert good is not None
    assert good.good
    assert on_probation((0, ACTIVE), (500, ended(1)), (1099, ended(1))) is None
    again = on_probation((0, ACTIVE), (500, ended(1)), (900, ended(2)), (1500, ended(2)))
    assert again is not None
    assert again.good, "twice may be chance"


def test_the_third_end_on_probation_is_the_last_whoever_starts_it_meanwhile() -> None:
    crashed = UnitSeen("activating", "auto-restart", "watchdog", restarts=1)
    bad = on_probation((0, ACTIVE), (60, ended(1)), (120, ended(2)), (125, ACTIVE), (180, crashed))
    assert bad is not None
    assert not bad.good
    assert (
        bad.why
        == "the hub ended 3 times soon after it was kept; the last time it hung: the watchdog ended it"
    )


def test_one_that_is_started_anew_just_when_its_ten_minutes_are_over_has_ten_more() -> None:
    once = UnitSeen("activating", "auto-restart", "exit-code", code=1)  # which systemd counts a moment later
    assert on_probation((0, ACTIVE), (599, ACTIVE), (601, once), (606, ended(1)), (1200, ended(1))) is None
    for seen in (STARTING, UnitSeen("deactivating", "stop-sigterm")):
        again: list[tuple[float, UnitSeen]] = [(0, ACTIVE), (560, seen), (640, seen), (645, ACTIVE)]
        assert on_probation(*again, (1239, ACTIVE)) is None
        good = on_probation(*again, (1240, ACTIVE))
        assert good is not None
        assert good.good


def test_a_large_database_may_be_read_whole_before_it_is_ready() -> None:
    large = 3_000_000_000
    assert on_probation((0, ACTIVE), (5, STARTING), (1204, STARTING), database=large) is None
    never = on_probation((0, ACTIVE), (5, STARTING), (1205, STARTING), database=large)
    assert never is not None
    assert never.why == "the hub was not ready for 1200 s"


def test_one_that_is_never_ready_after_a_boot_is_not_kept_and_one_that_was_stopped_is_waited_for() -> None:
    never = on_probation((0, STARTING), (600, STARTING))
    assert never is not None
    assert not never.good
    stopped = UnitSeen("inactive", "dead")
    assert on_probation((0, ACTIVE), (300, stopped), (5000, stopped), (5005, ACTIVE), (5599, ACTIVE)) is None
