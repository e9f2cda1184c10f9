"""People in, as CSV: the file and its header; `subscriber_row` reads the rows.

The format is documented in docs/reference/subscribers-csv.md. Rows are read one at a time, so a million
people need no more memory than their addresses' hashes. A mistake of one row is a `Reject` and reading goes
on; a mistake of the file (header, encoding, quotes) is a `ContentError`, raised while iterating, so a caller
applies nothing before the last row was read. Never reads the clock or the disk, never compares with who is
already stored, and never takes a misspelled column for an attribute.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from typing import BinaryIO

from digest_mailer.adapters.subscriber_row import FIELDS, MAX_NAME, REQUIRED, Layout, RowReader
from digest_mailer.core.audience import Candidate, Consent, Reject
from digest_mailer.core.errors import ContentError, did_you_mean
from digest_mailer.core.identity import is_control
from digest_mailer.core.topic import Catalogue

MAX_LINE = 1_000_000  # characters; only a broken file has longer lines
DELIMITERS = (",", ";", "\t")  # spreadsheets in French write semicolons

_ALIASES = {
    "emailaddress": "email", "mail": "email", "courriel": "email", "adressecourriel": "email",
    "topic": "topics", "fullname": "name", "nom": "name", "lang": "language", "langue": "language",
    "status": "state", "pauseuntil": "paused_until",
}  # fmt: skip
_ESCAPED = re.compile("[\udc80-\udcff]")  # a byte that is not UTF-8, as `surrogateescape` hands it on
_QUOTES = 'put a cell that holds a quote or the separator in double quotes, and write a quote inside it twice: ""'
_EXAMPLE = f"the first row names the columns, for instance: {','.join(REQUIRED)}"


def read_subscribers(
    data: BinaryIO,
    catalogue: Catalogue,
    *,
    today: date,
    languages_known: Sequence[str] = ("en", "fr"),
    columns: Mapping[str, str] | None = None,
    consent: Consent | None = None,
    source: str = "the file",
) -> Iterator[Candidate | Reject]:
    """Read people from CSV, row by row.

    `columns` says by hand what a column is (its name in the file, then a field or an attribute); `consent`
    holds for every row that states none; `source` is what a ContentError calls the file. `data` stays open.
    """
    text = io.TextIOWrapper(data, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        lines = _lines(text, source)
        by_hand = {_compact(column): field.strip().lower() for column, field in (columns or {}).items()}
        delimiter, header = _header(next(lines, ""), source, by_hand)
        required = REQUIRED[:2] if consent else REQUIRED
        layout = _layout(header, source, by_hand, required)
        reader = RowReader(layout, catalogue, today, tuple(languages_known), consent)
        for row, cells in _records(lines, delimiter, source):
            if any(cell.strip() for cell in cells):
                yield reader.read(row, cells)
    finally:
        if not data.closed:
            text.detach()


def _lines(text: io.TextIOWrapper, source: str) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and line[-1] not in "\r\n":
            raise ContentError(f"line {number} of {source} has more than {MAX_LINE:,} characters", _QUOTES)
        yield line


def _records(lines: Iterator[str], delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """The rows below the header, numbered as a spreadsheet does."""
    records = csv.reader(lines, delimiter=delimiter, strict=True)
    row = 1
    while True:
        row += 1
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as problem:
            raise ContentError(f"row {row} of {source} cannot be read as CSV: {problem}", _QUOTES) from problem
        for cell in cells:
            _check_bytes(cell, row, source)
        yield row, cells


def _check_bytes(text: str, row: int, source: str) -> None:
    if not text.isascii() and (found := _ESCAPED.search(text)):
        byte = ord(found[0]) - 0xDC00
        raise ContentError(
            f"row {row} of {source} holds byte 0x{byte:02X}, so the file is probably Windows-1252",
            'save it as UTF-8 (spreadsheets call it "CSV UTF-8")',
        )


# -- the header


def _header(line: str, source: str, by_hand: Mapping[str, str]) -> tuple[str, list[str]]:
    """The separator that makes most sense of the first line, and its cells."""
    if not line:
        raise ContentError(f"{source} is empty", _EXAMPLE)
    if "\0" in line or line.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        raise ContentError(f"{source} is not UTF-8; it is probably UTF-16", 'save it as UTF-8 ("CSV UTF-8")')
    _check_bytes(line, 1, source)
    if not line.strip():
        raise ContentError(f"row 1 of {source} is empty where the header should be", _EXAMPLE)
    readings: list[tuple[int, int, int, list[str]]] = []
    for rank, delimiter in enumerate(DELIMITERS):
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True))]
        except csv.Error:
            continue
        known = sum(_field_of(cell, by_hand) is not None for cell in cells)
        readings.append((known, len(cells), -rank, cells))
    if not readings:
        raise ContentError(f"row 1 of {source}, the header, cannot be read as CSV", _QUOTES)
    _, _, rank, cells = max(readings)
    return DELIMITERS[-rank], cells


def _layout(header: Sequence[str], source: str, by_hand: Mapping[str, str], required: Sequence[str]) -> Layout:
    """What each column is. Raises ContentError for a header that cannot be relied on."""
    fields: dict[str, int] = {}
    attributes: dict[str, int] = {}
    for index, name in enumerate(header):
        _check_name(name, index, source)
        known = _field_of(name, by_hand)
        target, key = (fields, known) if known in FIELDS else (attributes, known or name.lower())
        if key in target:
            what = f'{source} has two columns for "{key}" (row 1): number {target[key] + 1} and number {index + 1}'
            raise ContentError(what, "delete or rename one of them")
        target[key] = index
    missing = [name for name in required if name not in fields]
    if missing and any("@" in name for name in header):
        raise ContentError(f"row 1 of {source} is a person, not a header", _EXAMPLE)
    for index in attributes.values():
        _check_spelling(header[index], fields, source, by_hand)
    if missing:
        raise ContentError(f"the header (row 1) of {source} lacks {', '.join(missing)}", _EXAMPLE)
    absent = by_hand.keys() - {_compact(name) for name in header}
    if absent:
        name = min(absent)
        raise ContentError(f'{source} has no column "{name}" (row 1)', did_you_mean(name, header))
    return Layout(fields, attributes, tuple(header))


def _check_name(name: str, index: int, source: str) -> None:
    if not name:
        raise ContentError(f"column {index + 1} of {source} has no name", "name it in row 1, or delete the column")
    if any(is_control(char) for char in name) or len(name) > MAX_NAME:
        what = f"the name of column {index + 1} of {source} is too long or holds a control character"
        raise ContentError(what, "shorten it, or delete what cannot be seen")


def _check_spelling(name: str, fields: Mapping[str, int], source: str, by_hand: Mapping[str, str]) -> None:
    """Refuse a near miss of a field that the file lacks: its values would silently go somewhere else."""
    lacking = {_compact(one): one for one in FIELDS if one not in fields}
    close = get_close_matches(_compact(name), lacking, n=1, cutoff=0.8)
    if close and _field_of(name, by_hand) is None:
        hint = f'did you mean "{lacking[close[0]]}"? Give an attribute a name that is less alike'
        raise ContentError(f'{source} has an unknown column "{name}" (row 1)', hint)


def _field_of(name: str, by_hand: Mapping[str, str]) -> str | None:
    """The field that a column holds, or the attribute that `by_hand` makes of it; None for another column."""
    compact = _compact(name)
    return by_hand.get(compact) or _BY_COMPACT.get(compact) or _ALIASES.get(compact)


def _compact(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.casefold())


_BY_COMPACT = {_compact(field): field for field in FIELDS}
