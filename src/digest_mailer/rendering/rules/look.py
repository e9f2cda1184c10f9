"""What words look like in a mail program that drops every <style>: colour, background, size.

    look = inherited(Look(), "td", "color:#52606d; font-size:14px", "#f3f4f0")
    look.colour, look.background, look.size      # "#52606d", "#f3f4f0", 14.0

An element takes over what its parent has, then what browsers give its tag (blue links, large headings), then
its `bgcolor`, then its style attribute (CSS 2.2, 6.2; HTML, 15.3). A colour that cannot be known, because a
picture lies under the words or because the name means nothing, is empty, and nobody judges it.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from cssutils.css import colors

from digest_mailer.rendering.rules.style import read_style

LINK = "#0000ee"  # what browsers give a link that has no colour of its own (HTML, 15.3.4)

Colour = tuple[int, int, int, float]  # red, green, blue, and how much of it covers what is below: 0 to 1

_NAMED: dict[str, Colour] = colors.COLORS
_HEX = re.compile(r"#?([0-9a-f]{8}|[0-9a-f]{6}|[0-9a-f]{3,4})")
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*(?:[,/]\s*([\d.]{1,6})(%?)\s*)?\)")
_WORDS = re.compile(r"(?:[^\s(]|\([^()]*\))+")
_PICTURE = re.compile(r"url\(|gradient\(")
_SIZE = re.compile(r"(\d{1,5}(?:\.\d{0,6})?|\.\d{1,6})(px|pt|pc|in|cm|mm|rem|em|ex|%)")
_PIXELS = {"px": 1, "pt": 4 / 3, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 9.6 / 2.54, "rem": 16}
_TIMES = {"em": 1, "ex": 0.5, "%": 0.01, "smaller": 5 / 6, "larger": 1.2}
_NAMED_SIZES = {
    "xx-small": 9, "x-small": 10, "small": 13, "medium": 16, "large": 18, "x-large": 24, "xx-large": 32,
}  # fmt: skip
# Sizes that browsers give a tag, as parts of its parent's (HTML, 15.3.6 and 15.3.4).
_TAGS = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h5": 0.83, "h6": 0.67, "small": 5 / 6, "sub": 5 / 6, "sup": 5 / 6}
TAGS_WITH_A_LOOK = frozenset(("a", *_TAGS))  # any other looks like its parent, unless it says otherwise


class Look(NamedTuple):
    """Colours like `#0b5563`, empty when they cannot be known; the size in pixels. A tuple, because the cache
    below compares hundreds of them."""

    colour: str = "#000000"
    background: str = "#ffffff"
    size: float = 16.0


@lru_cache(maxsize=4096)
def inherited(parent: Look, tag: str, style: str = "", bgcolor: str = "") -> Look:
    """The look of an element inside another."""
    look = parent._replace(
        colour=LINK if tag == "a" else parent.colour,
        background=_over(parent.background, bgcolor.strip().lower()) if bgcolor else parent.background,
        size=parent.size * _TAGS.get(tag, 1.0),
    )
    for name, value in sorted(read_style(style).declarations, key=_pictures_first):
        low = value.lower()
        if name == "background-image" and _PICTURE.search(low):
            look = look._replace(background="")
        elif name in ("background-color", "background"):
            look = look._replace(background=_background(parent.background, low))
        elif name == "color":
            look = look._replace(colour=_text_colour(parent.colour, low))
        elif name in ("font-size", "font"):
            look = look._replace(size=_size(low, parent.size, look.size))
    if look.colour.startswith("rgba"):  # needs the background, which may stand behind it in the style
        look = look._replace(colour=_over(look.background, look.colour))
    return parent if look == parent else look


def read_colour(text: str) -> Colour | None:
    """A colour as CSS or `bgcolor` write it, in lower case. None for what is no colour, or not one we know."""
    if found := _HEX.fullmatch(text):
        digits = found[1] if len(found[1]) > 4 else "".join(digit * 2 for digit in found[1])
        red, green, blue, *alpha = (int(digits[at : at + 2], 16) for at in range(0, len(digits), 2))
        return red, green, blue, alpha[0] / 255 if alpha else 1.0
    if found := _RGB.fullmatch(text):
        red, green, blue = (min(255, int(found[at])) for at in (1, 2, 3))
        return red, green, blue, _alpha(found[4], found[5])
    return _NAMED.get(text)


def _alpha(number: str | None, percent: str | None) -> float:
    if not number or number.count(".") > 1 or number == ".":
        return 1.0
    return min(1.0, float(number) / (100 if percent else 1))


def _over(below: str, text: str) -> str:
    """What is seen when a colour lies over another; empty when either cannot be known."""
    colour = read_colour(text)
    if text in ("inherit", "unset", "initial") or (colour and colour[3] == 0):
        return below
    if colour is None or (colour[3] < 1 and not below):
        return ""
    under = read_colour(below) or colour
    mixed = (round(top * colour[3] + low * (1 - colour[3])) for top, low in zip(colour[:3], under[:3], strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _pictures_first(declaration: tuple[str, str]) -> bool:
    """Sorts a picture before its colour, wherever it stands: the colour is for whom the picture does not load."""
    return declaration[0] != "background-image"


def _background(below: str, value: str) -> str:
    named = [word for word in _WORDS.findall(value) if word == "inherit" or read_colour(word)]
    if named:
        return _over(below, named[-1])
    return "" if _PICTURE.search(value) or "(" in value else below


def _text_colour(parent: str, value: str) -> str:
    if value in ("inherit", "currentcolor", "unset"):
        return parent
    colour = read_colour(value)
    if colour and colour[3] < 1:
        return f"rgba({colour[0]}, {colour[1]}, {colour[2]}, {colour[3]:.4f})"
    return _over("", value)


def _size(value: str, parent: float, otherwise: float) -> float:
    """The pixels of a font-size, or of the size in a `font`."""
    for word in re.split(r"[\s/]+", value):
        if word in _NAMED_SIZES:
            return float(_NAMED_SIZES[word])
        if word in _TIMES:
            return parent * _TIMES[word]
        if found := _SIZE.fullmatch(word):
            number = float(found[1])
            return number * _PIXELS[found[2]] if found[2] in _PIXELS else number * parent * _TIMES[found[2]]
    return otherwise
