"""Who signed in reaches the trail, also where the daemon was not there at that moment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.web import noting
from hub.web.asking import Asking, RefusedError, SilentHubError
from hub.web.noting import Noting


class Daemon(Asking):
    """Answers from its list, then always."""

    def __init__(self, *answers: Exception | None) -> None:
        super().__init__(Path("nowhere"))
        self.answers = list(answers)
        self.told: list[Mapping[str, Any]] = []
        self.all_told = asyncio.Event()
        self.expected = 0

    async def ask(self, command: str, *, by: str | None = None, **said: object) -> Mapping[str, Any]:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.told.append({"command": command, "by": by, **said})
        if len(self.told) == self.expected:
            self.all_told.set()
        return {"words": "noted"}


async def told(daemon: Daemon, noted: Noting, expected: int) -> list[tuple[Any, Any]]:
    daemon.expected = expected
    task = asyncio.create_task(noted.run())
    async with asyncio.timeout(10):
        await daemon.all_told.wait()
    task.cancel()
    return [(each["what"], each["name"]) for each in daemon.told]


async def test_it_is_told_in_its_order_with_its_time() -> None:
    daemon = Daemon()
    noted = Noting(daemon)
    noted.note("signed in", "Cara")
    noted.note("unlocked", "Sam", "Mo")
    assert await told(daemon, noted, 2) == [("signed in", "Cara"), ("unlocked", "Sam")]
    assert [each["by"] for each in daemon.told] == [None, "Mo"]
    assert all("+00:00" in each["at"] for each in daemon.told)


async def test_what_could_not_be_told_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "_AGAIN_AFTER_SECONDS", 0)
    daemon = Daemon(SilentHubError("gone"), SilentHubError("gone"))
    noted = Noting(daemon)
    noted.note("signed in", "Cara")
    assert await told(daemon, noted, 1) == [("signed in", "Cara")]


async def test_what_is_refused_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    daemon = Daemon(RefusedError("the card is full"))
    noted = Noting(daemon)
    noted.note("signed in", "Cara")
    noted.note("signed out", "Cara")
    assert await told(daemon, noted, 1) == [("signed out", "Cara")]
    assert "the card is full" in caplog.text
    assert "Cara" not in caplog.text


async def test_it_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "_MOST", 3)
    daemon = Daemon()
    noted = Noting(daemon)
    for number in range(5):
        noted.note("refused", str(number))
    assert await told(daemon, noted, 3) == [("refused", "2"), ("refused", "3"), ("refused", "4")]
