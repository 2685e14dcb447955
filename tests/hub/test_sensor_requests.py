"""What a device is, is taken from its advertisement only where there can be no doubt about it."""

from __future__ import annotations

import pytest

from drivers.known_models import Ground, Suggestion, suggest
from hub.sensor_requests import certain

NAME, SERVICE, WITHOUT_NAME = Ground.NAME, Ground.SERVICE, Ground.SERVICE_WITHOUT_NAME


@pytest.mark.parametrize(
    ("suggested", "chosen"),
    [
        ([], None),
        ([("cuff", SERVICE)], "cuff"),
        ([("model", NAME), ("cuff", SERVICE)], "model"),
        ([("model", NAME), ("cuff", NAME)], None),
        ([("cuff", SERVICE), ("model", WITHOUT_NAME)], None),
        ([("model", WITHOUT_NAME)], None),
        ([(None, NAME)], None),
    ],
)
def test_a_driver_is_chosen_only_where_it_alone_has_the_strongest_ground(
    suggested: list[tuple[str | None, Ground]], chosen: str | None
) -> None:
    assert certain([Suggestion(driver, ground, "why") for driver, ground in suggested]) == chosen


@pytest.mark.parametrize(
    ("name", "services", "chosen"),
    [
        ("Cuff", ["00001810-0000-1000-8000-00805f9b34fb"], "blood_pressure"),
        (None, ["1810"], None),
        ("A&D_UA-651BLE_A1B2C3", ["1810"], "and_ua651ble"),
        ("Phone", ["180f"], None),
    ],
)
def test_of_the_models_that_are_known_it_chooses_so(
    name: str | None, services: list[str], chosen: str | None
) -> None:
    """A cuff whose name was not heard yet may be one of another layout."""
    assert certain(suggest(name, services)) == chosen
