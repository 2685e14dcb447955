"""A program that is run and heard to its end, or to the end of somebody's patience."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_PIECE, _LONGEST_LINE, _MOST_SAID = 1 << 16, 1 << 22, 1 << 24
"""Bytes: another machine may say more than this one has memory."""
_LOOK_SECONDS = 0.5
"""How often is looked whether one that is silent is there still."""
_LAST_WORDS_SECONDS = 10.0
_under_way: dict[subprocess.Popen[bytes], bool] = {}
"""And whether each is apart."""
_starting = threading.Lock()
"""Nobody overlooks one that has just begun to run (`cut_off`)."""


class EndlessLineError(Exception):
    """A program says a line without an end."""


@contextmanager
def started(
    command: Sequence[str],
    stdin: IO[bytes] | None,
    *,
    apart: bool,
    environment: Mapping[str, str] | None = None,
    where: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program, its standard input a pipe where no file is given; who leaves it by an error ends it.
    `environment` is what it has beside this program's own, `where` the directory in which it is run.

    `apart`: in a session of its own without the terminal, hence Ctrl-C there does not reach it, and it cannot
    ask there either. All that it has started is ended with it.
    """
    with _starting:
        process = subprocess.Popen(
            command, stdin=stdin or subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C", **(environment or {})}, cwd=where, start_new_session=apart,
        )  # fmt: skip
        _under_way[process] = apart
    # Not as a context: that would wait for whoever reads what it says, and another machine may hold it open.
    try:
        yield process
    except BaseException:
        _end(process, apart)
        raise
    finally:
        process.wait()
        _under_way.pop(process, None)


def cut_off() -> None:
    """End all that are under way, of whichever thread: it finds them ended by a signal."""
    with _starting:
        under_way = list(_under_way.items())
    for process, apart in under_way:
        _end(process, apart)


def _end(process: subprocess.Popen[bytes], apart: bool) -> None:
    if apart:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def ended(
    command: Sequence[str],
    stdin: bytes,
    file: IO[bytes] | None,
    seconds: float,
    *,
    apart: bool,
    environment: Mapping[str, str] | None = None,
    where: Path | None = None,
) -> tuple[int, bytes, bytes]:
    """Exit code, output and errors of a program. Raises `subprocess.TimeoutExpired`, `OSError`."""
    output: list[bytes] = []
    errors: list[bytes] = []
    with started(command, file, apart=apart, environment=environment, where=where) as process:
        assert process.stdout is not None
        threads = [_reading(process.stdout, output), hearing(process, errors), *feeding(process, stdin)]
        code = process.wait(seconds)
        last_words(code, threads)
    return code, b"".join(output), b"".join(errors)


def lines(process: subprocess.Popen[bytes], seconds: float) -> Iterator[bytes]:
    """A program's lines as they come, up to its end.

    Raises:
        TimeoutError: so many seconds went by without another.
        EndlessLineError: one goes on and on.
    """
    assert process.stdout is not None
    begun, until = b"", time.monotonic() + seconds
    with process.stdout as stream:
        while (left := until - time.monotonic()) > 0:
            if not select.select([stream], [], [], min(left, _LOOK_SECONDS))[0]:
                # Only what is silent after its end: it may have said its last words since it was looked.
                if process.poll() is not None and not select.select([stream], [], [], 0)[0]:
                    return  # it was ended, and another holds its output open
                continue
            piece = os.read(stream.fileno(), _PIECE)
            *whole, begun = (begun + piece).split(b"\n")
            for line in whole:
                yield line + b"\n"
            if not piece:
                if begun:
                    yield begun
                return
            if len(begun) > _LONGEST_LINE:
                raise EndlessLineError
            if whole:
                until = time.monotonic() + seconds
    raise TimeoutError


def hearing(process: subprocess.Popen[bytes], errors: list[bytes]) -> threading.Thread:
    """What it says of what is wrong goes there, up to the end of this thread."""
    assert process.stderr is not None
    return _reading(process.stderr, errors)


def last_words(code: int, threads: Sequence[threading.Thread]) -> None:
    """Have all that it said by its end; of one that was ended, what there is: another may hold it open."""
    for thread in threads:
        thread.join(_LAST_WORDS_SECONDS if code >= 0 else 0.0)


def feeding(process: subprocess.Popen[bytes], stdin: bytes) -> list[threading.Thread]:
    """By whom it is given its standard input, where that is a pipe: all of it at once would stand still where
    it says more than a pipe takes."""
    if process.stdin is None:
        return []
    thread = threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True)
    thread.start()
    return [thread]


def _reading(stream: IO[bytes], into: list[bytes]) -> threading.Thread:
    thread = threading.Thread(target=_read_all, args=(stream, into), daemon=True)
    thread.start()
    return thread


def _read_all(stream: IO[bytes], into: list[bytes]) -> None:
    """What is too much is read all the same, and dropped."""
    room = _MOST_SAID
    with stream:
        while piece := stream.read(_PIECE):
            into.append(piece[:room])
            room -= len(into[-1])


def _feed(stream: IO[bytes], content: bytes) -> None:
    with suppress(OSError), stream:  # it ended early, and says why
        stream.write(content)
