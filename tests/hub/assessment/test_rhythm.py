"""Windows, their quality, the shipped model's answers, and the rule for a day."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.assessment.beats import LEAST_USED, plausible
from hub.assessment.deterioration import SHIPPED_CARD as OTHER_CARD
from hub.assessment.deterioration import SHIPPED_MODEL as OTHER_MODEL
from hub.assessment.model_file import ModelError
from hub.assessment.rhythm import (
    GAP,
    LEAST_BEATS,
    MOST_BEATS,
    RULE_IRREGULAR,
    RULE_SPAN,
    RULE_WINDOWS,
    SHIPPED_CARD,
    SHIPPED_MODEL,
    DayFinding,
    Interval,
    JudgedWindow,
    Pulse,
    RhythmModel,
    SignalQuality,
    cut,
    judge,
    quality,
    together,
    windows,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MODEL = RhythmModel.configured(None)

any_intervals = st.lists(st.floats(0, 10_000), max_size=200)


def irregular(beats: int, seed: int = 1) -> list[float]:
    """Intervals of which none says anything of the next, in ms."""
    chance = random.Random(seed)
    return [min(max(chance.gauss(750, 170), 400), 1400) for _ in range(beats)]


def breathing(beats: int, interval_ms: float = 820) -> list[float]:
    """A calm heart that goes with the breath, in ms."""
    return [interval_ms * (1 + 0.05 * math.sin(n / 2.2)) for n in range(beats)]


def timed(intervals_ms: Sequence[float], since: datetime = NOON) -> list[Interval]:
    """The intervals told without a break."""
    told, at = [], since
    for each in intervals_ms:
        at += timedelta(milliseconds=each)
        told.append(Interval(at, each))
    return told


# --- windows


@given(st.integers(0, 400))
def test_a_run_is_cut_into_equal_parts_of_which_nothing_is_lost(beats: int) -> None:
    run = [float(n) for n in range(beats)]
    parts = cut(run)
    assert [each for part in parts for each in part] == run
    sizes = [len(part) for part in parts]
    assert all(size <= MOST_BEATS for size in sizes)
    if sizes:
        assert max(sizes) - min(sizes) <= 1
    if beats > MOST_BEATS:
        assert min(sizes) >= MOST_BEATS // 2


def test_a_window_is_from_the_first_beat_to_the_last() -> None:
    (window,) = windows(timed([800.0] * 50))
    assert (window.began, window.ended) == (NOON, NOON + 40 * SECOND)
    assert window.intervals_ms == (800.0,) * 50


def test_no_window_reaches_over_a_gap() -> None:
    first = timed([800.0] * 70)
    second = timed([800.0] * 30, first[-1].ended + GAP + SECOND)
    found = windows([*first, *second])
    assert [len(each.intervals_ms) for each in found] == [35, 35, 30]
    assert found[2].began == first[-1].ended + GAP + SECOND


def test_a_notification_that_comes_late_is_no_gap() -> None:
    told = timed([800.0] * 50)
    late = [
        Interval(each.ended + (SECOND if n % 7 == 0 else 0 * SECOND), 800.0) for n, each in enumerate(told)
    ]
    assert len(windows(late)) == 1


def test_of_nothing_there_is_no_window() -> None:
    assert windows([]) == []


# --- quality


@settings(max_examples=40)
@given(any_intervals)
def test_quality_counts_what_was_told_what_can_be_and_what_is_believed(intervals_ms: list[float]) -> None:
    found = quality(intervals_ms)
    assert found.beats == len(intervals_ms)
    assert found.used == sum(map(plausible, intervals_ms)) >= round(found.share * found.beats)
    assert 0 <= found.share <= 1
    assert found.good == (not found.doubts)


def test_a_few_beats_are_too_few_and_say_so() -> None:
    assert quality(breathing(LEAST_BEATS)).good
    few = quality(breathing(LEAST_BEATS - 1))
    assert (few.good, few.doubts) == (False, ("too few beats",))
    assert quality([]) == SignalQuality(0, 0, 0.0)


def test_a_sensor_that_misses_beats_has_a_poor_signal() -> None:
    told = [each for n in range(10) for each in (*[800.0] * 3, 1600.0 if n % 2 else 4000.0)]
    found = quality(told)
    assert found.doubts == ("poor signal",)
    assert found.used == 35


def test_an_irregular_pulse_is_no_poor_signal() -> None:
    assert all(quality(irregular(60, seed)).good for seed in range(20))


# --- the model


def test_irregular_is_told_from_regular_at_any_usual_rate() -> None:
    for rate in (50, 70, 90, 120):
        ms = 60_000 / rate
        fast = [each * ms / 750 for each in irregular(60)]
        assert (MODEL.probability(fast) or 0) > MODEL.threshold
        assert (MODEL.probability([ms] * 60) or 1) < 0.02
        assert (MODEL.probability(breathing(60, ms)) or 1) < 0.02


def test_a_few_ectopic_beats_are_not_irregular() -> None:
    told = breathing(60)
    for at in (8, 21, 30, 47):
        told[at : at + 2] = [520.0, 1120.0]
    assert (MODEL.probability(told) or 1) < MODEL.threshold / 2


def test_every_second_beat_ectopic_is_not_irregular() -> None:
    assert (MODEL.probability([560.0, 1060.0] * 30) or 1) < MODEL.threshold / 2


@settings(max_examples=40)
@given(any_intervals)
def test_there_is_a_probability_of_whatever_has_enough_intervals(intervals_ms: list[float]) -> None:
    found = MODEL.probability(intervals_ms)
    if found is not None:
        assert 0 <= found <= 1
    if sum(map(plausible, intervals_ms)) < LEAST_USED:
        assert found is None


def test_a_window_is_judged_with_its_quality_and_probability() -> None:
    (window,) = windows(timed(irregular(40)))
    judged = MODEL.judged(window)
    assert (judged.began, judged.ended) == (window.began, window.ended)
    assert judged.quality == quality(window.intervals_ms)
    assert judged.probability == MODEL.probability(window.intervals_ms)
    assert judged.counts


def test_what_has_no_probability_or_no_quality_does_not_count() -> None:
    good, poor = SignalQuality(40, 40, 1.0), SignalQuality(40, 40, 0.5)
    assert not JudgedWindow(NOON, NOON, good, None).counts
    assert not JudgedWindow(NOON, NOON, poor, 0.9).counts


def test_a_recording_has_the_probability_of_its_windows_together() -> None:
    told = [*irregular(60), *breathing(60)]
    found = [MODEL.probability(told[:60]) or 0, MODEL.probability(told[60:]) or 0]
    assert MODEL.of_recording(told) == together(found)
    assert MODEL.of_recording([]) is None


def test_together_is_of_the_mean_log_odds() -> None:
    assert together([]) is None
    assert together([0.3]) == pytest.approx(0.3)
    assert together([0.1, 0.9]) == pytest.approx(0.5)
    assert together([0.0, 1.0]) == pytest.approx(0.5)


# --- refused


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    (tmp_path / "rhythm.json").write_bytes(SHIPPED_CARD.read_bytes())
    model = tmp_path / "rhythm.tflite"
    model.write_bytes(SHIPPED_MODEL.read_bytes())
    return model


def test_the_card_beside_the_configured_model_is_taken(installed: Path) -> None:
    model = RhythmModel.configured(installed)
    card = json.loads(SHIPPED_CARD.read_text())
    assert (model.name, model.version, model.threshold) == (
        card["name"],
        card["version"],
        card["decision"]["threshold"],
    )
    assert model.sha256 == hashlib.sha256(SHIPPED_MODEL.read_bytes()).hexdigest()


def test_the_deterioration_model_is_no_rhythm_model(installed: Path) -> None:
    with pytest.raises(ModelError, match="is not the model that"):
        RhythmModel.load(OTHER_MODEL, SHIPPED_CARD)
    with pytest.raises(ModelError, match="is not a model card"):
        RhythmModel.load(OTHER_MODEL, OTHER_CARD)


def test_a_changed_byte_is_refused(installed: Path) -> None:
    content = bytearray(SHIPPED_MODEL.read_bytes())
    content[-1] ^= 1
    installed.write_bytes(content)
    with pytest.raises(ModelError, match="is not the model that"):
        RhythmModel.configured(installed)


@pytest.mark.parametrize("decision", [None, {}, {"threshold": 0}, {"threshold": 1}, {"threshold": "high"}])
def test_a_card_without_a_threshold_is_refused(installed: Path, decision: object) -> None:
    card = json.loads(SHIPPED_CARD.read_text())
    card["decision"] = decision
    installed.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="is not a model card"):
        RhythmModel.configured(installed)


def test_other_features_are_refused(installed: Path) -> None:
    card = json.loads(SHIPPED_CARD.read_text())
    card["features"]["specification"] = "rhythm 0"
    installed.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="feature specification"):
        RhythmModel.configured(installed)


def test_a_missing_file_names_the_setting_that_turns_the_model_off(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"rhythm\.mode"):
        RhythmModel.configured(tmp_path / "gone.tflite")


# --- the rule for a day

GOOD, POOR = SignalQuality(50, 50, 1.0), SignalQuality(50, 50, 0.5)
THRESHOLD = 0.5


def day(
    probabilities: Sequence[float | None], apart: timedelta = timedelta(minutes=2), of: SignalQuality = GOOD
) -> list[JudgedWindow]:
    """Windows of 40 s, one after the other."""
    return [
        JudgedWindow(NOON + n * apart, NOON + n * apart + 40 * SECOND, of, each)
        for n, each in enumerate(probabilities)
    ]


def found(judged: Sequence[JudgedWindow]) -> DayFinding:
    return judge(judged, THRESHOLD)


def test_five_of_six_irregular_windows_are_a_finding() -> None:
    judged = day([0.1, 0.9, 0.9, 0.1, 0.9, 0.8, 0.7, 0.1])
    finding = found(judged)
    assert finding.pulse is Pulse.IRREGULAR
    assert (finding.windows, finding.good, finding.irregular) == (8, 8, 5)
    assert (finding.since, finding.until) == (judged[1].began, judged[6].ended)
    assert finding.probability == 0.7
    assert finding.words.startswith("irregular pulse: consider an ECG")


def test_four_of_six_are_none() -> None:
    finding = found(day([0.9, 0.1, 0.9, 0.9, 0.1, 0.9]))
    assert finding.pulse is Pulse.NOT_IRREGULAR
    assert finding.probability == 0.1
    assert "rules nothing out" in finding.words


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 39), st.integers(1, 4))
def test_up_to_four_noisy_minutes_in_a_calm_day_are_no_finding(
    calm: list[float], at: int, noisy: int
) -> None:
    probabilities = [each * THRESHOLD * 0.99 for each in calm]
    probabilities[at:at] = [1.0] * noisy
    assert found(day(probabilities)).pulse is not Pulse.IRREGULAR


def test_windows_of_poor_quality_count_for_nothing() -> None:
    noisy = found(day([0.9] * 20, of=POOR))
    assert (noisy.pulse, noisy.good, noisy.irregular, noisy.probability) == (Pulse.UNKNOWN, 0, 0, None)
    assert "too few beats of good quality" in noisy.words
    between = day([0.9] * 12)
    between[1::2] = [JudgedWindow(each.began, each.ended, POOR, 0.0) for each in between[1::2]]
    assert found(between).pulse is Pulse.IRREGULAR
    assert found(day([None] * 20)).pulse is Pulse.UNKNOWN


def test_irregular_windows_back_to_back_need_to_last() -> None:
    apart = 40 * SECOND
    needed = math.ceil(RULE_SPAN / apart)
    assert found(day([0.9] * (needed - 1), apart)).pulse is Pulse.UNKNOWN
    assert found(day([0.9] * needed, apart)).pulse is Pulse.IRREGULAR
    assert needed > RULE_WINDOWS


def test_an_empty_day_is_unknown() -> None:
    finding = found([])
    assert finding == DayFinding(Pulse.UNKNOWN, None, None, None, 0, 0, 0)


@given(st.lists(st.floats(0, 1), max_size=25), st.floats(0.05, 0.95), st.integers(20, 200))
def test_the_days_probability_is_the_threshold_at_which_the_rule_is_just_met(
    probabilities: list[float], threshold: float, seconds: int
) -> None:
    judged = day(probabilities, seconds * SECOND)
    finding = judge(judged, threshold)
    by_definition = any(
        sum(each >= threshold for each in probabilities[first : last + 1]) * RULE_WINDOWS
        >= (last + 1 - first) * RULE_IRREGULAR
        for first, last in _shortest_runs(judged)
    )
    assert (finding.pulse is Pulse.IRREGULAR) == by_definition
    assert (finding.pulse is Pulse.IRREGULAR) == (
        finding.probability is not None and finding.probability >= threshold
    )


def _shortest_runs(judged: Sequence[JudgedWindow]) -> list[tuple[int, int]]:
    runs = []
    for first in range(len(judged)):
        for last in range(first + RULE_WINDOWS - 1, len(judged)):
            if judged[last].ended - judged[first].began >= RULE_SPAN:
                runs.append((first, last))
                break
    return runs


def test_a_finding_never_names_a_diagnosis() -> None:
    for probabilities in ([0.9] * 9, [0.1] * 9, []):
        assert "fibrillation" not in found(day(probabilities)).words
