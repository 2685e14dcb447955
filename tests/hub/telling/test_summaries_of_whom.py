"""Of whom a summary tells: of those who are here and watched, wherever they are listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hub.configuration.file import Resident
from hub.residents.care import Care
from hub.store.people import CareRow, ResidentRow, enter, note_care
from hub.telling.summaries import read
from hub.telling.summary import Period
from tests.rigs.house import ILL, WELL, House, entry, oximeter

NINE = datetime(2026, 3, 3, 9, tzinfo=UTC)
TODAY = Period(NINE - timedelta(hours=2), NINE + timedelta(hours=10))


def test_who_was_entered_is_told_of_and_who_is_not_watched_is_not(house: House) -> None:
    """Nobody is missing sets who is in hospital; and of whoever withdrew their consent nothing is told."""
    entered = ResidentRow("R-0500", "Vera Example", "12", None, 1, None, None, NINE, "Sam")
    enter(house.connection, entered)
    house.register.list_resident(Resident(id="R-0500"), Care())
    house.take(entry(NINE), "R-0500")
    house.take(oximeter(97, NINE))
    note_care(house.connection, CareRow(ILL, '{"consent": "withdrawn"}', NINE, "Sam"))
    hub, told = read(house.connection, house.config, TODAY)
    residents = {each.resident: each for each in told}
    assert residents.keys() == {WELL, "R-0500"}
    assert residents["R-0500"].sets == 1
    assert (hub.residents, hub.unobserved) == (2, (WELL,))
