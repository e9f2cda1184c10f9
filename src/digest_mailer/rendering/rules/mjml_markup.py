"""One MJML document as elements, texts and marks, each with its place in the source.

This reads what MRML's own parser reads: void HTML elements need no end, any entity and a bare `&` are fine. What
is not well-formed raises `Unreadable` with the culprit: the tag that is never closed, not the end of the file
where that comes out. Everything is flat and in the order of the source, each piece with the element around it;
no document is nested too deeply for that. What is inside mj-style is one text.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from digest_mailer.rendering.rules.mjml_elements import ELEMENTS, LINE_FIRST, VOID, Content
from digest_mailer.rendering.rules.mjml_html import check_mark, check_words, never_ended, read_html
from digest_mailer.rendering.rules.mjml_syntax import (
    ATTRIBUTE,
    CONTROLS,
    ENDIF,
    STYLE_END,
    TOKEN,
    Opened,
    Unreadable,
    explain,
    never_closed,
    wrong_end,
)


class Attribute(NamedTuple):
    """An attribute. `spelled` is its name with the `=`, as the source has it; without a value it has no `=`."""

    name: str
    value: str | None
    start: int
    spelled: str
    quote: str


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """A start tag. `content` is what the element holds; None when nobody knows the element."""

    name: str
    start: int
    parent: "Element | None" = field(repr=False)
    content: Content | None
    tail: str  # the tag from behind its name, with the attributes

    @property
    def attributes(self) -> list[Attribute]:
        """The attributes, in order."""
        start = self.start + 1 + len(self.name)
        found = []
        for part in ATTRIBUTE.finditer(self.tail):
            name, equals, double, single = part.group("name", "equals", "double", "single")
            value, quote = (double, '"') if single is None else (single, "'")
            found.append(Attribute(name, value, start + part.start(), name + (equals or "").rstrip(), quote))
        return found

    @property
    def within(self) -> Content | None:
        """What the element around this one holds."""
        return self.parent.content if self.parent else Content.ELEMENTS

    @property
    def is_default(self) -> bool:
        """Whether this only sets attributes for other elements."""
        return self.parent is not None and self.parent.name == "mj-attributes"

    @property
    def near(self) -> str:
        """The tag as a person would look for it."""
        return f"<{self.name}"


class Text(NamedTuple):
    """A text that is no HTML: loose between elements, a title, the CSS of an mj-style. It begins with a word."""

    text: str
    start: int
    parent: Element | None


class Mark(NamedTuple):
    """A comment, a conditional comment, CDATA or a declaration: `kind` is the name of its group in `TOKEN`.
    Or `space`, where MRML refuses it."""

    kind: str
    text: str
    start: int
    parent: Element | None


class Markup(NamedTuple):
    """A well-formed document."""

    elements: list[Element]
    texts: list[Text]
    marks: list[Mark]


def read_markup(source: str) -> Markup:
    """Read a document. Raises Unreadable for the first thing that makes it not well-formed."""
    place = min((place for sign in CONTROLS if (place := source.find(sign)) >= 0), default=-1)
    if place >= 0:
        message = f"a control character, U+{ord(source[place]):04X}, which MJML cannot read"
        raise Unreadable(place, message, "delete it", source[place])
    return _Reader(source).read()


def is_mjml(name: str) -> bool:
    """Whether an element is meant as one of MJML's."""
    return name[:3].lower() == "mj-" or name.lower() == "mjml"


class _Reader:
    """Reads the elements of MJML, and hands the HTML in them to `read_html`."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.markup = Markup([], [], [])
        self.open: list[Element] = []

    def read(self) -> Markup:
        position = 0
        while (place := self.source.find("<", position)) >= 0 and (token := TOKEN.match(self.source, place)):
            self._text(position, place)
            position = self._token(token)
        self._text(position, len(self.source))
        if self.open:
            raise never_closed(self._opened[0])
        return self.markup

    def _token(self, token: re.Match[str]) -> int:
        """Take in one token; answers where to read on."""
        kind = token.lastgroup
        if kind == "tail":
            return self._start_tag(token)
        if kind == "end":
            if self._last is None or self._last.name != token["end"]:
                raise wrong_end(self.source, token, self._opened)
            self.open.pop()
        elif kind == "bad":
            raise explain(self.source, token.start())
        else:
            check_mark(token)
            self._mark(token)
            if kind == "condition":
                return self._condition_end(token)
        return token.end()

    @property
    def _last(self) -> Element | None:
        return self.open[-1] if self.open else None

    @property
    def _opened(self) -> list[Opened]:
        return [Opened(element.name, element.start) for element in self.open]

    def _start_tag(self, token: re.Match[str]) -> int:
        element = self._element(token)
        if element.tail.endswith("/") or element.name in VOID:
            return token.end()
        self.open.append(element)
        if element.content is Content.CSS:
            return self._style(element, token.end())
        if element.content is Content.HTML:
            return self._html(token.end())
        return token.end()

    def _element(self, token: re.Match[str]) -> Element:
        name, tail = token.group("name", "tail")
        type_, parent = ELEMENTS.get(name), self._last
        content = type_.content if type_ else None
        if parent and parent.content is Content.HTML:
            content = Content.HTML
        elif parent and parent.name == "mj-attributes":
            content = Content.NOTHING
        element = Element(name, token.start(), parent, content, tail)
        self.markup.elements.append(element)
        return element

    def _html(self, start: int) -> int:
        html = read_html(self.source, start, self._opened)
        for token in html.tags:
            self._element(token)
        for token in html.marks:
            self._mark(token)
        self.open.pop()
        return html.end

    def _style(self, element: Element, start: int) -> int:
        """CSS may hold signs that would be tags elsewhere."""
        end = STYLE_END.search(self.source, start)
        if not end:
            raise never_closed(Opened(element.name, element.start))
        self._text(start, end.start())
        self.open.pop()
        return end.end()

    def _text(self, start: int, end: int) -> None:
        check_words(self.source, start, end)
        text = self.source[start:end]
        bare = text.lstrip(" \t\r\n")
        if bare:
            self.markup.texts.append(Text(bare, start + len(text) - len(bare), self._last))
        elif text and text[0] != "\n" and self._refuses_space():
            self.markup.marks.append(Mark("space", text, start, self._last))

    def _refuses_space(self) -> bool:
        """Whether MRML wants a new line here; at the end of the document only when a comment stands before it."""
        if self._last:
            return self._last.name in LINE_FIRST
        return bool(self.markup.elements) and any(mark.parent is None for mark in self.markup.marks)

    def _mark(self, token: re.Match[str]) -> None:
        self.markup.marks.append(Mark(token.lastgroup or "", token[0], token.start(), self._last))

    def _condition_end(self, token: re.Match[str]) -> int:
        """A conditional comment where none can stand is one mistake, whatever it holds."""
        end = ENDIF.search(self.source, token.end())
        if not end:
            raise never_ended(token)
        return end.end()
