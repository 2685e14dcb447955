"""How the doctor looks: no hang holds it up, and what it may not see it tells from what is not there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from hub.configuration.file import load
from hub.doctor.examination import Check, _bounded
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import Subject, forbidden, in_thread, said_by
from tests.rigs.house import write_configuration


def test_a_thread_that_hangs_keeps_the_process_from_nothing() -> None:
    """As asyncio's own threads would: the interpreter waits for those at its end."""
    program = (
        "import asyncio, time\n"
        "from hub.doctor.looking import in_thread\n"
        "async def main():\n"
        "    try:\n"
        "        async with asyncio.timeout(0.2):\n"
        "            await in_thread(lambda: time.sleep(600))\n"
        "    except TimeoutError:\n"
        "        print('gone on')\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "gone on\n"


async def test_what_a_thread_raises_is_raised_where_it_is_waited_for() -> None:
    def fail() -> None:
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        await in_thread(fail)
    assert await in_thread(lambda: 7) == 7


async def test_a_part_that_hangs_or_fails_is_a_finding_of_its_own_and_quotes_nothing() -> None:
    async def hang() -> list[Finding]:
        await asyncio.sleep(60)
        return []

    async def fail() -> list[Finding]:
        raise ValueError("Edith Quincey")

    (finding,) = await _bounded(Check("DNS", hang), seconds=0.05)
    assert (finding.part, finding.verdict) == ("DNS", Verdict.FAIL)
    assert "could not be looked at within 0.05 s" in finding.words
    (finding,) = await _bounded(Check("sensors", fail))
    assert (finding.part, finding.verdict) == ("sensors", Verdict.WARN)
    assert finding.words == "could not be looked at (ValueError)"


def test_what_programs_say_and_that_there_is_none_or_it_fails() -> None:
    assert said_by("echo", "well") == "well\n"
    assert said_by("no-such-program-here") is None
    assert said_by("false") is None
    assert said_by("sleep", "60", seconds=0.1) is None


def test_files_of_the_machine_are_read_and_what_is_none_is_none(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5\n\0")
    (tmp_path / "number").write_text("0x0b\n")
    subject = Subject(load(write_configuration(tmp_path)), root=tmp_path)
    assert subject.text("model") == "Raspberry Pi 5"
    assert (subject.number("number", 16), subject.number("model"), subject.number("none")) == (11, None, None)
    assert subject.glob("m*") == ["model"]


def test_what_is_not_there_is_not_forbidden(tmp_path: Path) -> None:
    assert not forbidden(tmp_path / "none")
    assert not forbidden(tmp_path)
