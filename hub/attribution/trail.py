"""What is noted in the trail where a person says whose a reading is. See `hub/trail.py`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from hub.store.audit import NewEntry
from hub.trail import Audited, Moment


def reading_assigned(moment: Moment, reading: uuid.UUID, resident: str, by: str) -> NewEntry:
    """A person said that a reading, which was nobody's, is this resident's (a pseudonym)."""
    return _entry(moment, Audited.ASSIGNED, {"resident": resident, "by": by}, reading)


def reading_discarded(moment: Moment, reading: uuid.UUID, reason: str, by: str) -> NewEntry:
    """A person said that a reading, which is nobody's, shall wait for nobody."""
    return _entry(moment, Audited.DISCARDED, {"reason": reason, "by": by}, reading)


def reading_corrected(
    moment: Moment,
    reading: uuid.UUID,
    was: str,
    resident: str | None,
    reason: str,
    by: str,
    scores: Sequence[Mapping[str, object]],
    withdrawn: int,
) -> NewEntry:
    """A person said that a reading was not theirs whose it `was`, but another's, or is nobody's (None).

    Args:
        scores: what was said of the wrong one and is withdrawn, each as it was and as it is without; of so
            many (`withdrawn`) the first ones.
    """
    detail: dict[str, object] = {"was": was, "resident": resident, "reason": reason, "by": by}
    detail |= {"scores": list(scores), "withdrawn": withdrawn}
    return _entry(moment, Audited.CORRECTED, detail, reading)


def _entry(moment: Moment, what: Audited, detail: Mapping[str, object], reading: uuid.UUID) -> NewEntry:
    return NewEntry(moment.at, moment.stamp, what.value, reading, detail)
