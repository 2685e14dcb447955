"""What of a resident's values can be drawn."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from hub.overview.glance import KnownValue
from hub.readings import Breathing, Quality, Value, Vital
from hub.web.points import Point, inside, point_of

SINCE = datetime(2026, 3, 9, 4, 0, tzinfo=UTC)


def test_what_cannot_be_drawn_is_no_point() -> None:
    def known(value: Value, quality: Quality = Quality.GOOD, *, doubtful_time: bool = False) -> KnownValue:
        return KnownValue(
            vital=Vital.GLUCOSE,
            value=value,
            measured_at=SINCE,
            received_at=SINCE,
            reading=uuid.UUID(int=1),
            device="manual",
            quality=quality,
            doubtful_time=doubtful_time,
        )

    assert point_of(known(float("inf"))) is None
    assert point_of(known(Breathing.AIR)) is None
    assert point_of(known(5.0)) == Point(SINCE, 5.0)
    assert point_of(known(5.0, Quality.QUESTIONABLE)) == Point(SINCE, 5.0, doubtful=True)
    assert point_of(known(5.0, doubtful_time=True)) == Point(SINCE, 5.0, doubtful=True)


def test_a_period_has_its_own_values_in_order() -> None:
    early, late, never = Point(SINCE, 1), Point(SINCE.replace(hour=5), 2), Point(SINCE, float("nan"))
    beyond = Point(SINCE.replace(hour=7), 3)
    assert inside([late, never, beyond, early], SINCE, SINCE.replace(hour=6)) == [early, late]
