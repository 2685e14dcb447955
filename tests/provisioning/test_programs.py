"""What programs say is heard to its end."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from provisioning import openssl, programs
from provisioning.programs import lines
from tests.rigs.ending import ends


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


def test_what_signs_is_apart_from_the_terminal_and_only_the_second_ctrl_c_ends_it_with_all_that_it_started(
    tmp_path: Path,
) -> None:
    """A terminal's Ctrl-C goes to all of its process group."""
    said = openssl.run(["sh", "-c", "echo $$; cat /proc/$$/stat"], {}).stdout.splitlines()
    group, session = said[1].rpartition(")")[2].split()[2:4]
    assert group == session == said[0]
    codes, started = list[int](), tmp_path / "started"
    command = ["sh", "-c", f"sleep 300 & echo $! > {started}.new; mv {started}.new {started}; wait"]
    thread = threading.Thread(target=lambda: codes.append(openssl.run(command, {}).returncode))
    thread.start()
    until = time.monotonic() + 20
    while not started.exists() and time.monotonic() < until:
        time.sleep(0.01)
    programs.cut_off()
    thread.join(20)
    assert codes == [-9]
    assert ends(int(started.read_text()))


def test_a_program_that_has_only_just_begun_is_cut_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs before who started it goes on."""
    runs, popen = threading.Event(), subprocess.Popen

    def slow(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = popen(*arguments, **options)
        runs.set()
        time.sleep(0.3)
        return process

    monkeypatch.setattr(subprocess, "Popen", slow)
    codes = list[int]()
    thread = threading.Thread(target=lambda: codes.append(openssl.run(["sleep", "300"], {}).returncode))
    thread.start()
    assert runs.wait(20)
    programs.cut_off()
    thread.join(20)
    assert codes == [-9]
