"""A day's work of a hub on a database that another hub may have written, and what it found there.

By hand, or from another release's own copy of this file (`tests/rigs/earlier_hub.py`):

    python -m tests.rigs.lived_in DIRECTORY        # what was found and what was left, as JSON
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from hub.alerts.book import AlertBook
from hub.alerts.commands import Commands
from hub.alerts.life import AlertPolicy
from hub.clock import now
from hub.staff.rights import Role
from hub.store import people, staff
from hub.store.audit_verification import verify
from hub.trail import Moment, hub_stopped
from tests.rigs.house import ILL, SHARED, WELL_OXIMETER, House, cuff, entry, meter, oximeter, thermometer

_OF_A_SCORE = ("total", "band", "sub_scores", "missing")


def a_day(directory: Path) -> dict[str, Any]:
    """Work with the database that is there, or begin one. What a hub found, and what it left."""
    house = House(directory)
    try:
        found = _seen(house)
        _work(house, len(found["readings"]))
        return {"found": found, "left": _seen(house)}
    finally:
        house.connection.close()


def _work(house: House, before: int) -> None:
    """Somebody is very ill, somebody's reading is nobody's; an alert of the day before is taken; people are
    entered; what was told first has been delivered."""
    at = now()
    commands = Commands(
        AlertBook(house.identity), AlertPolicy.of(house.config.alerts, house.config.observation_sets)
    )
    for alert in house.open_alerts():
        with house.transaction() as transaction:
            commands.acknowledge(transaction, alert.id, "Mo", at, "hub")
    # Otherwise than the day before, or they would be the same readings.
    house.take(cuff(104 + before, at - timedelta(minutes=2)))
    house.take(thermometer(38.9 + before / 100, at - timedelta(minutes=1)))
    house.take(oximeter(80, at, pulse=130 + before))
    house.take(entry(at), ILL)
    house.take(meter(3.1, at, number=before))
    for device in (WELL_OXIMETER, SHARED):
        house.take(oximeter(97, at, pulse=60 + before, device=device))
    with house.transaction() as transaction:
        connection = transaction.connection
        staff.put(connection, staff.StaffRow(f"Mo {before}", Role.CARER, "$argon2id$x", at, "Sam"))
        row = people.ResidentRow(f"R-{before}", "Kit Elm", "9", 1940, 1, None, None, at, "Sam")
        people.enter(connection, row)
        people.note_care(connection, people.CareRow(row.id, '{"whereabouts": "here"}', at, "Sam"))
        transaction.audit(hub_stopped(Moment.present()))
        first = connection.execute("SELECT sequence FROM outbox ORDER BY sequence LIMIT 2").fetchall()
        transaction.remove_from_outbox(sequence for (sequence,) in first)


def _seen(house: House) -> dict[str, Any]:
    """All that is there, as this hub understands it."""
    connection = house.connection
    trail = verify(connection)
    return json.loads(  # type: ignore[no-any-return]
        json.dumps(
            {
                "readings": [
                    [each.placed.reading.id, each.placed.resident]
                    + [[said.vital.value, said.value] for said in each.placed.reading.measurements]
                    for each in house.readings()
                ],
                "alerts": [
                    [each.id, each.state.value, each.news2.total, [what for what, _ in house.history(each)]]
                    for each in house.alerts()
                ],
                "scores": [[each["news2"][key] for key in _OF_A_SCORE] for each in house.assessments()],
                "told": [event.type for event in house.events()],
                "trail": [trail.whole, trail.complete, trail.entries],
                "staff": [[each.name, each.role, each.pin] for each in staff.staff(connection)],
                "people": [[each.id, each.name, each.room] for each in people.entered(connection)],
                "cares": [[each.resident, each.body] for each in people.cares(connection).values()],
            },
            default=str,
        )
    )


if __name__ == "__main__":
    print(json.dumps({"by": str(Path(__file__).parents[2]), **a_day(Path(sys.argv[1]))}))
