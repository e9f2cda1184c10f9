"""Rows of a list of people in batches, many times as fast as one by one, and meaning the same.

What a cell means is for `RowReader` alone to say. Most cells of a long list say what some cell before them said, word
for word; so what was read once is remembered by its text, and a row of which every part is known is put together
without reading it again. Addresses are judged by `plain_address`, names are only measured. Any other row goes to
`RowReader`.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import itemgetter, or_
from typing import Any

from digest_mailer.adapters.subscriber_row import PACKED, RowReader
from digest_mailer.core.address import plain_address
from digest_mailer.core.audience import MAX_NAME, Candidate, Reject
from digest_mailer.core.intake import Batch, IntakeRow, Standing, attributes_text, row_of, standing_of
from digest_mailer.core.topic import BITS_PER_WORD, NO_TOPICS, WORDS, Catalogue, TopicWords

_STANDING = ("state", "paused_until", "language", "consent_source", "consent_date", "joined")
_KNOWN = 50_000  # cells of a kind that are remembered
_WORD = (1 << BITS_PER_WORD) - 1


class BatchReader:
    """Reads batches of one file, in turn."""

    def __init__(self, reader: RowReader, catalogue: Catalogue) -> None:
        self._reader = reader
        fields = reader.layout.fields
        self._email = fields["email"]
        self._name, self._topics = fields.get("name"), fields.get("topics")
        self._attributes = _picker([*reader.layout.attributes.values(), *_at(fields, PACKED)])
        self._standing = _picker([fields[name] for name in _STANDING if name in fields])
        self._known_attributes: dict[Any, str] = {}
        self._known_standings: dict[Any, Standing] = {}
        self._known_topics: dict[str, tuple[bool, TopicWords]] = {}
        self._bits = {
            space + name: 1 << found.ordinal
            for topic in catalogue
            for name in topic.names
            for space in ("", " ")
            if (found := catalogue.find(name))
        }
        self._rejects: list[Reject] = []
        self._named: list[tuple[int, str]] = []
        self._fast = self._make_fast()

    def read(self, first: int, rows: Sequence[list[str]], *, clean: bool) -> Batch:
        """What the rows say, the first of which has this number. `clean` promises that they hold no control character
        and that their accents are composed."""
        self._rejects, self._named = [], []
        usable: list[IntakeRow] = []
        fast, slow = self._fast, self._slow
        for number, cells in enumerate(rows, first):
            row = (fast(number, cells) if clean else None) or slow(number, cells)
            if row:
                usable.append(row)
        return Batch(usable, self._rejects, self._named, len(rows))

    def _make_fast(self) -> Callable[[int, list[str]], IntakeRow | None]:
        """Gives a row, when every part of it is known. A function with everything at hand, because it runs a million
        times."""
        reader, email, name_at, topics_at = self._reader, self._email, self._name, self._topics
        width, rewrite = reader.width, reader.rewrite
        attributes_of, standing_of_row = self._attributes, self._standing
        attributes_by, standing_by = self._known_attributes.get, self._known_standings.get
        topics_by, read_topics = self._known_topics.get, self._read_topics

        def fast(number: int, cells: Sequence[str]) -> IntakeRow | None:
            if len(cells) != width:
                return None
            if rewrite:
                cells = rewrite(cells)
            attributes, standing = attributes_by(attributes_of(cells)), standing_by(standing_of_row(cells))
            if attributes is None or standing is None:
                return None
            typed, name = plain_address(cells[email]), "" if name_at is None else cells[name_at]
            if typed is None or not (name.isalnum() or _is_plain(name)) or len(name) > MAX_NAME:
                return None
            text = "" if topics_at is None else cells[topics_at]
            topics = topics_by(text) or read_topics(text)
            return (number, typed, name, attributes, topics[0], topics[1], standing) if topics else None

        return fast

    def _read_topics(self, text: str) -> tuple[bool, TopicWords] | None:
        """Topics that are written the usual way, each of which is known."""
        try:
            bits = reduce(or_, map(self._bits.__getitem__, text.split(";")))
        except KeyError:
            return None
        if bits <= _WORD:
            return False, (bits, *NO_TOPICS[1:])
        return False, tuple(bits >> (BITS_PER_WORD * number) & _WORD for number in range(WORDS))

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
        _keep(self._known_attributes, self._attributes(cells), attributes_text(found.attributes))
        _keep(self._known_standings, self._standing(cells), standing_of(found))
        text = cells[self._topics] if self._topics is not None else ""
        if text or not self._reader.rewrite:  # what nothing means there depends on the state
            _keep(self._known_topics, text, (found.all_topics, found.topics))


def _at(fields: Any, name: str) -> list[int]:
    return [fields[name]] if name in fields else []


def _picker(places: Sequence[int]) -> Callable[[Sequence[str]], Any]:
    """Gets these cells of a row, as something to look up."""
    return itemgetter(*places) if places else lambda _cells: None


def _keep(known: dict[Any, Any], key: Any, value: Any) -> None:
    if len(known) < _KNOWN:
        known[key] = value


def _is_plain(name: str) -> bool:
    """Whether a name may stay as it is."""
    return not name or (name[0] != "'" and not name[0].isspace() and not name[-1].isspace())
