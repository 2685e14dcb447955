"""Whether this machine's clock is set: a Raspberry Pi has none that goes on without power."""

from __future__ import annotations

import ssl
from pathlib import Path

_TIMESYNCD_HAS_SET_IT = Path("/run/systemd/timesync/synchronized")  # in /run: gone at the next boot
_NOT_YET_VALID, _HAS_ENDED = 9, 10  # openssl-verification-options(1)


def is_set() -> bool:
    """Whether the clock was synchronised once in this boot, as far as is known."""
    return _TIMESYNCD_HAS_SET_IT.exists()


def may_be_why(error: ssl.SSLCertVerificationError) -> bool:
    """Whether a certificate may be refused only since this machine's clock is not set yet: it may be years
    behind."""
    return error.verify_code in (_NOT_YET_VALID, _HAS_ENDED) and not is_set()
