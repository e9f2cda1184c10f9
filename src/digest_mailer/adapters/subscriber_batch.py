"""Rows of a list of people in batches, many times as fast as one by one, and meaning the same.

What a cell means is for `RowReader` alone to say. Most cells of a long list say what some cell before them said, word
for word; so what was read once is remembered by its text. A batch is looked up column by column, because one step over
two thousand cells costs a fraction of two thousand steps. Addresses are judged by `plain_addresses`, names are only
measured. A row of which some part is not known goes to `RowReader`.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

from digest_mailer.adapters.subscriber_row import PACKED, RowReader
from digest_mailer.core.address import plain_addresses
from digest_mailer.core.audience import MAX_NAME, Candidate, Reject
from digest_mailer.core.intake import (
    Batch,
    Follows,
    IntakeRow,
    Standing,
    attributes_text,
    follows_of,
    row_of,
    standing_of,
)
from digest_mailer.core.topic import BITS_PER_WORD, NO_TOPICS, WORDS, Catalogue

_STANDING = ("state", "paused_until", "language", "consent_source", "consent_date", "joined")
_KNOWN = 50_000  # cells of a kind that are remembered
_WORD = (1 << BITS_PER_WORD) - 1
_Columns = Sequence[Sequence[str]]


class BatchReader:
    """Reads batches of one file, in turn."""

    def __init__(self, reader: RowReader, catalogue: Catalogue) -> None:
        self._reader = reader
        fields = reader.layout.fields
        self._email = fields["email"]
        self._name, self._topics = fields.get("name"), fields.get("topics")
        self._attributes = [*reader.layout.attributes.values(), *_at(fields, PACKED)]
        self._standing = [fields[name] for name in _STANDING if name in fields]
        self._known_attributes: dict[Any, str] = {}
        self._known_standings: dict[Any, Standing] = {}
        self._known_topics: dict[str, Follows] = {}
        bits = {
            space + name: 1 << found.ordinal
            for topic in catalogue
            for name in topic.names
            for space in ("", " ")
            if (found := catalogue.find(name))
        }
        self._bit = bits.__getitem__
        self._rejects: list[Reject] = []
        self._named: list[tuple[int, str]] = []

    def read(self, first: int, rows: Sequence[list[str]], *, clean: bool) -> Batch:
        """What the rows say, the first of which has this number. `clean` promises that they hold no control character
        and that their accents are composed."""
        self._rejects, self._named = [], []
        numbers = range(first, first + len(rows))
        if clean and {*map(len, rows)} == {self._reader.width}:
            known = self._known(rows)
            found = [*zip(numbers, *known, strict=True)]
            usable = found if all(map(_is_whole, known)) else [*self._each(found, rows)]
        else:
            usable = [row for number, cells in zip(numbers, rows, strict=True) if (row := self._one(number, cells))]
        return Batch(usable, self._rejects, self._named, len(rows))

    def _known(self, rows: Sequence[Sequence[str]]) -> list[Sequence[Any]]:
        """The columns of rows: addresses, names, attributes, topics, standings; None for what is not known."""
        rewrite = self._reader.rewrite
        columns = [*zip(*(map(rewrite, rows) if rewrite else rows), strict=True)]
        attributes, standings = (_keys(columns, places, len(rows)) for places in (self._attributes, self._standing))
        known, read = self._known_topics.get, self._read_topics
        topics = columns[self._topics] if self._topics is not None else [""] * len(rows)
        return [
            plain_addresses(columns[self._email]),
            _plain_names(columns[self._name]) if self._name is not None else [""] * len(rows),
            [*map(self._known_attributes.get, attributes)],
            [known(text) or read(text) for text in topics],
            [*map(self._known_standings.get, standings)],
        ]

    def _each(self, found: Sequence[tuple[Any, ...]], rows: Sequence[list[str]]) -> Iterable[IntakeRow]:
        """Rows some of which have parts that were not known; of these some are by now."""
        for row, cells in zip(found, rows, strict=True):
            if None not in row:
                yield row
            elif read := self._one(row[0], cells, clean=True):
                yield read

    def _one(self, number: int, cells: list[str], *, clean: bool = False) -> IntakeRow | None:
        if clean:
            ((*parts,),) = zip(*self._known([cells]), strict=True)
            if None not in parts:
                return (number, *parts)
        return self._slow(number, cells)

    def _read_topics(self, text: str) -> Follows | None:
        """Topics that are written the usual way, each of which is known and stands there once."""
        names = text.split(";")
        try:
            bits = sum(map(self._bit, names))
        except KeyError:
            return None
        if bits.bit_count() != len(names):
            return None
        if bits <= _WORD:
            return (0, bits, *NO_TOPICS[1:])
        return (0, *(bits >> (BITS_PER_WORD * number) & _WORD for number in range(WORDS)))

    def _slow(self, number: int, raw: list[str]) -> IntakeRow | None:
        """The row as it is read by itself; what it says is remembered."""
        if not any(cell.strip() for cell in raw):
            return None
        found = self._reader.read(number, raw)
        if isinstance(found, Reject):
            self._rejects.append(found)
            if self._reader.address:
                self._named.append((number, self._reader.address.typed))
            return None
        self._remember(raw, found)
        return row_of(found)

    def _remember(self, raw: list[str], found: Candidate) -> None:
        cells = self._reader.rewrite(raw) if self._reader.rewrite else raw
        _keep(
            self._known_attributes, tuple(cells[place] for place in self._attributes), attributes_text(found.attributes)
        )
        _keep(self._known_standings, tuple(cells[place] for place in self._standing), standing_of(found))
        text = cells[self._topics] if self._topics is not None else ""
        if text or not self._reader.rewrite:  # what nothing means there depends on the state
            _keep(self._known_topics, text, follows_of(found))


def _at(fields: Any, name: str) -> list[int]:
    return [fields[name]] if name in fields else []


def _keys(columns: _Columns, places: Sequence[int], count: int) -> Iterable[tuple[str, ...]]:
    """These cells of each row, as something to look up."""
    return zip(*(columns[place] for place in places), strict=True) if places else repeat((), count)


def _keep(known: dict[Any, Any], key: Any, value: Any) -> None:
    if len(known) < _KNOWN:
        known[key] = value


def _is_whole(column: Sequence[Any]) -> bool:
    return all(column) or None not in column


def _plain_names(names: Sequence[str]) -> Sequence[str | None]:
    """Names that may stay as they are; None for the others."""
    if (
        max(map(len, names)) <= MAX_NAME
        and [*map(str.strip, names)] == [*names]
        and "\n'" not in "\n" + "\n".join(names)
    ):
        return names
    return [name if len(name) <= MAX_NAME and name == name.strip() and name[:1] != "'" else None for name in names]
