"""Rows of an import on their way into the order of their hashes, a part at a time.

They come in the order of a file and leave in that of the keyed hashes of their addresses, in which everything that is
stored of people lies close together. Rows whose hashes begin alike are collected; when there are too many to keep, they
go to a nameless file beside the database, and come back part by part, each small enough to sort.
"""

import marshal
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

_PARTS = 64
_SHIFT = 2  # of the first octet, to the number of a part
_KEPT = 16_000  # rows in memory
_FORMAT = 2  # without a search for what stands there twice


class Runs:
    """Tuples that begin with a hash and a number, which no two share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._rows: list[list[tuple[Any, ...]]] = [[] for _ in range(_PARTS)]
        self._written: list[list[tuple[int, int]]] = [[] for _ in range(_PARTS)]  # place and length of each run
        self.total = 0  # rows that were taken in
        self._count = 0

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Take rows in."""
        parts, count = self._rows, 0
        for row in rows:
            parts[row[0][0] >> _SHIFT].append(row)
            count += 1
        self.total += count
        self._count += count
        if self._count >= _KEPT:
            self._write()

    def ordered(self) -> Iterator[list[tuple[Any, ...]]]:
        """All rows in order, a list for each part; to be called once."""
        for number, rows in enumerate(self._rows):
            for place, length in self._written[number]:
                rows += self._read(place, length)
            rows.sort()
            yield rows
            rows.clear()

    def close(self) -> None:
        """Forget them."""
        if self._file:
            self._file.close()

    def _write(self) -> None:
        if self._file is None:
            self._file = TemporaryFile(dir=self._folder)  # noqa: SIM115 - `close` closes it
        place = self._file.tell()
        for number, rows in enumerate(self._rows):
            if rows:
                octets = marshal.dumps(rows, _FORMAT)
                self._file.write(octets)
                self._written[number].append((place, len(octets)))
                place += len(octets)
                rows.clear()
        self._count = 0

    def _read(self, place: int, length: int) -> list[tuple[Any, ...]]:
        if self._file is None:
            raise AssertionError("nothing was written")
        self._file.seek(place)
        rows: list[tuple[Any, ...]] = marshal.loads(self._file.read(length))  # noqa: S302 - our own, and nameless
        return rows
