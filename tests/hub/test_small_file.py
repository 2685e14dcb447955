"""A file that a configuration names is read whole, or refused; never is more of it in memory than may be."""

from __future__ import annotations

import errno
import tracemalloc
from pathlib import Path

import pytest

from hub.small_file import LARGEST_BYTES, read_whole


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    content = b"\x00\xff" * (LARGEST_BYTES // 2)
    (tmp_path / "file").write_bytes(content)
    assert read_whole(tmp_path / "file") == content


def test_one_that_is_larger_is_refused_without_being_read(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 30)
    tracemalloc.start()
    try:
        with pytest.raises(OSError) as refused:  # noqa: PT011  # its number is looked at
            read_whole(tmp_path / "file")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused.value.errno == errno.EFBIG
    assert most < 2 * LARGEST_BYTES


@pytest.mark.parametrize(
    ("path", "number"), [("nowhere", errno.ENOENT), ("a\0b", errno.EINVAL), ("n" * 300, errno.ENAMETOOLONG)]
)
def test_a_path_that_is_none_is_an_error_of_the_operating_system(path: str, number: int) -> None:
    with pytest.raises(OSError) as refused:  # noqa: PT011  # as above
        read_whole(Path(path))
    assert refused.value.errno == number
