"""What the Markdown of a text is made of, each piece with its exact place: code, links, paragraphs.

markdown-it says in which lines a block stands, but not where in them a link or a code span does. The rules that
read those are wrapped here, so that each notes the stretch it took. `dissect` reads more leniently than a mail
does: an address that would never become a link is read as one too, so that somebody can be told.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common.utils import normalizeReference
from markdown_it.rules_inline import StateInline, autolink, backtick, image, link
from markdown_it.token import Token

from digest_mailer.core.issue_file import inline_text, markdown_reader
from digest_mailer.core.source import Offsets

_OPENING = re.compile(r"\(\s*<?")
_DEFINED = re.compile(r"\]:\s*<?")
_Rule = Callable[[StateInline, bool], bool]


@dataclass(frozen=True, slots=True)
class Link:
    """A link or an image: its address as the author typed it, and the stretch from there to the end of it."""

    address: str
    start: int
    end: int
    is_image: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph, a heading, a cell of a table; a list has one for each of its items."""

    start: int
    words: int


@dataclass(frozen=True, slots=True)
class Markup:
    """The pieces of one text; places are offsets in it."""

    text: str
    paragraphs: tuple[Paragraph, ...]
    links: tuple[Link, ...]
    code: tuple[tuple[int, int], ...]
    definitions: tuple[tuple[int, int], ...]  # `[name]: address`, which no reader sees

    @property
    def words(self) -> int:
        """All words that a reader sees, code aside."""
        return sum(paragraph.words for paragraph in self.paragraphs)

    @property
    def prose(self) -> str:
        """The text, as long as it was, with blanks for everything that is no prose: code and addresses."""
        links = ((one.start, one.end) for one in self.links)
        return blank(self.text, [*self.code, *self.definitions, *links])


def blank(text: str, stretches: Sequence[tuple[int, int]]) -> str:
    """The text with blanks for these stretches of it."""
    for start, end in stretches:
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return text


def dissect(text: str) -> Markup:
    """Take a text apart."""
    text = text.replace("\0", "\ufffd")  # as markdown-it does
    env: dict[str, Any] = {}
    tokens = lenient_reader().parse(text, env)
    lines = text.split("\n")
    offsets = _Blocks(lines)
    paragraphs: list[Paragraph] = []
    links: list[Link] = []
    code: list[tuple[int, int]] = []
    definitions = {name: offsets.lines(*one["map"]) for name, one in env.get("references", {}).items()}
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type in ("fence", "code_block") and token.map:
            code.append(offsets.lines(*token.map))
        elif token.type == "inline" and token.map:
            is_cell = before is not None and before.type in ("th_open", "td_open")
            piece = _Piece(token.content, offsets.of_inline(token, is_cell=is_cell), is_cell)
            paragraphs.append(Paragraph(piece.at[0], count_words(inline_text(token))))
            links += piece.links(token.children or (), definitions, text)
            code += piece.code(token.children or ())
    unseen = [*definitions.values(), *(offsets.lines(*one["map"]) for one in env.get("duplicate_refs", ()))]
    return Markup(text, tuple(paragraphs), tuple(links), tuple(code), tuple(unseen))


def count_words(text: str) -> int:
    """Words, which hold a letter or a digit: French sets `:` and `%` apart."""
    return sum(any(map(str.isalnum, word)) for word in text.split())


@cache
def lenient_reader() -> MarkdownIt:
    """Reads every address as it is typed, and notes where links and code spans stand."""
    reader = markdown_reader()
    reader.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005
    reader.normalizeLink = lambda url: url  # type: ignore[method-assign]
    rules: Mapping[str, tuple[_Rule, str]] = {
        "backticks": (backtick, "code_inline"),
        "link": (link, "link_open"),
        "image": (image, "image"),
        "autolink": (autolink, "link_open"),
    }
    for name, (rule, kind) in rules.items():
        reader.inline.ruler.at(name, _noting(rule, kind))
    return reader


def _noting(rule: _Rule, kind: str) -> _Rule:
    def noted(state: StateInline, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        if not rule(state, silent):
            return False
        token = next((one for one in state.tokens[before:] if one.type == kind), None)
        if token and not silent:
            token.meta["span"] = (start, state.pos)
            if rule in (link, image):
                opening = start + (rule is image)
                token.meta["label"] = (opening + 1, state.md.helpers.parseLinkLabel(state, opening, rule is link))
        return True

    return noted


class _Blocks:
    """Blocks of lines, as stretches of the text."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._offsets = Offsets(lines)
        self._cells: dict[int, int] = {}  # how far each line of a table has been read

    def lines(self, first: int, end: int) -> tuple[int, int]:
        """The stretch of these lines, counted from 0."""
        return self._offsets.start_of(first), self._offsets.start_of(end) - 1

    def of_inline(self, token: Token, *, is_cell: bool) -> list[int]:
        """Where each line of an inline token begins: behind the marks of lists and quotations before it."""
        contents = token.content.split("\n")
        assert token.map  # noqa: S101 - for the type checker
        first, end = token.map
        # of a block's first lines, those go that hold nothing but spaces which only Unicode knows as such
        first = next((line for line in range(first, end) if contents[0] in self._lines[line]), first)
        at = []
        for line, content in enumerate(contents, first):
            raw, words = self._lines[min(line, len(self._lines) - 1)], content.strip()
            words = words.replace("|", "\\|") if is_cell else words
            col = raw.find(words, self._cells.get(line, 0)) if is_cell else raw.rfind(words)
            if is_cell:
                self._cells[line] = max(col, 0) + len(words)
            at.append(self._offsets.start_of(line) + max(col, 0) - (len(content) - len(content.lstrip())))
        return at


@dataclass(frozen=True, slots=True)
class _Piece:
    """The content of one inline token, and where in the text each of its lines begins."""

    content: str
    at: Sequence[int]
    is_cell: bool  # of a table, where each bar within stands behind a backslash

    def offset(self, pos: int) -> int:
        """A position in the content as an offset in the text."""
        start = self.content.rfind("\n", 0, pos) + 1
        unseen = self.content.count("|", start, pos) if self.is_cell else 0
        return self.at[self.content.count("\n", 0, pos)] + pos - start + unseen

    def code(self, children: Sequence[Token]) -> Iterator[tuple[int, int]]:
        """Where code spans stand."""
        for child in children:
            if child.type == "code_inline" and "span" in child.meta:
                start, end = child.meta["span"]
                yield self.offset(start), self.offset(end)

    def links(self, children: Sequence[Token], definitions: Mapping[str, tuple[int, int]], text: str) -> Iterator[Link]:
        """Links and images with the stretches of their addresses."""
        for child in children:
            if child.type in ("link_open", "image") and "span" in child.meta:
                start, end = self._address(child, definitions, text)
                is_image = child.type == "image"
                yield Link(str(child.attrs["src" if is_image else "href"]), start, end, is_image)

    def _address(self, token: Token, definitions: Mapping[str, tuple[int, int]], text: str) -> tuple[int, int]:
        start, end = token.meta["span"]
        if token.info == "auto":
            return self.offset(start + 1), self.offset(end)
        label_start, label_end = token.meta["label"]
        opening = _OPENING.match(self.content, label_end + 1)
        if opening and end > label_end + 1:
            return self.offset(opening.end()), self.offset(end)
        label = self.content[label_end + 2 : end - 1] or self.content[label_start:label_end]
        first, last = definitions.get(normalizeReference(label), (self.offset(start), self.offset(end)))
        mark = _DEFINED.search(text, first, last)
        return (mark.end() if mark else first), last
