"""A finished mail as one reader or another sees it, for a preview's frames. The mail itself is never altered.

    light, dark   its own rules for a colour scheme hold, or do not, whatever the machine that looks at it prefers
    no-images     each image shows its words
    no-style      no style at all, as the plainest programs show it

Nothing is fetched from elsewhere: an image from another host shows its words too, and is named beside the frame.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from html import escape, unescape

_STYLE = re.compile(r"(<style\b[^<>]*>)(.*?)(</style\s*>)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"""<[a-z][^\s<>/]*(?:[^<>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b", re.IGNORECASE)
_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_MEDIA = re.compile(r"""(?<=\smedia=)("[^"]*"|'[^']*')""", re.IGNORECASE)
_STYLING = re.compile(r"""\s(?:style|bgcolor|class)=(?:"[^"]*"|'[^']*')""", re.IGNORECASE)
_ADDRESS = re.compile(r"""\s(?:src|srcset|background)=("[^"]*"|'[^']*')""", re.IGNORECASE)
_FETCHING = re.compile(r"src|background", re.IGNORECASE)
_WORDS = re.compile(r"""\salt=("[^"]*"|'[^']*')""", re.IGNORECASE)
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_HOLDS, _NEVER = "(min-width: 0)", "(max-width: 0)"
_TEXT_COLUMNS = 72


class View(StrEnum):
    """What a frame shows."""

    LIGHT = "light"
    DARK = "dark"
    NO_IMAGES = "no-images"
    NO_STYLE = "no-style"
    PLAIN = "plain"
    HEADERS = "headers"
    RAW = "raw"
    MJML = "mjml"


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a mail."""

    address: str
    words: str | None  # that stand for it; None where nobody wrote any

    @property
    def outside(self) -> bool:
        """Whether it would be fetched from somewhere."""
        return not self.address.startswith("data:")


def pictures(html: str) -> tuple[Picture, ...]:
    """The images of a mail, in its order."""
    found = (tag[0] for tag in _TAG.finditer(html) if _IMAGE.match(tag[0]))
    return tuple(Picture(_value(_ADDRESS, tag) or "", _value(_WORDS, tag)) for tag in found)


@lru_cache(maxsize=16)  # two frames of a preview ask for the same, each time that they are loaded
def html_view(html: str, view: View) -> str:
    """The mail's HTML for a frame of this view."""
    if view is View.NO_STYLE:
        return _TAG.sub(lambda tag: _STYLING.sub("", _still(tag[0])), _STYLE.sub("", html))
    scheme = "dark" if view is View.DARK else "light"
    everything = view is View.NO_IMAGES
    html = _STYLE.sub(lambda style: _with_scheme(style[1], scheme) + _with_scheme(style[2], scheme) + style[3], html)
    html = _TAG.sub(lambda tag: _with_scheme_asked(_still(tag[0], every=everything), scheme), html)
    return _HEAD_END.sub(rf"<style>:root {{ color-scheme: {scheme} !important; }}</style>\g<0>", html, count=1)


def text_view(text: str, title: str, language: str, labels: Sequence[tuple[str, str]] = ()) -> str:
    """Plain text as a page of its own, 72 columns wide; with labels, a list of names and values before it."""
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in labels)
    style = (
        ":root{color-scheme:light dark}body{margin:1rem;font:13px/1.5 ui-monospace,Consolas,Menlo,monospace}"
        f"pre{{max-width:{_TEXT_COLUMNS}ch;margin:0;font:inherit;white-space:pre-wrap;overflow-wrap:anywhere}}"
        "dl{margin:0}dt{font-weight:700}dd{margin:0 0 .5rem;overflow-wrap:anywhere}"
    )
    shown = f"<dl>{listed}</dl>" if listed else f"<pre>{escape(text)}</pre>"
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head><body>{shown}</body></html>'
    )


def _still(tag: str, *, every: bool = False) -> str:
    """A tag that fetches nothing from elsewhere; with `every`, no image at all."""
    if not _FETCHING.search(tag):
        return tag
    return _ADDRESS.sub(lambda one: "" if every or not one[1][1:].startswith("data:") else one[0], tag)


def _with_scheme_asked(tag: str, scheme: str) -> str:
    """The same for the media that a tag is for."""
    if "media" not in tag.lower():
        return tag
    return _MEDIA.sub(lambda media: _with_scheme(media[0], scheme), tag)


def _with_scheme(css: str, scheme: str) -> str:
    """Rules for one colour scheme hold, those for the other never do."""
    states: Mapping[bool, str] = {True: _HOLDS, False: _NEVER}
    return _SCHEME.sub(lambda asked: states[asked[1].lower() == scheme], css)


def _value(pattern: re.Pattern[str], tag: str) -> str | None:
    found = pattern.search(tag)
    return unescape(found[1][1:-1]) if found else None
