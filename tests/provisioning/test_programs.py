"""What programs say is heard to its end."""

from __future__ import annotations

import subprocess

from provisioning import programs
from provisioning.programs import lines


class _EndsAsItIsAsked(subprocess.Popen[bytes]):
    """It says its last words, and ends, after it was looked whether it had said something."""

    def poll(self) -> int | None:
        self.wait(20)
        return super().poll()


def test_last_words_that_come_as_it_is_asked_whether_it_has_ended_are_heard() -> None:
    """They may be a machine's verdict on a release."""
    seconds = 2 * programs._LOOK_SECONDS
    with _EndsAsItIsAsked(["sh", "-c", f"sleep {seconds}; echo kept"], stdout=subprocess.PIPE) as process:
        assert list(lines(process, 60)) == [b"kept\n"]
