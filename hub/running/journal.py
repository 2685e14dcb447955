"""The log: to systemd's journal with fields where systemd started the hub, else to standard error as ever.

What a line is about is a field beside its words, so that an engineer asks for one sensor's or one alert's:
`journalctl CAREHUB_DEVICE=C4:F2:17:00:00:01`. Fields and words alike name no resident, but by pseudonym. Of
what nobody foresaw the type is told, and the way through the code: its words may quote a reading, or a name.

| field | what |
|---|---|
| CAREHUB_DEVICE | the address of a sensor |
| CAREHUB_ALERT | an alert's id |
| CAREHUB_STAGE | the part of the hub that speaks, as `status` names it |
| CAREHUB_BOOT | the boot of the machine, as the hub stamps what it notes (`hub/clock.py`) |
| CAREHUB_LOGGER | the module that speaks |
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import copy
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any

_about: ContextVar[Mapping[str, str]] = ContextVar("what is logged about", default={})  # noqa: B039  # never changed
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG = 7
_MOST_PLACES, _MOST_CAUSES = 12, 4
_log = logging.getLogger(__name__)


@contextmanager
def about(
    *, device: str | None = None, alert: object | None = None, stage: str | None = None
) -> Iterator[None]:
    """What is logged in here is about these, and about what it is already about outside."""
    said = {"CAREHUB_DEVICE": device, "CAREHUB_ALERT": alert, "CAREHUB_STAGE": stage}
    token = _about.set({**_about.get(), **{key: str(said[key]) for key in said if said[key] is not None}})
    try:
        yield
    finally:
        _about.reset(token)


def log_to_journal(level: str, identifier: str) -> bool:
    """Have all of this process logged to the journal from that level on; False where there is none to log to.

    `identifier` is what the journal calls it (SYSLOG_IDENTIFIER).
    """
    if not _standard_error_is_journal():
        return False
    try:
        from systemd.journal import send
    except ImportError:
        return False  # `ServiceManager` says so
    from hub.clock import MACHINE_CLOCK

    root = logging.getLogger()
    root.setLevel(level.upper())
    root.addHandler(JournalHandler(send, identifier, str(MACHINE_CLOCK.state.boot)))
    return True


def _standard_error_is_journal() -> bool:
    """systemd.exec(5), JOURNAL_STREAM: whoever was given another standard error since is not meant."""
    with suppress(
        OSError, ValueError, AttributeError
    ):  # AttributeError: somebody has put another thing in its place
        found = os.fstat(sys.stderr.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
    return False


class OneLine(logging.Formatter):
    """A record in one line. Of an exception that it has with it only what `what_and_where` says."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return super().format(record)
        plain = copy(record)
        # asyncio puts the words of the exception into further lines.
        plain.msg, plain.args = record.getMessage().partition("\n")[0], None
        plain.exc_info = plain.exc_text = None
        return f"{super().format(plain)}: {what_and_where(error)}"


def what_and_where(error: BaseException) -> str:
    """An exception's type and way through the code, innermost first, and what it came from: not its words."""
    parts: list[str] = []
    at: BaseException | None = error
    while at is not None and len(parts) < _MOST_CAUSES:
        places = [
            f"{'/'.join(Path(frame.f_code.co_filename).parts[-2:])}:{line}"
            for frame, line in walk_tb(at.__traceback__)
        ]
        parts.append(f"{type(at).__name__} ({' < '.join(places[: -_MOST_PLACES - 1 : -1]) or 'nowhere'})")
        # Of a group one is enough to begin with.
        at = at.exceptions[0] if isinstance(at, BaseExceptionGroup) else at.__cause__ or at.__context__
    return ", from ".join(parts)


def log_what_ends_it() -> None:
    """Have what nobody foresaw, and what ends this process or a thread of it, logged as all else: Python
    would print its words."""

    def of_process(_type: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        _log.critical("it ends in a way that nobody foresaw; please report this", exc_info=error)

    def of_thread(ended: threading.ExceptHookArgs) -> None:
        words = "a thread ended in a way that nobody foresaw; please report this"
        _log.critical(words, exc_info=ended.exc_value)

    sys.excepthook, threading.excepthook = of_process, of_thread


class JournalHandler(logging.Handler):
    """Sends each record with what it is about; `send` is `systemd.journal.send`.

    Not systemd-python's own JournalHandler: that sends the whole record, what went into its words included.
    """

    def __init__(self, send: Callable[..., object], identifier: str, boot: str) -> None:
        super().__init__()
        self.setFormatter(OneLine())
        self._send = send
        self._constant = {"SYSLOG_IDENTIFIER": identifier, "CAREHUB_BOOT": boot}

    def emit(self, record: logging.LogRecord) -> None:
        """Raises nothing."""
        try:
            fields: dict[str, Any] = {
                **self._constant,
                "PRIORITY": str(priority_of(record.levelno)),
                "CAREHUB_LOGGER": record.name,
                "CODE_FILE": record.pathname,
                "CODE_LINE": record.lineno,
                "CODE_FUNC": record.funcName,
                **_about.get(),
            }
            self._send(self.format(record), **fields)
        except Exception:  # noqa: BLE001  # a log that cannot be written must not end what it tells of
            self.handleError(record)


def priority_of(level: int) -> int:
    """The priority of syslog (0 the gravest) that a level of `logging` is told with."""
    return next((priority for least, priority in _PRIORITIES if level >= least), _DEBUG)
