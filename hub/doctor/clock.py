"""What the doctor finds of the clock: whether it can be believed, and who sets it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from hub.clock import look_at_kernel, now
from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import Subject, said_by
from hub.doctor.services import TIME, Unit

_BUILT = datetime(2026, 1, 1, tzinfo=UTC)


def clock(subject: Subject) -> list[Finding]:
    """What it says, and whether it was set."""
    moment = now()
    if moment < _BUILT:
        words = f"says {moment:%Y-%m-%d}, which was before this hub was made"
        return [Finding("clock", Verdict.FAIL, words, "check time synchronisation: 'timedatectl'")]
    if not look_at_kernel(once=True).synchronised:
        words = f"{moment:%Y-%m-%d %H:%M:%S} UTC, but it is not synchronised"
        return [
            Finding("clock", Verdict.WARN, words, "check 'timedatectl', and that a time server is reached")
        ]
    words = f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    if subject.configured:
        words += f", sensors in {subject.config.site.timezone}"
    return [Finding("clock", Verdict.PASS, words)]


def time_server(subject: Subject, units: Mapping[str, Unit] | None) -> list[Finding]:
    """Who sets the clock, and what keeps the time while the power is off.

    systemd-timesyncd is asked only where it runs, as `units` says: otherwise D-Bus would try for 25 s to have
    it started.
    """
    kept = bool(subject.glob("sys/class/rtc/rtc*"))
    over_cuts = (
        "a real-time clock keeps it through a power cut"
        if kept
        else "no real-time clock keeps it through a power cut"
    )
    runs = (units or {}).get(TIME, {}).get("ActiveState") == "active"
    said = timesync(said_by("timedatectl", "show-timesync", "--no-pager") or "") if runs else None
    if said is None:
        words = f"systemd-timesyncd does not say who sets it; {over_cuts}"
        todo = "" if kept else "see that something sets it ('timedatectl'), or fit a real-time clock"
        return [Finding("time server", Verdict.PASS if kept else Verdict.WARN, words, todo)]
    server, reached = said
    if not reached:
        words = f"{server or 'no server'} has not answered yet; {over_cuts}"
        todo = "let the home's firewall pass UDP port 123, or name its own server under [machine] of the site"
        return [Finding("time server", Verdict.WARN, words, todo)]
    return [Finding("time server", Verdict.PASS, f"{server}; {over_cuts}")]


def timesync(said: str) -> tuple[str, bool] | None:
    """The server of `timedatectl show-timesync`, and whether it has answered; None where nothing is said.

    NTPMessage is there from the first answer on (timedatectl(1)).
    """
    values = dict(line.partition("=")[::2] for line in said.splitlines())
    if not values:
        return None
    name, address = values.get("ServerName", ""), values.get("ServerAddress", "")
    server = name if name == address or not address else f"{name} ({address})"
    return server, bool(values.get("NTPMessage"))
