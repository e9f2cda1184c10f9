"""What named mail programs do not have, where the loss harms: words hidden or shown twice, a layout broken.

    DM425   something in the body that a named program drops. A warning, for the mail still arrives

Only the body is looked at, its elements, attributes and inline styles: what stands in <style> is for those who
can, and the mail has to do without it. Loss that only costs looks (round corners, shadows, letter spacing) is
no finding; nor is a value behind another of the same property in the same style that everybody reads.

Facts: caniemail.com, data of 2026-06-29 (github.com/hteumeuleu/caniemail, MIT), each program's newest version:
"not supported", or "partially" where a note names the very value. "Every Outlook" is those for Windows (its
engine is Word's), on the web, for Mac and on phones. Further programs may lack the same; these are named
because most readers have them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from digest_mailer.core.errors import Severity
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.page import Node, Page
from digest_mailer.rendering.rules.style import Style


@dataclass(frozen=True, slots=True)
class Lack:
    """Something, who drops it, and what to do instead."""

    what: str
    clients: tuple[str, ...]
    instead: str

    def finding(self, near: str) -> Finding:
        """The finding about one use of it."""
        *others, last = self.clients
        who = f"{', '.join(others)} and {last}" if others else last
        return Finding("DM425", f"{self.what} does not work in {who}", self.instead, Severity.WARNING, near=near)


WORD = "Outlook for Windows"
OUTLOOK = "every Outlook"
GMAIL, YAHOO, FASTMAIL, PROTON = "Gmail", "Yahoo", "Fastmail", "Proton Mail"

_AS_TABLE = "lay it out with mj-section and mj-column, which become tables"
_AS_PIXELS = "write the number of pixels"
_AS_SIDES = "name the sides: left, right, top, bottom, width, height"
_AS_HEX = "write the colour that it results in, like #0b5563"
_AS_DIV = "write div, with a role where it matters"
_AS_PAGE = "link to a page that asks"
_AS_PNG = "make it a PNG or a JPEG"

_FLOAT = Lack("float", (WORD,), "write the attribute align on a picture or a table")
_AUTO_MARGIN = Lack("margin: auto", (WORD,), "write the attribute align")
_VARIABLE = Lack("a CSS variable", (GMAIL, OUTLOOK, YAHOO), "write the value itself")
_NEW_COLOUR = Lack("this way to write a colour", (GMAIL, OUTLOOK, YAHOO), _AS_HEX)

_NUMBER = r"(?<![\w.#-])-?[\d.]+"
# A property, what is searched for in its value (in small letters), and the lack; the first that fits counts. What
# the search matches is how a person finds the place, the property where that would be nothing.
_RULES: tuple[tuple[re.Pattern[str], re.Pattern[str], Lack], ...] = tuple(
    (re.compile(name), re.compile(value), lack)
    for name, value, lack in (
        ("--.+", "", _VARIABLE),
        (".+", r"\bvar\(", _VARIABLE),
        ("display", r"\binline-(?:flex|grid)|contents|flow-root", Lack("this display", (WORD, YAHOO), _AS_TABLE)),
        ("display", "flex|grid", Lack("display: flex or grid", (WORD,), _AS_TABLE)),
        ("position", "absolute|relative|fixed", Lack("position", (GMAIL, OUTLOOK), _AS_TABLE)),
        ("position", "sticky", Lack("position: sticky", (GMAIL, WORD), "leave it where it stands")),
        ("float", "(?=left|right|inline)", _FLOAT),
        ("margin(?:-.+)?", r"(?:^|\s)-[\d.]*[1-9][\w.]*",
         Lack("a negative margin", (GMAIL, OUTLOOK, YAHOO), "use padding")),
        ("margin(?:-left|-right)?", r".*\bauto\b.*", _AUTO_MARGIN),
        ("opacity", r"^(?=0?\.\d|0|\d\d?%)", Lack("opacity", (WORD,), _AS_HEX)),
        ("visibility", "(?=hidden|collapse)", Lack("visibility", (GMAIL, WORD), "leave out what nobody should see")),
        ("object-(?:fit|position)", "", Lack("object-fit", (WORD, YAHOO), "cut the picture to its size")),
        ("transform", r"\w+\(", Lack("transform", (GMAIL, OUTLOOK, YAHOO), "do without it, or make a picture of it")),
        ("animation(?:-name)?", "^(?!none)", Lack("animation", (GMAIL, OUTLOOK, YAHOO), "do without it")),
        ("clip-path", r"\w+\(", Lack("clip-path", (GMAIL, OUTLOOK, YAHOO), "cut the picture itself")),
        ("filter", r"^(?!none|progid)", Lack("filter", (GMAIL, OUTLOOK, YAHOO), "change the picture itself")),
        ("mix-blend-mode", "^(?!normal)", Lack("mix-blend-mode", (WORD, YAHOO), _AS_HEX)),
        ("(?:-webkit-)?background-clip", "(?=text)", Lack("background-clip", (WORD, YAHOO), "give the words a colour")),
        ("writing-mode", "vertical|sideways", Lack("writing-mode", (WORD, YAHOO, FASTMAIL), "write horizontally")),
        ("columns|column-count", r"(?=\d)", Lack("columns", (WORD, YAHOO), _AS_TABLE)),
        ("aspect-ratio", r"(?=\d)", Lack("aspect-ratio", (GMAIL, OUTLOOK, YAHOO), "write width and height")),
        ("(?:margin|padding|border)-(?:inline|block)(?:-.+)?|(?:inline|block)-size|inset(?:-.+)?", "",
         Lack("a side that depends on the script", (GMAIL, OUTLOOK, YAHOO), _AS_SIDES)),
        (".+", r"-gradient\(", Lack("a gradient", (OUTLOOK, YAHOO), "give one colour")),
        ("background(?:-image)?", r"\burl\(", Lack("a background picture", (WORD,), "put it in an img, or leave it")),
        (".+", rf"{_NUMBER}rem\b", Lack("the unit rem", (WORD, YAHOO), _AS_PIXELS)),
        (".+", rf"{_NUMBER}(?:vw|vh)\b", Lack("the unit vw or vh", (WORD, FASTMAIL), _AS_PIXELS)),
        (".+", rf"{_NUMBER}(?:vmin|vmax)\b", Lack("the unit vmin or vmax", (WORD, YAHOO), _AS_PIXELS)),
        (".+", rf"{_NUMBER}ch\b", Lack("the unit ch", (WORD, YAHOO), _AS_PIXELS)),
        (".+", r"\bcalc\(", Lack("calc()", (OUTLOOK, YAHOO), _AS_PIXELS)),
        (".+", r"(?<![\w-])(?:min|max|clamp)\(",
         Lack("min(), max() or clamp()", (OUTLOOK, YAHOO, FASTMAIL), _AS_PIXELS)),
        (".+", r"(?<![\w-])(?:light-dark|oklch|oklab|lch|lab|color|color-mix)\(", _NEW_COLOUR),
        (".+", r"(?<![\w-])rgba?\([^,()]*\)", _NEW_COLOUR),
        (".+", r"\brgba\(", Lack("rgba()", (WORD,), _AS_HEX)),
    )
)  # fmt: skip

_SECTION = ((OUTLOOK, YAHOO), _AS_DIV)
_FOLDED = ((GMAIL, OUTLOOK, YAHOO), _AS_DIV)
_ELEMENTS: dict[str, Lack] = {
    tag: Lack(f"<{tag}>", clients, instead)
    for tags, (clients, instead) in (
        ("article aside figcaption figure footer header section", _SECTION),
        ("details main nav summary", _FOLDED),
        ("input", ((WORD, PROTON), _AS_PAGE)),
        ("select textarea", ((WORD,), _AS_PAGE)),
        ("button", ((WORD, "Outlook on the web", "Outlook for Mac"), "write a link; mj-button makes one")),
        ("audio", ((GMAIL, OUTLOOK, YAHOO), "link to it")),
        ("video", ((GMAIL, WORD, "Outlook on the web", YAHOO), "show a picture that links to it")),
        ("svg", ((GMAIL, OUTLOOK, YAHOO), _AS_PNG)),
    )
    for tag in tags.split()
}
_LINK = Lack("<link>", (GMAIL, "Outlook on the web", YAHOO), "do without it")
_HIDDEN = Lack("the attribute hidden", (GMAIL, OUTLOOK, YAHOO), "leave out what nobody should see")
_PICTURES: dict[str, Lack] = {
    "svg": Lack("an SVG picture", (GMAIL,), _AS_PNG),
    "webp": Lack("a WebP picture", (WORD,), _AS_PNG),
    "avif": Lack("an AVIF picture", (WORD, FASTMAIL), _AS_PNG),
    "heic": Lack("an HEIC picture", (WORD, "Outlook on the web"), _AS_PNG),
}
_EXTENSION = re.compile(r"\.(svg|webp|avif|heic)(?:[?#]|$)", re.IGNORECASE)


def check_support(page: Page) -> list[Finding]:
    """What some mail program drops of this HTML; each thing once, where it stands first."""
    found: dict[Lack, str] = {}
    for style, nodes in page.by_style.items():
        for lack, near in _in_style(style):
            if any(node.shown and not _is_excused(node, lack) for node in nodes):
                found.setdefault(lack, near)
    for lack, near in _in_markup(page):
        found.setdefault(lack, near)
    return [lack.finding(near) for lack, near in found.items()]


@lru_cache(maxsize=1024)
def _in_style(style: Style) -> tuple[tuple[Lack, str], ...]:
    """What is lacking of a style attribute, each with the words that ask for it."""
    found: list[tuple[Lack, str]] = []
    safe: set[str] = set()  # properties that have a value for everybody
    for name, value in style.declarations:
        lacks = [
            (lack, match[0].strip() or name)
            for pattern, sign, lack in _RULES
            if pattern.fullmatch(name) and (match := sign.search(value.lower()))
        ]
        if not lacks:
            safe.add(name)
        elif name not in safe:
            found.append(lacks[0])
    return tuple(found)


def _is_excused(node: Node, lack: Lack) -> bool:
    """Whether Word gets the same in another way: by `align`, or by the table that MJML puts around a div."""
    if lack is _FLOAT:
        return node.tag in ("img", "table") and bool(node.get("align"))
    if lack is _AUTO_MARGIN:
        return node.tag == "div" or bool(node.get("align")) or not (node.tag in ("img", "table") or node.words)
    return False


def _in_markup(page: Page) -> Iterator[tuple[Lack, str]]:
    for tag, lack in _ELEMENTS.items():
        if page.shown(tag):
            yield lack, f"<{tag}"
    for node in page.having("link"):
        if "stylesheet" not in node.get("rel").lower().split():  # that is DM422
            yield _LINK, node.get("href") or "<link"
    if any(node.element.get("hidden") is not None for node in page.nodes):
        yield _HIDDEN, "hidden"
    for node in page.shown("img"):
        if kind := _EXTENSION.search(node.get("src")):
            yield _PICTURES[kind[1].lower()], node.get("src")
