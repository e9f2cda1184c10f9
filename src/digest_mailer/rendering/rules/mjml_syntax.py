"""The signs of MJML: its tokens as MRML's parser knows them, and what is wrong where none of them fits.

`TOKEN` matches the tag, comment or declaration that a `<` begins; where it begins none, `bad` matches, and `explain`
puts into words why. A value cannot hold a `<`: MRML would take it, but then a quote that is not closed
would be noticed only far below. `Mistake` is what every check of a document answers with.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from digest_mailer.core.errors import did_you_mean
from digest_mailer.rendering.rules.mjml_elements import ELEMENTS, VOID, Content

LEFTOVER = re.compile(r"\{[{%#]")
LEFTOVER_HINT = "the template engine has not seen it; look for {% raw %}, or for braces in a value"

_PART = r"[A-Za-z_][A-Za-z0-9_.-]*+"
_NAME = rf"{_PART}(?::{_PART})?+"
_SPACE = r"[ \t\r\n]"
_EQUALS = rf"{_SPACE}*={_SPACE}*"
_PLAIN_ATTRIBUTE = rf""":?{_NAME}(?:{_EQUALS}(?:"[^"<]*"|'[^'<]*'))?"""

ATTRIBUTE = re.compile(rf"""(?P<name>:?{_NAME})(?:(?P<equals>{_EQUALS})(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'))?""")
TOKEN = re.compile(
    rf"""<(?:(?P<name>{_NAME})(?P<tail>(?:{_SPACE}++{_PLAIN_ATTRIBUTE})*+{_SPACE}*+/?)>
           |/(?P<end>{_NAME}){_SPACE}*>
           |(?P<condition>!--\[if[^\]<>]*\]>(?:<!-->|-->)?|!\[if[^\]<>]*\]>)
           |(?P<endif>!--<!\[endif\]-->|!\[endif\](?:--)?>)
           |(?P<comment>!--.*?-->)
           |(?P<cdata>!\[CDATA\[.*?\]\]>)
           |(?P<declaration>![A-Za-z][^<>]*>|\?[^<>]*>)
           |(?P<bad>))""",
    re.DOTALL | re.VERBOSE,
)
ENDIF = re.compile(r"<!\[endif\](?:--)?>")
STYLE_END = re.compile(rf"</mj-style{_SPACE}*>")

CONTROLS = tuple(map(chr, (*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF)))  # no XML may hold these

_TAG_START = re.compile(rf"</?{_NAME}")
_SPACED_ATTRIBUTE = re.compile(rf"{_SPACE}++(?P<name>:?{_NAME})(?P<value>{_EQUALS}(?:\"[^\"<]*\"|'[^'<]*'))?")
_BLANK = re.compile(rf"{_SPACE}*")
_WORD = re.compile(r"<?[^\s<>]{1,30}|.", re.DOTALL)


class Mistake(NamedTuple):
    """One mistake at an offset of the source; `near` is what stands there."""

    start: int
    code: str
    message: str
    hint: str
    near: str


class Opened(NamedTuple):
    """An element whose end has not come yet."""

    name: str
    start: int


class Unreadable(Exception):  # noqa: N818 - it tells of the document, not of the program
    """The document is not well-formed."""

    def __init__(self, start: int, message: str, hint: str, near: str, code: str = "DM301") -> None:
        super().__init__(message)
        self.mistake = Mistake(start, code, message, hint, near)


def explain(source: str, start: int) -> Unreadable:
    """Say why no token begins with the `<` at this place."""
    if source.startswith("<!--", start):
        return Unreadable(start, "a comment is never closed", "write --> where it ends", "<!--")
    if source.startswith(("<!", "<?"), start):
        near = word_at(source, start)
        return Unreadable(start, f"{near} begins a declaration that has no end", "delete it", near)
    tag = _TAG_START.match(source, start)
    if not tag:
        return Unreadable(start, 'a bare "<" in a text', "write &lt;", "<")
    if tag[0].startswith("</"):
        return Unreadable(start, f'{tag[0]} has no ">"', f"write {tag[0]}>", tag[0])
    return _bad_tag(source, tag)


def wrong_end(source: str, token: re.Match[str], open_: Sequence[Opened]) -> Unreadable:
    """Say what is wrong about an end tag that does not close the last of these open elements."""
    name, start, near = token["end"], token.start(), f"</{token['end']}"
    inner = _inside(name, open_)
    if not inner and name in ELEMENTS and open_ and (hint := _misspelt(open_[-1].name, name)):
        message = f"<{open_[-1].name}> is closed by {near}>"
        return Unreadable(open_[-1].start, message, hint, f"<{open_[-1].name}")
    if not inner:
        hint = did_you_mean(name, [opened.name for opened in open_[-1:]]) or "delete it, or open the element"
        if name in VOID:
            hint = f"<{name}> needs no closing tag; delete it"
        return Unreadable(start, f"{near}> closes nothing", hint, near)
    following = TOKEN.search(source, token.end())
    if following and following["end"] == open_[-1].name:
        message = f"{near}> stands before </{following['end']}>"
        return Unreadable(start, message, "close first what was opened last", near)
    return never_closed(inner, f"before {near}> in line {line_of(source, start)}")


def never_closed(opened: Opened, where: str = "where it ends") -> Unreadable:
    """Say that an element has no end."""
    name, hint = opened.name, f"write </{opened.name}> {where}"
    if name in ELEMENTS and ELEMENTS[name].content is Content.NOTHING:
        hint = "end the tag itself with />"
    elif name.lower() in VOID:
        hint = f"write <{name.lower()}>, in small letters"
    return Unreadable(opened.start, f"<{name}> is never closed", hint, f"<{name}")


def line_of(source: str, start: int) -> int:
    """The line of an offset, counted from 1."""
    return source.count("\n", 0, start) + 1


def _misspelt(name: str, known: str) -> str:
    return "" if name in ELEMENTS else did_you_mean(name, (known,))


def _inside(name: str, open_: Sequence[Opened]) -> Opened | None:
    """The first element that is open inside the one of this name. HTML closes no element of MJML."""
    inner: Opened | None = None
    for opened in reversed(open_):
        if opened.name == name:
            return inner
        if opened.name in ELEMENTS and name not in ELEMENTS:
            return None
        inner = opened
    return None


def word_at(source: str, start: int) -> str:
    """The word at a place, for a person to look for."""
    found = _WORD.match(source, start)
    return found[0] if found else ""


def _bad_tag(source: str, tag: re.Match[str]) -> Unreadable:
    """A start tag that goes wrong somewhere behind its name."""
    stop, attribute = tag.end(), None
    while found := _SPACED_ATTRIBUTE.match(source, stop):
        stop, attribute = found.end(), found
    stop = blank.end() if (blank := _BLANK.match(source, stop)) else stop
    near = word_at(source, stop)
    if near[:1] in ("", "<"):
        hint = 'write > where the tag ends, or &lt; when the sign "<" is meant'
        return Unreadable(tag.start(), f'{tag[0]} begins a tag that has no ">"', hint, tag[0])
    if LEFTOVER.match(source, stop):
        return Unreadable(stop, f"{near[:2]} in the tag {tag[0]}> is left over", LEFTOVER_HINT, near[:2], "DM313")
    if attribute and near.startswith("=") and not attribute["value"]:
        return _bad_value(source, attribute, stop + 1)
    if name := re.match(_NAME, near):  # with a space before it, it would be an attribute
        return Unreadable(stop, f"no space before {name[0]}", "write a space before each attribute", name[0])
    hint = 'a tag holds names with values in double quotes; write &lt; when the sign "<" is meant'
    return Unreadable(stop, f'"{near}" cannot stand in the tag {tag[0]}>', hint, near)


def _bad_value(source: str, attribute: re.Match[str], start: int) -> Unreadable:
    """What stands behind the `=` of an attribute is no value."""
    name, place = attribute["name"], attribute.start("name")
    near = source[place:start]
    value = word_at(source, blank.end() if (blank := _BLANK.match(source, start)) else start)
    if value.startswith(("'", '"')):
        hint = f'write a {value[0]} where the value ends, and &lt; for the sign "<"'
        return Unreadable(place, f"the value of {name}= is never closed", hint, near)
    return Unreadable(place, f"the value of {name}= has no quotes", f'write {name}="{value}"', near)
