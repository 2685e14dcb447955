"""What the trail is told of residents: whose, which fields, by whom. Of the clinical ones it has the values
(scale, prescriber, what is normal, where they are, consent); a name, a room, a code, a plan in words stay
out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.configuration.file import Resident
from hub.residents.fields import differing
from hub.store.audit import NewEntry
from hub.trail import Audited, Moment

VALUES_OF_CARE = ("whereabouts", "consent", "reviewed", "normals", "watched_since")
"""What is noted with its value (`hub/store/people.py` puts rows right by it)."""


def resident_entered(moment: Moment, resident: Resident, by: str, *, table: bool = False) -> NewEntry:
    """A person entered a resident, by a `table` perhaps."""
    given = differing(Resident(id=resident.id), resident)
    return _entry(moment, Audited.RESIDENT_ENTERED, resident, given, by, table=table)


def resident_changed(
    moment: Moment, resident: Resident, changed: Sequence[str], by: str, *, table: bool = False
) -> NewEntry:
    """A person changed these fields of a resident, who is now as given."""
    return _entry(moment, Audited.RESIDENT_CHANGED, resident, changed, by, table=table)


def resident_left_to_the_file(moment: Moment, resident: str) -> NewEntry:
    """Somebody who was entered is listed in the configuration by now, which says who they are."""
    return NewEntry(moment.at, moment.stamp, Audited.RESIDENT_OF_THE_FILE.value, None, {"resident": resident})


def care_changed(
    moment: Moment, resident: str, changed: Sequence[str], care: Mapping[str, object], by: str
) -> NewEntry:
    """A person changed these fields of what is known of a resident, which is `care` now."""
    values = {key: care[key] for key in VALUES_OF_CARE if key in changed}
    detail = {"resident": resident, "changed": list(changed), **values, "by": by}
    return NewEntry(moment.at, moment.stamp, Audited.RESIDENT_CARE.value, None, detail)


def _entry(
    moment: Moment, what: Audited, resident: Resident, changed: Sequence[str], by: str, *, table: bool
) -> NewEntry:
    detail: dict[str, object] = {
        "resident": resident.id,
        "changed": list(changed),
        "oxygen_scale": int(resident.oxygen_scale),
        "oxygen_scale_prescriber": resident.oxygen_scale_prescriber,
        "by": by,
    }
    if table:
        detail["from"] = "a table"
    return NewEntry(moment.at, moment.stamp, what.value, None, detail)
