"""What the keeper cannot do."""

from __future__ import annotations


class KeeperError(Exception):
    """The text names what failed and says what to do; the keeper prints it, no traceback, and ends with 1.

    No `CareportError`: the keeper knows nothing of the hub.
    """


class LaterError(KeeperError):
    """It could not be had now; the same may succeed later."""
