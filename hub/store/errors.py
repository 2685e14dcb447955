"""What can go wrong with the card."""

from __future__ import annotations

from pathlib import Path

from hub.errors import CareportError


class StoreError(CareportError):
    """The database could not do what it was asked; carries its path."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


class NotCommittedError(StoreError):
    """A transaction was not committed (disk full, card read-only, input/output error).

    Nothing of it is stored, and nothing that was stored before is lost; trying again is right.
    """
