"""One row of a list of people becomes a `Candidate`, or a `Reject` that says in plain words why not.

The second half of `subscriber_csv`, which reads the file and its header: here are the rules of each cell, as
docs/reference/subscribers-csv.md tells them. Nothing is guessed and nothing is repaired: no comma separates
topics, no day comes before a month, a row that names somebody a second time is refused.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from digest_mailer.core.address import AddressError, EmailAddress, parse_address
from digest_mailer.core.audience import MAX_NAME, MAX_VALUE, Candidate, Consent, Reject, State, has_left
from digest_mailer.core.errors import did_you_mean
from digest_mailer.core.identity import CONTROLS, Language, TopicKey, is_control
from digest_mailer.core.spreadsheet import unguarded
from digest_mailer.core.topic import NO_TOPICS, Catalogue, TopicWords

REQUIRED = ("email", "topics", "consent_source", "consent_date")
FIELDS = (*REQUIRED, "name", "language", "state", "paused_until", "joined")
PACKED = "attributes as json"  # a column that only known exports have
REJECT_COLUMNS = ("reject_row", "reject_reason")  # that a file of rejected rows has in front
IGNORED = REJECT_COLUMNS
LITERAL = "attribute:"  # what stands behind it is the name of an attribute, whatever field it resembles
MAX_ADDRESS = 320  # that are quoted of an address

_ALL_TOPICS = ("all", "all topics", "*")
_LANGUAGE_NAMES = {"english": "en", "anglais": "en", "french": "fr", "français": "fr"}
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{2,8})*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STATES = tuple(state.value for state in State if state is not State.ERASED)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each field and each attribute stands in a row."""

    fields: Mapping[str, int]
    attributes: Mapping[str, int]
    header: Sequence[str]


class _Unusable(Exception):  # noqa: N818 - it ends a row, not the program
    """This row cannot be used; the text is the reason."""


@dataclass(slots=True)
class RowReader:
    """Turns rows into candidates."""

    layout: Layout
    catalogue: Catalogue
    today: date
    languages: tuple[str, ...]
    consent: Consent | None  # of rows that state none
    topics: str  # of rows that state none
    rewrite: Callable[[Sequence[str]], Sequence[str]] | None = None  # of a known export, into the layout's columns
    width: int = 0  # of its rows
    email: int = 0  # where the address stands in them
    seen: set[int] | None = None  # addresses, as 64 bits of a hash: among a million people none is alike
    address: EmailAddress | None = None  # of the row that was read last, whether it could be used or not

    def read(self, row: int, cells: Sequence[str]) -> Candidate | Reject:
        """What the row says."""
        self.address = None
        try:
            if len(cells) != self.width:
                hint = "put a cell that holds the separator in double quotes"
                raise _Unusable(f"the row has {len(cells)} cells, the header {self.width}; {hint}")  # noqa: TRY301
            return self._candidate(row, self.rewrite(cells) if self.rewrite else cells)
        except _Unusable as problem:
            typed = cells[self.email].strip() if self.email < len(cells) else ""
            return Reject(row, _shown(typed, MAX_ADDRESS), str(problem))

    def _candidate(self, row: int, raw: Sequence[str]) -> Candidate:
        cells = self._clean(raw)
        cell = self._by_name(cells)
        address = self._address(cell("email"))
        state = _state(cell("state"))
        topics, all_topics = self._topics(cell("topics") or self.topics, state)
        if len(cell("name")) > MAX_NAME:
            raise _Unusable(f"the name has more than {MAX_NAME} characters")
        return Candidate(
            row=row,
            address=address,
            consent=self._consent(cell("consent_source"), cell("consent_date")),
            state=state,
            name=cell("name"),
            language=self._language(cell("language")),
            topics=topics,
            all_topics=all_topics,
            paused_until=_paused_until(state, cell("paused_until")),
            attributes={name: cells[n] for name, n in self.layout.attributes.items() if cells[n]}
            | self._packed(cell(PACKED)),
            joined_on=self._joined(cell("joined")),
        )

    def _clean(self, raw: Sequence[str]) -> list[str]:
        header = self.layout.header
        limited = {*self.layout.attributes.values(), self.layout.fields.get("consent_source")}
        for index, text in enumerate(raw):
            bad = next((char for char in text if is_control(char)), None) if not text.isprintable() else None
            if bad is not None:
                raise _Unusable(f'"{header[index]}" holds the control character U+{ord(bad):04X}; delete it')
            if index in limited and len(text) > MAX_VALUE:
                raise _Unusable(f'"{header[index]}" has more than {MAX_VALUE:,} characters')
        return [unguarded(unicodedata.normalize("NFC", text.strip())) for text in raw]

    def _by_name(self, cells: Sequence[str]) -> Callable[[str], str]:
        fields = self.layout.fields
        return lambda name: cells[fields[name]] if name in fields else ""

    def _address(self, text: str) -> EmailAddress:
        """A row counts as seen even when it is rejected: a later one may not bring back who left in it."""
        if not text:
            raise _Unusable("the email address is missing")
        try:
            address = parse_address(text)
        except AddressError as problem:
            raise _Unusable(str(problem)) from problem
        self.address = address
        if self.seen is None:
            return address
        mark = int.from_bytes(hashlib.blake2b(address.canonical.encode(), digest_size=8).digest(), "big")
        if mark in self.seen:
            raise _Unusable("the same address stands in an earlier row")
        self.seen.add(mark)
        return address

    def _topics(self, text: str, state: State) -> tuple[TopicWords, bool]:
        if not text and self.rewrite and not has_left(state):
            raise _Unusable("no tag of it is a topic; say with --topics what such a row follows")
        names = [name for part in re.split("[;|]", text) if (name := " ".join(part.split()))]
        if not any(name.casefold() in _ALL_TOPICS for name in names):
            return self.catalogue.words([self._topic(name) for name in names]), False
        if len(names) > 1:
            raise _Unusable("all topics and single ones in one cell; keep one or the other")
        return NO_TOPICS, True

    def _topic(self, name: str) -> TopicKey:
        topic = self.catalogue.find(name)
        if topic:
            return topic.key
        if "," in name and all(self.catalogue.find(part) for part in name.split(",")):
            hint = "separate topics by semicolons, not commas"
        else:
            hint = self.catalogue.suggest(name[:MAX_NAME]) or "topics.toml lists them all"
        raise _Unusable(f'unknown topic "{_shown(name)}"; {hint}')

    def _language(self, text: str) -> Language | None:
        if not text:
            return None
        match = _LANGUAGE.fullmatch(text.lower())
        tag = _LANGUAGE_NAMES.get(text.lower(), match[1] if match else "")
        if tag not in self.languages:
            raise _Unusable(f'unknown language "{_shown(text)}"; write one of {", ".join(self.languages)}')
        return Language(tag)

    def _packed(self, text: str) -> dict[str, str]:
        """The attributes of an export that has them as JSON. A list or a table of them stays JSON."""
        if not text:
            return {}
        try:
            found = json.loads(text)
        except ValueError as problem:
            raise _Unusable("the attributes are not JSON") from problem
        if not isinstance(found, dict):
            raise _Unusable("the attributes are not a JSON object")
        texts = {
            name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for name, value in found.items()
            if value not in (None, "")
        }
        if any(len(text) > MAX_VALUE or CONTROLS.search(text) for pair in texts.items() for text in pair):
            raise _Unusable(f"an attribute has more than {MAX_VALUE:,} characters, or a control character in it")
        return {name: unicodedata.normalize("NFC", value) for name, value in texts.items()}

    def _joined(self, text: str) -> date | None:
        if not text:
            return None
        day = _date(text)
        if day is None or day > self.today:
            raise _Unusable(f'the day of joining, "{_shown(text)}", is not a past day written as 2023-07-01')
        return day

    def _consent(self, source: str, given: str) -> Consent:
        if self.consent and not source and not given:
            return self.consent
        if not source:
            raise _Unusable("the source of consent is missing")
        if not given:
            raise _Unusable("the date of consent is missing")
        day = _date(given)
        if day is None:
            raise _Unusable(f'the date of consent, "{_shown(given)}", is not a day written as 2023-07-01')
        if day > self.today:
            raise _Unusable(f"the date of consent, {day}, is in the future")
        return Consent(source, day)


def _state(text: str) -> State:
    word = text.lower()
    if word == State.ERASED:
        raise _Unusable("an erased person cannot be imported; delete the row")
    if word and word not in _STATES:
        hint = did_you_mean(word[:MAX_NAME], _STATES) or f"states are: {', '.join(_STATES)}"
        raise _Unusable(f'unknown state "{_shown(text)}"; {hint}')
    return State(word) if word else State.ACTIVE


def _paused_until(state: State, text: str) -> date | None:
    """The date of a pause. Who has left needs none; somebody active with one may have meant to pause."""
    if state is State.PAUSED:
        day = _date(text)
        if day is None:
            found = f', "{_shown(text)}",' if text else ""
            raise _Unusable(f"paused needs a date: paused_until{found} is not a day written as 2023-07-01")
        return day
    if text and state in (State.ACTIVE, State.PENDING):
        raise _Unusable(f"paused_until has a date, but the state is {state}; write paused or empty the cell")
    return None


def _date(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _shown(text: str, length: int = 60) -> str:
    """A cell's text, safe to quote: control characters visible, cut to a length."""
    visible = "".join("\ufffd" if is_control(char) else char for char in text)
    return visible if len(visible) <= length else visible[:length] + "…"
