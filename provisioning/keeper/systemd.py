"""The service manager, as far as the keeper needs it: through systemctl and its like, never by a library."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from provisioning.keeper.errors import KeeperError
from provisioning.keeper.judge import UnitSeen
from provisioning.keeper.places import Places
from provisioning.keeper.words import plain

_COMMAND_SECONDS = 20.0
"""daemon-reload takes tenths of a second; on a slow card under load, a few seconds."""

_STOP_SECONDS = 45.0
"""The hub's unit is killed after its TimeoutStopSec of 30 s."""

_UDEV, _POLKIT = "run/udev/control", "etc/polkit-1/rules.d/50-carehub-bluetooth.rules"
_OURS = ("tty", "input", "gpio", "leds", "hidraw")
_TRIGGER = ("udevadm", "trigger", *(f"--subsystem-match={each}" for each in _OURS))
"""What is plugged in comes under the rules as they are now. systemd has it done: to the keeper /sys is
read-only."""


class Services(Protocol):
    """What starts and stops the hub. Tests without a systemd have their own."""

    def running(self) -> bool:
        """False where there is none: in an image that is being made, a container, a test."""

    def wanted(self, unit: str) -> bool:
        """Whether the unit is enabled, or runs though it is not."""

    def seen(self, unit: str) -> UnitSeen:
        """How the unit is. Raises `KeeperError`."""

    def stop(self, units: Sequence[str]) -> None:
        """Stop them in good order. Raises `KeeperError`."""

    def kill(self, units: Sequence[str], seconds: float) -> None:
        """Stop them, and kill what is left after so many seconds. Raises `KeeperError`."""

    def start(self, units: Sequence[str]) -> None:
        """Have them started, as if they never had failed, without waiting. Raises `KeeperError`."""

    def restart(self, units: Sequence[str]) -> None:
        """Have them started anew, without waiting. Raises `KeeperError`."""

    def refresh(self) -> list[str]:
        """Take up the units, rules, users and directories of the release in force; what of the last three
        failed, in words. Raises `KeeperError`: the units could not be taken up."""


class Systemd:
    """The systemd of this machine."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def running(self) -> bool:
        """As sd_booted(3) has it."""
        return self._places.root == Path("/") and Path("/run/systemd/system").is_dir()

    def wanted(self, unit: str) -> bool:
        """Whether the unit is enabled, or runs though it is not."""
        enabled = _run("systemctl", "is-enabled", unit)
        if enabled.stdout.strip() in ("enabled", "enabled-runtime"):
            return True
        return self.seen(unit).active in ("active", "activating", "reloading")

    def seen(self, unit: str) -> UnitSeen:
        """How the unit is. Raises `KeeperError`."""
        properties = (
            "ActiveState,SubState,Result,NRestarts,ExecMainStatus,Job,"
            "ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"
        )
        shown = _checked("systemctl", "show", unit, f"--property={properties}")
        said = dict(line.partition("=")[::2] for line in shown.splitlines())
        return UnitSeen(
            active=said.get("ActiveState", ""),
            sub=said.get("SubState", ""),
            result=said.get("Result", ""),
            restarts=_number(said.get("NRestarts")),
            code=_number(said.get("ExecMainStatus")),
            queued=_number(said.get("Job")) != 0,
            started_in=_started_in(said),
        )

    def stop(self, units: Sequence[str]) -> None:
        """Stop them in good order. Raises `KeeperError`."""
        if units:
            _checked("systemctl", "stop", *units, seconds=_STOP_SECONDS)

    def kill(self, units: Sequence[str], seconds: float) -> None:
        """Stop them, and kill what is left after so many seconds. Raises `KeeperError`."""
        if not units:
            return
        _checked("systemctl", "stop", "--no-block", *units)
        until = time.monotonic() + seconds
        while any(self.seen(unit).active not in ("inactive", "failed") for unit in units):
            if time.monotonic() >= until:
                _run("systemctl", "kill", "--signal=SIGKILL", *units)
                # Which is at once, unless a process hangs in the kernel; then systemd's own time runs.
                _checked("systemctl", "stop", *units, seconds=_STOP_SECONDS)
                return
            time.sleep(0.1)

    def start(self, units: Sequence[str]) -> None:
        """Have them started, as if they never had failed, without waiting. Raises `KeeperError`."""
        if units:
            _run("systemctl", "reset-failed", *units)  # NRestarts and the start limit count anew
            _checked("systemctl", "start", "--no-block", *units)

    def restart(self, units: Sequence[str]) -> None:
        """Have them started anew, without waiting. Raises `KeeperError`."""
        if units:
            _run("systemctl", "reset-failed", *units)
            _checked("systemctl", "restart", "--no-block", *units)

    def refresh(self) -> list[str]:
        """Take up the units, rules, users and directories of the release in force; what of the last three
        failed, in words. Raises `KeeperError`: the units could not be taken up."""
        troubles = []
        for command in self._to_take_up():
            try:
                done = _run(*command)
            except KeeperError as error:
                troubles.append(str(error))
                continue
            if done.returncode != 0:
                troubles.append(f"{' '.join(command)}: {_last_line(done)}")
        _checked("systemctl", "daemon-reload")
        # What the release that was in force had alone goes on otherwise, without its file.
        listed = _run("systemctl", "list-units", "--plain", "--no-legend", "--state=not-found", "carehub*")
        if gone := [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]:
            _run("systemctl", "stop", "--no-block", *gone)
        return troubles

    def _to_take_up(self) -> Iterator[tuple[str, ...]]:
        """Users first: directories belong to them, and units run as them."""
        root = self._places.root
        for folder, command in (
            ("etc/sysusers.d", ("systemd-sysusers",)),
            ("etc/tmpfiles.d", ("systemd-tmpfiles", "--create")),
        ):
            if files := sorted(str(each) for each in (root / folder).glob("carehub*.conf") if each.exists()):
                yield (*command, *files)
        if (root / _UDEV).exists():
            yield ("udevadm", "control", "--reload")
            yield ("systemd-run", "--quiet", "--collect", *_TRIGGER)
        if (root / _POLKIT).exists():
            # It watches its directory, in which nothing changes with a switch.
            yield ("systemctl", "try-restart", "polkit.service")


def persist(act: Callable[[], None], times: int, pause_seconds: float) -> None:
    """Do what systemd may refuse for a moment, so often at the most. Raises `KeeperError`: it refused to the
    last."""
    for _ in range(times - 1):
        with suppress(KeeperError):
            act()
            return
        time.sleep(pause_seconds)
    act()


def _run(*command: str, seconds: float = _COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise KeeperError(f"'{' '.join(command)}' was not done within {seconds:g} s") from error
    except OSError as error:
        raise KeeperError(f"{command[0]} cannot be run: {error.strerror}") from error


def _checked(*command: str, seconds: float = _COMMAND_SECONDS) -> str:
    done = _run(*command, seconds=seconds)
    if done.returncode != 0:
        raise KeeperError(f"'{' '.join(command)}' failed: {_last_line(done)}")
    return done.stdout


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return plain(lines[-1]) if lines else f"exit code {done.returncode}"


def _started_in(said: Mapping[str, str]) -> float | None:
    """From the start of the process that runs to when it was ready."""
    begun = _number(said.get("ExecMainStartTimestampMonotonic"))  # microseconds
    ready = _number(said.get("ActiveEnterTimestampMonotonic"))
    return (ready - begun) / 1e6 if said.get("ActiveState") == "active" and 0 < begun <= ready else None


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdigit() else 0
