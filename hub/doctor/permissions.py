"""What the doctor finds of who may read what: configuration, keys, passwords, the hub's data."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from hub.doctor.findings import Finding, Verdict
from hub.doctor.looking import WITH_RIGHTS, Subject

_OF_OTHERS, _WRITTEN_BY_GROUP = stat.S_IRWXO, stat.S_IWGRP


def permissions(subject: Subject) -> list[Finding]:
    """Whether anybody may read, or change, what is the hub's alone."""
    config = subject.config
    made_up = Verdict.WARN if config.site.test_data else Verdict.FAIL
    findings: list[Finding] = []
    unseen: list[Path] = []
    looked = 0
    for what, path, verdict in _guarded(subject, made_up):
        try:
            mode = path.stat().st_mode
        except PermissionError:
            unseen.append(path)
            continue
        except OSError:
            continue  # what is missing is another part's finding
        looked += 1
        if open_to := _open_to(mode):
            closed = 0o700 if stat.S_ISDIR(mode) else 0o640
            words = f"{path} ({what}) {open_to}: its mode is {stat.S_IMODE(mode):o}"
            findings.append(Finding("permissions", verdict, words, f"chmod {closed:o} {path}"))
    if unseen:
        words = f"of {', '.join(map(str, unseen))} they may not be seen by this user"
        findings.append(Finding("permissions", Verdict.WARN, words, WITH_RIGHTS))
    return findings or [
        Finding("permissions", Verdict.PASS, f"{looked} file(s) are for the hub and root alone")
    ]


def _guarded(subject: Subject, made_up: Verdict) -> Iterable[tuple[str, Path, Verdict]]:
    """What nobody else may read. Where all is made up, residents are, but a key opens the broker."""
    config = subject.config
    if subject.file is not None:
        yield "the configuration, with residents' names", subject.file, made_up
    yield "the hub's data", config.hub.data_directory, made_up
    for what, path in (
        ("the key to the broker", config.broker.key_file),
        ("the password to the broker", config.broker.password_file),
        ("the page's key", config.page.key_file),
    ):
        if path is not None:
            yield what, path, Verdict.FAIL


def _open_to(mode: int) -> str:
    if mode & _OF_OTHERS & stat.S_IWOTH:
        return "may be changed by anybody"
    if mode & _OF_OTHERS:
        return "may be read by anybody"
    if mode & _WRITTEN_BY_GROUP and not stat.S_ISDIR(mode):
        return "may be changed by its group"
    return ""
