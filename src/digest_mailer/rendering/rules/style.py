"""CSS as it stands in a style attribute: read, and looked over for what mail programs trip on.

A small splitter and no CSS parser: attributes hold declarations and nothing else, an edition repeats some
forty of them hundreds of times, and a parser would take longer than everything else in a check.

    DM403   all <style> together are longer than Gmail reads: 16,384 bytes. It drops each block that passes
            the limit (caniemail, html-style, note 6; hteumeuleu/email-bugs 90)
    DM404   CSS that cannot be read. Gmail drops a whole block for one mistake, also for an @ inside an @
            (email-bugs 21); a style attribute loses what cannot be read
    DM424   a shorthand after one of its own longhands, which it undoes: `padding-left:0; padding:10px`.
            premailer writes that order when it merges a rule into an inline style
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.naming import short

GMAIL_STYLE = 16_384  # bytes of CSS

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_GROUP = re.compile(r"\([^()]*\)")
# One declaration: semicolons inside quotation marks and brackets do not end it.
_PIECE = re.compile(r"""(?:[^;"'(]|"[^"]*"|'[^']*'|\((?:[^()"']|"[^"]*"|'[^']*'|\([^()]*\))*\))+""")
_DECLARATION = re.compile(r"\s*(--[\w-]+|-?[A-Za-z_][\w-]*)\s*:\s*(\S.*?)\s*", re.DOTALL)
_IMPORTANT = re.compile(r"\s*!\s*important$", re.IGNORECASE)
_BROKEN = re.compile(r"[\"'(){}]")
_BRACE_OR_AT = re.compile(r"[{}]|(?<![^\s{};])@[A-Za-z-]+")
_BLOCK = re.compile(r"\{([^{}]*)\}")
# Which longhands a shorthand resets. `border-collapse`, `border-spacing` and `border-radius` only look like it.
_SHORTHANDS = {
    "padding": re.compile(r"padding-"),
    "margin": re.compile(r"margin-"),
    "background": re.compile(r"background-"),
    "border": re.compile(r"border-(?:top|right|bottom|left|width|style|color|image)\b(?!-(?:left|right)-radius)"),
    "border-top": re.compile(r"border-top-(?!left|right)"),
    "border-right": re.compile(r"border-right-"),
    "border-bottom": re.compile(r"border-bottom-(?!left|right)"),
    "border-left": re.compile(r"border-left-"),
    "border-radius": re.compile(r"border-[a-z]+-[a-z]+-radius"),
    "font": re.compile(r"font-(?:style|variant|weight|stretch|size|family)|line-height"),
    "list-style": re.compile(r"list-style-"),
    "text-decoration": re.compile(r"text-decoration-"),
    "outline": re.compile(r"outline-(?!offset)"),
}


@dataclass(frozen=True, slots=True, eq=False)  # `read_style` makes one of each text
class Style:
    """A style attribute. Names are in lower case; values have lost their `!important`."""

    text: str
    declarations: tuple[tuple[str, str], ...]
    unreadable: tuple[str, ...]
    hides: bool  # display: none


@lru_cache(maxsize=1024)
def read_style(text: str) -> Style:
    """Read the declarations of a style attribute, or of a rule's block."""
    declarations: list[tuple[str, str]] = []
    unreadable: list[str] = []
    for piece in _pieces(_COMMENT.sub(" ", text)):
        found = _DECLARATION.fullmatch(piece)
        if found and not _BROKEN.search(_without_groups(found[2])):
            declarations.append((found[1].lower(), _IMPORTANT.sub("", found[2])))
        else:
            unreadable.append(piece.strip())
    displays = [value.lower() for name, value in declarations if name == "display"]
    return Style(text, tuple(declarations), tuple(unreadable), displays[-1:] == ["none"])


@lru_cache(maxsize=1024)
def check_style(style: Style) -> tuple[Finding, ...]:
    """What is wrong with one style attribute."""
    found = [
        Finding(
            "DM404",
            f'mail programs cannot read "{short(piece)}" in a style',
            "write it as name: value, with every bracket and quotation mark closed",
            near=piece,
        )
        for piece in style.unreadable
    ]
    names = [name for name, _ in style.declarations]
    for at, name in enumerate(names):
        longhands = _SHORTHANDS.get(name)
        undone = [earlier for earlier in names[:at] if longhands.match(earlier)] if longhands else []
        found += [_undone(longhand, name) for longhand in undone]
    return tuple(found)


def _undone(longhand: str, shorthand: str) -> Finding:
    return Finding(
        "DM424",
        f'a style says "{longhand}" and then "{shorthand}", which undoes it',
        f"write {shorthand} before {longhand}; in digest.css, set {longhand} only where the element has no "
        f"{shorthand} of its own",
        near=longhand,
    )


@lru_cache(maxsize=64)
def check_sheets(sheets: tuple[str, ...]) -> tuple[Finding, ...]:
    """What is wrong with the stylesheets of the head."""
    found: list[Finding] = []
    size = sum(len(sheet.encode(errors="replace")) for sheet in sheets)
    if size > GMAIL_STYLE:
        found.append(
            Finding(
                "DM403",
                f"the stylesheets of the head have {size:,} bytes, and Gmail reads {GMAIL_STYLE:,}",
                "shorten responsive.css, dark.css or dark-outlook.css",
            )
        )
    for sheet in sheets:
        plain = _STRING.sub('""', _COMMENT.sub(" ", sheet))
        found += _check_rules(plain)
        found += [_unreadable_rule(piece) for block in _BLOCK.findall(plain) for piece in read_style(block).unreadable]
    return tuple(found)


def _unreadable_rule(piece: str) -> Finding:
    return Finding(
        "DM404",
        f'mail programs cannot read "{short(piece)}" in a stylesheet; Gmail then drops all of it',
        "write it as name: value, with every bracket and quotation mark closed",
        near=piece,
    )


def _check_rules(sheet: str) -> Iterator[Finding]:
    depth = 0
    for found in _BRACE_OR_AT.finditer(sheet):
        sign = found[0]
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            yield _brace("}", "closes a rule that was never opened")
            return
        if sign[0] == "@" and depth:
            yield Finding(
                "DM404",
                f'"{short(sign)}" stands inside another rule; Gmail then drops the whole stylesheet',
                "take it out, so that it stands by itself",
                near=sign,
            )
    if depth:
        yield _brace("{", "opens a rule that is never closed")


def _brace(sign: str, does: str) -> Finding:
    return Finding(
        "DM404", f'a "{sign}" {does}; Gmail then drops the whole stylesheet', "count the braces of the file", near=sign
    )


def _pieces(text: str) -> list[str]:
    """The declarations as they stand. Where a bracket or a quotation mark stays open, every semicolon ends one."""
    whole = _BROKEN.search(text) and not _PIECE.sub("", text).strip("; ")
    pieces = _PIECE.findall(text) if whole else text.split(";")
    return [piece for piece in pieces if piece.strip()]


def _without_groups(value: str) -> str:
    """The value without its strings and brackets; whatever sign of them is left has no partner."""
    value = _STRING.sub("", value)
    while (shorter := _GROUP.sub("", value)) != value:
        value = shorter
    return value
