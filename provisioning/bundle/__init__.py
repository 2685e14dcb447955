"""A release's bundle on the engineer's side: made from a checkout, read, cut down to what one machine needs.

What it is: `provisioning.keeper.manifest`; how a machine reads it: `provisioning.keeper.bundle_file`.
"""

from provisioning.bundle.building import build
from provisioning.bundle.reading import Bundle, read
from provisioning.bundle.signing import signers_line

__all__ = ["Bundle", "build", "read", "signers_line"]
