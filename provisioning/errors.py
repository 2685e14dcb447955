"""What goes wrong in setting hubs up."""

from __future__ import annotations

from hub.errors import CareportError


class ProvisioningError(CareportError):
    """A hub could not be set up, or what it needs not be made; the text names what and says what to do."""
