"""SQLite's file format, read without SQLite: what is left of a file that SQLite calls damaged.

https://www.sqlite.org/fileformat2.html, the sections named below. Only pages that are whole in themselves are
believed: SQLite keeps no checksum of a page, but cells, free blocks and fragments must fill one exactly, and
what a torn, zeroed or overwritten page says of itself almost never does. Nothing here writes or raises for
what it finds; a block that cannot be read (a dead sector) is a page that is not there.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

Value = int | float | str | bytes | None
MAGIC = b"SQLite format 3\0"
_PAGE_SIZES = (1024, 4096, 512, 2048, 8192, 16384, 32768, 65536)  # the hub's, SQLite's, and the others
_WAL_HEADER, _FRAME_HEADER = 32, 24
_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE = 2, 5, 10, 13
_REAL = struct.Struct(">d")
_WIDTHS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8}


class _DamagedError(Exception):
    """A page or record that cannot be what it says it is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its rowid (None in a tree that has none) and its columns."""

    rowid: int | None
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a b-tree that is whole: the pages below it, and its rows."""

    children: Sequence[int]
    rows: Sequence[Row]
    lost: int
    """Rows of it that go on on other pages, and are not whole there."""
    table: bool
    """Whether it is of a tree with rowids."""


@dataclass(frozen=True, slots=True)
class Wal:
    """What a write-ahead log holds: for each page where its newest committed content begins."""

    page_size: int
    offsets: dict[int, int]
    damaged: bool
    """Whether what was once committed is lost from it: no power cut leaves it so."""


def read_wal(path: Path, page_size: int) -> Wal:
    """The write-ahead log at `path` (section 4), `page_size` where its header is lost. Raises `OSError`.

    SQLite believes it as far as its first bad frame, since that is what a power cut leaves, or a sync that
    failed: the end of a commit that never was. What is committed next is written over its beginning, so the
    ends of several may lie behind one another; each frame's checksum goes on from the frame before it, and
    breaks between them. But each commit is synced before the next begins: two behind a bad frame, the second
    going on from the first, say that what was once on the card is lost. Then all that can be verified is
    taken, as far as the last two such.
    """
    log = path.read_bytes() if path.exists() else b""
    if len(log) < _WAL_HEADER:
        return Wal(page_size, {}, damaged=False)
    magic, _, said_size, _, salt, *checksum = struct.unpack_from(">4I8s2I", log)
    order = ">" if magic & 1 else "<"
    broken = (
        magic & ~1 != 0x377F0682 or said_size not in _PAGE_SIZES or [*_sum(order, log[:24], 0, 0)] != checksum
    )
    if broken:
        order, salt = "<", log[_WAL_HEADER + 8 : _WAL_HEADER + 16]
    else:
        page_size = said_size
    believed, behind, uncommitted = dict[int, int](), dict[int, int](), dict[int, int]()
    damaged, in_a_row = False, 0
    for at in range(_WAL_HEADER, len(log) - _FRAME_HEADER - page_size + 1, _FRAME_HEADER + page_size):
        number, pages, its_salt, *said = struct.unpack_from(">2I8s2I", log, at)
        body = at + _FRAME_HEADER
        found = (
            [*_sum(order, log[body : body + page_size], *_sum(order, log[at : at + 8], *checksum))]
            if its_salt == salt
            else None
        )
        checksum = said
        if found != said:
            broken, in_a_row = True, 0
            continue
        uncommitted[number] = body
        if pages:
            behind |= uncommitted
            uncommitted.clear()
            in_a_row += 1
            damaged = damaged or (broken and in_a_row > 1)
            if not broken or in_a_row > 1:
                believed |= behind
                behind.clear()
    return Wal(page_size, believed, damaged)


def _sum(order: str, data: bytes, first: int, second: int) -> tuple[int, int]:
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return first, second


class Pages:
    """The pages of a database file, with what its write-ahead log has of them."""

    def __init__(self, path: Path, wal_path: Path) -> None:
        """Raises `OSError` where the file cannot be opened."""
        self._file = os.open(path, os.O_RDONLY)
        self._log = os.open(wal_path, os.O_RDONLY) if wal_path.exists() else None
        size = os.fstat(self._file).st_size
        self._in_log: dict[int, int] = {}
        self.header = self._read(self._file, 0, 100)
        self.size = self._size_of_pages(size)
        wal = read_wal(wal_path, self.size)
        self._in_log = wal.offsets
        if 1 in wal.offsets and self._log is not None:
            self.header = self._read(self._log, wal.offsets[1], 100)
        if wal.offsets:
            self.size = wal.page_size
        self.usable = self.size - (self.header[20] if self.header_whole else 0)
        self.count = max(size // self.size, max(wal.offsets, default=0))

    def close(self) -> None:
        """Close the files."""
        for file in (self._file, self._log):
            if file is not None:
                os.close(file)

    @property
    def header_whole(self) -> bool:
        """Whether the file begins as a database does."""
        return len(self.header) == 100 and self.header.startswith(MAGIC)

    @property
    def schema_version(self) -> int | None:
        """SQLite's user_version; None where the first page cannot be believed."""
        if not self.header_whole or self.page(1) is None:
            return None
        return int.from_bytes(self.header[60:64])

    @property
    def mark(self) -> int:
        """SQLite's application_id, of a database whose `schema_version` is believed."""
        return int.from_bytes(self.header[68:72])

    def free(self) -> set[int]:
        """The pages that are in no use (section 1.5), as far as can be told."""
        free: set[int] = set()
        if not self.header_whole:
            return free
        trunk = int.from_bytes(self.header[32:36])
        while 0 < trunk <= self.count and trunk not in free:
            free.add(trunk)
            content = self._content(trunk)
            if len(content) < self.usable:
                break
            trunk, leaves = struct.unpack_from(">2I", content)
            if leaves > self.usable // 4 - 2:
                break
            free.update(struct.unpack_from(f">{leaves}I", content, 8))
        return free

    def page(self, number: int) -> Page | None:
        """A page of a b-tree (section 1.6); None where it is not there, not whole, or of no tree."""
        try:
            return self._page(number, self._content(number))
        except (_DamagedError, struct.error, IndexError):
            return None

    def pages_of_tree(self, root: int, visited: set[int]) -> Iterator[int]:
        """The pages with rows to which a root leads, in the tree's order; whole, damaged, or cut off.

        Those that are `visited` are left out, and whatever is reached becomes so.
        """
        waiting = [root]
        while waiting:
            number = waiting.pop()
            if number in visited:
                continue
            visited.add(number)
            kind = self._content(number)[100 if number == 1 else 0 :][:1]
            if kind not in {bytes([_INTERIOR_INDEX]), bytes([_INTERIOR_TABLE])}:
                yield number
                continue
            page = self.page(number)
            if page is None or not page.table:
                yield number
            if page is not None:
                waiting.extend(reversed(page.children))

    def _size_of_pages(self, size: int) -> int:
        if self.header_whole:
            said = int.from_bytes(self.header[16:18])
            said = 65536 if said == 1 else said
            if said in _PAGE_SIZES:
                return said
        # The size in which the most pages are whole.
        found = {}
        for self.size in _PAGE_SIZES:
            self.usable, self.count = self.size, size // self.size
            step = max(1, self.count // 2000)
            found[self.size] = self.size * sum(
                self.page(number) is not None for number in range(2, self.count + 1, step)
            ) * step  # fmt: skip
        return max(_PAGE_SIZES, key=lambda each: found[each])

    def _read(self, file: int, offset: int, length: int) -> bytes:
        try:
            return os.pread(file, length, offset)
        except OSError:
            return b""  # an unreadable sector

    def _content(self, number: int) -> bytes:
        if not 0 < number <= self.count:
            return b""
        in_log = self._in_log.get(number)
        if in_log is not None and self._log is not None:
            return self._read(self._log, in_log, self.size)
        return self._read(self._file, (number - 1) * self.size, self.size)

    def _page(self, number: int, content: bytes) -> Page:
        if len(content) != self.size:
            raise _DamagedError
        start = 100 if number == 1 else 0
        kind, free_block, count, cells_at, fragments = struct.unpack_from(">BHHHB", content, start)
        if kind not in {_INTERIOR_INDEX, _INTERIOR_TABLE, _LEAF_INDEX, _LEAF_TABLE}:
            raise _DamagedError
        interior, table = kind in {_INTERIOR_INDEX, _INTERIOR_TABLE}, kind in {_INTERIOR_TABLE, _LEAF_TABLE}
        pointers_at = start + (12 if interior else 8)
        pointers = struct.unpack_from(f">{count}H", content, pointers_at)
        cells_at = cells_at or 65536
        if cells_at < pointers_at + 2 * count or cells_at > self.usable:
            raise _DamagedError
        extents, children, rows, lost = self._free_blocks(content, free_block), list[int](), list[Row](), 0
        for pointer in pointers:
            at = pointer
            if interior:
                children.append(int.from_bytes(content[at : at + 4]))
                at += 4
            if kind == _INTERIOR_TABLE:
                _, at = _varint(content, at)
                extents.append((pointer, at))
                continue
            length, at = _varint(content, at)
            rowid = None
            if table:
                rowid, at = _varint(content, at)
            local = self._local(length, table)
            end = at + local + (4 if local < length else 0)
            extents.append((pointer, max(end, pointer + 4)))
            if end > self.usable:
                raise _DamagedError
            try:
                payload = content[at : at + local]
                if local < length:
                    payload += self._overflow(int.from_bytes(content[end - 4 : end]), length - local)
                rows.append(Row(rowid, _record(payload)))
            except (_DamagedError, struct.error, IndexError, UnicodeDecodeError):
                lost += 1
        if interior:
            children.append(struct.unpack_from(">I", content, start + 8)[0])
        self._must_be_filled(extents, cells_at, fragments)
        rowids = [row.rowid for row in rows if row.rowid is not None]
        if any(one >= other for one, other in pairwise(rowids)):
            raise _DamagedError
        return Page(children, rows, lost, table)

    def _local(self, length: int, table: bool) -> int:
        """How many bytes of a payload are on its own page (section 1.6)."""
        most = self.usable - 35 if table else (self.usable - 12) * 64 // 255 - 23
        if length <= most:
            return length
        least = (self.usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (self.usable - 4)
        return local if local <= most else least

    def _free_blocks(self, content: bytes, at: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        while at:
            following, size = struct.unpack_from(">2H", content, at)
            if size < 4 or (following and following < at + size):
                raise _DamagedError
            found.append((at, at + size))
            at = following
        return found

    def _must_be_filled(self, extents: list[tuple[int, int]], start: int, fragments: int) -> None:
        gaps, at = 0, start
        for begin, end in sorted(extents):
            if begin < at:
                raise _DamagedError
            gaps += begin - at
            at = end
        if at > self.usable or gaps + self.usable - at != fragments:
            raise _DamagedError

    def _overflow(self, number: int, length: int) -> bytes:
        """What of a payload is on overflow pages (section 1.7)."""
        found = bytearray()
        while len(found) < length:
            content = self._content(number)
            if len(content) != self.size or not any(content):
                raise _DamagedError
            number = int.from_bytes(content[:4])
            found += content[4 : self.usable]
        if number:
            raise _DamagedError
        return bytes(found[:length])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value = 0
    for count in range(9):
        byte = data[at + count]
        if count == 8:
            value = value << 8 | byte
            return value - (1 << 64) if value >> 63 else value, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + count + 1
    raise AssertionError("a varint has nine bytes at the most")


@lru_cache(maxsize=4096)
def _layout(header: bytes) -> tuple[tuple[int, int], ...]:
    """The serial types of a record, and how many bytes each has (section 2.1)."""
    at, layout = 0, list[tuple[int, int]]()
    while at < len(header):
        kind, at = _varint(header, at)
        if kind < 0 or kind in {10, 11}:
            raise _DamagedError
        layout.append((kind, _WIDTHS.get(kind, 0) if kind < 12 else (kind - 12) // 2))
    return tuple(layout)


def _record(payload: bytes) -> list[Value]:
    """The columns of a record (section 2.1)."""
    length, begin = _varint(payload, 0)
    if length > len(payload):
        raise _DamagedError
    values, at = list[Value](), length
    for kind, size in _layout(payload[begin:length]):
        piece = payload[at : at + size]
        at += size
        if kind == 0:
            values.append(None)
        elif kind < 7:
            values.append(int.from_bytes(piece, signed=True))
        elif kind == 7:
            values.append(_REAL.unpack(piece)[0])
        elif kind < 10:
            values.append(kind - 8)
        elif kind % 2 == 0:
            values.append(piece)
        elif b"\0" in piece:
            raise _DamagedError  # no text of the hub has one; a page of zeros has
        else:
            values.append(piece.decode())
    if at != len(payload):
        raise _DamagedError
    return values
