"""What systemd is told, over a real notification socket, by the real systemd-python."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, process_time, sleep

import pytest

from hub.running import service_manager
from hub.running.service_manager import ServiceManager


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The other end of NOTIFY_SOCKET. systemd itself comes with the machine tests of provisioning."""
    path = tmp_path / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listening


def test_ready_is_said_with_a_status_line(systemd: socket.socket) -> None:
    ServiceManager().ready("collecting")
    assert systemd.recv(1000) == b"READY=1\nSTATUS=collecting"


async def test_the_watchdog_is_fed_while_the_daemon_gets_on_and_starves_when_it_hangs(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    hangs = asyncio.Event()

    async def progress() -> None:
        if hangs.is_set():
            await asyncio.sleep(3600)

    feeding = asyncio.create_task(ServiceManager().keep_watchdog_fed(progress))
    for _ in range(3):
        assert await asyncio.to_thread(systemd.recv, 1000) == b"WATCHDOG=1"
    hangs.set()
    await asyncio.sleep(0.1)
    systemd.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            systemd.recv(1000)
    await asyncio.sleep(0.1)
    with pytest.raises(BlockingIOError):
        systemd.recv(1000)
    feeding.cancel()


async def test_without_systemd_nothing_is_said_and_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    manager = ServiceManager()
    manager.ready("x")

    async def progress() -> None:
        raise AssertionError("no watchdog, no progress to ask for")

    await asyncio.wait_for(manager.keep_watchdog_fed(progress), 1)


def test_a_start_that_takes_long_is_given_more_time_while_it_gets_on_and_not_after(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TimeoutStartSec would end a hub that checks a large database on a slow card."""
    done = iter([(1, 0.0), (2, 0.0), (2, 0.5), (2, 1.2)])
    monkeypatch.setattr(service_manager, "_LOOKS_EVERY_SECONDS", 0.02)
    monkeypatch.setattr(service_manager, "_work_done", lambda: next(done, (2, 1.2)))
    manager = ServiceManager()
    with manager.starting() as say:
        say("reading the whole database")
        assert systemd.recv(1000) == b"STATUS=starting: reading the whole database"
        assert systemd.recv(1000) == systemd.recv(1000) == b"EXTEND_TIMEOUT_USEC=300000000"
        systemd.settimeout(0.1)
        with pytest.raises(TimeoutError):
            systemd.recv(1000)  # it hangs
        manager.ready("collecting")
        assert systemd.recv(1000) == b"READY=1\nSTATUS=collecting"
        monkeypatch.setattr(service_manager, "_work_done", lambda: (int(monotonic() * 1000), 0.0))
        with pytest.raises(TimeoutError):
            systemd.recv(1000)


def test_a_start_that_only_computes_is_given_more_time_up_to_a_bound(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes round in circles computes, too; what reads again after that gets on."""
    looks = [(1, 0.0), (1, 300.0), (1, 600.0), (1, 601.5), (1, 1000.0), (2, 1000.5), (2, 1300.0)]
    done, said = iter(looks), list[int]()
    monkeypatch.setattr(service_manager, "_LOOKS_EVERY_SECONDS", 0.01)

    def looked() -> tuple[int, float]:
        look = next(done, looks[-1])
        said.append(looks.index(look))
        return look

    asked: list[int] = []
    monkeypatch.setattr(service_manager, "_work_done", looked)
    monkeypatch.setattr(ServiceManager, "_send", lambda _self, _message: asked.append(said[-1]))
    with ServiceManager().starting():
        while len(said) < len(looks) + 2:
            sleep(0.01)
    assert asked == [1, 2, 5, 6]


def test_what_a_process_reads_writes_and_computes_is_its_work() -> None:
    before = service_manager._work_done()
    until = process_time() + 0.05
    while process_time() < until:
        pass
    assert service_manager._work_done()[1] > before[1]
