"""A chart's values as a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.readings import Vital
from hub.web.chart_table import table_of
from hub.web.points import Point

LONDON = ZoneInfo("Europe/London")
UNTIL = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=1)


def test_few_values_are_all_there_the_newest_first() -> None:
    points = [Point(SINCE, 36.05), Point(SINCE + timedelta(hours=1), 38.2, doubtful=True)]
    table = table_of(Vital.TEMPERATURE, points, SINCE, UNTIL, LONDON)
    assert table.index("<td>38.2</td><td>in doubt</td>") < table.index("<td>36.1</td><td></td>")


def test_many_are_told_by_stretches_and_where_there_are_none_it_says_so() -> None:
    points = [
        Point(SINCE + timedelta(minutes=10 * number), 37, doubtful=number == 3) for number in range(100)
    ]
    table = table_of(Vital.TEMPERATURE, points, SINCE, UNTIL, LONDON)
    assert table.count("<td>none</td>") == 7
    assert "<td>6, 1 in doubt</td>" in table
    assert "Each line is 1 h." in table


def test_the_lowest_and_highest_of_a_stretch_are_told() -> None:
    points = [
        Point(SINCE + timedelta(minutes=number), 94, lowest=81 if number == 7 else 93, highest=97)
        for number in range(60)
    ]
    table = table_of(Vital.OXYGEN_SATURATION, points, SINCE, UNTIL, LONDON)
    assert "<td>60</td><td>81</td><td>94</td><td>97</td>" in table
    few = table_of(Vital.OXYGEN_SATURATION, points[7:8], SINCE, UNTIL, LONDON)
    assert "from 81 to 97" in few


def test_of_a_partial_score_it_says_at_least() -> None:
    assert "at least: not all was measured" in table_of(
        None, [Point(SINCE, 5, doubtful=True)], SINCE, UNTIL, LONDON
    )
