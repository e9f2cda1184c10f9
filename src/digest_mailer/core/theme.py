"""The theme: what a mail looks like, as values that templates and stylesheets write down.

Mail programs know no CSS variables, so a colour has to be data. Colours are 6-digit hex, because MJML copies
any other text raw into a style and Outlook reads no short form. A theme that somebody could not read is
refused: every pair of text and background has at least 4.5:1, in light and in dark mode (WCAG 2.2, success
criterion 1.4.3).
"""

import re
from dataclasses import dataclass

from digest_mailer.core.contrast import READABLE, contrast

_COLOUR = re.compile(r"#[0-9a-f]{6}")
# What is written on what; the same names with `dark_` hold in dark mode.
_PAIRS = (
    ("ink", "card"), ("muted", "card"), ("accent", "card"),
    ("ink", "page"), ("muted", "page"), ("accent", "page"),
    ("ink", "tint"), ("accent", "tint"),
)  # fmt: skip
_COLOURS = (
    "page", "card", "ink", "muted", "accent", "rule", "tint", "hairline",
    "dark_page", "dark_card", "dark_ink", "dark_muted", "dark_accent", "dark_tint", "dark_hairline",
)  # fmt: skip
# The least and the most of each size, in pixels: nobody reads 10 px, and no phone holds a word of 60 px.
_SIZES = {"text_size": (15, 22), "small_size": (14, 18), "heading_size": (20, 32), "title_size": (24, 44)}
_LARGEST_LOGO = 520  # pixels: the card without its gutters


class ThemeError(ValueError):
    """A value that a theme cannot have; the message names it."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours, sizes in pixels, and the wordmark. The names say what a colour is for; `dark_*` is its
    counterpart for readers in dark mode. Raises ThemeError for a value that cannot be, or cannot be read."""

    page: str = "#f3f4f0"
    card: str = "#ffffff"
    ink: str = "#1f2933"
    muted: str = "#52606d"
    accent: str = "#0b5563"
    rule: str = "#0b7a75"
    tint: str = "#eef6f4"
    hairline: str = "#d5dcd9"
    dark_page: str = "#11171a"
    dark_card: str = "#1a2226"
    dark_ink: str = "#e6e9eb"
    dark_muted: str = "#aab5be"
    dark_accent: str = "#8ad7cd"
    dark_tint: str = "#1f3232"
    dark_hairline: str = "#38464c"
    text_size: int = 17
    small_size: int = 14
    heading_size: int = 26  # of an article's title
    title_size: int = 34  # of the title
    wordmark: str = ""  # above the title; the publication's name when empty
    logo: str = ""  # https address of a picture that stands in the wordmark's place
    logo_width: int = 0  # pixels, both needed with a logo
    logo_height: int = 0

    def __post_init__(self) -> None:
        for name in _COLOURS:
            _check_colour(name, getattr(self, name))
        for prefix in ("", "dark_"):
            for text, background in _PAIRS:
                self._check_contrast(f"{prefix}{text}", f"{prefix}{background}")
        for name, (least, most) in _SIZES.items():
            if not least <= getattr(self, name) <= most:
                raise ThemeError(f"theme.{name} should be {least} to {most} pixels, not {getattr(self, name)}")
        self._check_logo()

    def _check_contrast(self, text: str, background: str) -> None:
        ratio = contrast(getattr(self, text), getattr(self, background))
        if ratio < READABLE:
            raise ThemeError(
                f"theme.{text} {getattr(self, text)} on theme.{background} {getattr(self, background)} has a contrast "
                f"of {ratio:.2f}:1; readers need {READABLE}:1"
            )

    def _check_logo(self) -> None:
        if not self.logo:
            return
        if not re.fullmatch(r"https://[^\s\"<>/]+/[^\s\"<>]+", self.logo):
            raise ThemeError(f"theme.logo should be an address that begins with https://, not {self.logo!r}")
        if not (0 < self.logo_width <= _LARGEST_LOGO and 0 < self.logo_height <= _LARGEST_LOGO):
            raise ThemeError(f"theme.logo needs logo_width and logo_height, each from 1 to {_LARGEST_LOGO} pixels")


def _check_colour(name: str, value: object) -> None:
    if not isinstance(value, str) or not _COLOUR.fullmatch(value):
        raise ThemeError(f"theme.{name} should be a colour like #0b5563, not {value!r}")
