"""Who works here, and what each may do on the staff page. Pure: who signs in is `hub/web/sign_in.py`'s."""

from __future__ import annotations

import unicodedata
from enum import StrEnum

LONGEST_NAME = 60
"""Letters of a name at the most."""


class Right(StrEnum):
    """What somebody who is signed in may do."""

    LOOK = "look"  # see residents by name, their values, scores, alerts
    CARE = "care"  # make rounds, enter observations, say concern, acknowledge, say whose a reading is
    CORRECT = (
        "correct"  # take a reading from one resident and give it to another, or to nobody; settle a concern
    )
    RESIDENTS = "residents"  # enter residents, change what is known of them, say who has left
    STAFF = "staff"  # say who may sign in
    SENSORS = "sensors"  # enrol sensors and forget them
    HUB = "hub"  # see how the hub and its sensors are


class Role(StrEnum):
    """What somebody is to the home."""

    CARER = "carer"
    SENIOR = "senior"
    MANAGER = "manager"
    ENGINEER = "engineer"

    @property
    def words(self) -> str:
        """The role as people say it."""
        return _WORDS[self]

    @property
    def rights(self) -> frozenset[Right]:
        """What it may do. An engineer mends hubs, and sees nobody's health or name."""
        return _RIGHTS[self]

    def may_make(self, other: Role) -> bool:
        """Whether somebody of this role may say who has the other one: nobody gives what they do not have."""
        return Right.STAFF in self.rights and other.rights <= self.rights


_WORDS = {
    Role.CARER: "carer",
    Role.SENIOR: "senior carer",
    Role.MANAGER: "manager",
    Role.ENGINEER: "engineer",
}
_OF_CARERS = frozenset({Right.LOOK, Right.CARE, Right.HUB})
_OF_SENIORS = _OF_CARERS | {Right.CORRECT, Right.SENSORS}
_RIGHTS = {
    Role.CARER: _OF_CARERS,
    Role.SENIOR: _OF_SENIORS,
    Role.MANAGER: _OF_SENIORS | {Right.RESIDENTS, Right.STAFF},
    Role.ENGINEER: frozenset({Right.HUB, Right.SENSORS, Right.STAFF}),
}


def key_of(name: str) -> str:
    """A name as it is compared: without regard to capitals, to blanks, and to how its letters are made up."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
