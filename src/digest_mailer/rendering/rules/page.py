"""A finished HTML part, parsed once and walked once: what every rule looks at.

    page = read_page(html)
    page.having("a", "img")       # the elements of these tags, in the order of the document
    page.speakers                 # the elements with words of their own that a reader sees
    page.text                     # those words, as one text

`Node.look` is what the element's words look like where <style> is dropped, `Node.shown` whether anybody sees
them. What stands in conditional comments is no element; `rendering.outlook_view` opens those.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple, TypeVar

from lxml import etree
from lxml.etree import _Element as Element

from digest_mailer.rendering.rules.look import TAGS_WITH_A_LOOK, Look, inherited
from digest_mailer.rendering.rules.markup import Token, scan
from digest_mailer.rendering.rules.naming import one_line
from digest_mailer.rendering.rules.style import Style, read_style

_Key = TypeVar("_Key", str, Style)

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")

_PARSER = etree.HTMLParser(encoding="utf-8")  # the parser of lxml.html, without the methods that it adds
_NOTHING = b"<html><head></head><body></body></html>"  # what a browser makes of nothing at all
_EVENTS = ("start", "end", "comment", "pi")
_UNSEEN = frozenset(("head", "title", "style", "script", "template"))
_ROWS = ("tbody", "tr")
_NAME_AND_ATTRIBUTES = itemgetter(2, 3)  # of a token
_FIRST_LOOK = Look()
_INVISIBLE = re.compile(r"[\s\u00ad\u034f\u200b-\u200f\u2060\ufeff]*")


class Node(NamedTuple):
    """An element, and what it has from where it stands. A tuple, because an edition has hundreds, and a frozen
    dataclass takes four times as long to make."""

    at: int  # counts from 0 in the order of the document
    element: Element
    tag: str
    style: Style
    shown: bool
    look: Look

    def get(self, name: str) -> str:
        """An attribute; empty when there is none."""
        return self.element.get(name) or ""

    @property
    def words(self) -> str:
        """All words inside, on one line."""
        if not len(self.element):
            return one_line(self.element.text or "")
        return one_line(etree.tostring(self.element, method="text", encoding="unicode", with_tail=False))

    @property
    def own_words(self) -> str:
        """The first words that stand in this element and in none of its children, on one line."""
        pieces = (one_line(piece or "") for piece in (self.element.text, *(child.tail for child in self.element)))
        return next((piece for piece in pieces if piece), "")


@dataclass(frozen=True, slots=True)
class Page:
    """A document. `speakers` have words of their own that are seen; `text` is all that is seen, with spaces
    between its pieces. `encoded` is the HTML as the message carries it, `tokens` its tags as they are written,
    and `tags` each name with its attributes once."""

    html: str
    encoded: bytes
    nodes: Sequence[Node]
    speakers: Sequence[Node]
    text: str
    by_tag: Mapping[str, Sequence[Node]]
    by_style: Mapping[Style, Sequence[Node]]
    ids: Sequence[str]
    tokens: Sequence[Token]
    tags: Sequence[tuple[str, str]]

    def having(self, *tags: str) -> Sequence[Node]:
        """The elements of these tags; of several, in the order of the document."""
        found = [self.by_tag[tag] for tag in tags if tag in self.by_tag]
        return found[0] if len(found) == 1 else sorted((node for nodes in found for node in nodes), key=_place)

    def shown(self, *tags: str) -> list[Node]:
        """Those of them that a reader sees."""
        return [node for node in self.having(*tags) if node.shown]


def data_tables(page: Page) -> set[Element]:
    """The tables of data: those with a `th` of their own. All others are there for the layout."""
    around = (next(node.element.iterancestors("table"), None) for node in page.having("th"))
    return {table for table in around if table is not None}


def read_page(html: str) -> Page:
    """Parse and walk an HTML part. Whatever the text is, there is an answer."""
    encoded = html.encode(errors="replace")
    nodes, speakers, text = _walk(_parse(encoded))
    tokens = scan(html)
    return Page(
        html=html,
        encoded=encoded,
        nodes=nodes,
        speakers=speakers,
        text=text,
        by_tag=_grouped((node.tag, node) for node in nodes),
        by_style=_grouped((node.style, node) for node in nodes if node.style.text),
        ids=[name for node in nodes if (name := node.element.get("id")) is not None],
        tokens=tokens,
        tags=list(dict.fromkeys(map(_NAME_AND_ATTRIBUTES, tokens))),
    )


def _walk(root: Element) -> tuple[list[Node], list[Node], str]:
    """All nodes, those with words of their own that are seen, and those words."""
    nodes: list[Node] = []
    open_nodes: list[Node] = []  # the elements around the place
    speakers: dict[int, Node] = {}
    text: list[str] = []
    for event, element in etree.iterwalk(root, events=_EVENTS):
        if event == "start":
            if element.tag in _ROWS and open_nodes and not element.keys():
                node = open_nodes[-1]  # a third of all elements, and none of them says or changes anything
            else:
                node = _node(len(nodes), element, open_nodes[-1] if open_nodes else None)
                nodes.append(node)
            open_nodes.append(node)
            words = element.text
        else:
            if event == "end":
                open_nodes.pop()
            words = element.tail
        if words and open_nodes and (node := open_nodes[-1]).shown:
            text.append(words)
            if not words.isspace() and not _INVISIBLE.fullmatch(words):
                speakers[node.at] = node
    return nodes, list(speakers.values()), " ".join(text)


def _node(at: int, element: Element, parent: Node | None) -> Node:
    tag, css, bgcolor = element.tag, element.get("style") or "", element.get("bgcolor") or ""
    if tag == "br":
        element.tail = f"\n{element.tail or ''}"  # it parts words like a space
    look = parent.look if parent else _FIRST_LOOK
    if css or bgcolor or tag in TAGS_WITH_A_LOOK:
        kind = "" if tag == "a" and element.get("href") is None else tag  # only a link is blue
        look = inherited(look, kind, css, bgcolor)
    style = read_style(css)
    shown = (not parent or parent.shown) and not style.hides and tag not in _UNSEEN
    return Node(at, element, tag, style, shown, look)


def _grouped(pairs: Iterable[tuple[_Key, Node]]) -> dict[_Key, list[Node]]:
    groups: dict[_Key, list[Node]] = {}
    for key, node in pairs:
        groups.setdefault(key, []).append(node)
    return groups


def _place(node: Node) -> int:
    return node.at


def _parse(encoded: bytes) -> Element:
    try:
        root = etree.fromstring(encoded, _PARSER)
    except etree.LxmlError:  # nothing in it but comments, or not even those
        root = None
    return etree.fromstring(_NOTHING, _PARSER) if root is None else root
