"""What charts draw: areas by the RCP's chart, no line where nobody measured, doubt as a ring."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.assessment.news2 import Band, OxygenScale
from hub.overview.glance import KnownValue, PastScore
from hub.readings import Breathing, Vital
from hub.residents.care import Normal
from hub.web.charts import Area, Point, areas, chart, score_chart
from hub.web.points import beyond_of
from hub.web.sparkline import sparkline

LONDON = ZoneInfo("Europe/London")
UNTIL = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)
SINCE = UNTIL - timedelta(days=1)


def hourly(*values: float) -> list[Point]:
    return [Point(SINCE + timedelta(hours=number), value) for number, value in enumerate(values)]


def drawn(style: str, picture: str) -> str:
    """What the path of that class draws; empty where there is none."""
    found = re.search(rf'<path class="{style}[^"]*" d="([^"]*)"', picture)
    return found.group(1) if found else ""


def test_areas_are_those_of_the_rcps_chart() -> None:
    assert areas(Vital.RESPIRATION_RATE, 6, 30, OxygenScale.SCALE_1) == (
        Area(6, 8.5, 3),
        Area(8.5, 11.5, 1),
        Area(11.5, 20.5, 0),
        Area(20.5, 24.5, 2),
        Area(24.5, 30, 3),
    )
    temperature = areas(Vital.TEMPERATURE, 34.5, 39.5, OxygenScale.SCALE_1)
    assert [(round(each.low, 2), round(each.high, 2), each.points) for each in temperature] == [
        (34.5, 35.05, 3),
        (35.05, 36.05, 1),
        (36.05, 38.05, 0),
        (38.05, 39.05, 1),
        (39.05, 39.5, 2),
    ]


def test_areas_of_saturation_follow_the_persons_scale_and_whether_oxygen_is_given() -> None:
    def top(scale: OxygenScale, breathing: Breathing | None) -> list[int]:
        return [each.points for each in areas(Vital.OXYGEN_SATURATION, 82, 100.5, scale, breathing)]

    assert top(OxygenScale.SCALE_1, None) == [3, 2, 1, 0]
    assert top(OxygenScale.SCALE_2, Breathing.OXYGEN) == [3, 2, 1, 0, 1, 2, 3]
    assert top(OxygenScale.SCALE_2, Breathing.AIR) == [3, 2, 1, 0]
    unknown = areas(Vital.OXYGEN_SATURATION, 82, 100.5, OxygenScale.SCALE_2, None)
    assert unknown[-1].high == 92.5, "from 93 % on nobody knows what it scores"


def test_what_is_far_apart_is_not_joined() -> None:
    points = [*hourly(96, 95, 94), Point(SINCE + timedelta(hours=10), 90)]
    line = drawn("chart-line", chart(Vital.OXYGEN_SATURATION, points, SINCE, UNTIL, LONDON))
    assert line.count("M") == 2
    assert line.count("L") == 2


def test_a_value_in_doubt_is_a_ring_and_not_a_dot() -> None:
    points = [*hourly(96), Point(SINCE + timedelta(hours=1), 80, doubtful=True)]
    picture = chart(Vital.OXYGEN_SATURATION, points, SINCE, UNTIL, LONDON)
    assert drawn("chart-dots", picture).count("M") == 1
    assert drawn("chart-rings", picture).count("M") == 1
    assert "in doubt" in picture


def test_what_is_outside_the_period_is_left_out_and_nothing_is_said_to_be_nothing() -> None:
    picture = chart(Vital.PULSE_RATE, [Point(SINCE - timedelta(hours=1), 70)], SINCE, UNTIL, LONDON)
    assert "no values" in picture
    assert drawn("chart-dots", picture) == ""
    assert "<table" not in picture


def test_an_older_number_is_not_the_last_where_the_sensor_could_not_say_how_low_it_is() -> None:
    at = UNTIL - timedelta(minutes=30)
    known = KnownValue(Vital.GLUCOSE, float("-inf"), at, at, uuid.UUID(int=1), "manual")
    usual = replace(known, value=6.1, measured_at=at - timedelta(hours=2))
    assert beyond_of([usual]) is None

    def last(points: list[Point]) -> str:
        beyond = beyond_of([known, usual])
        drawn = chart(Vital.GLUCOSE, points, SINCE, UNTIL, LONDON, beyond=beyond)
        found = re.search('page-chart__last">([^<]*)<', drawn)
        assert found is not None
        return found[1]

    assert last([Point(at - timedelta(hours=2), 6.1)]) == "below what the sensor can measure, 03:30"
    assert last([]) == "below what the sensor can measure, 03:30"
    assert last([Point(at + timedelta(minutes=5), 4.2)]) == "4.2 mmol/L, 03:35"


def test_a_value_beyond_the_usual_is_drawn_within_the_picture() -> None:
    picture = chart(Vital.SYSTOLIC_PRESSURE, hourly(232), SINCE, UNTIL, LONDON)
    (height,) = re.findall(r"M0 ([\d.]+)h0", picture)
    assert 0 < float(height) < 210
    assert ">200<" in picture


def test_the_persons_own_normal_is_framed_and_said() -> None:
    normal = Normal(lowest=88, highest=92)
    picture = chart(Vital.OXYGEN_SATURATION, hourly(90), SINCE, UNTIL, LONDON, normal=normal)
    assert "chart-normal" in picture
    assert "Usual for this person: 88 to 92 %." in picture
    assert "chart-normal" not in chart(Vital.OXYGEN_SATURATION, hourly(90), SINCE, UNTIL, LONDON)


def test_many_values_become_columns_and_their_extremes_stay_visible() -> None:
    points = [Point(SINCE + timedelta(seconds=17 * number), 70 + number % 5) for number in range(5_000)]
    points[2_500] = Point(points[2_500].at, 139)
    points[1_200] = Point(points[1_200].at, 45)
    picture = chart(Vital.PULSE_RATE, points, SINCE, UNTIL, LONDON)
    assert len(picture) < 10_000
    assert drawn("chart-dots", picture).count("M") <= 97
    heights = [float(each) for each in re.findall(r"V([\d.]+)", drawn("chart-range", picture))]
    assert min(heights) < 15, "the one of 139 is seen"
    depths = [float(each) for each in re.findall(r"M[\d.]+ ([\d.]+)V", drawn("chart-range", picture))]
    assert max(depths) > 180, "the one of 45 is seen"
    assert ">139<" in picture


def test_scores_are_drawn_with_their_bands_and_partial_ones_as_rings() -> None:
    scores = [
        PastScore(SINCE + timedelta(hours=1), 2, Band.LOW, complete=True),
        PastScore(SINCE + timedelta(hours=3), 7, Band.HIGH, complete=False),
    ]
    picture = score_chart(scores, SINCE, UNTIL, LONDON)
    assert "at least 7, " in picture
    assert [words in picture for words in (">zero<", ">low<", ">medium<", ">high<")] == [True] * 4
    assert drawn("chart-rings", picture).count("M") == 1
    assert "no scores" in score_chart([], SINCE, UNTIL, LONDON)


def test_pictures_are_well_formed_and_have_no_style_and_no_script_in_them() -> None:
    scores = [
        PastScore(SINCE, 2, Band.SINGLE_RED, complete=False),
        PastScore(UNTIL, 14, Band.HIGH, complete=True),
    ]
    for picture in (
        chart(
            Vital.OXYGEN_SATURATION,
            hourly(90, 95),
            SINCE,
            UNTIL,
            LONDON,
            normal=Normal(lowest=90, highest=90),
        ),
        chart(Vital.BODY_WEIGHT, hourly(61.2), SINCE, UNTIL, LONDON),
        score_chart(scores, SINCE, UNTIL, LONDON),
        sparkline(scores, SINCE, UNTIL),
    ):
        tree = ElementTree.fromstring(picture)
        assert not [each for each in tree.iter() if "style" in each.attrib or each.tag in {"style", "script"}]
        assert [each.get("aria-label") for each in tree.iter("svg") if each.get("role") == "img"] != []


@pytest.mark.parametrize("days", [1, 7, 30])
def test_hours_and_days_are_those_of_the_home_over_a_change_of_the_clocks(days: int) -> None:
    until = datetime(2026, 3, 30, 10, 0, tzinfo=UTC)  # the clocks went forward on the 29th at 01:00
    picture = chart(Vital.PULSE_RATE, [], until - timedelta(days=days), until, LONDON)
    assert {1: ">06:00<", 7: ">Sun 29<", 30: ">5 Mar<"}[days] in picture
