"""A plugin of pytest that tells the host, line by line, what is played and what became of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

_HOST = Path("/dev/ttyS1")


def _tell(**said: object) -> None:
    with _HOST.open("w", encoding="ascii") as host:
        host.write(json.dumps(said) + "\n")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Say what will be played."""
    _tell(collected=[item.name for item in session.items])


def pytest_runtest_logstart(nodeid: str, location: tuple[str, int | None, str]) -> None:
    """Say what is played now."""
    _tell(begun=location[2])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say what became of it: once for each scenario, and for each fixture that failed."""
    if report.when != "call" and report.passed:
        return
    _tell(
        ended=report.location[2],
        outcome=report.outcome,
        seconds=round(report.duration, 1),
        properties=dict(report.user_properties),
        problem=report.longreprtext[-6000:],
        log=report.caplog[-6000:] if report.failed else "",
    )


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Say what could not be read."""
    if report.failed:
        _tell(ended=report.nodeid, outcome="failed", seconds=0, properties={}, problem=report.longreprtext)


def pytest_sessionfinish(exitstatus: int) -> None:
    """Say that nothing more comes."""
    _tell(finished=int(exitstatus))
