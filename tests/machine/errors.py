"""What the rig itself cannot do."""

from __future__ import annotations

from hub.errors import CareportError


class RigError(CareportError):
    """A machine, its network or its root cannot be made here; the text says what is missing or failed."""
