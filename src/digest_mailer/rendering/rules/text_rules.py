"""What must be true of a finished plain-text part: by itself, and beside the HTML.

    DM430   a heading of the HTML that the text lacks
    DM431   an address that the HTML links to and the text lacks: who reads text cannot go there
    DM432   more than 15 % of the HTML's words are not in the text; filters take the two for different mails
            (SpamAssassin, MPART_ALT_DIFF)
    DM433   a line over 78 columns (RFC 5322, 2.1.1; RFC 3676, 4.2); an address cannot be broken and may be longer
    DM434   markup: tags, entities, Markdown's signs
    DM435   characters that nobody sees, most often what pads the preheader of the HTML

Texts are compared without white space and without the numbers of links, `[1]`: lines are wrapped, and
flowed lines (RFC 3676) begin or end with a space. A tag or an entity that the HTML shows as words is no
markup but what the article is about; nor is a sign of Markdown in its code.
"""

import re
from collections.abc import Iterator
from html.entities import html5

from digest_mailer.core.errors import Severity
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.leftovers import check_marks
from digest_mailer.rendering.rules.link_rules import PERSONAL
from digest_mailer.rendering.rules.naming import short, squash
from digest_mailer.rendering.rules.page import HEADINGS, Page

WIDTH = 78
MISSING_WORDS = 0.15  # of the HTML's
LONG_WORD = 4  # letters; shorter ones stand in every text

_REFERENCE = re.compile(r"\[\d{1,3}\]")
_AROUND = "<>()[]{}.,;:!?\"'“”‘’«»"  # signs that a sentence puts around an address
_UNBREAKABLE = re.compile(r"://|__DM_|\b10\.\d{4,9}/|\S@\S")  # address, slot, DOI, mailbox
_LINE_MARK = re.compile(r"^[-*>\s]*(?:\[\d{1,3}\]|\d{1,3}[.)])?\s*")  # what may stand before it: list, quotation
_TAG = re.compile(
    r"</?(?:a|abbr|article|aside|b|blockquote|body|br|button|center|code|dd|div|dl|dt|em|figure|font|footer|form"
    r"|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|li|link|main|meta|mj-[a-z-]+|mjml|nav|ol|p|pre|s|script"
    r"|section|small|span|strong|style|sub|sup|svg|table|tbody|td|tfoot|th|thead|title|tr|u|ul)(?=[\s/>])[^<>]*>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{2,7}|#x[0-9a-f]{2,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_MARKDOWN_LINK = re.compile(r"\]\((?:https?:|mailto:)")
_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])[^*\n]*(?<=[^\s*])\*\*(?![\w*])")  # `** p < .01` is a note to a table
_INVISIBLE = ("\u200b", "\u200c", "\u034f", "\ufeff", "\u2007", "\u00ad")
_SPELLING = re.compile(r"(?<=\w)\u200c(?=\w)")  # ZWNJ between two letters is how Persian is spelled


def check_text(text: str, page: Page) -> list[Finding]:
    """Everything that is wrong with a finished text, `page` being the HTML beside it; each mistake once."""
    pieces = text.split()
    found = [
        *check_marks(text, text.encode(errors="replace"), "plain text"),
        *_check_headings(pieces, page),
        *_check_addresses(text, pieces, page),
        *_check_words(pieces, page),
        *_check_lines(text),
        *_check_markup(text, page),
        *_check_invisible(text),
    ]
    return list(dict.fromkeys(found))


def _check_headings(pieces: list[str], page: Page) -> Iterator[Finding]:
    there = _comparable(pieces)
    for node in page.shown(*HEADINGS):
        words = node.words
        if _comparable(words.split()) not in there:
            yield Finding(
                "DM430",
                f'the plain text lacks the heading "{short(words)}"',
                "let digest.txt.j2 show what digest.mjml.j2 shows",
                near=words,
            )


def _check_addresses(text: str, pieces: list[str], page: Page) -> Iterator[Finding]:
    lines = {line.strip() for line in text.split("\n")}
    hrefs = dict.fromkeys(node.get("href").strip() for node in page.shown("a", "area"))
    missing = [href for href in hrefs if _is_missing(href, lines)]
    if not missing:
        return
    there = {*pieces, *(piece.strip(_AROUND) for piece in pieces)}
    for href in missing:
        if _is_missing(href, there):
            yield Finding(
                "DM431",
                f"the plain text lacks the address {short(href)}, to which the HTML links",
                "let the text show every address, alone on its line",
                near=href,
            )


def _is_missing(href: str, there: set[str]) -> bool:
    if href in PERSONAL:
        return not {href, href.partition("#")[0]} & there
    scheme, _, rest = href.partition(":")
    if scheme.lower() == "mailto":
        return not {href, rest, rest.partition("?")[0]} & there
    return scheme.lower() in ("http", "https") and href not in there


def _check_words(pieces: list[str], page: Page) -> Iterator[Finding]:
    html = page.text.split()
    shown = {word for word in _words(html) if len(word) >= LONG_WORD and word[0].isalpha() and ":" not in word}
    missing = shown - _words(pieces)
    if len(missing) > MISSING_WORDS * len(shown):
        first = next(word for word in (piece.strip(_AROUND) for piece in html) if word.casefold() in missing)
        yield Finding(
            "DM432",
            f'the plain text lacks {len(missing)} of the {len(shown)} words of the HTML, "{short(first)}" for one',
            "let digest.txt.j2 show what digest.mjml.j2 shows",
            Severity.WARNING,
            near=first,
        )


def _words(pieces: list[str]) -> set[str]:
    """Each word once, in small letters and without the signs around it."""
    return {piece.strip(_AROUND).casefold() for piece in set(pieces)}


def _check_lines(text: str) -> Iterator[Finding]:
    for line in text.split("\n"):
        if len(line) <= WIDTH or len(line.rstrip()) <= WIDTH:  # a flowed line has a space at its end
            continue
        if len(_LINE_MARK.sub("", line).split()) > 1 or not _UNBREAKABLE.search(line):
            yield Finding(
                "DM433",
                f'a line of the plain text has {len(line.rstrip())} columns: "{short(line)}"',
                f"break it at {WIDTH} or before; the filter `wrap` does it in a template",
                near=line.strip(),
            )


def _check_markup(text: str, page: Page) -> Iterator[Finding]:
    html = [*_TAG.findall(text), *(entity for entity in _ENTITY.findall(text) if _is_entity(entity))]
    shown = squash(page.text) if html else ""
    markdown = [*_MARKDOWN_LINK.findall(text), *(_BOLD.findall(text) if "**" in text else ())]
    code = squash(" ".join(node.words for node in page.shown("code", "pre"))) if markdown else ""
    for sign in [
        *(sign for sign in html if squash(sign) not in shown),
        *(sign for sign in markdown if squash(sign) not in code),
    ]:
        yield Finding(
            "DM434",
            f'the plain text holds markup: "{short(sign)}"',
            "write the words without it; in a template, show the text and not the HTML of a field",
            near=sign,
        )


def _is_entity(text: str) -> bool:
    return text[1] == "#" or text[1:] in html5


def _check_invisible(text: str) -> Iterator[Finding]:
    for sign in _INVISIBLE:
        if sign in text and sign in _SPELLING.sub("", text):
            yield Finding(
                "DM435",
                f"the plain text holds a character that nobody sees, U+{ord(sign):04X}",
                "keep what pads the preheader out of the text; in an article, delete the character",
                near=sign,
            )


def _comparable(pieces: list[str]) -> str:
    """Words that may be wrapped, numbered as links or in capitals."""
    return _REFERENCE.sub("", "".join(pieces)).casefold()
