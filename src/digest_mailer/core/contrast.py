"""How well one colour can be read on another: relative luminance and contrast ratio of WCAG 2.2.

    contrast("#1f2933", "#ffffff")   # 14.7: the ink on the card
    contrast("#ffffff", "#1f2933")   # the same; which one is the text makes no difference

The ratio runs from 1 (the same colour) to 21 (black on white). Success criterion 1.4.3 asks 4.5 of text
(`READABLE`). The formulas are the definitions of "relative luminance" and "contrast ratio" in WCAG 2.2.
"""

import re
from functools import lru_cache

READABLE = 4.5

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_WEIGHTS = (0.2126, 0.7152, 0.0722)  # how bright red, green and blue each look
_FLARE = 0.05  # light that falls on every screen


@lru_cache(maxsize=256)
def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours like `#0b5563`. Raises ValueError for any other text."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + _FLARE) / (darker + _FLARE)


def luminance(colour: str) -> float:
    """How bright a colour like `#0b5563` looks, 0 to 1. Raises ValueError for any other text."""
    if not _COLOUR.fullmatch(colour):
        raise ValueError(f"not a colour like #0b5563: {colour!r}")
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return sum(weight * _linear(channel) for weight, channel in zip(_WEIGHTS, channels, strict=True))


def _linear(channel: float) -> float:
    """A channel without sRGB's gamma. WCAG wrote 0.03928 until 2021; for 8-bit colours it makes no difference."""
    return float(channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
