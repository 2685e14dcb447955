"""What became of setting a hub up: what changed, what failed, what to do, and what the hub itself says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hub.doctor.findings import LINK
from provisioning.errors import ProvisioningError
from provisioning.keeper.resources import Outcome
from provisioning.machine_words import object_of, plain


@dataclass(frozen=True, slots=True)
class Finding:
    """What the hub says of one of its parts (`carehub doctor`)."""

    part: str
    verdict: str
    words: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """`to_do` is what somebody has to do now, `notes` what is to be known; `hub` is empty where it could not
    be asked, as in a dry run."""

    target: str
    site: str
    release: str
    dry_run: bool
    seconds: float
    outcomes: tuple[Outcome, ...] = ()
    hub: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    to_do: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Outcome]:
        """What could not be brought about."""
        return [each for each in self.outcomes if each.change == "failed"]

    @property
    def changed(self) -> list[Outcome]:
        """What was changed, or would be."""
        return [each for each in self.outcomes if each.change in ("changed", "would change")]

    @property
    def ok(self) -> bool:
        """The machine has all that it is to have, or would."""
        return not self.failed

    def to_json(self) -> str:
        """For machines; without differences, which are the dry run's to show."""
        document: dict[str, Any] = asdict(self)
        for each in document["outcomes"]:
            each.pop("request")
            each.pop("diff")
        return json.dumps({"ok": self.ok, **document}, indent=2)

    def lines(self) -> list[str]:
        """For people."""
        verb = "would change" if self.dry_run else "changed"
        same = len(self.outcomes) - len(self.changed) - len(self.failed)
        found = [
            f"{self.site} on {self.target}, release {self.release}: {len(self.changed)} {verb},"
            f" {same} as they were, {len(self.failed)} failed, in {self.seconds:.1f} s"
        ]
        found += [f"  failed: {each.title}: {each.detail}" for each in self.failed]
        found += [f"  unsafe: {each}" for each in self.warnings]
        found += [f"  to do: {each}" for each in self.to_do]
        found += [f"  note: {each}" for each in self.notes]
        if self.hub:
            well = sum(1 for each in self.hub if each.verdict == "pass")
            link = next((f"; {each.words}" for each in self.hub if each.part == LINK), "")
            found.append(f"The hub says: {well} of {len(self.hub)} parts are well{link}")
            for each in self.hub:
                if each.verdict != "pass":
                    found.append(f"  {each.verdict:4}  {each.part}: {each.words}")
                    found += [f"        {each.todo}"] if each.todo else []
        return found


def outcome_of(line: str) -> Outcome:
    """One that a machine tells, its words safe to show. Raises `ProvisioningError`: it is none."""
    try:
        outcome = Outcome(**object_of(line))
        if all(isinstance(each, str) for each in asdict(outcome).values()):
            return outcome
    except (ValueError, TypeError):
        pass
    raise ProvisioningError(f"the machine's report cannot be read: {plain(line, 200)}")


def findings_of(text: str) -> list[Finding]:
    """What a hub's doctor says, its words safe to show. Raises `ValueError`, `KeyError` or `TypeError`: it is
    no such list."""
    found = object_of(text)
    rows = found["findings"] if isinstance(found, dict) else found
    return [
        Finding(str(row["part"]), str(row["verdict"]), str(row["words"]), str(row.get("todo", "")))
        for row in rows
        if isinstance(row, dict)
    ]


def merged(first: Sequence[Outcome], second: Sequence[Outcome]) -> list[Outcome]:
    """Of two runs of one list: how each is now, and what was changed in either."""
    found = {each.title: each for each in first}
    for each in second:
        before = found.get(each.title)
        if before is None or before.change != "changed" or each.change == "failed":
            found[each.title] = each
    return list(found.values())
