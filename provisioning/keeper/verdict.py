"""What became of an update, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from provisioning.keeper.state import Named


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an update: "unchanged" is one to a release that was in force already."""

    outcome: Literal["kept", "rolled back", "unchanged"]
    to: Named
    why: str
    from_: Named | None = None

    @property
    def good(self) -> bool:
        """The release that was asked for is in force."""
        return self.outcome != "rolled back"

    @property
    def words(self) -> str:
        """For people."""
        match self.outcome:
            case "kept":
                return f"release {self.to} is in force: {self.why}"
            case "unchanged":
                return f"release {self.to} was in force already: nothing was changed"
            case _:
                return f"release {self.to} was rolled back, and {self.from_} is in force again: {self.why}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "outcome": self.outcome,
            "from": None if self.from_ is None else self.from_.as_json(),
            "to": self.to.as_json(),
            "why": self.why,
        }
