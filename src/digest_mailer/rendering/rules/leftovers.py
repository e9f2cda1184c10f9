"""What a template or a program forgot to take away.

    DM405   an element of MJML, the sign of a template inside a tag or an address, an unknown mark `__DM_…`,
            None or undefined as a value or as all that an element says, a C1 control character

Prose may hold braces, and the word None in a sentence, in a table of data or emphasised: an article may write
about them. So signs of templates count only where no prose can stand: in names and in attributes, and not in
those that a reader is shown or told (`alt`, `title`, `aria-label`, the `content` of a meta). Gmail cuts a mail
off at a control character of U+0080 to U+009F (hteumeuleu/email-bugs 41).
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from digest_mailer.core.edition import Slot
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.naming import short
from digest_mailer.rendering.rules.page import Page, data_tables

_KNOWN = "|".join(slot.name for slot in Slot)
_UNKNOWN_MARK = re.compile(rf"__DM_(?!(?:{_KNOWN})__)\w*")
_C1 = re.compile("[\u0080-\u009f]")
_C1_BYTES = re.compile(rb"\xc2[\x80-\x9f]")  # in UTF-8; ten times as fast to look for
# Jinja, Mustache, Mailchimp; in an address the braces are percent-encoded.
_DELIMITER = re.compile(r"\{\{|\}\}|\{%|%\}|\*\||%7[Bb]%7[Bb]|%7[Bb]%25")
_IN_CSS = re.compile(r"\{\{|\{%")  # `}}` ends two rules
_EMPTY_VALUES = ("None", "undefined")
_ATTRIBUTE = re.compile(r"""([^\s"'=/]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"']+))?""")
_PROSE = frozenset(("alt", "title", "aria-label", "content"))
_EMPHASIS = frozenset(("em", "strong", "b", "i", "s", "code", "pre"))


def check_marks(part: str, encoded: bytes, name: str) -> Iterator[Finding]:
    """Marks and control characters in one part of an edition, `encoded` being the same in UTF-8, and `name` what
    a person calls it."""
    for mark in dict.fromkeys(_UNKNOWN_MARK.findall(part)):
        yield Finding(
            "DM405",
            f"the {name} holds the mark {short(mark)}, which nothing fills in",
            f"the marks are {', '.join(slot.mark for slot in Slot)}",
            near=mark,
        )
    for sign in dict.fromkeys(_C1.findall(part)) if _C1_BYTES.search(encoded) else ():
        yield Finding(
            "DM405",
            f"the {name} holds a control character, U+{ord(sign):04X}, at which Gmail cuts a mail off",
            "delete it, or type the character that should stand there",
            near=sign,
        )


def check_leftovers(page: Page) -> Iterator[Finding]:
    """What is left in the HTML, its comments for Outlook included."""
    yield from check_marks(page.html, page.encoded, "HTML")
    for name, attributes in page.tags:
        if name.lower().startswith(("mj-", "mjml")):
            hint = "the template uses an element that MJML does not have"
            yield Finding("DM405", f'the HTML still holds "<{short(name)}"', hint, near=f"<{name}")
        elif _DELIMITER.search(name):
            yield _delimiter(name, name)
        if attributes:
            yield from _in_attributes(name, attributes)
    for sheet in page.having("style"):
        if found := _IN_CSS.search(sheet.element.text or ""):
            yield _delimiter("style", found[0])
    if any(value in page.text for value in _EMPTY_VALUES):
        yield from _whole_texts(page)


@lru_cache(maxsize=4096)
def _in_attributes(tag: str, text: str) -> tuple[Finding, ...]:
    if not _DELIMITER.search(text) and not any(value in text for value in _EMPTY_VALUES):
        return ()
    found: list[Finding] = []
    for name, quoted in _ATTRIBUTE.findall(text):
        value = quoted.strip("\"'")
        if sign := _DELIMITER.search(name if name.lower() in _PROSE else f"{name} {value}"):
            found.append(_delimiter(tag, sign[0]))
        if value.strip() in _EMPTY_VALUES:
            found.append(
                Finding(
                    "DM405",
                    f'the {short(name)} of <{short(tag)}> is "{value.strip()}", where a value is missing',
                    "give the template a value, or leave the attribute out",
                    near=f"{name}={quoted}",
                )
            )
    return tuple(found)


def _delimiter(tag: str, sign: str) -> Finding:
    return Finding(
        "DM405",
        f'the sign "{short(sign)}" of a template is left in <{short(tag)}>',
        "close the expression, or write the sign only in texts",
        near=sign,
    )


def _whole_texts(page: Page) -> Iterator[Finding]:
    data = data_tables(page)
    for node in page.speakers:
        words = node.words
        if words in _EMPTY_VALUES and node.tag not in _EMPHASIS:
            if next(node.element.iterancestors("table"), None) in data:
                continue
            yield Finding(
                "DM405",
                f'<{node.tag}> says "{words}" and nothing else, as if a value were missing',
                f"give the template a value; where an article means the word, write it as a sentence, {words}.",
                near=words,
            )
