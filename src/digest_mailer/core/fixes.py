"""Slips in the text of an issue file that can be put right without asking: the same rule finds and fixes them.

DM120 an old address of a DOI, DM122 an invisible character, DM124 a topic spelled otherwise than in the catalogue.
`fix_text` changes these and nothing else, not a line end. Code is left alone, but for the blocks of settings.

An invisible character may hold a text together: without it a line becomes a list, a value ends at a colon. So a
file is read again without them, and only what leaves the rest as it was is fixed; the others are told as `by_hand`.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markdown_it.token import Token

from digest_mailer.core.issue_file import read_source
from digest_mailer.core.links import ADDRESS
from digest_mailer.core.markup import dissect, lenient_reader
from digest_mailer.core.source import BLOCK_STYLES, Offsets, Source, Written
from digest_mailer.core.topic import Catalogue, Topic

FIXABLE = ("DM120", "DM122", "DM124")
MARK = "\ufeff"  # of the byte order, in front of a file

_EMOJI = r"\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
# A joiner belongs to an emoji made of several, and to words in Arabic and in the scripts of India.
_INVISIBLE = re.compile(
    r"(?:[\u200b\u2060\ufeff\u00ad]"
    r"|\u200c(?<![\u0600-\u1cff]\u200c)"
    rf"|\u200d(?<![\u0600-\u1cff]\u200d)(?!(?<=[{_EMOJI}\ufe0f]\u200d)[{_EMOJI}]))+"
)
_OLD_DOI = re.compile(r"(?:https?://dx\.doi\.org/|http://(?:www\.)?doi\.org/)(?=10\.)", re.IGNORECASE)
_NEW_DOI = "https://doi.org/"
_PLAIN = re.compile(r"[^\W\d_](?:[\w ()/&,.’'-]*[\w).])?")  # needs no quotation marks in YAML
_MOST_LINES = 20  # that are tried one by one; each is a reading of the file


@dataclass(frozen=True, slots=True, order=True)
class Fix:
    """One change, with its place in the file as it was."""

    line: int
    col: int
    code: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Slips:
    """What `fix_text` changes, and what it finds but leaves to a person."""

    fixes: tuple[Fix, ...] = ()
    by_hand: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class _Edit:
    """A stretch of the text with line feeds, and what is to stand there."""

    start: int
    end: int
    new: str
    fix: Fix


def fix_text(text: str, catalogue: Catalogue) -> tuple[str, tuple[Fix, ...]]:
    """The text of an issue file with its slips put right, and what was changed."""
    fixed = text.removeprefix(MARK)
    first, second, _ = _edits(read_source(fixed, catalogue), catalogue)
    for edits in (first, second):
        fixed = _apply(fixed, edits)
    mark = MARK if text.startswith(MARK) else ""
    return mark + fixed, tuple(sorted(edit.fix for edit in (*first, *second)))


def find_slips(source: Source, catalogue: Catalogue) -> Slips:
    """The slips in an issue's text; none are changed."""
    first, second, by_hand = _edits(source, catalogue)
    return Slips(tuple(sorted(edit.fix for edit in (*first, *second))), tuple(sorted(edit.fix for edit in by_hand)))


def _edits(source: Source, catalogue: Catalogue) -> tuple[list[_Edit], list[_Edit], list[_Edit]]:
    """What to change first, what then, and what not. Spelling shows only when nothing invisible is within it."""
    unseen = _invisible(source)
    safe = _safe(source, unseen, catalogue)
    by_hand = sorted({*unseen}.difference(safe))
    if safe:
        source = read_source(_apply(source.text, safe), catalogue)
    return safe, [*_addresses(source), *_topics(source, catalogue)], by_hand


def _apply(text: str, edits: Iterable[_Edit]) -> str:
    """The text after these edits, whatever ends its lines."""
    pairs = [match.start() - before for before, match in enumerate(re.finditer("\r\n", text))]
    pieces, last = [], 0
    for edit in sorted(edits):
        start, end = (place + bisect_left(pairs, place) for place in (edit.start, edit.end))
        pieces += [text[last:start], edit.new]
        last = end
    return "".join([*pieces, text[last:]])


class _Editor:
    """Finds places to edit in one file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.offsets = Offsets(source.lines)

    def edit(self, start: int, end: int, code: str, new: str) -> _Edit:
        place = self.offsets.place(start)
        return _Edit(start, end, new, Fix(place.line, place.col, code, self.text[start:end], new))

    def matches(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Where a pattern stands in what people read."""
        found: dict[int, re.Match[str]] = {}
        for start, end in self._read_by_people():
            found.update((match.start(), match) for match in pattern.finditer(self.text, start, end))
        return (found[start] for start in sorted(found))

    def _read_by_people(self) -> Iterator[tuple[int, int]]:
        """The stretches of the file that are texts of its settings, or Markdown outside code."""
        for one in self.source.written:
            yield self.offsets.of(one.start), self.offsets.of(one.end)
        last = start = self.offsets.start_of(self.source.body_start)
        for code_start, code_end in sorted(dissect(self.source.body).code):
            yield last, max(start + code_start, last)
            last = max(start + code_end, last)
        yield last, max(len(self.text), last)


# -- what to edit


def _invisible(source: Source) -> list[_Edit]:
    if not _INVISIBLE.search(source.text):
        return []
    editor = _Editor(source)
    return [editor.edit(*match.span(), "DM122", "") for match in editor.matches(_INVISIBLE)]


def _addresses(source: Source) -> Iterator[_Edit]:
    if not _OLD_DOI.search(source.text):
        return
    editor = _Editor(source)
    for match in editor.matches(ADDRESS):
        old = _OLD_DOI.match(match[0])
        if old:
            yield editor.edit(match.start(), match.start() + old.end(), "DM120", _NEW_DOI)


def _topics(source: Source, catalogue: Catalogue) -> Iterator[_Edit]:
    editor = _Editor(source)
    for one in dict.fromkeys(source.written):
        topic = catalogue.named(one.text) if one.field == "topics" else None
        name = _name(topic, one.text, catalogue) if topic else one.text
        if name != one.text and _is_bare(source, one):
            start, end = editor.offsets.of(one.start), editor.offsets.of(one.end)
            yield editor.edit(start, end, "DM124", _in_yaml(name, one))


def _name(topic: Topic, written: str, catalogue: Catalogue) -> str:
    """How the catalogue spells what the author meant; as it is where that would mean another topic."""
    if written in (topic.key, topic.name, topic.name_fr):
        return written
    is_french = " ".join(topic.name_fr.split()).casefold() == " ".join(written.split()).casefold()
    name = topic.name_fr if is_french else topic.name
    return name if catalogue.find(name) == topic else written


def _is_bare(source: Source, one: Written) -> bool:
    """Whether the stretch is the text and nothing else: no `&anchor`, no `!tag`, no text below its field."""
    return one.style not in BLOCK_STYLES and source.raw(one)[:1] not in ("&", "!")


def _in_yaml(name: str, one: Written) -> str:
    if one.style == "'":
        return "'" + name.replace("'", "''") + "'"
    if not one.style and _PLAIN.fullmatch(name) and name != "null" and not (one.in_row and "," in name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


# -- which of the invisible may go


def _safe(source: Source, edits: Sequence[_Edit], catalogue: Catalogue) -> list[_Edit]:
    """The edits after which the file still says the same: all of them, or those of each line that can."""
    if not edits:
        return []
    wanted = _meaning(source)

    def harmless(some: Sequence[_Edit]) -> bool:
        return _meaning(read_source(_apply(source.text, some), catalogue)) == wanted

    if harmless(edits):
        return list(edits)
    left = [list(group) for _, group in groupby(edits, key=lambda edit: edit.fix.line)]
    safe: list[_Edit] = []
    while len(left) <= _MOST_LINES:
        good = next((group for group in left if harmless([*safe, *group])), None)
        if good is None:
            break
        left.remove(good)
        safe += good
    return safe


def _meaning(source: Source) -> list[Any]:
    """What a file says, invisible characters aside: its settings, and its Markdown piece by piece."""
    said: list[Any] = [(one.field, text) for one in source.written if (text := _seen(one.text))]
    for token in lenient_reader().parse(source.body):
        if token.type == "inline":
            leaves = [_leaf(one) for one in token.children or () if one.type != "text" or _seen(one.content)]
            said += [leaves] if leaves else []
        elif not token.type.startswith("paragraph"):  # one of nothing but invisible characters is no loss
            said.append((token.type, token.tag, token.info))
    return said


def _leaf(token: Token) -> tuple[Any, ...]:
    words = token.content if token.type == "code_inline" else _seen(token.content)
    return token.type, words, [_seen(str(value)) for value in token.attrs.values()]


def _seen(text: str) -> str:
    return " ".join(_INVISIBLE.sub("", text).split())
