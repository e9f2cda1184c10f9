"""The HTML inside an element of MJML: every element closed, every conditional comment ended, up to the end tag.

Most of a document is this, and MJML has no rules for it, so it is read without building anything: only tags that
a rule looks at are kept. To MRML a conditional comment is two signs with HTML between them, which has to be
balanced like the rest; `<table>` in one comment and `</table>` in the next are fine.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from digest_mailer.rendering.rules.mjml_elements import VOID
from digest_mailer.rendering.rules.mjml_syntax import TOKEN, Opened, Unreadable, explain, never_closed, wrong_end

_BAD_COMMENT = re.compile(r"^-?>|--|-$")
# MRML looks two bytes back from a `>` in a text, and ends the whole program when that is inside a character.
_RISKY = re.compile(r"\]\]>|[\u0800-\U0010ffff][\x00-\x7f]?>|[\u0080-\u07ff][\x00-\x7f]>")
_MJ = ("mj", "MJ", "Mj", "mJ")


class Html(NamedTuple):
    """What was found in the HTML, and where it ends: behind the end tag of the element that holds it."""

    tags: list[re.Match[str]]  # start tags of MJML, and those with a single quote
    marks: list[re.Match[str]]  # comments, conditional comments and declarations
    end: int


def read_html(source: str, start: int, open_: Sequence[Opened]) -> Html:
    """Read to the end of the last of these open elements. Raises Unreadable for what is not well-formed."""
    html = Html([], [], 0)
    names: list[str] = []
    inner: list[re.Match[str]] = []
    position = start
    for token in TOKEN.finditer(source, start):
        check_words(source, position, token.start())
        kind, position = token.lastgroup, token.end()
        if kind == "tail":
            name, tail = token.group("name", "tail")
            if "'" in tail or name[:2] in _MJ:
                html.tags.append(token)
            if name not in VOID and not tail.endswith("/"):
                names.append(name)
                inner.append(token)
        elif kind == "end":
            if names and names[-1] == token["end"]:
                names.pop()
                inner.pop()
            elif names or token["end"] != open_[-1].name:
                raise wrong_end(source, token, [*open_, *map(Opened, names, (one.start() for one in inner))])
            else:
                _check_conditions(html.marks)
                return html._replace(end=position)
        elif kind == "bad":
            raise explain(source, token.start())
        else:
            check_mark(token)
            html.marks.append(token)
    raise never_closed(open_[-1])


def check_words(source: str, start: int, end: int) -> None:
    """A text between two tags cannot hold `]]>`, nor some other signs before a `>`. Raises Unreadable."""
    if source.find(">", start, end) < 0:
        return
    found = _RISKY.search(source, start, end)
    if found and found[0] == "]]>":
        raise Unreadable(found.start(), "]]> in a text", "write ]]&gt;", "]]>")
    if found:
        message = f'a ">" so close behind "{found[0][0]}" breaks MJML'
        raise Unreadable(found.end() - 1, message, "write &gt;, or in CSS put two spaces before it", ">")


def check_mark(token: re.Match[str]) -> None:
    """A comment has to be one. Raises Unreadable."""
    if token.lastgroup == "comment" and token[0].startswith("<!--[if"):
        hint = "write it as <!--[if mso]> ... <![endif]-->"
        raise Unreadable(token.start(), "a conditional comment that MJML cannot read", hint, "<!--[if")
    if token.lastgroup == "comment" and _BAD_COMMENT.search(token[0][4:-3]):
        hint = "only the end of a comment may have it"
        raise Unreadable(token.start(), 'a comment holds "--", or begins with ">"', hint, "<!--")


def never_ended(token: re.Match[str]) -> Unreadable:
    """A conditional comment without its end."""
    hint = "write <![endif]--> where it ends, in the same element"
    return Unreadable(token.start(), f"{token[0]} is never ended", hint, token[0])


def _check_conditions(marks: Sequence[re.Match[str]]) -> None:
    """Beginnings and ends take turns. Raises Unreadable."""
    begun: re.Match[str] | None = None
    for mark in marks:
        if mark.lastgroup == "condition":
            if begun:
                break
            begun = mark
        elif mark.lastgroup == "endif":
            if not begun:
                hint = "delete it, or write where it begins, like <!--[if mso]>"
                raise Unreadable(mark.start(), f"{mark[0]} ends nothing", hint, mark[0])
            begun = None
    if begun:
        raise never_ended(begun)
