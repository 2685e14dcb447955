"""A table of beats is cut and judged as the hub does it, person by person."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.assessment.rhythm import RhythmModel, cut, together
from hub.tables.beats import OF_DAYS, OF_WINDOWS, Beats, write_days, write_windows
from hub.tables.cells import Account
from hub.tables.csv_text import Table, TableError, UnreadableCellError

MODEL = RhythmModel.configured(None)


def beats(text: str, account: Account | None = None) -> Beats:
    return Beats(Table(io.StringIO(text, newline=""), "t.csv"), account or Account())


def written(read: Beats, *, days: bool = False, model: RhythmModel | None = MODEL) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    (write_days if days else write_windows)(read, model, out)
    rows = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    assert tuple(rows.fieldnames or ()) == (OF_DAYS if days else OF_WINDOWS)
    return list(rows)


def of(intervals: Sequence[float | str], patient: str = "p") -> str:
    return "patient,rr_ms\n" + "".join(f"{patient},{each}\n" for each in intervals)


def regular(count: int) -> list[int]:
    return [800 + 10 * (number % 3) for number in range(count)]


def irregular(count: int) -> list[int]:
    chance = random.Random(7)
    return [chance.randrange(420, 1150) for _ in range(count)]


def test_a_window_is_what_the_hub_makes_of_its_intervals() -> None:
    intervals = [float(each) for each in irregular(150)]
    rows = written(beats(of(intervals)))
    parts = cut(intervals)
    assert [row["beats"] for row in rows] == [str(len(part)) for part in parts]
    assert [row["window"] for row in rows] == ["1", "2", "3"]
    firsts = [1 + sum(map(len, parts[:number])) for number in range(len(parts))]
    assert [row["first_beat"] for row in rows] == [str(first) for first in firsts]
    for row, part in zip(rows, parts, strict=True):
        probability = MODEL.probability(part)
        assert probability is not None
        assert row["af_probability"] == f"{probability:.9g}"
        irregular_ = probability >= MODEL.threshold
        assert row["finding"] == ("irregular" if irregular_ else "not irregular")
    (day,) = written(beats(of(intervals)), days=True)
    assert day["mean_probability"] == f"{MODEL.of_recording(intervals):.9g}"
    assert (day["day"], day["beats"], day["windows"]) == ("1", "150", "3")


def test_too_few_beats_are_said_and_judge_nothing() -> None:
    (few,) = written(beats(of(regular(5))))
    assert (few["af_probability"], few["finding"]) == ("", "too few beats")
    (day,) = written(beats(of(regular(5))), days=True)
    assert (day["af_probability"], day["mean_probability"]) == ("", "")
    assert day["finding"].startswith("too few beats of good quality")


def test_noise_is_no_rhythm() -> None:
    account = Account()
    (row,) = written(beats(of([*regular(20), *[90, 6000] * 10, *regular(20)]), account))
    assert row["finding"] == "poor signal"
    assert float(row["quality"]) < 0.8
    (said,) = account.lines()
    assert "rr_ms: no interval that a heart can have, and counts as noise: 20 times, first in row 21" in said


@pytest.mark.parametrize("nothing", ["", "NA", "8OO", "0", "-5", "1e9"])
def test_what_is_no_interval_ends_the_run(nothing: str) -> None:
    rows = written(beats(of([*regular(30), nothing, *regular(30)])))
    assert [(row["first_beat"], row["beats"]) for row in rows] == [("1", "30"), ("32", "30")]


def test_what_is_not_understood_is_counted_and_ends_all_where_strict() -> None:
    account = Account()
    beats(of([800, "x", "y"]), account)
    assert list(account.lines()) == [
        'rr_ms: not understood, and counts as not measured: 2 times, first in row 2 (line 3): "x"'
    ]
    with pytest.raises(UnreadableCellError, match=r"row 2 \(line 3\): rr_ms"):
        beats(of([800, "x"]), Account(strict=True))


def timed(intervals: Sequence[int], begin: str = "2026-03-01T23:59:00", *, gap_after: int = 0) -> str:
    at = datetime.fromisoformat(begin)
    lines = ["patient,at,rr_ms"]
    for number, interval in enumerate(intervals, 1):
        at += timedelta(milliseconds=interval)
        lines.append(f"p,{at.isoformat()},{interval}")
        if number == gap_after:
            at += timedelta(seconds=10)
    return "\n".join(lines)


def test_a_gap_in_time_ends_the_run() -> None:
    assert [row["beats"] for row in written(beats(timed(regular(60), gap_after=20)))] == ["20", "40"]
    assert [row["beats"] for row in written(beats(timed(regular(60))))] == ["60"]


@pytest.mark.parametrize(
    "begin", ["2026-03-01T23:59:00", "2026-03-01T23:59:00Z", "2026-03-02T00:59:00+01:00"]
)
def test_a_window_is_of_the_day_on_which_it_began(begin: str) -> None:
    rows = written(beats(timed(regular(240), begin)), days=True)
    assert [(row["day"], row["windows"]) for row in rows] == [("2026-03-01", "2"), ("2026-03-02", "2")]


def test_without_times_a_day_is_24_hours() -> None:
    hours_25: list[float | str] = [*[2000] * (12 * 1800), "", *[2000] * (13 * 1800)]
    assert [row["day"] for row in written(beats(of(hours_25)), days=True, model=None)] == ["1", "2"]


@pytest.mark.parametrize("when", ["", "yesterday", "2026-13-01"])
def test_a_beat_of_which_it_is_not_known_when_it_was_ends_the_run(when: str) -> None:
    lines = timed(regular(61)).split("\n")
    lines[31] = f"p,{when},800"
    rows = written(beats("\n".join(lines)))
    assert [(row["first_beat"], row["beats"]) for row in rows] == [("1", "30"), ("32", "30")]


def test_a_time_that_goes_backwards_begins_a_new_run_and_is_said() -> None:
    account = Account()
    text = timed(regular(30)) + "\n" + "\n".join(timed(regular(30)).split("\n")[1:])
    assert [row["beats"] for row in written(beats(text, account))] == ["30", "30"]
    assert ["row 31" in line and "before the row before it" in line for line in account.lines()] == [True]
    twice = timed(regular(240)) + "\n" + "\n".join(timed(regular(240)).split("\n")[1:])
    days = [(row["day"], row["windows"]) for row in written(beats(twice), days=True)]
    assert days == [("2026-03-01", "4"), ("2026-03-02", "4")]


a_row = st.tuples(st.sampled_from("ab"), st.sampled_from(["800", "640", "1010", "", "90"]))


@settings(max_examples=25)
@given(st.lists(a_row, max_size=150))
def test_it_is_the_same_whether_the_rows_of_patients_are_mixed_or_not(mixed: list[tuple[str, str]]) -> None:
    def result(rows: list[tuple[str, str]]) -> list[tuple[str, ...]]:
        read = beats("patient,rr_ms\n" + "".join(f"{patient},{rr}\n" for patient, rr in rows))
        return sorted(tuple(row.values()) for row in written(read))

    assert result(mixed) == result(sorted(mixed, key=lambda row: row[0]))


def test_what_is_nobodys_is_left_out_and_said() -> None:
    account = Account()
    assert written(beats(of(regular(60), patient=""), account)) == []
    assert ["nobody's, and left out: 60 times" in line for line in account.lines()] == [True]


@pytest.mark.parametrize("header", ["rr_ms", "patient", "patient,rr_ms,rr_ms", "patient,rr_ms,at,at"])
def test_columns_that_are_missing_or_there_twice_are_refused(header: str) -> None:
    with pytest.raises(TableError, match="column"):
        beats(f"{header}\n")


def test_without_a_model_there_are_windows_and_their_quality() -> None:
    (row,) = written(beats(of(regular(60))), model=None)
    assert (row["beats"], row["quality"], row["af_probability"], row["finding"]) == ("60", "1.000", "", "")
    (day,) = written(beats(of(irregular(60))), days=True, model=None)
    assert (day["good"], day["af_probability"], day["mean_probability"], day["finding"]) == ("0", "", "", "")


def test_a_long_irregular_rhythm_is_the_days_finding() -> None:
    intervals = [float(each) for each in irregular(900)]
    (day,) = written(beats(of(intervals)), days=True)
    known = [each for part in cut(intervals) if (each := MODEL.probability(part)) is not None]
    assert day["mean_probability"] == f"{together(known):.9g}"
    assert int(day["irregular"]) > 10
    assert day["finding"].startswith("irregular pulse: consider an ECG (")
    (well,) = written(beats(of(regular(900))), days=True)
    assert (well["irregular"], well["finding"].partition(",")[0]) == ("0", "no lasting irregular pulse found")
