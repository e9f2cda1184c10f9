"""The HTML of an entry, cleaned and read piece by piece: paragraphs, headings, items of lists, lines of quotes.

First `nh3` cleans it by an allow-list: what is a link there has an address on http, https or mail, however it was
written. Then it is read in one go. Rows of a table count as items of a list; pictures go, with a note; everything
that makes no paragraph of its own is part of the one that it stands in.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from itertools import groupby

import nh3

from digest_mailer.core.feed import absolute, web_address
from digest_mailer.core.fields import clean_text
from digest_mailer.core.identity import CONTROLS

DEEPEST = 200  # elements inside each other; cleaning deeper ones takes the square of their number
LONGEST = 1 << 16  # characters of an entry; an article of a digest has a tenth of that
_LONGEST_LINE = 5_000  # characters
_NESTED = 4  # quotes and lists inside each other that are shown as such

_HEADINGS = {f"h{level}": max(level, 3) for level in range(1, 7)}
_BLOCKS = {
    "p", "div", "section", "article", "header", "footer", "main", "aside", "nav", "address", "figure", "figcaption",
    "details", "summary", "center", "table", "thead", "tbody", "tfoot", "caption", "ul", "ol", "dl", "dt", "dd", "pre",
    "hr", "blockquote", "li", "tr", *_HEADINGS,
}  # fmt: skip
_STRONG, _EMPHASIS = {"strong", "b"}, {"em", "i", "cite"}
_ALLOWED = {*_BLOCKS, *_STRONG, *_EMPHASIS, "a", "br", "img", "td", "th"}
_WITH_CONTENT = {
    "script", "style", "noscript", "template", "title", "iframe", "object", "select", "textarea", "button", "svg",
}  # fmt: skip
_FOREIGN = re.compile(
    r"<(script|style|iframe|object|embed|form|input|button|video|audio|svg|math)\b", re.IGNORECASE
)  # fmt: skip
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_DATA = re.compile(r"data:[^\"'\s<>]{200,}")  # pictures inside the text, which would count as its length
_ANY_TAG = re.compile(r"<[^<>]*>")
_UNCLOSED = {
    "p", "li", "td", "th", "tr", "dt", "dd", "br", "img", "hr", "input", "tbody", "thead", "col", "source", "wbr",
    "meta", "link", "option",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """Words with one look."""

    text: str
    strong: bool = False
    emphasis: bool = False
    href: str = ""


@dataclass(slots=True)
class Block:
    """A paragraph, a heading, an item: its lines, and what stands in front of them."""

    lines: list[list[Run]]
    level: int = 0  # of a heading
    first: str = ""
    rest: str = ""

    @property
    def text(self) -> str:
        """Its words."""
        return words_in(run for line in self.lines for run in (*line, Run(" ")))


def read_blocks(content: str, base: str) -> tuple[list[Block], list[str]]:
    """The blocks of a piece of HTML whose relative links count from `base`; and what was left out."""
    content = _DATA.sub("", _encodable(content))
    notes = [f"<{name.lower()}>" for name in _FOREIGN.findall(content)]
    if len(content) > LONGEST:
        notes.append(f"everything behind its first {LONGEST:,} characters")
        content = content[:LONGEST]
    if _is_too_deep(content):
        notes.append("all marks: it is nested too deeply")
        content = html.escape(html.unescape(_ANY_TAG.sub(" ", content)))
    reader = _Reader()
    reader.feed(_cleaned(content, base))
    reader.close()
    reader.flush()
    return reader.blocks, list(dict.fromkeys([*notes, *reader.notes]))


def plain_words(content: str) -> str:
    """The words of a line of HTML, for instance of a title."""
    words = nh3.clean(_encodable(content[:_LONGEST_LINE]), tags=set(), clean_content_tags=_WITH_CONTENT)
    return clean_text(html.unescape(words))


def _is_too_deep(content: str) -> bool:
    depth = 0
    for closing, name in _TAG.findall(content):
        if name.lower() not in _UNCLOSED:
            depth += -1 if closing else 1
            if depth > DEEPEST:
                return True
    return False


def _cleaned(content: str, base: str) -> str:
    return nh3.clean(
        content,
        tags=_ALLOWED,
        clean_content_tags=_WITH_CONTENT,
        attributes={"a": {"href"}, "img": {"alt"}},
        url_schemes={"http", "https", "mailto"},
        url_relative=partial(absolute, base=base) if base else "deny",
        link_rel=None,
    )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def words_in(runs: Iterable[Run]) -> str:
    """The words of runs, a space between two."""
    return " ".join("".join(run.text for run in runs).split())


@dataclass(slots=True)
class _Inside:
    """A quote, or an item with its mark, which stands in front of its first line alone."""

    mark: str
    is_used: bool = False


@dataclass(slots=True)
class _List:
    """A list that is open; None numbers nothing."""

    number: int | None = None


@dataclass(slots=True)
class _Look:
    """How many elements of a kind are open."""

    strong: int = 0
    emphasis: int = 0
    hrefs: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Reads cleaned HTML, which is whole: every element is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self.notes: list[str] = []
        self._lines: list[list[Run]] = [[]]
        self._look = _Look()
        self._level = 0
        self._lists: list[_List] = []
        self._inside: list[_Inside] = []
        self._is_exact = 0  # inside <pre>

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        if tag in _BLOCKS:
            self.flush()
            self._open_block(tag)
        elif tag == "br":
            self._lines.append([])
        elif tag == "img":
            alt = clean_text(dict(attrs).get("alt") or "")[:60]
            self.notes.append(f'an image, "{alt}"' if alt else "an image")
        elif tag == "a":
            self._open_link(dict(attrs).get("href"))
        elif tag in ("td", "th") and words_in(self._lines[-1]):
            self.handle_data(" · ")
        self._look.strong += tag in _STRONG
        self._look.emphasis += tag in _EMPHASIS

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        self._look.strong -= tag in _STRONG
        self._look.emphasis -= tag in _EMPHASIS
        if tag == "a" and self._look.hrefs:
            self._look.hrefs.pop()
        if tag in _BLOCKS:
            self.flush()
            self._close_block(tag)

    def handle_data(self, data: str) -> None:
        """Words."""
        href = next((one for one in reversed(self._look.hrefs) if one), "")
        parts = data.split("\n") if self._is_exact else [data]
        for number, part in enumerate(parts):
            if number:
                self._lines.append([])
            text = CONTROLS.sub(" ", part)
            self._lines[-1].append(Run(text, self._look.strong > 0, self._look.emphasis > 0, href))

    def flush(self) -> None:
        """End the paragraph that is open; two breaks of line end one too."""
        lines, self._lines = self._lines, [[]]
        for is_text, some in groupby(lines, key=lambda line: bool(words_in(line))):
            if is_text:
                first, rest = self._prefixes()
                self.blocks.append(Block(list(some), self._level, first, rest))

    def _prefixes(self) -> tuple[str, str]:
        first = rest = ""
        for one in self._inside[:_NESTED]:
            blank = "> " if one.mark == "> " else " " * len(one.mark)
            first += blank if one.is_used else one.mark
            rest += blank
            one.is_used = one.mark != "> "
        return first, rest

    def _open_link(self, href: str | None) -> None:
        address = web_address(href or "")
        if not address:
            self.notes.append("a link without a usable address")
        self._look.hrefs.append(address)

    def _open_block(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._level = _HEADINGS[tag]
        elif tag in ("ul", "ol"):
            self._lists.append(_List(0 if tag == "ol" else None))
        elif tag == "blockquote":
            self._inside.append(_Inside("> "))
        elif tag in ("li", "tr"):
            self._inside.append(_Inside(self._item_mark(tag)))
        elif tag == "pre":
            self._is_exact += 1

    def _close_block(self, tag: str) -> None:
        if tag in _HEADINGS:
            self._level = 0
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag in ("blockquote", "li", "tr") and self._inside:
            self._inside.pop()
        elif tag == "pre":
            self._is_exact -= 1

    def _item_mark(self, tag: str) -> str:
        numbered = self._lists[-1] if self._lists and tag == "li" else _List()
        if numbered.number is None:
            return "- "
        numbered.number += 1
        return f"{numbered.number}. "
