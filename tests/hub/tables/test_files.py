"""A table's file is written whole or not at all, and is never the one that is read."""

from __future__ import annotations

import os
import resource
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hub.tables.files import STANDARD, TableFileError, lines_of, the_same, writing

ANY_BYTES = b"\xef\xbb\xbfa,\xe9\r\n\x00\xff\n1,2"


@pytest.fixture
def mask() -> int:
    """Which permissions a new file does not get."""
    found = os.umask(0)
    os.umask(found)
    return found


def test_whatever_bytes_a_file_has_are_written_as_they_were_read(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(ANY_BYTES)
    with writing(tmp_path / "out") as out:
        out.writelines(lines_of(tmp_path / "in"))
    assert (tmp_path / "out").read_bytes() == ANY_BYTES


def test_lines_keep_their_own_ends(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"a\r\nb\nc")
    assert list(lines_of(tmp_path / "in")) == ["a\r\n", "b\n", "c"]


def test_a_new_file_is_there_only_at_the_end_with_usual_permissions(tmp_path: Path, mask: int) -> None:
    target = tmp_path / "out"
    with writing(target) as out:
        out.write("a")
        assert not target.exists()
    assert target.read_text() == "a"
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("fault", [ValueError, KeyboardInterrupt])
def test_what_ends_halfway_leaves_what_was_there_and_nothing_beside_it(
    tmp_path: Path, fault: type[BaseException]
) -> None:
    target = tmp_path / "out"
    target.write_text("before")

    def ends_halfway() -> None:
        with writing(target) as out:
            out.write("half")
            raise fault

    with pytest.raises(fault):
        ends_halfway()
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_leaves_what_was_there_and_is_said(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: the kernel's own refusal."""
    target = tmp_path / "out"
    target.write_text("before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(TableFileError, match="cannot be written: File too large"), writing(target) as out:
            out.write("x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_one_and_what_it_leads_to_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("before")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    with writing(tmp_path / "link") as out:
        out.write("after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "after"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o640


def test_a_pipe_stays_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with writing(tmp_path / "pipe") as out:
        out.write("through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableFileError, match=r"no\.csv: cannot be read: No such file"):
        list(lines_of(tmp_path / "no.csv"))
    with (
        pytest.raises(TableFileError, match=r"out\.csv: cannot be written: No such file"),
        writing(tmp_path / "nowhere" / "out.csv"),
    ):
        pass


def test_a_fault_of_the_file_that_is_read_is_not_blamed_on_the_one_that_is_written(tmp_path: Path) -> None:
    with pytest.raises(TableFileError, match=r"no\.csv: cannot be read"), writing(tmp_path / "out") as out:
        out.writelines(lines_of(tmp_path / "no.csv"))
    assert list(tmp_path.iterdir()) == []


def test_one_file_under_two_names_is_the_same(tmp_path: Path) -> None:
    real, other = tmp_path / "real", tmp_path / "other"
    real.touch()
    other.touch()
    (tmp_path / "soft").symlink_to(real)
    (tmp_path / "hard").hardlink_to(real)
    for name in ("real", "soft", "hard"):
        assert the_same(real, tmp_path / name)
    assert not the_same(real, other)
    assert not the_same(real, tmp_path / "new")
    assert not the_same(Path("/dev/null"), Path("/dev/null"))  # a device is read and written as one likes
    assert not the_same(real, STANDARD)


COPY = """
import sys
from hub.tables.files import STANDARD, TableFileError, lines_of, the_same, writing
try:
    assert not the_same(STANDARD, STANDARD)
    with writing(STANDARD) as out:
        out.writelines(lines_of(STANDARD))
except TableFileError as error:
    sys.exit(str(error))
except BrokenPipeError:
    sys.exit("had enough")
"""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("{copy} <{table} >/dev/full", "standard output: cannot be written: No space left on device"),
        ("{copy} <{table} >&-", "standard output: is closed"),
        ("{copy} <&- >/dev/null", "standard input: is closed"),
        ("{copy} </proc/self/mem >/dev/null", "standard input: cannot be read: Input/output error"),
        ("{copy} <{table} | true", "had enough"),
    ],
)
def test_a_fault_of_standard_input_or_output_is_said(tmp_path: Path, command: str, said: str) -> None:
    (tmp_path / "table").write_text("1,2\n" * 100_000)
    copy = shlex.join([sys.executable, "-c", COPY])
    ended = subprocess.run(
        ["sh", "-c", command.format(copy=copy, table=shlex.quote(str(tmp_path / "table")))],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.stderr.strip() == said
