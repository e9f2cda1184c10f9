"""People in, as CSV: the file and its header; `subscriber_row` reads the rows.

The format is documented in docs/reference/subscribers-csv.md. Rows are read some thousand at a time, so a million
people need no more memory than these. A mistake of one row is a `Reject` and reading goes on; a mistake of the file
(header, encoding, quotes) is a `ContentError`, raised while reading, so a caller applies nothing before the last row
was read. Never reads the clock or the disk, never compares with who is already stored, and never takes a misspelled
column for an attribute.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from typing import BinaryIO

from digest_mailer.adapters.subscriber_batch import BatchReader
from digest_mailer.adapters.subscriber_exports import recognise
from digest_mailer.adapters.subscriber_header import NO_TOPICS, check_name, compact, layout_of, read_header
from digest_mailer.adapters.subscriber_row import REQUIRED, Layout, RowReader
from digest_mailer.adapters.subscriber_text import QUOTES, Block, find_encoding, read_blocks
from digest_mailer.core.audience import Candidate, Consent, Reject
from digest_mailer.core.errors import ContentError
from digest_mailer.core.intake import Batch
from digest_mailer.core.topic import Catalogue

_ROWS = 2_000  # at a time


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read, as far as somebody said."""

    today: date
    languages: tuple[str, ...] = ("en", "fr")
    columns: Mapping[str, str] | None = None  # what a column is: its name in the file, then a field or an attribute
    consent: Consent | None = None  # of rows that state none
    topics: str = ""  # of rows that state none, as in a cell
    encoding: str = ""
    source: str = "the file"  # what an error calls it


class SubscriberFile:
    """A file of people, open for reading. Its header is read at once. Raises ContentError when it cannot be used."""

    def __init__(self, data: BinaryIO, catalogue: Catalogue, how: Reading) -> None:
        self.encoding = how.encoding or find_encoding(data, how.source)
        self._data, self._catalogue, self._how, self._start = data, catalogue, how, data.tell()
        by_hand = {compact(column): field.strip().lower() for column, field in (how.columns or {}).items()}
        with closing(read_blocks(data, self.encoding, how.source)) as blocks:
            first = next(blocks, None)
        self._delimiter, self.header = read_header(first.lines[0] if first else "", how.source, by_hand)
        self._export = recognise(self.header, by_hand, catalogue, how.consent)
        self._layout = self._read_header(by_hand)

    @property
    def kind(self) -> str:
        """What wrote the file, where that was recognised: `Mailchimp`; else empty."""
        return self._export.name if self._export else ""

    def candidates(self) -> Iterator[Candidate | Reject]:
        """The people, one by one."""
        reader = self._reader(set())
        for first, rows, _clean in self._records():
            for row, cells in enumerate(rows, first):
                if any(cell.strip() for cell in cells):
                    yield reader.read(row, cells)

    def batches(self) -> Iterator[Batch]:
        """The people in batches, which is many times as fast. Whether somebody stands in it twice is for who
        takes them in to see."""
        reader = BatchReader(self._reader(None), self._catalogue)
        for first, rows, clean in self._records():
            yield reader.read(first, rows, clean=clean)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows below the header as they stand there, numbered as a spreadsheet does."""
        for first, rows, _clean in self._records():
            yield from enumerate(rows, first)

    def _reader(self, seen: set[int] | None) -> RowReader:
        how, export = self._how, self._export
        rewrite, email = (export.rewrite, export.email) if export else (None, self._layout.fields["email"])
        said = (how.today, how.languages, how.consent, how.topics)
        return RowReader(self._layout, self._catalogue, *said, rewrite, len(self.header), email, seen)

    def _read_header(self, by_hand: Mapping[str, str]) -> Layout:
        how, export = self._how, self._export
        if export is None:
            required = [name for name in REQUIRED if not _stands_in(name, how)]
            return layout_of(self.header, how.source, by_hand, required)
        if not (export.has_topics or how.topics):
            raise ContentError(f"{how.source} is an export of {export.name}, which has no topics", NO_TOPICS)
        for index, name in enumerate(self.header):
            check_name(name, index, how.source)
        return export.layout

    def _records(self) -> Iterator[tuple[int, list[list[str]], bool]]:
        """Rows below the header with the number of the first, and whether nothing odd is in them."""
        self._data.seek(self._start)
        blocks = _Watched(read_blocks(self._data, self.encoding, self._how.source))
        lines = chain.from_iterable(blocks)
        next(lines)
        records = csv.reader(lines, delimiter=self._delimiter, strict=True)
        first, line = 2, 0
        while True:
            rows: list[list[str]] = []
            clean = blocks.clean()
            try:
                rows.extend(islice(records, _ROWS))
            except csv.Error as problem:
                yield first, rows, False
                what = f"row {first + len(rows)} of {self._how.source} cannot be read as CSV: {problem}"
                raise ContentError(what, QUOTES) from problem
            if not rows:
                return
            whole = records.line_num - line == len(rows)  # no cell holds the end of a line
            yield first, rows, clean and blocks.clean() and whole
            first, line = first + len(rows), records.line_num


def read_subscribers(
    data: BinaryIO,
    catalogue: Catalogue,
    *,
    today: date,
    languages_known: Sequence[str] = ("en", "fr"),
    columns: Mapping[str, str] | None = None,
    consent: Consent | None = None,
    topics: str = "",
    encoding: str = "",
    source: str = "the file",
) -> Iterator[Candidate | Reject]:
    """Read people from CSV, row by row; `data` stays open."""
    how = Reading(today, tuple(languages_known), columns, consent, topics, encoding, source)
    yield from SubscriberFile(data, catalogue, how).candidates()


class _Watched:
    """The lines of blocks, and whether all blocks of late were clean."""

    def __init__(self, blocks: Iterator[Block]) -> None:
        self._blocks = blocks
        self._last = self._dirty = False

    def __iter__(self) -> Iterator[list[str]]:
        for block in self._blocks:
            self._last = not block.clean
            self._dirty = self._dirty or self._last
            yield block.lines

    def clean(self) -> bool:
        """Whether every block since this was last asked was; the one that is being read counts both times."""
        dirty, self._dirty = self._dirty or self._last, False
        return not dirty


def _stands_in(name: str, how: Reading) -> bool:
    """Whether an option says what the column would."""
    return bool(how.topics) if name == "topics" else name.startswith("consent") and how.consent is not None
