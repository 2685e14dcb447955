"""The soak's own judgement: it must find what grows, and take no sawtooth for it."""

from __future__ import annotations

import pytest

from tests.faults.soak import Growth, Sample


def _life(*megabytes: float, descriptors: int = 20) -> list[Sample]:
    return [Sample(1000 * number, each, descriptors) for number, each in enumerate(megabytes)]


def test_a_hub_that_keeps_something_of_each_reading_grows() -> None:
    grown = Growth.of(_life(*(85 + 0.1 * second for second in range(60))))
    assert grown.megabytes == pytest.approx(4)
    assert not grown.flat


def test_messages_that_come_and_go_are_no_growth() -> None:
    grown = Growth.of(_life(*(85.0 if second % 3 else 86.2 for second in range(60))))
    assert grown.megabytes == 0
    assert grown.flat


def test_a_flood_that_is_over_is_no_growth() -> None:
    assert Growth.of(_life(*(95.0 if second in range(20, 40) else 85.0 for second in range(60)))).flat


def test_a_descriptor_that_stays_open_after_each_drop_is_growth() -> None:
    samples = [Sample(1000 * second, 85.0, 20 + second // 5) for second in range(60)]
    assert Growth.of(samples).descriptors == 8
    assert not Growth.of(samples).flat


def test_two_samples_say_nothing_of_growth() -> None:
    with pytest.raises(ValueError, match="2 sample"):
        Growth.of(_life(85, 85))
