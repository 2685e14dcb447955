"""A home whose model is watched: a card that is made up, and months of sets, written at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hub.assessment.expectations import Expectations
from hub.clock import to_microseconds
from hub.readings import Vital
from hub.store.encoding import observations_text
from tests.rigs.house import House, oximeter

HOUR = timedelta(hours=1)
PULSE = Vital.PULSE_RATE.value
CARD: dict[str, Any] = {
    "budget": [
        {"alerts_per_100_days": 1.0, "threshold": 0.8},
        {"alerts_per_100_days": 3.0, "threshold": 0.6},
    ],
    "drift": {
        PULSE: {"edges": [60, 80, 100], "shares": [0.25, 0.25, 0.25, 0.25], "missing": 0.1},
        "age": {"edges": [50, 70], "shares": [0.3, 0.4, 0.3]},
        "risk": {"edges": [0.3, 0.4, 0.5], "shares": [0.25, 0.25, 0.25, 0.25]},
    },
}
EVENLY = (50.0, 70.0, 90.0, 110.0)
"""Pulses, each as often as another: as in training."""


def fill(
    house: House,
    begin: datetime,
    days: int,
    pulse: Callable[[int], float],
    *,
    residents: int = 4,
    risk: Callable[[int], float] | None = None,
    age: int = 60,
) -> None:
    """Four sets a day of each resident, written at once; `pulse` and `risk` are of the set's number."""
    house.take(oximeter(96, begin))
    house.connection.execute("UPDATE assessment SET risk = 0.1")
    (source,) = house.connection.execute("SELECT max(sequence) FROM reading").fetchone()
    model, sequence = house.connection.execute(
        "SELECT (SELECT max(number) FROM model), max(sequence) FROM assessment"
    ).fetchone()
    rows = []
    for number in range(days * 4):
        for resident in range(residents):
            sequence += 1
            at = to_microseconds(begin + number * 6 * HOUR)
            of_set = number * residents + resident
            beats = pulse(of_set)
            text = observations_text({Vital.PULSE_RATE: (beats, source)}, source)
            own = beats / 200 if risk is None else risk(of_set)
            rows.append((sequence, f"R-{resident}", at, source, 1, text, "zero", 0, age, own, model))
    house.connection.executemany(
        "INSERT INTO assessment (sequence, resident, at, reading, scale, observations, band, total, age,"
        f" risk, model) VALUES ({', '.join('?' * 11)})",
        rows,
    )


def expectations(**changed: object) -> Expectations:
    """Of that card."""
    return Expectations.of({**CARD, **changed})


def evenly(number: int) -> float:
    """As in training."""
    return EVENLY[number % 4]
