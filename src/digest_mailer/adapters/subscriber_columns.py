"""What each column of a list of people is taken for, to be looked at before anything is imported.

Of a file with our own columns the header says it. In an export of another program one column may say several things,
and none of them by itself; so its first rows are read with and without each cell, and what differs is what it says.
"""

from collections.abc import Sequence
from contextlib import closing, suppress
from csv import Error, reader
from itertools import chain, islice
from typing import BinaryIO

from digest_mailer.adapters.subscriber_csv import Reading
from digest_mailer.adapters.subscriber_exports import Export, recognise
from digest_mailer.adapters.subscriber_header import compact, layout_of, read_header
from digest_mailer.adapters.subscriber_row import PACKED
from digest_mailer.adapters.subscriber_text import find_encoding, read_blocks
from digest_mailer.core.errors import ContentError
from digest_mailer.core.intake import Column
from digest_mailer.core.topic import Catalogue

_ROWS = 100  # that are looked at
_SHOWN = 60  # characters of an example
_OTHER = "x"  # means nothing anywhere

Rows = Sequence[Sequence[str]]


def read_columns(data: BinaryIO, catalogue: Catalogue, how: Reading) -> tuple[Column, ...]:
    """The columns. Leaves `data` where it was. Raises ContentError when there is no header to read."""
    start = data.tell()
    try:
        encoding = how.encoding or find_encoding(data, how.source)
        by_hand = {compact(column): field for column, field in (how.columns or {}).items()}
        with closing(read_blocks(data, encoding, how.source)) as blocks:
            lines = chain.from_iterable(block.lines for block in blocks)
            delimiter, header = read_header(next(lines, ""), how.source, by_hand)
            rows = _first(lines, delimiter, len(header))
    finally:
        data.seek(start)
    export = recognise(header, by_hand, catalogue, how.consent)
    found = _of_export(export, header, rows) if export else _of_header(header, by_hand, how.source)
    return tuple(
        Column(name, *said, example=_example(rows, index))
        for index, (name, said) in enumerate(zip(header, found, strict=True))
    )


Said = tuple[tuple[str, ...], str, bool]  # fields, attribute, whether that is certain


def _of_header(header: Sequence[str], by_hand: dict[str, str], source: str) -> list[Said]:
    try:
        layout = layout_of(header, source, by_hand, ())
    except ContentError:
        return [_alone(name, by_hand, source) for name in header]
    fields = {index: (name,) for name, index in layout.fields.items()}
    attributes = {index: name for name, index in layout.attributes.items()}
    return [(fields.get(index, ()), attributes.get(index, ""), True) for index in range(len(header))]


def _alone(name: str, by_hand: dict[str, str], source: str) -> Said:
    """A column of a header that cannot be used as a whole, as if there were no other."""
    own = {key: field for key, field in by_hand.items() if key == compact(name)}
    try:
        layout = layout_of([name], source, own, ())
    except ContentError:
        return (), "", False
    return tuple(layout.fields), next(iter(layout.attributes), ""), True


def _of_export(export: Export, header: Sequence[str], rows: Rows) -> list[Said]:
    layout = export.layout
    names = {index: name for name, index in (*layout.fields.items(), *layout.attributes.items())}
    found: list[Said] = []
    for index in range(len(header)):
        said = {names[place] for row in rows or [[""] * len(header)] for place in _places(export, row, index)}
        attribute = next((one for one in layout.attributes if one in said), "")
        fields = ["attributes" if field == PACKED else field for field in layout.fields if field in said]
        found.append((tuple(fields), attribute, True))
    return found


def _places(export: Export, row: Sequence[str], index: int) -> set[int]:
    """Which of our columns change when this cell does."""
    told = export.rewrite(row)
    others = (export.rewrite([*row[:index], other, *row[index + 1 :]]) for other in ("", _OTHER))
    return {place for other in others for place, (was, now) in enumerate(zip(told, other, strict=True)) if was != now}


def _first(lines: "chain[str]", delimiter: str, width: int) -> Rows:
    rows: list[list[str]] = []
    with suppress(Error):  # which reading all of it will tell, with its place
        rows.extend(row for row in islice(reader(lines, delimiter=delimiter, strict=True), _ROWS) if len(row) == width)
    return rows


def _example(rows: Rows, index: int) -> str:
    text = next((cell for row in rows if (cell := " ".join(row[index].split()))), "")
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
