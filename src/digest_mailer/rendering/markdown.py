"""An author's Markdown as sanitised HTML and as plain text, both from the same tokens.

The tokens are put right first (`_prepare`), so the two parts of a mail cannot disagree: heading levels that
skip none, links and images that a mail can have, the spaces and quotation marks of the language. Then `nh3` cleans the
HTML by an allow-list, the last fence behind raw HTML being off. Plain text is written by `rendering.plain`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from digest_mailer.core.errors import ContentError
from digest_mailer.core.fields import RESERVED_MARK
from digest_mailer.core.identity import ENGLISH, Language
from digest_mailer.core.issue import Markdown
from digest_mailer.core.issue_file import inline_text, markdown_reader
from digest_mailer.rendering.links import is_image, is_link
from digest_mailer.rendering.plain import plain_text
from digest_mailer.rendering.typography import FRENCH_MARKS, is_french, typeset

DEEPEST = 6
TEXT_WIDTH_PX = 520  # the card's 600 px without its gutters

_TAGS = {
    "p", "br", "a", "em", "strong", "s", "ul", "ol", "li", "blockquote", "h3", "h4", "h5", "h6", "code", "pre",
    "table", "thead", "tbody", "tr", "th", "td", "hr", "img",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "th": {"align"},
    "td": {"align"},
}
_CLASSES = {"table": {"data"}}  # tells an author's table from MJML's layout tables
_SCHEMES = {"https", "http", "mailto"}
_SIZE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")
_ALIGN = re.compile(r"text-align:(left|center|right)")


@dataclass(frozen=True, slots=True)
class Block:
    """One stretch of Markdown, ready for both parts. `text` is wrapped; both are empty when there is nothing."""

    html: Markup
    text: str


@lru_cache(maxsize=1024)  # the editions of an issue show the same texts
def render_block(
    source: Markdown, *, heading: int, image_width: int = TEXT_WIDTH_PX, language: Language = ENGLISH
) -> Block:
    """Render Markdown whose first heading gets the level `heading`; images at most `image_width` pixels wide.

    Raises ContentError when the result holds the mark of a personal slot, which escapes in Markdown can hide
    from the parser.
    """
    reader = _reader(is_french(language))
    tokens = reader.parse(source)
    _prepare(tokens, heading, image_width, language)
    html = nh3.clean(
        reader.renderer.render(tokens, reader.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes=_SCHEMES,
        link_rel=None,
    ).strip("\n")
    text = plain_text(tokens)
    if RESERVED_MARK in html or RESERVED_MARK in text:
        raise ContentError(f"a text reads {RESERVED_MARK} when rendered, which marks personal slots", "reword it")
    return Block(Markup(html), text)  # noqa: S704 - nh3 cleaned it


@lru_cache(maxsize=2)
def _reader(french: bool) -> MarkdownIt:
    """French has its own quotation marks; other authors' marks stay as they typed them."""
    reader = markdown_reader()
    if french:
        reader.enable("smartquotes")
        reader.options["typographer"] = True
        reader.options["quotes"] = list(FRENCH_MARKS)
    return reader


def _prepare(tokens: Sequence[Token], heading: int, image_width: int, language: Language) -> None:
    _set_heading_levels(tokens, heading)
    for token in tokens:
        if token.type == "table_open":
            token.attrSet("class", "data")
        elif token.type in ("th_open", "td_open"):
            _set_alignment(token)
        elif token.type == "inline" and token.children:
            token.children = _inline(token.children, image_width, language)


def _set_heading_levels(tokens: Sequence[Token], first: int) -> None:
    """Number headings by how they nest, so that no level is skipped whatever the author chose."""
    open_levels: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1:])
            while open_levels and open_levels[-1] >= level:
                open_levels.pop()
            open_levels.append(level)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(first + len(open_levels) - 1, DEEPEST)}"


def _set_alignment(cell: Token) -> None:
    """A column's alignment as an attribute: styles do not pass the allow-list, and Word reads this."""
    found = _ALIGN.search(str(cell.attrs.pop("style", "")))
    if found:
        cell.attrSet("align", found[1])


def _inline(children: Sequence[Token], image_width: int, language: Language) -> list[Token]:
    """The tokens of a line of prose: typeset, and links and images that a mail cannot have undone."""
    kept: list[Token] = []
    unlinked = 0
    for child in children:
        if child.type == "text":
            child.content = typeset(child.content, language)
        elif child.type == "link_open":
            if not is_link(str(child.attrs.get("href", ""))):
                unlinked += 1
                continue
        elif child.type == "link_close":
            if unlinked:  # Markdown links do not nest
                unlinked -= 1
                continue
            if kept[-1].type == "link_open":  # without words a link has nothing to click on
                kept.append(_text(str(kept[-1].attrs["href"])))
        elif child.type == "image":
            child = _image(child, image_width)
        kept.append(child)
    return kept


def _image(token: Token, image_width: int) -> Token:
    """An image with its size as attributes, no wider than the column; its words alone when it cannot be shown."""
    size = _SIZE.fullmatch(str(token.attrs.pop("title", "")))
    if not is_image(str(token.attrs.get("src", ""))) or not size:
        return _text(inline_text(token))
    width, height = int(size[1]), int(size[2])
    shown = min(width, image_width)
    token.attrSet("width", str(shown))
    token.attrSet("height", str(max(1, round(height * shown / width))))
    return token


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
