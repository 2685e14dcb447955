"""Concern: "she is just not right". Somebody who knows a resident says so, and it counts whatever the score.

A concern is a manual reading like any other (`hub/intake/manual.py`): its payload is what was said, as JSON,
and it measures nothing. What it does to the resident's alert is in `hub/alerts/of_concern.py`. The signs may
leave the hub; the words and who said them never do, since a carer may write a name.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hub.errors import CareportError
from hub.readings import Origin, RawPayload, Reading, reading_id

DRIVER = "manual"
CHARACTERISTIC = "concern"
"""What tells a concern from other manual readings."""
LONGEST_WORDS = 500


class SoftSign(StrEnum):
    """What carers see before any number changes. A list of our own; the value is kept and told, for ever."""

    BREATHLESS = "breathless"
    UNSTEADY = "unsteady"
    OFF_LEGS = "off legs"
    WITHDRAWN = "withdrawn"
    TIRED = "tired"
    RESTLESS = "restless"
    NEW_CONFUSION = "new confusion"
    EATING_LESS = "eating less"
    DRINKING_LESS = "drinking less"
    PASSING_LESS_URINE = "passing less urine"
    PAIN = "pain"
    SKIN = "skin"
    FALL = "fall"
    FAMILY = "family concern"
    NOT_RIGHT = "not right"

    @property
    def words(self) -> str:
        """The sign as a carer reads it, to stand beside a box to tick."""
        return _WORDS[self]

    @property
    def told(self) -> str:
        """The sign within a sentence about somebody: "a concern: more breathless, off legs"."""
        return _TOLD[self]


_WORDS = {
    SoftSign.BREATHLESS: "More breathless than usual",
    SoftSign.UNSTEADY: "Unsteady on their feet",
    SoftSign.OFF_LEGS: "Off their legs: cannot stand or walk as usual",
    SoftSign.WITHDRAWN: "Withdrawn, quieter than usual",
    SoftSign.TIRED: "More tired or sleepy than usual",
    SoftSign.RESTLESS: "Restless or agitated",
    SoftSign.NEW_CONFUSION: "More confused than usual",
    SoftSign.EATING_LESS: "Eating less than usual",
    SoftSign.DRINKING_LESS: "Drinking less than usual",
    SoftSign.PASSING_LESS_URINE: "Passing less urine, or darker",
    SoftSign.PAIN: "New or worse pain",
    SoftSign.SKIN: "Skin pale, blotchy, clammy, hot or cold",
    SoftSign.FALL: "Has had a fall",
    SoftSign.FAMILY: "Family or friends are worried",
    SoftSign.NOT_RIGHT: "Just not right",
}
_TOLD = {
    **{sign: sign.value for sign in SoftSign},
    SoftSign.BREATHLESS: "more breathless",
    SoftSign.TIRED: "more tired",
    SoftSign.PAIN: "new or worse pain",
    SoftSign.SKIN: "a change of the skin",
    SoftSign.FALL: "a fall",
    SoftSign.FAMILY: "the family is worried",
    SoftSign.NOT_RIGHT: "just not right",
}


class ConcernError(CareportError):
    """A concern that cannot be taken, or settled; says what is wanted."""


@dataclass(frozen=True, slots=True)
class Concern:
    """Somebody's concern, as it stands in an alert. Until it is settled it holds the alert open.

    `signs` are in the order of `SoftSign`, of all that was said so far; `words` and `by` are of whoever
    said it last, and stay in the home. `said_at` is when it was last said, `times` how often. The rest is
    who settled it, when, and what they found.
    """

    said_at: datetime
    signs: tuple[SoftSign, ...] = ()
    words: str = ""
    by: str = ""
    times: int = 1
    settled_at: datetime | None = None
    settled_by: str | None = None
    note: str | None = None

    @property
    def settled(self) -> bool:
        """Whether somebody has ended it."""
        return self.settled_at is not None

    @property
    def told(self) -> str:
        """What of it may leave the hub: the signs, and neither words nor names."""
        signs = ", ".join(sign.told for sign in self.signs)
        return f"somebody who cares for them is concerned{f': {signs}' if signs else ''}"


def concern_reading(by: str, at: datetime, signs: Iterable[SoftSign], words: str = "") -> Reading:
    """A reading of somebody's concern. No sign has to be given, and no words: to say it is enough.

    Args:
        by: who is concerned, as the home calls them; it stays on the hub.
        at: when they said so, aware.
        words: their own; they stay on the hub.

    Raises:
        ConcernError: nobody is named, or the words are too long.
    """
    if not by.strip():
        raise ConcernError("concern: say who is concerned")
    words = " ".join(words.split())
    if len(words) > LONGEST_WORDS:
        raise ConcernError(f"concern: {len(words)} letters are too many, at most {LONGEST_WORDS} can be kept")
    given = frozenset(signs)
    payload = json.dumps(
        {
            "entry": str(uuid.uuid4()),  # two people may say the same at the same moment
            "by": by,
            "signs": [sign.value for sign in SoftSign if sign in given],
            "words": words,
        }
    )
    raw = RawPayload(
        device="manual",
        driver=DRIVER,
        payload=payload.encode(),
        received_at=at,
        characteristic=CHARACTERISTIC,
        origin=Origin.MANUAL,
    )
    return Reading(id=reading_id(raw, None), raw=raw, measurements=())


def concern_of(reading: Reading) -> Concern | None:
    """The concern that a reading says; None where it is another reading.

    What cannot be read of it (a sign that a newer hub knew) is left out: that there is a concern is what
    counts.
    """
    raw = reading.raw
    if (raw.driver, raw.characteristic) != (DRIVER, CHARACTERISTIC):
        return None
    try:
        said = json.loads(raw.payload)
    except ValueError:
        said = None
    if not isinstance(said, Mapping):
        said = {}
    listed = said.get("signs")
    given = frozenset(map(str, listed)) if isinstance(listed, list) else frozenset()
    return Concern(
        said_at=raw.received_at,
        signs=tuple(sign for sign in SoftSign if sign.value in given),
        words=str(said.get("words", "")),
        by=str(said.get("by", "")),
    )


def joined(before: Concern | None, said: Concern) -> Concern:
    """One concern of two: all signs, the newest words. One that was settled is over, and adds nothing."""
    if before is None or before.settled:
        return said
    signs = frozenset(before.signs) | frozenset(said.signs)
    return Concern(
        said_at=max(before.said_at, said.said_at),
        signs=tuple(sign for sign in SoftSign if sign in signs),
        words=said.words or before.words,
        by=said.by or before.by,
        times=before.times + 1,
    )
